//! What threads report: whether it may happen now, and whether all that had to has.

use super::waits::{check, Sight};
use super::*;

impl Model {
    /// An event on a thread. An error: it must not happen, not there or not yet.
    pub fn observe(&mut self, thread: usize, event: Event) -> Verdict {
        match event {
            Event::Initialize { executor, failed } => self.initialize(thread, executor, failed)?,
            Event::Finalize(executor) => self.finalize(thread, executor)?,
            Event::Entered { task, home } => return self.enter(thread, task, home),
            Event::Answered(answer) => return self.answer(thread, answer),
            Event::DropUserData(executor) => self.drop_user_data(executor)?,
            hook => self.hook(thread, hook)?,
        }
        // Every hook tries to fail as a task, in vain: there is no current task.
        if let Some(thread) = self.threads.get_mut(&thread) {
            thread.last_error = Status::INVALID_STATE;
        }
        Ok(())
    }

    fn initialize(&mut self, thread: usize, executor: ExecutorId, failed: bool) -> Verdict {
        check(!self.threads.contains_key(&thread), || "an initializer ran twice, or after a task".into())?;
        self.add_worker(thread, executor)?;
        self.thread_mut(thread).initialized = !failed;
        if failed {
            self.executor_mut(executor).broken = true;
            self.doom(thread, executor, State::Broken);
        }
        Ok(())
    }

    fn add_worker(&mut self, thread: usize, executor: ExecutorId) -> Verdict {
        self.threads.insert(thread, Thread::new(Some(executor)));
        let config = self.executor(executor).config;
        let alive = self.workers_of(executor).filter(|worker| !worker.finalized).count();
        // Without a finalizer nobody hears of a worker that retires.
        let retires = config.idle_timeout_ns > 0 && !config.finalizer;
        check(alive <= config.max_workers || retires, || format!("executor {executor} has {alive} workers"))
    }

    fn finalize(&mut self, thread: usize, executor: ExecutorId) -> Verdict {
        let config = self.executor(executor).config;
        if !self.threads.contains_key(&thread) {
            check(!config.initializer, || "a worker was finalized and not initialized".into())?;
            self.add_worker(thread, executor)?;
        }
        let over = self.executor(executor).shut || self.executor(executor).broken;
        let worker = self.thread(thread);
        check(worker.home == Some(executor) && !worker.is_busy(), || "a finalizer ran inside a task".into())?;
        check(!worker.finalized && (worker.initialized || !config.initializer), || {
            "a finalizer ran once too often".into()
        })?;
        check(over || config.idle_timeout_ns > 0, || "a worker ended before its executor".into())?;
        self.thread_mut(thread).finalized = true;
        Ok(())
    }

    fn enter(&mut self, thread: usize, task: TaskId, home: Option<ExecutorId>) -> Verdict {
        let executor = self.tasks[task].executor;
        check(home == Some(executor), || format!("task {task} finds itself in executor {home:?}"))?;
        if !self.threads.contains_key(&thread) {
            check(!self.executor(executor).config.initializer, || "a task ran before the initializer".into())?;
            self.add_worker(thread, executor)?;
            self.thread_mut(thread).initialized = true;
        }
        let reprieved = self.executor(executor).broken && self.reprieve(task);
        check(self.tasks[task].state == State::Pending, || format!("task {task} is {:?}", self.tasks[task].state))?;
        check(self.tasks[task].doom.is_none(), || format!("task {task} was to be cancelled or to end as broken"))?;
        let worker = self.thread(thread);
        check(worker.home == Some(executor) && !worker.finalized, || {
            "on a thread that is no worker of its executor".into()
        })?;
        if worker.is_busy() {
            let helpable = self.helpable(worker);
            check(helpable.first() == Some(&task), || format!("this thread may run inline the first of {helpable:?}"))?;
        } else if self.executor(executor).config.max_workers == 1 && !reprieved {
            let oldest = self.pending_of(executor).min_by_key(|&task| self.tasks[task].turn);
            check(oldest == Some(task), || format!("with one worker it was the turn of task {oldest:?}"))?;
        }
        self.tasks[task].state = State::Running;
        self.tasks[task].runner = thread;
        self.thread_mut(thread).frames.push(Frame { inside: Inside::Task(task), call: None });
        Ok(())
    }

    /// A drop function, a callback, or a report of an unhandled error.
    fn hook(&mut self, thread: usize, event: Event) -> Verdict {
        check(self.threads.contains_key(&thread), || "a hook on a thread that has done nothing yet".into())?;
        self.meet_doom_with(thread, event);
        let due = self.thread(thread).top().call.as_ref().and_then(|call| call.due.front().copied());
        if due == Some(Due::Event(event)) {
            self.in_call(thread).due.pop_front();
            match event {
                Event::DropArg(task) => self.tasks[task].drop_arg_due = false,
                Event::Callback(callback) => {
                    self.thread_mut(thread).frames.push(Frame { inside: Inside::Callback(callback), call: None });
                    return Ok(());
                }
                _ => {}
            }
            self.advance(thread);
            return Ok(());
        }
        let fits = |last: &&mut Last| last.threads.contains(&thread) && last.due.front() == Some(&event);
        match self.last.iter_mut().find(fits) {
            Some(last) => drop(last.due.pop_front()),
            None => return Err(format!("due are {due:?}, and anywhere {:?}", self.last)),
        }
        self.last.retain(|last| !last.due.is_empty());
        Ok(())
    }

    /// If it is the first hook of a task that its executor is to end, and this thread is the one to do so: then it has.
    fn meet_doom_with(&mut self, thread: usize, event: Event) {
        let task = match event {
            Event::DropArg(task) | Event::DropPayload(task) => task,
            Event::Callback(callback) => self.callbacks[callback],
            _ => return,
        };
        let Some(InCall { call, due, .. }) = &self.thread(thread).top().call else { return };
        let executor = self.tasks[task].executor;
        let drains = matches!(call, Some(Call::Shutdown { executor: other, cancel: true, .. }) if *other == executor);
        let works = call.is_none() && self.thread(thread).home == Some(executor);
        if self.tasks[task].doom.is_some() && due.is_empty() && (drains || works) {
            self.meet_doom(thread, task);
        }
    }

    fn drop_user_data(&mut self, executor: ExecutorId) -> Verdict {
        let config = self.executor(executor).config;
        // Who asks, and has not answered yet, has seen it.
        let asked = |id: TaskId| {
            self.threads
                .values()
                .any(|thread| matches!(thread.wait(), Some(Wait { what: What::One(_, task), .. }) if *task == id))
        };
        let needed = self.tasks.iter().enumerate().any(|(id, task)| {
            let unseen = matches!(task.state, State::Failed(_)) && !task.seen && !task.over && !asked(id);
            task.executor == executor && config.unhandled_error && unseen
        });
        check(!self.executor(executor).user_data_dropped, || "the user data was dropped twice".into())?;
        check(!needed, || "the user data was dropped, and a failure that nobody has seen still needs it".into())?;
        let over = self.holds(&What::End(executor), Sight::Possible);
        check(over, || "the user data was dropped before the executor's end".into())?;
        self.executor_mut(executor).user_data_dropped = true;
        Ok(())
    }

    fn answer(&mut self, thread: usize, answer: Answer) -> Verdict {
        let Answer { status, value, last_error } = answer;
        check(!self.thread(thread).is_at_turnstile(), || "nothing was asked".into())?;
        let in_call = self.in_call(thread).clone();
        check(in_call.due.is_empty(), || format!("it answered before {:?}", in_call.due))?;
        match &in_call.expect {
            // Workers that have just ended their last task may or may not be there.
            Expect::This(expected, Value::Counts { max_workers, workers, pending }) => {
                let fits = matches!(value, Value::Counts { max_workers: m, workers: w, pending: p }
                    if m == *max_workers && p == *pending && (*workers..=*max_workers).contains(&w));
                check(status == *expected && fits, || format!("expected {:?}", in_call.expect))?;
            }
            Expect::This(expected, expected_value) => {
                check((status, value) == (*expected, *expected_value), || format!("expected {:?}", in_call.expect))?;
            }
            Expect::Fragile(tasks) => {
                let executor = tasks.first().map(|&task| self.tasks[task].executor);
                let broken = executor.is_some_and(|executor| self.executor(executor).broken);
                match status {
                    Status::OK => {}
                    Status::BROKEN if broken => {
                        self.refuse(tasks, in_call.call.as_ref().expect("only calls are answered"))?
                    }
                    _ => return Err("expected OK, or BROKEN if it is".into()),
                }
            }
            Expect::Wait(wait) => self.judge(thread, wait, status, value)?,
            Expect::Loop => unreachable!("workers between tasks make no calls"),
        }
        if let Some(Call::Shutdown { executor, cancel: true, .. }) = in_call.call {
            let mut left = self.pending_of(executor).filter(|&task| self.tasks[task].doom.is_some());
            let left = left.next();
            check(left.is_none(), || format!("task {left:?} has not been cancelled"))?;
        }
        let it = self.thread_mut(thread);
        if status.is_noted() {
            it.last_error = status;
        }
        check(it.last_error == last_error, || format!("expected tp_last_error() to be {:?}", it.last_error))?;
        it.top_mut().call = None;
        Ok(())
    }

    /// What has to happen before anybody makes another call; `None`: nothing more happens by itself.
    pub fn unsettled(&self) -> Option<String> {
        for (&id, thread) in &self.threads {
            let Some(InCall { expect, due, call }) = &thread.top().call else { continue };
            if let Some(due) = due.front() {
                return Some(format!("thread {id} owes {due:?}"));
            }
            let returns = match expect {
                Expect::This(..) | Expect::Fragile(_) => true,
                Expect::Wait(wait) => {
                    matches!(wait.limit, Limit::Poll | Limit::Short)
                        // What a drain has not come to yet, its waiters have not heard of.
                        || (self.holds(&wait.what, Sight::Certain) && !self.is_draining())
                        || self.is_in_circle(id)
                }
                Expect::Loop => false,
            };
            if returns {
                return Some(format!("thread {id} is to return from {call:?}"));
            }
            if let Some(task) = self.helpable(thread).first() {
                return Some(format!("thread {id} is to run task {task} inline"));
            }
        }
        if let Some(last) = self.last.first() {
            return Some(format!("nobody holds the future any more, and due are {last:?}"));
        }
        self.unstarted()
    }

    /// A pending task that there is a worker for, or that is to be ended.
    fn unstarted(&self) -> Option<String> {
        let in_callback = |thread: &Thread| matches!(thread.top(), Frame { inside: Inside::Callback(_), call: None });
        let held = self.threads.values().any(in_callback);
        let pending = (0..self.tasks.len()).filter(|&task| self.tasks[task].state == State::Pending);
        for task in pending {
            let Task { executor, doom, .. } = self.tasks[task];
            let busy = self.workers_of(executor).filter(|worker| worker.is_busy()).count();
            match doom {
                Some(_) if !held => return Some(format!("task {task} is to be ended")),
                None if busy < self.executor(executor).config.max_workers => {
                    return Some(format!("task {task} is pending, and executor {executor} has a worker for it"));
                }
                _ => {}
            }
        }
        None
    }

    /// At the end of a run, with everything given back: what is still to come.
    pub fn unaccounted(&self) -> Option<String> {
        let executors = (0..self.executors.len()).filter(|&executor| !self.executor(executor).user_data_dropped);
        executors.map(|executor| format!("the user data of executor {executor} dropped")).next()
    }
}
