//! Where the threads of a run meet: each reports what happens on it, and whoever is at its turnstile waits there for
//! its turn. So one thread acts at a time, unless the library itself lets several.

use crate::answer::Event;
use crate::call::{Call, ExecutorId, TaskId};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;
use tpexec::ffi::{completion_queue::tp_completion_queue, executor::tp_executor, future::tp_future, map::tp_map};

/// Threads of the program's own, besides workers; they are numbered from 0. The first of them never blocks.
pub const FOREIGN: usize = 3;

/// A handle of the library's.
pub struct Handle<T>(pub *mut T);

// SAFETY: the library lets any thread use any handle.
unsafe impl<T> Send for Handle<T> {}

/// The pointers behind the ids.
#[derive(Default)]
pub struct Handles {
    pub executors: Vec<Handle<tp_executor>>,
    pub futures: BTreeMap<TaskId, Handle<tp_future>>,
    pub queues: Vec<Handle<tp_completion_queue>>,
    pub maps: Vec<Handle<tp_map>>,
    /// The future that each callback was added to.
    pub callbacks: Vec<Handle<tp_future>>,
    /// The arguments of maps, which outlive them.
    pub map_args: Vec<Box<[usize]>>,
    /// Payloads of prepared tasks: from the address to the task and the payload's size.
    pub payloads: BTreeMap<usize, (TaskId, usize)>,
    /// Which run of the initializer is to fail, and how often it has run.
    pub initializers: Vec<(usize, usize)>,
}

impl Handles {
    /// Who had the address before is gone.
    pub fn add_future(&mut self, task: TaskId, future: *mut tp_future) {
        self.futures.retain(|_, other| other.0 != future);
        self.futures.insert(task, Handle(future));
    }

    pub fn future(&self, task: TaskId) -> *mut tp_future {
        self.futures[&task].0
    }

    pub fn executor(&self, executor: ExecutorId) -> *mut tp_executor {
        self.executors[executor].0
    }

    pub fn task_of(&self, future: *mut tp_future) -> Option<TaskId> {
        self.futures.iter().find(|(_, handle)| handle.0 == future).map(|(&task, _)| task)
    }

    /// The latest of that address: those before it are gone.
    pub fn executor_of(&self, executor: *mut tp_executor) -> Option<ExecutorId> {
        self.executors.iter().rposition(|handle| handle.0 == executor)
    }
}

#[derive(Default)]
struct Inner {
    events: VecDeque<(usize, Event)>,
    /// The call that each thread is to make next.
    orders: BTreeMap<usize, Call>,
    /// Threads seen in this run.
    threads: usize,
    run: usize,
    handles: Handles,
}

pub struct Stage {
    inner: Mutex<Inner>,
    happened: Condvar,
    turns: Condvar,
}

pub static STAGE: Stage = Stage {
    inner: Mutex::new(Inner {
        events: VecDeque::new(),
        orders: BTreeMap::new(),
        threads: FOREIGN,
        run: 0,
        handles: Handles {
            executors: Vec::new(),
            futures: BTreeMap::new(),
            queues: Vec::new(),
            maps: Vec::new(),
            callbacks: Vec::new(),
            map_args: Vec::new(),
            payloads: BTreeMap::new(),
            initializers: Vec::new(),
        },
    }),
    happened: Condvar::new(),
    turns: Condvar::new(),
};

thread_local! {
    /// This thread's number.
    static ME: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new run: no handles, no workers.
    pub fn clear(&self) {
        let mut inner = self.lock();
        let run = inner.run + 1;
        *inner = Inner { threads: FOREIGN, run, ..Inner::default() };
    }

    /// Looks something up, or notes it.
    pub fn with<R>(&self, look: impl FnOnce(&mut Handles) -> R) -> R {
        look(&mut self.lock().handles)
    }

    /// Starts the program's own threads, once per process.
    pub fn start_threads(&'static self, act: fn()) {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            for number in 0..FOREIGN {
                std::thread::spawn(move || {
                    ME.set(Some(number));
                    act();
                });
            }
        });
    }

    fn me(inner: &mut Inner) -> usize {
        ME.get().unwrap_or_else(|| {
            let number = inner.threads;
            inner.threads += 1;
            ME.set(Some(number));
            number
        })
    }

    /// Something happens on the calling thread.
    pub fn report(&self, event: Event) {
        let mut inner = self.lock();
        let me = Stage::me(&mut inner);
        inner.events.push_back((me, event));
        self.happened.notify_one();
    }

    /// The turnstile: waits for this thread's turn, and gives the call that it is to make.
    pub fn turn(&self) -> Call {
        let mut inner = self.lock();
        let me = Stage::me(&mut inner);
        loop {
            if let Some(call) = inner.orders.remove(&me) {
                return call;
            }
            inner = self.turns.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a thread its turn.
    pub fn order(&self, thread: usize, call: Call) {
        self.lock().orders.insert(thread, call);
        self.turns.notify_all();
    }

    /// The next event; `None` when there is none for so long.
    pub fn next_event(&self, patience: Duration) -> Option<(usize, Event)> {
        let inner = self.lock();
        let (mut inner, _) = self
            .happened
            .wait_timeout_while(inner, patience, |inner| inner.events.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        inner.events.pop_front()
    }

    /// An event that has happened already.
    pub fn past_event(&self) -> Option<(usize, Event)> {
        self.lock().events.pop_front()
    }
}
