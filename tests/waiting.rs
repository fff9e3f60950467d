//! W: waiting for several futures.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;
use support::*;
use tpexec::status::Status;
use tpexec::task::{Future, Task};
use tpexec::wait::{self, Timeout, WaitFor, WaitOutcome};

const ALL: WaitFor = WaitFor::AllCompleted;
const FIRST: WaitFor = WaitFor::FirstCompleted;
const FAILED: WaitFor = WaitFor::FirstFailed;

#[track_caller]
fn expect(futures: &[Future], timeout: Timeout, what: WaitFor, n_done: usize, timed_out: bool) {
    assert_eq!(wait_for(futures, timeout, what), Ok(WaitOutcome { n_done, timed_out }));
}

#[test]
fn w01_every_done_entry_counts_duplicates_too() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let (pending, cancelled) = (pool.go(|| 0), pool.go(|| 0));
    cancelled.cancel();
    let list = [&cancelled, &pending, &cancelled, &blocker.future, &pending, &cancelled].map(Future::clone);
    for what in [ALL, FAILED] {
        expect(&list, POLL, what, 3, true);
        expect(&list, ms(1), what, 3, true);
    }
    expect(&list, POLL, FIRST, 3, false);
    blocker.release();
    expect(&list, FOREVER, ALL, 6, false);
}

#[test]
fn w01_futures_of_several_executors_may_be_mixed() {
    let pools = [Pool::new(1), Pool::new(2), Pool::new(1)];
    for _ in 0..300 {
        let futures: Vec<Future> = (0..30).map(|i| pools[i % 3].go(move || i)).collect();
        wait_all(&futures);
        assert!(futures.iter().enumerate().all(|(i, future)| future.get() == i));
    }
}

/// The same from inside of a task of one of them: what is its own executor's it may run itself, the rest it waits for.
#[test]
fn w01_a_task_may_mix_its_own_executors_futures_with_others() {
    let pools = [Pool::new(1), Pool::new(1)];
    let [a, b] = [pools[0].shared(), pools[1].shared()];
    for what in [ALL, FIRST, FAILED] {
        for _ in 0..100 {
            let n_done = pools[0].go(move || {
                let futures: Vec<Future> = (0..10).map(|i| if i % 2 == 0 { a.go(|| 1) } else { b.go(|| 2) }).collect();
                let outcome = wait_for(&futures, FOREVER, what).unwrap();
                wait_all(&futures);
                outcome.n_done
            });
            let n_done = n_done.get();
            assert!(if what == FIRST { n_done >= 1 } else { n_done == 10 }, "{n_done}");
        }
    }
}

#[test]
fn w02_nothing_to_wait_for_returns_at_once() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let done = [pool.go(|| 0)];
    assert!(done[0].cancel());
    for what in [ALL, FIRST, FAILED] {
        for timeout in [POLL, Timeout::from_ns(i64::MIN), ms(1), FOREVER] {
            expect(&[], timeout, what, 0, false);
            expect(&done, timeout, what, 1, false);
        }
    }
    drop(blocker);
}

#[test]
fn w03_first_completed_ends_with_the_first_and_counts_all_that_are_done() {
    let pool = Pool::new(2);
    for round in 0..300 {
        let blockers = [pool.block(), pool.block()];
        let pending: Vec<Future> = (0..3).map(|_| pool.go(|| 0)).collect();
        let list: Vec<Future> = blockers.iter().map(|b| b.future.clone()).chain(pending.iter().cloned()).collect();
        expect(&list, POLL, FIRST, 0, true);
        let ready = Gate::new();
        let waiter = {
            let list = list.clone();
            std::thread::spawn(move || {
                ready.open();
                wait_for(&list, FOREVER, FIRST).unwrap()
            })
        };
        ready.pass();
        pending[round % 3].cancel();
        let outcome = waiter.join().unwrap();
        assert_eq!(outcome, WaitOutcome { n_done: 1, timed_out: false });
        pending.iter().for_each(|future| _ = future.cancel());
        expect(&list, FOREVER, FIRST, 3, false);
        drop(blockers);
        wait_all(&list);
    }
}

#[test]
fn w03_first_failed_ends_with_a_failure_and_with_nothing_else() {
    let pool = Pool::new(1);
    let (broken, gate) = to_be_broken(1);
    // Success and cancellation: it goes on until all are done.
    let blocker = pool.block();
    let list = vec![pool.go(|| 0), pool.go(|| 0), blocker.future.clone()];
    list[0].cancel();
    expect(&list, ms(1), FAILED, 1, true);
    blocker.release();
    expect(&list, FOREVER, FAILED, 3, false);
    // A task that fails.
    let (first, then) = (pool.block(), Gate::new());
    let list = vec![
        pool.go(|| 0),
        pool.go(|| fail(4)),
        pool.go(move || {
            then.pass();
            0
        }),
    ];
    first.release();
    expect(&list, FOREVER, FAILED, 2, false);
    expect(&list, POLL, FAILED, 2, false);
    then.open();
    wait_all(&list);
    // A broken executor.
    let blocker = pool.block();
    let list = vec![pool.go(|| 0), broken.go(|| 0)];
    expect(&list, ms(1), FAILED, 0, true);
    gate.open();
    expect(&list, FOREVER, FAILED, 1, false);
    drop(blocker);
}

#[test]
fn w04_a_timeout_still_counts_and_cancels_nothing() {
    let pool = Pool::new(1);
    let done = pool.go(|| 0);
    done.get();
    let blocker = pool.block();
    let list = [done, pool.go(|| 8), blocker.future.clone()];
    for what in [ALL, FAILED] {
        expect(&list, POLL, what, 1, true);
        expect(&list, ms(2), what, 1, true);
    }
    expect(&list[1..], ms(2), FIRST, 0, true);
    blocker.release();
    assert_eq!(list[1].get(), 8);
}

/// A million looks at a slow future, with and without a time limit that runs out: nothing may stay registered.
#[test]
fn w04_a_million_polls_use_no_memory() {
    if !alone("w04_a_million_polls_use_no_memory") {
        return;
    }
    let pool = Pool::new(1);
    let blocker = pool.block();
    let list = [blocker.future.clone(), pool.go(|| 0)];
    let look = |what, timeout| {
        assert_eq!(wait_for(&list, timeout, what), Ok(WaitOutcome { n_done: 0, timed_out: true }));
        assert_eq!(refused(wait::result(&list[0], timeout)), Status::Timeout);
    };
    // 1 ns: a wait that registers, and then gives up.
    let round = || {
        for what in [ALL, FIRST, FAILED] {
            look(what, POLL);
            look(what, Timeout::from_ns(1));
        }
        drop(Queue::as_completed(&list));
    };
    (0..500).for_each(|_| round());
    let before = memory();
    let nodes = nodes(&list);
    for i in 0..1_000_000 {
        let outcome = unsafe { wait::wait(&nodes, POLL, [ALL, FIRST, FAILED][i % 3]) };
        assert_eq!(outcome, Ok(WaitOutcome { n_done: 0, timed_out: true }));
    }
    (0..3_000).for_each(|_| round());
    // Waits that register, and give up.
    for i in 0..50_000 {
        let outcome = unsafe { wait::wait(&nodes, Timeout::from_ns(1), [FIRST, FAILED][i % 2]) };
        assert_eq!(outcome, Ok(WaitOutcome { n_done: 0, timed_out: true }));
    }
    (0..30_000).for_each(|_| drop(Queue::as_completed(&list)));
    let grown = memory().saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes");
    blocker.release();
    wait_all(&list);
}

/// Waits that give up exactly while the future ends: the memory of the registration is freed once, by one of the two.
#[test]
fn w04_giving_up_beside_a_completion_is_safe() {
    let pool = Pool::new(1);
    for round in 0..1000 {
        let blocker = pool.block();
        let futures: Vec<Future> = (0..4).map(|i| pool.go(move || i)).collect();
        let (start, stop): (_, &'static AtomicBool) = (Count::new(), leak(AtomicBool::new(false)));
        let waiter = {
            let futures = futures.clone();
            std::thread::spawn(move || {
                start.meet(2);
                let mut last = 0;
                while !stop.load(SeqCst) {
                    for what in [FIRST, FAILED, ALL] {
                        let outcome = wait_for(&futures, Timeout::from_ns(1 + round % 50_000), what).unwrap();
                        assert!(outcome.n_done >= last, "done futures stay done");
                        last = outcome.n_done;
                    }
                }
            })
        };
        start.meet(2);
        blocker.release();
        wait_all(&futures);
        stop.store(true, SeqCst);
        waiter.join().unwrap();
    }
}

/// A registration that was taken back leaves nothing behind on the future either: its last reference is the last.
#[test]
fn w04_a_future_that_was_waited_for_in_vain_is_freed_like_any_other() {
    let pool = Pool::new(1);
    for round in 0..300 {
        let drops = counter();
        let hooks = Task { drop_result: DROP_BUMP, ..task(same, address(drops)) };
        let blocker = pool.block();
        let futures: Vec<Future> = (0..3).map(|_| pool.task(hooks)).collect();
        for what in [FIRST, FAILED, ALL] {
            assert!(wait_for(&futures, Timeout::from_ns(1000), what).unwrap().timed_out);
        }
        drop(Queue::as_completed(&futures));
        if round % 2 == 0 {
            drop(futures);
            blocker.release();
        } else {
            blocker.release();
            wait_all(&futures);
            drop(futures);
        }
        pool.flush();
        assert_eq!(drops.load(SeqCst), 3);
    }
}

/// Six threads wait for the same futures, half of them with limits that run out: the others still wake.
#[test]
fn w05_one_waiters_timeout_costs_no_other_its_wake_up() {
    let pool = Pool::new(1);
    for round in 0..250 {
        let blocker = pool.block();
        let futures: Vec<Future> = (0..3).map(|i| pool.go(move || i)).collect();
        let (ready, given_up) = (Count::new(), Count::new());
        let waiters: Vec<_> = (0..6)
            .map(|i| {
                let mut futures = futures.clone();
                futures.rotate_left(i % 3);
                std::thread::spawn(move || {
                    let what = [ALL, FIRST, FAILED][i % 3];
                    ready.add(1);
                    if i < 3 {
                        assert!(wait_for(&futures, Timeout::from_ns(round * 1000), what).unwrap().timed_out);
                        assert_eq!(refused(wait::result(&futures[0], Timeout::from_ns(1000))), Status::Timeout);
                        given_up.add(1);
                    } else {
                        assert!(!wait_for(&futures, FOREVER, what).unwrap().timed_out);
                        futures[0].get();
                    }
                })
            })
            .collect();
        ready.wait(6);
        given_up.wait(3);
        blocker.release();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    }
}

#[test]
fn w05_waits_in_opposite_orders_do_not_deadlock() {
    let pool = Pool::new(2);
    for _ in 0..300 {
        let blockers = [pool.block(), pool.block()];
        let futures: Vec<Future> = (0..20).map(|i| pool.go(move || i)).collect();
        let start = Count::new();
        let waiters: Vec<_> = (0..4)
            .map(|i| {
                let mut futures = futures.clone();
                if i % 2 == 0 {
                    futures.reverse();
                }
                std::thread::spawn(move || {
                    start.add(1);
                    let what = [ALL, FAILED][i / 2];
                    assert_eq!(wait_for(&futures, FOREVER, what).unwrap().n_done, 20);
                })
            })
            .collect();
        start.wait(4);
        // Some end by cancels, from the other side, while the waits are under way.
        futures.iter().skip(1).step_by(3).for_each(|future| _ = future.cancel());
        drop(blockers);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    }
}

/// A wait that has given up takes its time neither from a slow callback nor gives it a reference to anything.
#[test]
fn w04_a_wait_that_gives_up_does_not_wait_for_a_callback() {
    let pool = Pool::new(1);
    let (entered, gate, drops) = (Gate::new(), Gate::new(), counter());
    let blocker = pool.block();
    let slow = pool.task(Task { drop_result: DROP_BUMP, ..task(same, address(drops)) });
    slow.on_done(move |_| {
        entered.open();
        gate.pass();
    });
    let list = [slow, pool.go(|| 1)];
    blocker.release();
    entered.pass();
    let start = Instant::now();
    expect(&list, ms(1), ALL, 1, true);
    expect(&list, ms(1), FAILED, 1, true);
    expect(&list, ms(1), FIRST, 1, false);
    assert!(start.elapsed().as_secs() < 60);
    gate.open();
    wait_all(&list);
    drop(list);
    pool.flush();
    assert_eq!(drops.load(SeqCst), 1);
}
