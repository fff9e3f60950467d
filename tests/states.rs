//! S: the states of a future and the ways between them.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use support::*;
use tpexec::current;
use tpexec::status::Status;
use tpexec::task::State;
use tpexec::wait;

#[test]
fn s01_a_new_future_is_pending() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let plain = pool.go(|| 1);
    let full = pool.task(task(same, ptr(2)));
    let many = pool.many(same, numbers(3));
    for future in [&plain, &full].into_iter().chain(&many) {
        assert_eq!(future.state(), State::Pending);
    }
    blocker.release();
    wait_all(&many);
}

#[test]
fn s02_a_task_that_runs_goes_from_pending_over_running_to_finished() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let (entered, gate) = (Gate::new(), Gate::new());
    let future = pool.go(move || {
        entered.open();
        gate.pass();
        0
    });
    assert_eq!(future.state(), State::Pending);
    blocker.release();
    entered.pass();
    assert_eq!(future.state(), State::Running);
    gate.open();
    future.get();
    assert_eq!(future.state(), State::Finished);
    assert!(!future.cancel());
    future.request_stop();
    assert_eq!(future.state(), State::Finished);
}

#[test]
fn s02_a_cancelled_task_goes_from_pending_to_cancelled_and_stays() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let future = pool.go(|| unreachable!("cancelled"));
    assert!(future.cancel());
    assert_eq!(future.state(), State::Cancelled);
    blocker.release();
    pool.flush(); // The worker has come by the cancelled one's entry.
    assert_eq!(future.state(), State::Cancelled);
    assert!(future.cancel());
}

#[test]
fn s02_a_broken_executor_takes_pending_to_finished_at_once() {
    let (pool, gate) = to_be_broken(1);
    let future = pool.go(|| unreachable!("no worker is initialized"));
    assert_eq!(future.state(), State::Pending);
    gate.open();
    assert_eq!(future.refusal(), Status::Broken);
    assert_eq!(future.state(), State::Finished);
    assert!(!future.cancel());
}

/// Watchers note every state they see, while tasks run, fail and are cancelled at random.
#[test]
fn s02_watchers_only_ever_see_legal_transitions() {
    let pool = Pool::new(2);
    for round in 0..60 {
        let mut random = Random::new(round);
        let futures: &'static [_] = leak(
            (0..200)
                .map(|i| match i % 3 {
                    0 => pool.go(|| fail(1)),
                    _ => pool.go(move || i),
                })
                .collect::<Vec<_>>(),
        );
        let over: &'static AtomicBool = leak(AtomicBool::new(false));
        let watchers: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(move || {
                    let mut seen = vec![State::Pending; futures.len()];
                    loop {
                        let last = over.load(SeqCst);
                        for (seen, future) in seen.iter_mut().zip(futures) {
                            let now = future.state();
                            let legal = match *seen {
                                State::Pending => true,
                                State::Running => matches!(now, State::Running | State::Finished),
                                done => now == done,
                            };
                            assert!(legal, "from {seen:?} to {now:?}");
                            *seen = now;
                        }
                        if last {
                            return seen;
                        }
                    }
                })
            })
            .collect();
        let cancelled: Vec<bool> = (0..100)
            .map(|_| random.below(futures.len()))
            .map(|i| {
                let was = futures[i].cancel();
                assert_eq!(futures[i].cancel(), was, "a cancel's answer is final");
                was
            })
            .collect();
        drop(cancelled);
        wait_all(futures);
        over.store(true, SeqCst);
        for watcher in watchers {
            let last = watcher.join().unwrap();
            assert!(last.iter().all(|state| matches!(state, State::Finished | State::Cancelled)));
            assert!(futures.iter().zip(&last).all(|(future, seen)| future.state() == *seen));
        }
    }
}

#[test]
fn s03_asking_for_the_state_does_not_block_whatever_others_do() {
    // The worker is inside a task, then inside a callback; a third thread waits; all the while the state can be asked.
    let pool = Pool::new(1);
    let (in_task, in_callback, gate) = (Gate::new(), Gate::new(), Gate::new());
    let next = Gate::new();
    let future = pool.go(move || {
        in_task.open();
        gate.pass();
        0
    });
    future.on_done(move |node| {
        assert_eq!(node.state(), State::Finished);
        in_callback.open();
        next.pass();
    });
    in_task.pass();
    let waiter = {
        let future = future.clone();
        std::thread::spawn(move || future.get())
    };
    assert_eq!(future.state(), State::Running);
    gate.open();
    in_callback.pass();
    assert_eq!(future.state(), State::Finished);
    next.open();
    waiter.join().unwrap();
}

#[test]
fn s06_null_is_a_result_like_any_other() {
    let pool = Pool::new(1);
    let future = pool.submit(same, NULL).unwrap();
    assert_eq!(wait::result(&future, FOREVER), Ok(NULL));
    assert_eq!(wait::error(&future, FOREVER), Ok(None));
    assert_eq!(wait::take(&future, FOREVER), Ok(NULL));
    assert_eq!(refused(wait::take(&future, FOREVER)), Status::InvalidState);
}

#[test]
fn s06_code_0_and_an_empty_message_are_a_failure_like_any_other() {
    let pool = Pool::new(1);
    let messages: [Option<&'static CStr>; 2] = [None, Some(c"")];
    for message in messages {
        let future = pool.go(move || {
            current::fail(0, message, NULL, None).unwrap();
            7
        });
        assert_eq!(future.refusal(), Status::Task);
        let error = wait::error(&future, FOREVER).unwrap().expect("it failed");
        unsafe {
            assert_eq!(((*error).code, (*error).reserved, (*error).payload), (0, 0, NULL));
            assert_eq!(text((*error).message), "");
        }
    }
}

#[test]
fn s06_a_task_that_failed_is_failed_whatever_it_returned() {
    let pool = Pool::new(1);
    for value in [0, 7] {
        let future = pool.go(move || {
            fail(3);
            value
        });
        assert_eq!(future.refusal(), Status::Task);
        assert_eq!(refused(wait::take(&future, FOREVER)), Status::Task);
    }
}
