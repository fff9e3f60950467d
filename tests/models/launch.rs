//! Launching a prepared task against launching it again, cancelling it and releasing it (`src/task/payload.rs`).

use super::NOTHING;
use crate::completion::end_pending;
use crate::queue::release;
use crate::task::node::{Held, Node, Reference};
use crate::task::payload::{self, Kept};
use crate::task::state::{references, CANCELLED};
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use loom::sync::Arc;
use loom::thread;
use std::ffi::c_void;
use std::mem::{align_of, size_of};
use std::ptr::NonNull;

/// A prepared task whose payload leads to the count of its drops; with as many references as threads may use it.
#[derive(Clone, Copy)]
struct Prepared(NonNull<Node>);
unsafe impl Send for Prepared {}

/// What such a payload is.
type Drops = *const AtomicUsize;

unsafe extern "C-unwind" fn count_drop(payload: *mut c_void) {
    unsafe { (**payload.cast::<Drops>()).fetch_add(1, Relaxed) };
}

impl Prepared {
    fn new(holders: usize) -> (Prepared, Arc<AtomicUsize>) {
        let drops = Arc::new(AtomicUsize::new(0));
        let (node, payload) = payload::prepare(0, 0, size_of::<Drops>(), align_of::<Drops>()).unwrap();
        unsafe { payload.cast::<Drops>().write(Arc::as_ptr(&drops)) };
        (1..holders).for_each(|_| unsafe { node.as_ref() }.add_reference());
        (Prepared(node), drops)
    }

    fn node(&self) -> &Node {
        unsafe { self.0.as_ref() }
    }

    fn begin_launch(&self) -> bool {
        unsafe { self.node().begin_launch(NOTHING, Some(count_drop), Kept::Future) }
    }

    /// As whoever takes the entry does. True: it ran.
    fn take_entry(self) -> bool {
        if !self.node().claim() {
            self.release();
            return false;
        }
        let (func, payload, _) = unsafe { self.node().call() };
        let value = unsafe { func(payload) };
        let ended = unsafe { self.node().succeed(value, Reference::GiveUp) };
        match ended.reference {
            Held::NoMore => {}
            Held::Last => unsafe { crate::task::handle::destroy(self.0) },
            Held::Still => unreachable!("no observers"),
        }
        true
    }

    /// Launches it if nobody else does, and runs it at once. The caller's reference goes. True: it was us.
    fn launch_and_run(self) -> bool {
        let won = self.begin_launch();
        if won {
            self.node().end_launch();
            assert!(self.take_entry());
        }
        self.release();
        won
    }

    /// As `Node::cancel` does it.
    fn cancel(&self) -> bool {
        self.node().is_launched() && end_pending(self.node(), CANCELLED, || ())
    }

    fn release(self) {
        unsafe { release(self.0) }
    }
}

/// Of two launchers one begins; what the other finds is not what the first is writing. Two threads, exhaustive.
#[test]
fn a_task_has_one_launcher() {
    loom::model(|| {
        let (task, drops) = Prepared::new(2);
        let other = thread::spawn(move || task.launch_and_run());
        let won = task.launch_and_run();
        assert!(won != other.join().unwrap());
        assert_eq!(drops.load(Relaxed), 1);
    });
}

/// C3, O1: a task that is cancelled as it is launched runs or is cancelled, and its payload is dropped once. Three threads,
/// three preemptions.
#[test]
fn c03_a_task_cancelled_while_it_is_launched_ends_once() {
    super::bounded(3, || {
        let (task, drops) = Prepared::new(2);
        let canceller = thread::spawn(move || {
            let cancelled = task.cancel();
            task.release();
            cancelled
        });
        assert!(task.begin_launch());
        // Publication: from here on somebody may take the entry.
        let worker = thread::spawn(move || task.take_entry());
        task.node().end_launch();
        task.release();
        let (ran, cancelled) = (worker.join().unwrap(), canceller.join().unwrap());
        assert!(ran != cancelled);
        assert_eq!(drops.load(Relaxed), 1);
    });
}

/// D1: a launch that is refused leaves the task as it was, whatever others try meanwhile, and the next one succeeds. Two
/// threads, exhaustive.
#[test]
fn d01_a_refused_launch_leaves_no_trace() {
    loom::model(|| {
        let (task, drops) = Prepared::new(2);
        let canceller = thread::spawn(move || {
            assert!(!task.cancel());
            task.release();
        });
        assert!(task.begin_launch());
        unsafe { task.node().take_back_launch(Kept::Future) };
        canceller.join().unwrap();
        assert!(task.begin_launch());
        task.node().end_launch();
        assert!(task.node().is_launched() && task.take_entry());
        task.release();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

/// O3: a task that is executed belongs to its entry alone. While somebody else holds it, it is refused; a refused one is the
/// launcher's as before; an accepted one ends with its taker, and its payload is dropped once. Three threads, exhaustive.
#[test]
fn o03_an_executed_task_ends_with_its_entry() {
    loom::model(|| {
        let (task, drops) = Prepared::new(2);
        let begin = move || unsafe { task.node().begin_launch(NOTHING, Some(count_drop), Kept::Nothing) };
        let holder = thread::spawn(move || task.release());
        let while_held = begin();
        assert!(!while_held || references(task.node().word()) == 1, "somebody else holds it");
        holder.join().unwrap();
        if while_held {
            unsafe { task.node().take_back_launch(Kept::Nothing) };
        }
        assert!(begin());
        let worker = thread::spawn(move || task.take_entry());
        assert!(worker.join().unwrap());
        assert_eq!(drops.load(Relaxed), 1);
    });
}

/// A launcher that comes when another's launch is being refused. Two threads, exhaustive.
#[test]
fn a_task_can_be_launched_by_another_once_a_launch_was_refused() {
    loom::model(|| {
        let (task, drops) = Prepared::new(2);
        let other = thread::spawn(move || task.launch_and_run());
        let won = task.begin_launch();
        if won {
            unsafe { task.node().take_back_launch(Kept::Future) };
        }
        task.release();
        let launched = other.join().unwrap();
        assert!(won || launched);
        assert_eq!(drops.load(Relaxed), usize::from(launched));
    });
}
