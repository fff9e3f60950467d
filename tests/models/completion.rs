//! Completion against everything else: observers, waiters, cancel, the last release (`src/task/node.rs`).

use super::nodes::{finish, finish_claimed, follow, node};
use super::pointer;
use crate::task::listen::Added;
use crate::task::node::{Failed, Held, Node, Reference};
use crate::task::observer::{Class, Kind, Observer};
use crate::task::outcome::Outcome;
use crate::task::state::CANCELLED;
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use loom::sync::Arc;
use loom::thread;

/// An observer that counts its notifications and reads the result.
#[repr(C)]
struct Counting {
    observer: Observer,
    count: Arc<AtomicUsize>,
}

impl Counting {
    fn new(kind: Kind) -> (*mut Counting, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let class = match kind {
            Kind::Waiter => &Class { kind: Kind::Waiter, notify: notified },
            Kind::Callback => &Class { kind: Kind::Callback, notify: notified },
        };
        let record = Counting { observer: Observer::new(class), count: count.clone() };
        (crate::alloc::try_box(record).map(Box::into_raw).unwrap(), count)
    }
}

unsafe fn notified(observer: *mut Observer, node: &Node) {
    assert!(matches!(node.outcome(), Some(Outcome::Value(_) | Outcome::Cancelled)));
    unsafe { (*observer.cast::<Counting>()).count.fetch_add(1, AcqRel) };
}

/// K1, A6: an observer added while the task completes is notified once: by the runner, or by its adder. Two threads,
/// exhaustive.
#[test]
fn k01_an_observer_added_at_completion_is_notified_exactly_once() {
    loom::model(|| {
        let shared = node(2);
        let (record, count) = Counting::new(Kind::Callback);
        let runner = thread::spawn(move || finish(shared));
        if unsafe { shared.get().add_observer(record.cast()) } == Added::AlreadyDone {
            unsafe { notified(record.cast(), shared.get()) };
        }
        runner.join().unwrap();
        assert_eq!(count.load(Acquire), 1);
        drop(unsafe { Box::from_raw(record) });
        shared.release();
    });
}

/// K1: two late adders and the runner: each record is notified once, and nobody runs another's. Three threads, two preemptions.
#[test]
fn k01_two_adders_at_completion_are_each_notified_exactly_once() {
    super::bounded(2, || {
        let shared = node(3);
        let add = move || {
            let (record, count) = Counting::new(Kind::Waiter);
            if unsafe { shared.get().add_observer(record.cast()) } == Added::AlreadyDone {
                assert_eq!(count.load(Acquire), 0, "somebody else notified a record that was refused");
                unsafe { notified(record.cast(), shared.get()) };
            }
            shared.release();
            (record as usize, count)
        };
        let runner = thread::spawn(move || finish(shared));
        let other = thread::spawn(add);
        let records = [add(), other.join().unwrap()];
        runner.join().unwrap();
        for (record, count) in records {
            assert_eq!(count.load(Acquire), 1);
            drop(unsafe { Box::from_raw(record as *mut Counting) });
        }
    });
}

/// W4, A3: a registration that is taken back while the task completes is either gone or notified, never both. Two threads,
/// exhaustive.
#[test]
fn w04_a_registration_is_taken_back_or_notified_never_both() {
    loom::model(|| {
        let shared = node(2);
        let (record, count) = Counting::new(Kind::Waiter);
        assert_eq!(unsafe { shared.get().add_observer(record.cast()) }, Added::Registered);
        let runner = thread::spawn(move || finish(shared));
        let removed = unsafe { shared.get().remove_observer(record.cast()) };
        runner.join().unwrap();
        assert_eq!(count.load(Acquire), usize::from(!removed));
        drop(unsafe { Box::from_raw(record) });
        shared.release();
    });
}

/// R5: a waiter that goes to sleep as the task completes wakes, and sees the result. Two threads, exhaustive.
#[test]
fn r05_a_waiter_never_sleeps_through_completion() {
    loom::model(|| {
        let shared = node(2);
        let runner = thread::spawn(move || finish(shared));
        assert!(shared.get().sleep_until_done(None));
        assert_eq!(shared.get().outcome(), Some(Outcome::Value(pointer(42))));
        runner.join().unwrap();
        shared.release();
    });
}

/// R5: two waiters both wake, with observers coming and going on the same word. Three threads, two preemptions.
#[test]
fn r05_two_waiters_wake_beside_an_observer() {
    super::bounded(2, || {
        let shared = node(3);
        let runner = thread::spawn(move || finish(shared));
        let waiter = thread::spawn(move || {
            assert!(shared.get().sleep_until_done(None));
            shared.release();
        });
        let (record, count) = Counting::new(Kind::Waiter);
        let added = unsafe { shared.get().add_observer(record.cast()) };
        assert!(shared.get().sleep_until_done(None));
        waiter.join().unwrap();
        runner.join().unwrap();
        assert_eq!(count.load(Acquire), usize::from(added == Added::Registered));
        drop(unsafe { Box::from_raw(record) });
        shared.release();
    });
}

/// C3: of a claim and two cancels at once exactly one wins, and everyone agrees on which. Three threads, three preemptions.
#[test]
fn c03_cancel_and_start_exclude_each_other() {
    super::bounded(3, || {
        let shared = node(3);
        let cancel = move || {
            let won = shared.get().end_pending(CANCELLED).is_some();
            shared.release();
            won
        };
        let canceller = thread::spawn(cancel);
        let runner = thread::spawn(move || {
            let claimed = shared.get().claim();
            match claimed {
                true => finish_claimed(shared),
                false => shared.release(),
            }
            claimed
        });
        let winners = [cancel(), canceller.join().unwrap(), runner.join().unwrap()];
        assert_eq!(winners.iter().filter(|&&won| won).count(), 1);
    });
}

/// C6: a cancel wakes a waiter and notifies an observer like any completion. Two threads, exhaustive.
#[test]
fn c06_cancel_is_heard_by_waiters_and_observers() {
    loom::model(|| {
        let shared = node(2);
        let (record, count) = Counting::new(Kind::Waiter);
        let canceller = thread::spawn(move || {
            let ended = shared.get().end_pending(CANCELLED).expect("nobody else ends it");
            crate::completion::deliver(shared.get(), ended.observers, || ());
            shared.release();
        });
        if unsafe { shared.get().add_observer(record.cast()) } == Added::AlreadyDone {
            unsafe { notified(record.cast(), shared.get()) };
        }
        assert!(shared.get().sleep_until_done(None));
        canceller.join().unwrap();
        assert_eq!(count.load(Acquire), 1);
        drop(unsafe { Box::from_raw(record) });
        shared.release();
    });
}

/// The last release: whoever gives the last reference up destroys the node, exactly once (loom reports a leak or a use after
/// the end), and sees what the runner wrote. Two threads, exhaustive.
#[test]
fn o01_the_last_reference_is_given_up_exactly_once() {
    loom::model(|| {
        let shared = node(2);
        let runner = thread::spawn(move || finish(shared));
        if let Some(outcome) = shared.get().outcome() {
            assert_eq!(outcome, Outcome::Value(pointer(42)));
        }
        shared.release();
        runner.join().unwrap();
    });
}

/// The same with a third holder, and a runner that finds observers. Three threads, three preemptions.
#[test]
fn o01_the_last_reference_of_three_is_given_up_exactly_once() {
    super::bounded(3, || {
        let shared = node(3);
        let (record, count) = Counting::new(Kind::Callback);
        assert_eq!(unsafe { shared.get().add_observer(record.cast()) }, Added::Registered);
        let runner = thread::spawn(move || finish(shared));
        let holder = thread::spawn(move || shared.release());
        shared.release();
        holder.join().unwrap();
        runner.join().unwrap();
        assert_eq!(count.load(Acquire), 1);
        drop(unsafe { Box::from_raw(record) });
    });
}

/// N1: a waiter runs the task while the queue's entry, with its reference, is still to be taken. One of the two runs it; the
/// waiter, on its own reference, sees the result; the last of the two references ends the node, exactly once. Two threads,
/// exhaustive.
#[test]
fn n01_a_task_run_by_its_waiter_outlives_neither_the_waiter_nor_its_entry() {
    loom::model(|| {
        let shared = node(2);
        let taker = thread::spawn(move || {
            if shared.get().claim() {
                finish_claimed(shared);
            } else if shared.get().drop_entry() {
                unsafe { crate::task::handle::destroy(shared.0) };
            }
        });
        if shared.get().claim_inline() {
            let ended = unsafe { shared.get().succeed(pointer(42), Reference::Keep) };
            assert_eq!(ended.reference, Held::Still);
            assert_eq!(shared.get().outcome(), Some(Outcome::Value(pointer(42))));
        }
        shared.release();
        taker.join().unwrap();
    });
}

/// R9: of two takers exactly one gets the result. Two threads, exhaustive.
#[test]
fn r09_a_result_is_taken_once() {
    loom::model(|| {
        let shared = node(3);
        finish(shared);
        let other = thread::spawn(move || {
            let won = shared.get().mark_taken();
            shared.release();
            won
        });
        let won = shared.get().mark_taken();
        assert!(won != other.join().unwrap());
        shared.release();
    });
}

/// O2: a failure without memory for its record keeps its code where the list of observers was: the records are notified
/// all the same, also one that is added at that moment. Two threads, exhaustive.
#[test]
fn o02_a_failure_kept_in_place_loses_no_observer() {
    loom::model(|| {
        let shared = node(2);
        let (record, count) = Counting::new(Kind::Waiter);
        let runner = thread::spawn(move || {
            assert!(shared.get().claim());
            let failed = Failed { value: pointer(0), record: None, code: 7, hooked: false };
            let ended = unsafe { shared.get().fail(failed, Reference::GiveUp) };
            follow(shared, ended);
        });
        unsafe fn count_only(observer: *mut Observer, node: &Node) {
            assert_eq!(node.outcome(), Some(Outcome::Failed));
            assert_eq!(unsafe { (*node.error_record()).code }, 7);
            unsafe { (*observer.cast::<Counting>()).count.fetch_add(1, AcqRel) };
        }
        unsafe { (*record).observer = Observer::new(&Class { kind: Kind::Waiter, notify: count_only }) };
        if unsafe { shared.get().add_observer(record.cast()) } == Added::AlreadyDone {
            unsafe { count_only(record.cast(), shared.get()) };
        }
        runner.join().unwrap();
        assert_eq!(count.load(Acquire), 1);
        drop(unsafe { Box::from_raw(record) });
        shared.release();
    });
}
