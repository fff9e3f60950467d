//! Whether every wait will end if all tasks return from where they are. Limited waits, waits for the first of several
//! and joins are not looked at for circles by the library, so a program that made one of them would hang, and would be
//! to blame.

use super::waits::Sight;
use super::*;
use std::collections::BTreeSet;

impl Model {
    /// Whether every wait ends, were this call made.
    pub fn ends_with(&self, thread: usize, call: &Call) -> bool {
        let mut trial = self.clone();
        trial.begin(thread, call);
        trial.everything_ends()
    }

    /// Whether this call would have the thread run a pending task itself.
    pub fn would_help(&self, thread: usize, call: &Call) -> bool {
        let mut trial = self.clone();
        trial.begin(thread, call);
        !trial.helpable(trial.thread(thread)).is_empty()
    }

    fn everything_ends(&self) -> bool {
        let mut ending: BTreeSet<TaskId> =
            (0..self.tasks.len()).filter(|&task| self.tasks[task].may_be_done()).collect();
        let mut free: BTreeSet<usize> = BTreeSet::new();
        let unfinished = |task: &TaskId| matches!(self.tasks[*task].state, State::Pending | State::Running);
        loop {
            let before = (ending.len(), free.len());
            for (&id, thread) in &self.threads {
                // From the top: what is below a wait that does not end does not end either.
                let returns = |frame: &&Frame| self.returns_from(id, frame, &ending, &free);
                let (ended, depth) = (thread.frames.iter().rev().take_while(returns), thread.frames.len());
                let ended: Vec<&Frame> = ended.collect();
                if ended.len() == depth {
                    free.insert(id);
                }
                ending.extend(ended.iter().filter_map(|frame| frame.task()));
            }
            for task in (0..self.tasks.len()).filter(|task| self.tasks[*task].state == State::Pending) {
                if self.gets_run(task, &free) {
                    ending.insert(task);
                }
            }
            if (ending.len(), free.len()) == before {
                break;
            }
        }
        free.len() == self.threads.len() && (0..self.tasks.len()).filter(unfinished).all(|task| ending.contains(&task))
    }

    fn returns_from(&self, id: usize, frame: &Frame, ending: &BTreeSet<TaskId>, free: &BTreeSet<usize>) -> bool {
        let Some(wait) = frame.wait() else { return true };
        if matches!(wait.limit, Limit::Poll | Limit::Short)
            || self.holds(&wait.what, Sight::Certain)
            || self.is_in_circle(id)
        {
            return true;
        }
        let awaited = self.awaited(&wait.what);
        match &wait.what {
            What::Several(Until::First, _) => awaited.iter().any(|task| ending.contains(task)),
            What::End(executor) => {
                let tasks = (0..self.tasks.len()).filter(|&task| self.tasks[task].executor == *executor);
                let unfinished =
                    tasks.filter(|&task| matches!(self.tasks[task].state, State::Pending | State::Running));
                let mut workers = self.threads.iter().filter(|(_, worker)| worker.home == Some(*executor));
                unfinished.into_iter().all(|task| ending.contains(&task))
                    && workers.all(|(worker, _)| free.contains(worker))
            }
            // A queue that stays open is closed in the end.
            _ => awaited.iter().all(|task| ending.contains(task)),
        }
    }

    /// Some worker is left for it, or somebody who waits for it runs it.
    fn gets_run(&self, task: TaskId, free: &BTreeSet<usize>) -> bool {
        let executor = self.tasks[task].executor;
        let stuck =
            self.threads.iter().filter(|(id, thread)| thread.home == Some(executor) && !free.contains(id)).count();
        stuck < self.executor(executor).config.max_workers
            || self.threads.values().any(|thread| self.helpable(thread).contains(&task))
    }
}
