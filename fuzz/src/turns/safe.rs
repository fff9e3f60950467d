//! Keeps a program out of what it could not get out of. Called by `choose`.

use super::choose::Chooser;
use crate::call::{Call, Limit};
use crate::model::{Inside, State};

/// Tasks inside of one another on one stack.
const MAX_NESTING: usize = 6;

impl Chooser<'_> {
    /// A call that cannot hang the run: a wait that would never end only looks, and an executor's end is then not
    /// waited for.
    pub fn made_safe(&self, mut call: Call) -> Option<Call> {
        if self.model.is_draining() && !self.is_allowed_in_drain(&call) {
            return None;
        }
        let callback = matches!(self.it.top().inside, Inside::Callback(_));
        let unblocked = self.thread == 0 || callback || self.it.frames.len() > MAX_NESTING;
        if unblocked && waits_for_end(&call) && !self.is_own_end(&call) {
            call = without_wait(call)?;
        }
        if let Some(limit) = limit_of(&mut call) {
            if unblocked && !matches!(*limit, Limit::Poll) {
                *limit = Limit::Poll;
            }
        }
        // What nobody has seen done yet may not be done yet for one who only looks.
        if let Call::MapNext { task: Some(task), ref mut limit, .. } = call {
            let task = &self.model.tasks[task];
            if task.is_done() && !task.visible {
                *limit = Limit::Long;
            }
        }
        if limit_of(&mut call).is_some_and(|limit| *limit == Limit::Short) && self.model.would_help(self.thread, &call)
        {
            // That may take as long as the task: whether the time is over then, nobody knows.
            *limit_of(&mut call)? = Limit::Long;
        }
        if self.model.ends_with(self.thread, &call) {
            return Some(call);
        }
        match limit_of(&mut call) {
            Some(limit) => {
                *limit = Limit::Poll;
                Some(call)
            }
            None => without_wait(call),
        }
    }

    /// On a worker of the executor itself the call refuses to wait, or does not try.
    fn is_own_end(&self, call: &Call) -> bool {
        match *call {
            Call::Shutdown { executor, .. } | Call::Join { executor, .. } | Call::Free(executor) => {
                self.it.home == Some(executor)
            }
            _ => false,
        }
    }

    fn is_allowed_in_drain(&self, call: &Call) -> bool {
        let own = match self.it.top().inside {
            Inside::Callback(callback) => self.model.callbacks[callback],
            _ => return false,
        };
        match *call {
            Call::Return { .. } | Call::Inside | Call::Fail { .. } | Call::Refused(_) | Call::Submit { .. } => true,
            Call::Look(task) | Call::AddCallback { task, .. } | Call::Release(task) | Call::Retain(task) => task == own,
            Call::Ask { task, .. } | Call::Cancel(task) => {
                task == own && self.model.tasks[task].state != State::Pending
            }
            _ => false,
        }
    }
}

fn waits_for_end(call: &Call) -> bool {
    matches!(call, Call::Shutdown { wait: true, .. } | Call::Join { .. } | Call::Free(_))
}

fn without_wait(call: Call) -> Option<Call> {
    match call {
        Call::Shutdown { executor, cancel, .. } => Some(Call::Shutdown { executor, wait: false, cancel }),
        Call::Join { executor, .. } => Some(Call::Join { executor, limit: Limit::Poll }),
        Call::Free(executor) => Some(Call::Detach(executor)),
        _ => None,
    }
}

fn limit_of(call: &mut Call) -> Option<&mut Limit> {
    match call {
        Call::Ask { limit, .. }
        | Call::Wait { limit, .. }
        | Call::QueueNext { limit, .. }
        | Call::MapNext { limit, .. } => Some(limit),
        _ => None,
    }
}
