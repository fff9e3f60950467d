//! Completion queues: the ready list and its doorbell (`src/completion_queue.rs`).

use super::nodes::{finish, node, Shared};
use crate::completion_queue::CompletionQueue;
use crate::status::TIMEOUT;
use crate::sys::model::strike;
use crate::task::state::REF;
use crate::wait::Timeout;
use loom::thread;
use std::ptr::NonNull;

/// A queue's handle, shared by the threads of a model.
#[derive(Clone, Copy)]
struct Handle(NonNull<CompletionQueue>);
unsafe impl Send for Handle {}

impl Handle {
    /// Over these futures, with their index as tag.
    fn over(futures: &[Shared]) -> Handle {
        let queue = Handle(CompletionQueue::new().unwrap());
        for (tag, future) in futures.iter().enumerate() {
            queue.get().add(future.get(), tag as u64).unwrap();
        }
        queue
    }

    fn get(&self) -> &CompletionQueue {
        unsafe { self.0.as_ref() }
    }

    /// The next tag; `None` at the end.
    fn next(&self) -> Option<u64> {
        self.get().next(Timeout::Forever).unwrap().map(|(_, tag)| tag)
    }

    fn free(self) {
        unsafe { CompletionQueue::free(self.0) };
    }
}

/// A1, A2: what completes while a taker falls asleep comes out, once; then the end. Two threads (taker, runner), exhaustive.
#[test]
fn a01_a_taker_never_sleeps_through_a_completion() {
    loom::model(|| {
        let task = node(2);
        let queue = Handle::over(&[task]);
        let runner = thread::spawn(move || finish(task));
        assert_eq!(queue.next(), Some(0));
        queue.get().close().unwrap();
        assert_eq!(queue.next(), None);
        runner.join().unwrap();
        task.release();
        queue.free();
    });
}

/// A4: two takers share what completes at once: each thing comes out once, and nobody sleeps beside it. Four threads, one
/// preemption.
#[test]
fn a04_two_takers_share_two_completions() {
    super::bounded(1, || {
        let (a, b) = (node(2), node(2));
        let queue = Handle::over(&[a, b]);
        let first = thread::spawn(move || finish(a));
        let second = thread::spawn(move || finish(b));
        let taker = thread::spawn(move || queue.next());
        let mut tags = [queue.next(), taker.join().unwrap()];
        tags.sort_unstable();
        assert_eq!(tags, [Some(0), Some(1)]);
        first.join().unwrap();
        second.join().unwrap();
        a.release();
        b.release();
        queue.free();
    });
}

/// A2: one completion and the close: of two takers one gets it, and both, in the end, the end. Four threads, two preemptions.
#[test]
fn a02_the_end_is_there_for_every_taker() {
    super::bounded(2, || {
        let task = node(2);
        let queue = Handle::over(&[task]);
        let runner = thread::spawn(move || finish(task));
        queue.get().close().unwrap();
        let taker = thread::spawn(move || queue.next());
        let mine = queue.next();
        let mut tags = [mine, taker.join().unwrap()];
        tags.sort_unstable();
        assert_eq!(tags, [None, Some(0)]);
        assert_eq!(queue.next(), None);
        runner.join().unwrap();
        task.release();
        queue.free();
    });
}

/// A2: a taker that gives up takes nobody else's call with it. Four threads (two takers, runner, clock), one preemption.
#[test]
fn a02_a_taker_that_gives_up_costs_another_no_wake_up() {
    super::bounded(1, || {
        let task = node(2);
        let queue = Handle::over(&[task]);
        let runner = thread::spawn(move || finish(task));
        let clock = thread::spawn(strike);
        let patient = thread::spawn(move || {
            // Whoever does not get it finds the queue closed by who did.
            let got = queue.next();
            queue.get().close().unwrap();
            got
        });
        match queue.get().next(Timeout::from_ns(1)) {
            Err(error) => {
                assert_eq!(error, TIMEOUT);
                assert_eq!(patient.join().unwrap(), Some(0));
            }
            Ok(Some((_, tag))) => {
                assert_eq!(tag, 0);
                queue.get().close().unwrap();
                assert_eq!(patient.join().unwrap(), None);
            }
            Ok(None) => assert_eq!(patient.join().unwrap(), Some(0)),
        }
        runner.join().unwrap();
        clock.join().unwrap();
        task.release();
        queue.free();
    });
}

/// A3: a queue that is freed as a future completes: the record goes once, with its reference. Two threads, exhaustive.
#[test]
fn a03_a_queue_may_be_freed_while_a_future_completes() {
    loom::model(|| {
        let task = node(2);
        let queue = Handle::over(&[task]);
        let runner = thread::spawn(move || finish(task));
        queue.free();
        runner.join().unwrap();
        assert_eq!(task.get().word() / REF, 1, "the record has kept its reference");
        task.release();
    });
}

/// A1: a future that completes while it is added comes out once. Two threads, three preemptions.
#[test]
fn a01_a_future_that_completes_while_it_is_added_comes_out_once() {
    super::bounded(3, || {
        let task = node(2);
        let runner = thread::spawn(move || finish(task));
        let queue = Handle::over(&[task]);
        queue.get().close().unwrap();
        assert_eq!(queue.next(), Some(0));
        assert_eq!(queue.next(), None);
        runner.join().unwrap();
        task.release();
        queue.free();
    });
}
