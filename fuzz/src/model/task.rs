//! A task, as far as it can be seen from outside.

use crate::answer::Report;
use crate::call::{CallbackId, ExecutorId, Hooks, TaskId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not accepted, now and for ever.
    Refused,
    /// In the hands of its submitter, or of a map that has not submitted it yet.
    Prepared,
    Pending,
    Running,
    Cancelled,
    Value(Option<TaskId>),
    Failed(Report),
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Submission,
    /// Without a future.
    Anonymous,
    /// Its future is a map's until it is handed out.
    Map,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub executor: ExecutorId,
    pub state: State,
    pub origin: Origin,
    /// Its place in the order of submissions.
    pub turn: u64,
    pub hooks: Hooks,
    pub callbacks: Vec<CallbackId>,
    /// The references that the program holds, and those of queues and maps.
    pub users: usize,
    pub others: usize,
    /// The library's own references: until all that follows from the end has happened, and while a callback runs.
    pub at_work: usize,
    /// The thread that ran or ended it.
    pub runner: usize,
    /// What it has reported so far, while it runs.
    pub failing: Option<Report>,
    pub stop: bool,
    pub seen: bool,
    pub taken: bool,
    pub drop_arg_due: bool,
    /// What it is about to become, while its executor drains its queue.
    pub doom: Option<State>,
    /// Seen done from outside.
    pub visible: bool,
    /// The hooks that run with the last reference are due or have run.
    pub over: bool,
}

impl Task {
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Cancelled | State::Value(_) | State::Failed(_) | State::Broken)
    }

    /// Done, or so soon that others may see it already.
    pub fn may_be_done(&self) -> bool {
        self.is_done() || self.doom.is_some()
    }

    /// What others may see of it if they see it done.
    pub fn outcome(&self) -> State {
        self.doom.unwrap_or(self.state)
    }

    /// Whether its handle can be used at all.
    pub fn has_future(&self) -> bool {
        self.users > 0 || self.others > 0
    }
}
