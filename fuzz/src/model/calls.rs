//! What each call does and answers. `begin` is told of a call before it is made.

use super::*;

impl Model {
    /// A thread that is at its turnstile makes this call.
    pub fn begin(&mut self, thread: usize, call: &Call) {
        if let Call::Return { value } = *call {
            return self.returns(thread, value);
        }
        let in_call = InCall { call: Some(call.clone()), expect: Expect::Loop, due: VecDeque::new() };
        self.thread_mut(thread).top_mut().call = Some(in_call);
        let expect = self.effect(thread, call);
        self.in_call(thread).expect = expect;
    }

    fn effect(&mut self, thread: usize, call: &Call) -> Expect {
        match *call {
            Call::New { executor, config } => self.new_executor(executor, config),
            Call::NewOdd(odd) => Expect::This(odd_config(odd), Value::Yes(false)),
            Call::Shutdown { executor, wait, cancel } => self.shutdown(thread, executor, wait, cancel),
            Call::Join { executor, limit } => self.join(thread, executor, limit),
            Call::Free(executor) => self.free(thread, executor, true),
            Call::Detach(executor) => self.free(thread, executor, false),
            // Judged when it answers, since workers come and go.
            Call::Counts(executor) => {
                let workers = self.workers_of(executor).filter(|worker| worker.is_busy()).count();
                let (max_workers, pending) =
                    (self.executor(executor).config.max_workers, self.pending_of(executor).count());
                Expect::This(Status::OK, Value::Counts { max_workers, workers, pending })
            }
            Call::Submit { executor, task } => self.submit(executor, task, 1, Hooks::default(), 1),
            Call::Execute { executor, task } => self.submit(executor, task, 1, Hooks::default(), 0),
            Call::SubmitMany { executor, first, n, futures } => {
                self.submit(executor, first, n, Hooks::default(), usize::from(futures))
            }
            Call::SubmitTask { executor, task, hooks, future } => {
                self.submit(executor, task, 1, hooks, usize::from(future))
            }
            Call::SubmitOdd { executor, odd } => Expect::This(odd_task(odd, self.executor(executor)), Value::Nothing),
            Call::Prepare { executor, task, .. } => self.prepare(executor, task),
            Call::Launch { task, hook } => self.launch(task, hook, false),
            Call::ExecutePrepared { task, hook } => self.launch(task, hook, true),
            Call::Ask { ask, task, limit } => self.ask(ask, task, limit),
            Call::Look(task) => Expect::This(Status::OK, self.look(task)),
            Call::Cancel(task) => {
                let cancelled = self.cancel(thread, task);
                Expect::This(Status::OK, Value::Yes(cancelled))
            }
            Call::RequestStop(task) => {
                if !self.cancel(thread, task) && self.tasks[task].state == State::Running {
                    self.tasks[task].stop = true;
                }
                Expect::This(Status::OK, Value::Nothing)
            }
            Call::AddCallback { task, callback } => self.add_callback(thread, task, callback),
            Call::Retain(task) => {
                self.tasks[task].users += 1;
                Expect::This(Status::OK, Value::Yes(true))
            }
            Call::Release(task) => {
                self.tasks[task].users -= 1;
                self.let_go(thread, task);
                Expect::This(Status::OK, Value::Nothing)
            }
            Call::Fail { code, message, payload } => self.fail(thread, Report { code, message, payload }),
            Call::Inside => Expect::This(Status::OK, self.inside(thread)),
            Call::Wait { ref tasks, until, limit } => self.wait_for(tasks, until, limit),
            Call::QueueNew(_) => {
                self.queues.push(Queue::default());
                Expect::This(Status::OK, Value::Yes(true))
            }
            Call::AsCompleted { ref tasks, .. } => self.as_completed(tasks),
            Call::QueueAdd { queue, task, tag } => self.queue_add(queue, task, tag),
            Call::QueueClose(queue) => {
                self.queues[queue].closed = true;
                Expect::This(Status::OK, Value::Nothing)
            }
            Call::QueueNext { queue, limit } => wait(What::Queue(queue), limit),
            Call::QueueFree(queue) => self.queue_free(thread, queue),
            Call::MapNew { executor, first, n, lookahead, hook, .. } => {
                self.map_new(executor, first, n, lookahead, hook)
            }
            Call::MapNext { map, limit, .. } => self.map_next(map, limit),
            Call::MapFree(map) => self.map_free(thread, map),
            // What each of them answers is beside the call, in `turns::refusals`: it does not depend on anything here.
            Call::Refused(_) => Expect::This(Status::INVALID_ARGUMENT, Value::Nothing),
            Call::Return { .. } => unreachable!("a return is not answered"),
        }
    }

    fn new_executor(&mut self, executor: ExecutorId, config: Config) -> Expect {
        assert_eq!(executor, self.executors.len());
        let (handle, no) = (true, false);
        let made = Executor { config, handle, shut: no, cancels: no, broken: no, user_data_dropped: no, seen_over: no };
        self.executors.push(Some(made));
        Expect::This(Status::OK, Value::Yes(true))
    }

    fn shutdown(&mut self, thread: usize, executor: ExecutorId, wait_for_end: bool, cancel: bool) -> Expect {
        self.executor_mut(executor).shut = true;
        if cancel {
            self.executor_mut(executor).cancels = true;
            self.doom(thread, executor, State::Cancelled);
        }
        match wait_for_end {
            false => Expect::This(Status::OK, Value::Nothing),
            true if self.thread(thread).home == Some(executor) => Expect::This(Status::DEADLOCK, Value::Nothing),
            true => wait(What::End(executor), Limit::Forever),
        }
    }

    fn join(&mut self, thread: usize, executor: ExecutorId, limit: Limit) -> Expect {
        if !self.executor(executor).shut {
            Expect::This(Status::INVALID_STATE, Value::Nothing)
        } else if self.thread(thread).home == Some(executor) {
            Expect::This(Status::DEADLOCK, Value::Nothing)
        } else {
            wait(What::End(executor), limit)
        }
    }

    fn free(&mut self, thread: usize, executor: ExecutorId, wait_for_end: bool) -> Expect {
        let own_worker = self.thread(thread).home == Some(executor);
        self.executor_mut(executor).handle = false;
        self.executor_mut(executor).shut = true;
        match wait_for_end && !own_worker {
            true => wait(What::End(executor), Limit::Forever),
            false => Expect::This(Status::OK, Value::Nothing),
        }
    }

    fn fail(&mut self, thread: usize, report: Report) -> Expect {
        let Inside::Task(task) = self.thread(thread).top().inside else {
            return Expect::This(Status::INVALID_STATE, Value::Nothing);
        };
        let replaced = self.tasks[task].failing.replace(report);
        if let Some(Report { payload: Some(payload), .. }) = replaced {
            self.in_call(thread).due.push_back(Due::Event(Event::DropFailure(payload)));
        }
        Expect::This(Status::OK, Value::Nothing)
    }

    fn inside(&self, thread: usize) -> Value {
        let home = self.thread(thread).home;
        let Inside::Task(id) = self.thread(thread).top().inside else {
            return Value::Inside { stop: false, current: Current::Nothing, home };
        };
        let task = &self.tasks[id];
        let current = match task.origin {
            Origin::Anonymous => Current::Nothing,
            Origin::Map => Current::Unknown,
            Origin::Submission => Current::Task(id),
        };
        Value::Inside { stop: task.stop || self.executor(task.executor).cancels, current, home }
    }

    /// The top frame's function returns.
    fn returns(&mut self, thread: usize, value: bool) {
        let frame = self.thread_mut(thread).frames.pop().expect("base frames do not return");
        match frame.inside {
            Inside::Task(task) => self.task_returns(thread, task, value.then_some(task)),
            // What is due after it is in the call below already.
            Inside::Callback(_) => self.advance(thread),
            Inside::Base => unreachable!("base frames do not return"),
        }
    }
}

/// A call that waits.
pub(super) fn wait(what: What, limit: Limit) -> Expect {
    Expect::Wait(Wait { what, limit, taken_before: false, done_before: None })
}

/// What `tp_executor_new` says of a wrong struct: what cannot be meant comes before what is for later.
fn odd_config(odd: Odd) -> Status {
    let invalid = odd.size < 0 || odd.flags > 1 || odd.enumeration > 3 || odd.time < 0 || odd.no_function;
    let later = odd.flags == 1 || odd.enumeration > 0 || odd.capacity > 0 || (odd.size > 0 && odd.tail);
    match (invalid, later) {
        (true, _) => Status::INVALID_ARGUMENT,
        (false, true) => Status::UNSUPPORTED,
        (false, false) => unreachable!("nothing is odd about it"),
    }
}

/// The same for `tp_submit_task`.
fn odd_task(odd: Odd, executor: &Executor) -> Status {
    let invalid = odd.size < 0 || odd.flags > 0 || odd.enumeration > 2 || odd.time < 0 || odd.no_function;
    let later = odd.enumeration > 0 || odd.time > 0 || odd.capacity > 0 || (odd.size > 0 && odd.tail);
    match (invalid, later) {
        (true, _) => Status::INVALID_ARGUMENT,
        (false, true) => Status::UNSUPPORTED,
        (false, false) => executor.admission(),
    }
}
