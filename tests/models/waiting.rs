//! Blocking on one future with a limit, and on the first of several (`src/wait.rs`, `wait_first.rs`, `task/listen.rs`). The clock
//! strikes on a thread of its own, so that time is up at every moment at which it may be.

use super::nodes::{finish, node};
use super::pointer;
use crate::completion::end_pending;
use crate::status::TIMEOUT;
use crate::sys::model::strike;
use crate::task::outcome::Outcome;
use crate::task::state::{is_done, CANCELLED};
use crate::wait::{until_done, wait, Timeout, WaitFor};
use loom::thread;

/// R2, R5: a wait with a limit ends with the task done, or with the limit; after it, a wait without one ends. Three threads (waiter,
/// runner, clock), two preemptions.
#[test]
fn r02_a_wait_with_a_limit_ends_with_the_task_or_in_time() {
    super::bounded(2, || {
        let task = node(2);
        let runner = thread::spawn(move || finish(task));
        let clock = thread::spawn(strike);
        match until_done(task.get(), Timeout::from_ns(1)) {
            Ok(()) => assert_eq!(task.get().outcome(), Some(Outcome::Value(pointer(42)))),
            Err(error) => assert_eq!(error, TIMEOUT),
        }
        assert_eq!(until_done(task.get(), Timeout::Forever), Ok(()));
        runner.join().unwrap();
        clock.join().unwrap();
        task.release();
    });
}

/// R2: time is not up before the clock strikes. Two threads, three preemptions.
#[test]
fn r02_no_wait_gives_up_before_its_time() {
    super::bounded(3, || {
        let task = node(2);
        let runner = thread::spawn(move || finish(task));
        assert_eq!(until_done(task.get(), Timeout::from_ns(1)), Ok(()));
        runner.join().unwrap();
        task.release();
    });
}

/// W5: one waiter's limit costs another none of its wake-up when the task is cancelled, before time is up or after. Three threads (the
/// canceller's is the clock's too), switched where one sleeps, yields or ends: more is for the mixes.
#[test]
fn w05_one_waiter_that_gives_up_costs_another_no_wake_up() {
    super::bounded(0, || {
        let task = node(3);
        let canceller = thread::spawn(move || {
            strike();
            assert!(end_pending(task.get(), CANCELLED, || ()));
            task.release();
        });
        let patient = thread::spawn(move || {
            assert_eq!(until_done(task.get(), Timeout::Forever), Ok(()));
            task.release();
        });
        let waited = until_done(task.get(), Timeout::from_ns(1));
        assert!(waited == Err(TIMEOUT) || is_done(task.get().word()));
        canceller.join().unwrap();
        patient.join().unwrap();
        task.release();
    });
}

/// W1, W3: a wait for the first of two ends when one is done, and counts it; the other's registration is taken back, or notified
/// while the wait returns. Three threads, one preemption.
#[test]
fn w03_the_first_of_two_ends_the_wait() {
    super::bounded(1, || {
        let (a, b) = (node(2), node(2));
        let runner = thread::spawn(move || finish(a));
        let other = thread::spawn(move || finish(b));
        let futures = [a.0.as_ptr().cast_const(), b.0.as_ptr().cast_const()];
        let ended = unsafe { wait(&futures, Timeout::Forever, WaitFor::FirstCompleted) }.unwrap();
        assert!(!ended.timed_out && ended.n_done >= 1, "{ended:?}");
        runner.join().unwrap();
        other.join().unwrap();
        a.release();
        b.release();
    });
}

/// W3: with no failure a wait for the first one ends when all are done. Three threads, one preemption.
#[test]
fn w03_without_a_failure_the_last_one_ends_the_wait() {
    super::bounded(1, || {
        let (a, b) = (node(2), node(2));
        let runner = thread::spawn(move || finish(a));
        let other = thread::spawn(move || finish(b));
        let futures = [a.0.as_ptr().cast_const(), b.0.as_ptr().cast_const()];
        let ended = unsafe { wait(&futures, Timeout::Forever, WaitFor::FirstFailed) }.unwrap();
        assert_eq!((ended.n_done, ended.timed_out), (2, false));
        runner.join().unwrap();
        other.join().unwrap();
        a.release();
        b.release();
    });
}

/// W4: a wait for the first that gives up as a future completes leaves nothing behind: neither does the completion touch what the
/// wait has freed, nor is anything registered any more. Three threads, two preemptions.
#[test]
fn w04_a_wait_for_the_first_may_give_up_at_any_moment() {
    super::bounded(2, || {
        let task = node(2);
        let runner = thread::spawn(move || finish(task));
        let clock = thread::spawn(strike);
        let futures = [task.0.as_ptr().cast_const()];
        let ended = unsafe { wait(&futures, Timeout::from_ns(1), WaitFor::FirstCompleted) }.unwrap();
        assert!(ended.timed_out || ended.n_done == 1);
        runner.join().unwrap();
        clock.join().unwrap();
        task.release();
    });
}
