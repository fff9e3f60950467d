//! What calls of the C ABI answer, and what else is heard of their effects, as data. Reported by the hooks and calls of
//! both targets, judged by `model`.

use crate::call::{CallbackId, ExecutorId, TaskId};
use std::fmt;

/// `tp_status` as a number, which may be none that this version knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    pub const OK: Status = Status(0);
    pub const END: Status = Status(1);
    pub const INVALID_ARGUMENT: Status = Status(2);
    pub const TIMEOUT: Status = Status(5);
    pub const CANCELLED: Status = Status(6);
    pub const TASK: Status = Status(7);
    pub const SHUTDOWN: Status = Status(8);
    pub const BROKEN: Status = Status(9);
    pub const DEADLOCK: Status = Status(11);
    pub const INVALID_STATE: Status = Status(12);
    pub const UNSUPPORTED: Status = Status(14);

    /// Whether `tp_last_error` hears of it: how something else ended is no failure of the call that reports it.
    pub fn is_noted(self) -> bool {
        self.0 > Status::END.0 && ![Status::TIMEOUT, Status::CANCELLED, Status::TASK].contains(&self)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            "OK",
            "END",
            "INVALID_ARGUMENT",
            "NO_MEMORY",
            "SYSTEM",
            "TIMEOUT",
            "CANCELLED",
            "TASK",
            "SHUTDOWN",
            "BROKEN",
            "QUEUE_FULL",
            "DEADLOCK",
            "INVALID_STATE",
            "FORKED",
            "UNSUPPORTED",
        ];
        match names.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => write!(f, "status {}", self.0),
        }
    }
}

/// What a call gave besides its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Nothing,
    /// A result: a task's, or NULL.
    Result(Option<TaskId>),
    /// What `tp_future_error` gave: `None` for success.
    Report(Option<Report>),
    Yes(bool),
    /// The current task's stop request, its future and its worker's executor.
    Inside {
        stop: bool,
        current: Current,
        home: Option<ExecutorId>,
    },
    /// `n_done`.
    Count(usize),
    /// A future out of a queue, with its tag; the task is found by the handle.
    Tagged(TaskId, u64),
    /// A future came out of a map.
    Handle(bool),
    State {
        state: u32,
        done: bool,
        running: bool,
        cancelled: bool,
    },
    Counts {
        max_workers: usize,
        workers: usize,
        pending: usize,
    },
}

/// What `tp_future_current` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Current {
    Nothing,
    Task(TaskId),
    /// A future that the program has never had in its hands: a map's.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub code: i32,
    /// Whether it carries the text that failing tasks give, rather than "".
    pub message: bool,
    pub payload: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: Status,
    pub value: Value,
    /// `tp_last_error` right after the call.
    pub last_error: Status,
}

/// What a thread reports, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A task's function has been entered; `home` is what `tp_executor_current` says.
    Entered {
        task: TaskId,
        home: Option<ExecutorId>,
    },
    Callback(CallbackId),
    DropArg(TaskId),
    DropResult(TaskId),
    DropPayload(TaskId),
    /// The drop function of a failure's payload.
    DropFailure(usize),
    Unhandled {
        executor: ExecutorId,
        report: Report,
    },
    Initialize {
        executor: ExecutorId,
        failed: bool,
    },
    Finalize(ExecutorId),
    DropUserData(ExecutorId),
    Answered(Answer),
}
