//! A thread: the user functions that it is inside of, and the call that each of them is in.

use crate::answer::{Event, Status, Value};
use crate::call::{Ask, Call, CallbackId, ExecutorId, Limit, MapId, QueueId, TaskId, Until};
use std::collections::VecDeque;

/// What a thread has to report next, before its call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Event(Event),
    /// Not seen: the library lets go of a task whose callbacks have run.
    LetGo(TaskId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// This status and value.
    This(Status, Value),
    /// A submission that may yet be refused, because the initializer it sets off fails: TP_OK or TP_ERR_BROKEN.
    Fragile(Vec<TaskId>),
    /// A wait, to be judged when it answers.
    Wait(Wait),
    /// No call: a worker between tasks.
    Loop,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub what: What,
    pub limit: Limit,
    /// The result had been taken before the call.
    pub taken_before: bool,
    /// How many of several were done at the call, if it does not have to sleep.
    pub done_before: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    One(Ask, TaskId),
    Several(Until, Vec<TaskId>),
    Queue(QueueId),
    MapItem(MapId, TaskId),
    /// An executor's end.
    End(ExecutorId),
}

#[derive(Clone, Debug)]
pub struct InCall {
    pub call: Option<Call>,
    pub expect: Expect,
    pub due: VecDeque<Due>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    Base,
    Task(TaskId),
    Callback(CallbackId),
}

#[derive(Clone, Debug)]
pub struct Frame {
    pub inside: Inside,
    /// `None`: at its turnstile.
    pub call: Option<InCall>,
}

#[derive(Clone, Debug)]
pub struct Thread {
    /// The executor whose worker it is.
    pub home: Option<ExecutorId>,
    pub frames: Vec<Frame>,
    pub last_error: Status,
    pub initialized: bool,
    pub finalized: bool,
}

impl Thread {
    pub fn new(home: Option<ExecutorId>) -> Thread {
        let work = InCall { call: None, expect: Expect::Loop, due: VecDeque::new() };
        let base = Frame { inside: Inside::Base, call: home.map(|_| work) };
        Thread { home, frames: vec![base], last_error: Status::OK, initialized: false, finalized: false }
    }

    pub fn top(&self) -> &Frame {
        self.frames.last().expect("the base frame stays")
    }

    pub fn top_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the base frame stays")
    }

    pub fn is_at_turnstile(&self) -> bool {
        self.top().call.is_none()
    }

    /// Not between tasks.
    pub fn is_busy(&self) -> bool {
        self.frames.len() > 1 || self.frames[0].call.as_ref().is_some_and(|call| !call.due.is_empty())
    }

    /// The tasks that it is inside of.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.frames.iter().filter_map(Frame::task)
    }

    pub fn wait(&self) -> Option<&Wait> {
        self.top().wait()
    }
}

impl Frame {
    pub fn task(&self) -> Option<TaskId> {
        match self.inside {
            Inside::Task(task) => Some(task),
            _ => None,
        }
    }

    pub fn wait(&self) -> Option<&Wait> {
        match &self.call.as_ref()?.expect {
            Expect::Wait(wait) => Some(wait),
            _ => None,
        }
    }
}
