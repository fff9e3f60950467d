//! Blocking calls: when what they wait for has happened, what they may answer, and which tasks a waiting worker runs
//! itself.

use super::*;

/// How sure one has to be that something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is: who waits for it must return.
    Certain,
    /// It may be: who waits for it may return.
    Possible,
}

impl Model {
    fn seems_done(&self, task: TaskId, sight: Sight) -> bool {
        match sight {
            Sight::Certain => self.tasks[task].is_done(),
            Sight::Possible => self.tasks[task].may_be_done(),
        }
    }

    /// Whether what is waited for has happened.
    pub(super) fn holds(&self, what: &What, sight: Sight) -> bool {
        let done = |&task: &TaskId| self.seems_done(task, sight);
        match what {
            What::One(_, task) | What::MapItem(_, task) => done(task),
            What::Several(Until::All, tasks) => tasks.iter().all(done),
            What::Several(Until::First, tasks) => tasks.is_empty() || tasks.iter().any(done),
            What::Several(Until::FirstFailed, tasks) => {
                let fails = |task: &TaskId| {
                    done(task) && matches!(self.tasks[*task].outcome(), State::Failed(_) | State::Broken)
                };
                tasks.iter().all(done) || tasks.iter().any(fails)
            }
            What::Queue(queue) => {
                let Queue { waiting, ready, closed, .. } = &self.queues[*queue];
                !ready.is_empty() || (*closed && waiting.is_empty()) || waiting.iter().any(|entry| done(&entry.task))
            }
            What::End(executor) => self.is_over(*executor, sight),
        }
    }

    /// Every task of the executor has ended, with all that follows; who has waited for that finds the finalizers done,
    /// too.
    fn is_over(&self, executor: ExecutorId, sight: Sight) -> bool {
        let mut tasks = self.tasks.iter().filter(|task| task.executor == executor);
        let has_finalizer = self.executor(executor).config.finalizer;
        let ended = |worker: &Thread| !has_finalizer || worker.finalized || !worker.initialized;
        self.executor(executor).shut
            && !tasks.any(|task| matches!(task.state, State::Pending | State::Running))
            && self.workers_of(executor).all(|worker| !worker.is_busy() && (sight == Sight::Certain || ended(worker)))
    }

    /// The tasks that the waiting thread runs itself, in this order: those of its own executor that are pending.
    pub(super) fn helpable(&self, thread: &Thread) -> Vec<TaskId> {
        let (Some(wait), Some(home)) = (thread.wait(), thread.home) else { return Vec::new() };
        if wait.limit == Limit::Poll || self.holds(&wait.what, Sight::Certain) {
            return Vec::new();
        }
        let mut tasks = self.awaited(&wait.what);
        tasks.retain(|&task| {
            let task = &self.tasks[task];
            task.executor == home && task.state == State::Pending && task.doom.is_none()
        });
        tasks
    }

    pub(super) fn awaited(&self, what: &What) -> Vec<TaskId> {
        match what {
            What::One(_, task) | What::MapItem(_, task) => vec![*task],
            What::Several(_, tasks) => tasks.clone(),
            What::Queue(queue) => self.queues[*queue].waiting.iter().map(|entry| entry.task).collect(),
            What::End(_) => Vec::new(),
        }
    }

    /// Judges the answer of a wait, and notes what changes with it.
    pub(super) fn judge(&mut self, thread: usize, wait: &Wait, status: Status, value: Value) -> Verdict {
        if status == Status::TIMEOUT {
            return self.judge_timeout(wait, value);
        }
        if status == Status::DEADLOCK {
            return check(self.is_in_circle(thread), || "there is no circle of waits".into());
        }
        check(self.holds(&wait.what, Sight::Possible), || format!("{:?} has not happened", wait.what))?;
        let wrong = |expected: &[(Status, Value)]| {
            check(expected.contains(&(status, value)), || format!("expected {expected:?}"))
        };
        match &wait.what {
            &What::One(ask, task) => {
                wrong(&self.answers(ask, wait, task))?;
                let dropped = !self.tasks[task].drop_arg_due
                    || !matches!(self.tasks[task].state, State::Value(_) | State::Failed(_));
                check(dropped, || format!("task {task} was done before its argument was dropped"))?;
                self.answered(ask, task, status);
            }
            What::Several(until, tasks) => {
                let least = match (wait.done_before, until) {
                    (Some(n), _) => n,
                    (None, Until::All) => tasks.len(),
                    (None, _) => tasks.len().min(1),
                };
                let most =
                    wait.done_before.unwrap_or(tasks.iter().filter(|&&task| self.tasks[task].may_be_done()).count());
                let fits = matches!(value, Value::Count(n) if (least..=most).contains(&n));
                check(status == Status::OK && fits, || format!("expected OK, and {least} to {most}"))?;
            }
            &What::Queue(queue) => self.judge_taken(queue, status, value)?,
            &What::MapItem(map, task) => {
                wrong(&[(Status::OK, Value::Handle(true))])?;
                self.maps[map].next += 1;
                self.tasks[task].others -= 1;
                self.tasks[task].users += 1;
            }
            &What::End(executor) => {
                wrong(&[(Status::OK, Value::Nothing)])?;
                self.executor_mut(executor).seen_over = true;
            }
        }
        Ok(())
    }

    fn judge_timeout(&self, wait: &Wait, value: Value) -> Verdict {
        let over = match wait.what {
            // Workers end by themselves, in their own time.
            What::End(executor) => self.executor(executor).seen_over,
            _ => self.holds(&wait.what, Sight::Certain),
        };
        let in_time = matches!(wait.limit, Limit::Poll | Limit::Short) && !over;
        check(in_time, || format!("{:?} with limit {:?} has timed out", wait.what, wait.limit))?;
        let expected = match &wait.what {
            What::Several(_, tasks) => Value::Count(tasks.iter().filter(|&&task| self.tasks[task].is_done()).count()),
            _ => Value::Nothing,
        };
        check(value == expected, || format!("expected {expected:?}"))
    }

    fn judge_taken(&mut self, queue: QueueId, status: Status, value: Value) -> Verdict {
        let takers =
            self.threads.values().filter(|thread| thread.wait().is_some_and(|wait| wait.what == What::Queue(queue)));
        let Queue { waiting, ready, closed, .. } = &self.queues[queue];
        // A taker that has something, and has not answered yet, may have left nothing for this one.
        let may_end = *closed && waiting.is_empty() && ready.len() < takers.count();
        let entries = self.next_entries(queue);
        let taken = entries.iter().find(|entry| (status, value) == (Status::OK, Value::Tagged(entry.task, entry.tag)));
        let Some(&taken) = taken else {
            let end = (status, value) == (Status::END, Value::Nothing);
            return check(end && may_end, || format!("expected one of {entries:?}"));
        };
        let same = |entry: &Entry| *entry == taken;
        let it = &mut self.queues[queue];
        match it.ready.iter().position(same) {
            Some(at) => drop(it.ready.remove(at)),
            None => it.waiting.retain(|entry| !same(entry)),
        }
        self.tasks[taken.task].others -= 1;
        self.tasks[taken.task].users += 1;
        Ok(())
    }

    /// Whether the thread waits, without limit and inside of a task, for something that only itself could bring about.
    pub(super) fn is_in_circle(&self, thread: usize) -> bool {
        let (mut seen, mut todo) = (vec![], vec![thread]);
        while let Some(next) = todo.pop() {
            for other in self.blockers(next) {
                if other == thread {
                    return true;
                }
                if !seen.contains(&other) {
                    seen.push(other);
                    todo.push(other);
                }
            }
        }
        false
    }

    /// The threads that run what this one waits for, as far as the library looks for circles.
    fn blockers(&self, thread: usize) -> Vec<usize> {
        let counts = |wait: &&Wait| {
            wait.limit == Limit::Forever
                && matches!(wait.what, What::One(..) | What::MapItem(..) | What::Several(Until::All, _))
                && !self.holds(&wait.what, Sight::Certain)
        };
        let Some(wait) = self.thread(thread).wait().filter(counts) else { return Vec::new() };
        let mut awaited = self.awaited(&wait.what);
        awaited.retain(|&task| self.tasks[task].state == State::Running);
        let runs = |other: &Thread| awaited.iter().any(|&task| other.tasks().any(|running| running == task));
        self.threads.iter().filter(|(_, other)| runs(other)).map(|(&other, _)| other).collect()
    }
}

pub(super) fn check(condition: bool, why: impl FnOnce() -> String) -> Verdict {
    match condition {
        true => Ok(()),
        false => Err(why()),
    }
}
