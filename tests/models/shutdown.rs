//! Tasks in a worker's own ring (`Worker::push_own`) as the executor is shut down with its futures cancelled
//! (`src/lifecycle.rs`).

use super::executor::{account, count, Handle};
use super::nodes::{finish, Shared};
use crate::current;
use crate::executor::Executor;
use crate::queue::{Entry, Job, Rings};
use crate::status::{Result, SHUTDOWN};
use crate::sys::model::refuse_threads;
use crate::task::state::State;
use crate::task::Future;
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::ffi::c_void;

/// How far a model has come; those who have to see to it that the others have come as far wait for it.
struct Progress(Mutex<u32>, Condvar);

impl Progress {
    fn reach(&self, step: u32) {
        *self.0.lock().unwrap() = step;
        self.1.notify_all();
    }

    fn wait_for(&self, step: u32) {
        let mut reached = self.0.lock().unwrap();
        while *reached < step {
            reached = self.1.wait(reached).unwrap();
        }
    }
}

// The steps.
/// The parent runs.
const BEGUN: u32 = 1;
/// Its child has been submitted.
const SUBMITTED: u32 = 2;
/// The executor has been shut down.
const SHUT: u32 = 3;

/// A task that submits another one to its executor.
struct Parent {
    progress: Progress,
    /// What it tells when the child has been submitted, and waits for then.
    tells: u32,
    awaits: u32,
    child: Mutex<Option<Result<Future>>>,
    /// How often the child ran.
    ran: AtomicUsize,
}

impl Parent {
    fn new(tells: u32, awaits: u32) -> Arc<Parent> {
        Arc::new(Parent {
            progress: Progress(Mutex::new(0), Condvar::new()),
            tells,
            awaits,
            child: Mutex::new(None),
            ran: AtomicUsize::new(0),
        })
    }

    /// An executor of two workers, of which only one can be started and runs the parent, and has come as far as that.
    fn run(parent: &Arc<Parent>, step: u32) -> Handle {
        super::in_one_way(|| {
            let executor = Handle::new(2);
            executor.get().accepts().unwrap();
            refuse_threads();
            executor.get().execute(submit_child, Arc::as_ptr(parent).cast_mut().cast()).unwrap();
            parent.progress.wait_for(step);
            executor
        })
    }

    fn child(&self) -> Result<Future> {
        self.child.lock().unwrap().take().unwrap()
    }

    fn ran(&self) -> usize {
        self.ran.load(Acquire)
    }
}

unsafe extern "C-unwind" fn submit_child(parent: *mut c_void) -> *mut c_void {
    let parent = unsafe { &*parent.cast::<Parent>() };
    parent.progress.reach(BEGUN);
    let child = unsafe { &*current::executor() }.submit(count, (&raw const parent.ran).cast_mut().cast());
    *parent.child.lock().unwrap() = Some(child);
    if parent.tells != BEGUN {
        parent.progress.reach(parent.tells);
    }
    parent.progress.wait_for(parent.awaits);
    std::ptr::null_mut()
}

/// D1, D5: a task that goes into its worker's own ring as the executor is shut down with its futures cancelled is refused, or
/// cancelled, or has run, once, when shutdown(WAIT) returns. Two threads, two preemptions.
#[test]
fn d05_an_own_push_at_shutdown_is_refused_cancelled_or_run() {
    super::bounded(2, || {
        let parent = Parent::new(BEGUN, BEGUN);
        let executor = Parent::run(&parent, BEGUN);
        executor.get().shutdown(true, true).unwrap();
        account(parent.child(), parent.ran());
        executor.free();
    });
}

/// D5: such a task never begins once that shutdown has returned, though it be pushed after the shutdown has looked at the ring. Two
/// threads, two preemptions.
#[test]
fn d05_an_own_push_does_not_begin_after_shutdown() {
    super::bounded(2, || {
        let parent = Parent::new(BEGUN, SHUT);
        let executor = Parent::run(&parent, BEGUN);
        executor.get().shutdown(false, true).unwrap();
        parent.progress.reach(SHUT);
        executor.free();
        match parent.child() {
            Err(refused) => assert_eq!(refused, SHUTDOWN),
            Ok(child) => assert_eq!(child.state(), State::Cancelled),
        }
        assert_eq!(parent.ran(), 0);
    });
}

/// D5: what waits in the ring of a worker that is busy is cancelled when that shutdown returns. Two threads, three preemptions.
#[test]
fn d05_what_waits_in_a_ring_is_cancelled_at_once() {
    super::bounded(3, || {
        let parent = Parent::new(SUBMITTED, SHUT);
        let executor = Parent::run(&parent, SUBMITTED);
        executor.get().shutdown(false, true).unwrap();
        let child = parent.child().unwrap();
        assert_eq!(child.state(), State::Cancelled);
        parent.progress.reach(SHUT);
        executor.free();
        assert_eq!(parent.ran(), 0);
    });
}

/// D5: a thief and that shutdown, which both look into the ring of a worker that is busy, do not both end a task, and one of
/// them does. Two threads besides the busy one, three preemptions.
#[test]
fn d05_shutdown_and_a_thief_end_a_task_once() {
    super::bounded(3, || {
        let parent = Parent::new(SUBMITTED, SHUT);
        let executor = Parent::run(&parent, SUBMITTED);
        let thief = thread::spawn(move || steal(executor.get()));
        executor.get().shutdown(false, true).unwrap();
        let ran = thief.join().unwrap();
        account(parent.child(), usize::from(ran));
        parent.progress.reach(SHUT);
        executor.free();
        assert_eq!(parent.ran(), 0);
    });
}

/// What another worker does with the oldest entry of that ring, if there is one. True: its task ran.
fn steal(executor: &Executor) -> bool {
    let Some(Job::Node(node)) = executor.ring(0).unwrap().take_front().map(Entry::job) else { return false };
    if let Some(end) = executor.doomed() {
        unsafe { executor.end_taken(node, end) };
        return false;
    }
    finish(Shared(node));
    true
}
