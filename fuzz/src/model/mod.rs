//! The specification that the `turns` target holds the library to: what every call answers and which hook runs on which
//! thread, in which order, while one call is made at a time. It knows nothing of how the library works, nor of
//! pointers.
//!
//! A thread is a stack of frames, one per user function that it is inside of: tasks, one on top of the other when a
//! worker runs one inline, and done callbacks. The top frame either is at its turnstile, ready to make a call, or is
//! inside of one. A call has a list of events that are due on its thread before it answers; what no rule orders (which
//! of several free workers takes a task) is learned from the events. `settled` says when nothing more can happen by
//! itself.
//!
//! * `calls`: what each call does and answers; `submitting`, `futures`, `several`: those of these sections of the header;
//! * `ends`: what follows from the end of a task;
//! * `waits`: when a blocking call may, and when it must, return; `liveness`: whether all of them can;
//! * `observe`: whether an event may happen, and when all that had to has.

mod calls;
mod ends;
mod futures;
mod liveness;
mod observe;
mod several;
mod submitting;
mod task;
mod thread;
mod waits;

use crate::answer::*;
use crate::call::*;
use std::collections::{BTreeMap, VecDeque};
use task::{Origin, Task};
use thread::{Due, Expect, Frame, InCall, Wait, What};

pub use task::State;
pub use thread::{Inside, Thread};

/// What went against the specification.
pub type Verdict = Result<(), String>;

#[derive(Clone, Debug)]
pub struct Executor {
    pub config: Config,
    /// The handle has not been given up.
    pub handle: bool,
    pub shut: bool,
    pub cancels: bool,
    pub broken: bool,
    pub user_data_dropped: bool,
    /// Somebody has waited for its end.
    pub seen_over: bool,
}

impl Executor {
    /// What a submission is told.
    pub fn admission(&self) -> Status {
        match (self.broken, self.shut) {
            (true, _) => Status::BROKEN,
            (false, true) => Status::SHUTDOWN,
            (false, false) => Status::OK,
        }
    }
}

/// A registration with a completion queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub task: TaskId,
    pub tag: u64,
    /// The order of completion; entries of one rank completed in an order that nobody knows.
    pub rank: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Queue {
    pub waiting: Vec<Entry>,
    pub ready: VecDeque<Entry>,
    pub closed: bool,
    pub freed: bool,
}

#[derive(Clone, Debug)]
pub struct Map {
    pub executor: ExecutorId,
    pub first: TaskId,
    pub n: usize,
    pub lookahead: usize,
    pub next: usize,
    pub submitted: usize,
    pub freed: bool,
}

/// Hooks that run with the last reference: in this order, on one of two threads, since the executor's reference may go
/// last.
#[derive(Clone, Debug)]
pub struct Last {
    pub threads: [usize; 2],
    pub due: VecDeque<Event>,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub tasks: Vec<Task>,
    pub executors: Vec<Option<Executor>>,
    pub queues: Vec<Queue>,
    pub maps: Vec<Map>,
    /// The task that each callback was added to.
    pub callbacks: Vec<TaskId>,
    pub threads: BTreeMap<usize, Thread>,
    pub last: Vec<Last>,
    pub failures: usize,
    turns: u64,
}

impl Model {
    /// A world with so many threads of the program's own, numbered from 0.
    pub fn new(foreign: usize) -> Model {
        let mut model = Model::default();
        for thread in 0..foreign {
            model.threads.insert(thread, Thread::new(None));
        }
        model
    }

    fn next_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    pub fn executor(&self, executor: ExecutorId) -> &Executor {
        self.executors[executor].as_ref().expect("executors that were not made are not used")
    }

    fn executor_mut(&mut self, executor: ExecutorId) -> &mut Executor {
        self.executors[executor].as_mut().expect("executors that were not made are not used")
    }

    pub fn thread(&self, thread: usize) -> &Thread {
        &self.threads[&thread]
    }

    fn thread_mut(&mut self, thread: usize) -> &mut Thread {
        self.threads.get_mut(&thread).expect("threads are known from their first event on")
    }

    /// The call that a thread is inside of.
    fn in_call(&mut self, thread: usize) -> &mut InCall {
        self.thread_mut(thread).top_mut().call.as_mut().expect("the thread is in a call")
    }

    /// Whether some executor is ending all that is pending, and a callback holds that up: others of its tasks may have
    /// ended or not.
    pub fn is_draining(&self) -> bool {
        let drains =
            |frame: &Frame| matches!(frame.call, Some(InCall { call: Some(Call::Shutdown { cancel: true, .. }), .. }));
        let breaks = |frame: &Frame| match frame.inside {
            Inside::Callback(callback) => self.tasks[self.callbacks[callback]].state == State::Broken,
            _ => false,
        };
        let in_callback = |thread: &Thread| matches!(thread.top().inside, Inside::Callback(_));
        let holds =
            |thread: &Thread| in_callback(thread) && thread.frames.iter().any(|frame| drains(frame) || breaks(frame));
        self.tasks.iter().any(|task| task.doom.is_some()) || self.threads.values().any(holds)
    }

    pub fn workers_of(&self, executor: ExecutorId) -> impl Iterator<Item = &Thread> {
        self.threads.values().filter(move |thread| thread.home == Some(executor))
    }

    pub fn pending_of(&self, executor: ExecutorId) -> impl Iterator<Item = TaskId> + '_ {
        (0..self.tasks.len())
            .filter(move |&task| self.tasks[task].executor == executor && self.tasks[task].state == State::Pending)
    }
}
