//! M: map.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use support::*;
use tpexec::current;
use tpexec::map::{Map, MapItem};
use tpexec::status::Status;
use tpexec::task::State;
use tpexec::wait::{self, Timeout};

fn all(map: &Map) -> Vec<Given> {
    std::iter::from_fn(|| match given(map, FOREVER) {
        Given::End => None,
        other => Some(other),
    })
    .collect()
}

#[test]
fn m01_futures_come_in_input_order_each_done() {
    for workers in [1, 2, 4] {
        let pool = Pool::new(workers);
        for lookahead in [0, 1, 2, 7, 99, 100, 1000, usize::MAX] {
            let map = pool.map(same, numbers(100), lookahead);
            for i in 0..100 {
                let MapItem::Done(future) = map.next(FOREVER) else { panic!("no item {i}") };
                assert_eq!(future.state(), State::Finished);
                assert_eq!(wait::result(&future, POLL), Ok(ptr(i)));
            }
            for timeout in [FOREVER, POLL, ms(1)] {
                assert_eq!(given(&map, timeout), Given::End);
            }
        }
        assert_eq!(given(&pool.map(same, numbers(0), 3), FOREVER), Given::End);
    }
}

unsafe extern "C-unwind" fn fail_if_odd(arg: Ptr) -> Ptr {
    if arg.addr() % 2 == 1 {
        fail(arg.addr() as i32);
    }
    arg
}

#[test]
fn m01_a_failed_one_does_not_end_the_iteration() {
    let pool = Pool::new(2);
    for lookahead in [0, 1, 3] {
        let map = pool.map(fail_if_odd, numbers(6), lookahead);
        let even = |i| Given::Value(i);
        let odd = || Given::Ended(Status::Task);
        assert_eq!(all(&map), [even(0), odd(), even(2), odd(), even(4), odd()]);
    }
}

/// The tasks of a map over one gate each.
unsafe extern "C-unwind" fn pass(gate: Ptr) -> Ptr {
    unsafe { (*gate.cast::<Gate>()).pass() };
    gate
}

/// At every moment pending, running and done-but-not-handed-out together are at most lookahead + 1; here all that were
/// submitted are running or pending, so they can be counted.
#[test]
fn m02_never_more_than_lookahead_and_one_are_submitted() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn begin_and_pass(gate: Ptr) -> Ptr {
        BEGUN.fetch_add(1, SeqCst);
        unsafe { pass(gate) }
    }
    for lookahead in 1..=5 {
        let pool = Pool::new(1);
        let n = 12;
        let gates: Vec<&'static Gate> = (0..n).map(|_| Gate::new()).collect();
        let args: &'static [Ptr] = leak(gates.iter().map(|gate| address(*gate)).collect::<Vec<_>>());
        BEGUN.store(0, SeqCst);
        let map = pool.map(begin_and_pass, args, lookahead);
        // Of those submitted and not handed out one runs, and the others are pending.
        let submitted = |begun: usize| {
            until(|| BEGUN.load(SeqCst) == begun);
            pool.pending_count() + 1
        };
        assert_eq!(submitted(1), lookahead, "before the first is awaited");
        for (i, gate) in gates.iter().enumerate() {
            assert_eq!(given(&map, Timeout::from_ns(1000)), Given::Failed(Status::Timeout));
            let expected = (lookahead + 1).min(n - i);
            for _ in 0..3 {
                assert_eq!(submitted(i + 1), expected, "asking again submits no more");
                assert_eq!(given(&map, POLL), Given::Failed(Status::Timeout));
            }
            gate.open();
            assert!(matches!(given(&map, FOREVER), Given::Value(_)));
        }
        assert_eq!(given(&map, FOREVER), Given::End);
    }
}

/// While the awaited one runs, with all others done: what was started counts what was submitted.
#[test]
fn m02_done_ones_that_wait_to_be_handed_out_count_too() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn start(gate: Ptr) -> Ptr {
        STARTED.fetch_add(1, SeqCst);
        match gate.is_null() {
            true => gate,
            false => unsafe { pass(gate) },
        }
    }
    let pool = Pool::new(2);
    let gate = Gate::new();
    let mut args = vec![NULL; 1000];
    args[0] = address(gate);
    let map = pool.map(start, leak(args), 4);
    until(|| STARTED.load(SeqCst) >= 4);
    assert_eq!(given(&map, ms(2)), Given::Failed(Status::Timeout));
    until(|| STARTED.load(SeqCst) >= 5);
    assert_eq!(given(&map, ms(2)), Given::Failed(Status::Timeout));
    assert_eq!((STARTED.load(SeqCst), pool.pending_count()), (5, 0));
    gate.open();
    assert_eq!(all(&map).len(), 1000);
    assert_eq!(STARTED.load(SeqCst), 1000);
}

#[test]
fn m03_a_timeout_leaves_everything_as_it_is() {
    let pool = Pool::new(1);
    let gates: Vec<&'static Gate> = (0..3).map(|_| Gate::new()).collect();
    let map = pool.map(pass, leak(gates.iter().map(|gate| address(*gate)).collect::<Vec<_>>()), 0);
    for gate in gates {
        for timeout in [POLL, Timeout::from_ns(-1), Timeout::from_ns(100_000)] {
            assert_eq!(given(&map, timeout), Given::Failed(Status::Timeout));
        }
        gate.open();
        assert_eq!(given(&map, FOREVER), Given::Value(address(gate).addr()));
    }
    assert_eq!(given(&map, POLL), Given::End);
}

#[test]
fn m03_a_done_one_comes_out_whatever_the_timeout() {
    let pool = Pool::new(1);
    let map = pool.map(same, numbers(3), 0);
    pool.flush();
    assert_eq!(given(&map, POLL), Given::Value(0));
    assert_eq!(given(&map, Timeout::from_ns(i64::MIN)), Given::Value(1));
    assert_eq!(given(&map, ms(1)), Given::Value(2));
    assert_eq!(given(&map, POLL), Given::End);
}

#[test]
fn m03_one_thread_at_a_time() {
    let pool = Pool::new(1);
    let gate = Gate::new();
    let map: &'static Mapping = leak(pool.map(pass, leak([address(gate)]), 0));
    let inside = std::thread::spawn(move || given(map, FOREVER));
    until(|| match given(map, POLL) {
        Given::Failed(Status::InvalidState) => true,
        other => {
            assert_eq!(other, Given::Failed(Status::Timeout));
            false
        }
    });
    gate.open();
    assert_eq!(inside.join().unwrap(), Given::Value(address(gate).addr()));
}

#[test]
fn m04_free_cancels_what_is_pending_and_waits_for_nothing() {
    let pool = Pool::new(1);
    for asked in [false, true] {
        let (gate, runs) = (Gate::new(), counter());
        let map = pool.map(pass, leak([address(gate); 4]), 0);
        until(|| pool.pending_count() == 3);
        if asked {
            assert_eq!(given(&map, POLL), Given::Failed(Status::Timeout));
        }
        drop(map); // Returns while the first one runs.
        assert_eq!(pool.pending_count(), 0);
        assert!(!gate.is_open());
        gate.open();
        // And before anything has started.
        let blocker = pool.block();
        drop(pool.map(bump, leak([address(runs); 50]), if asked { 3 } else { 0 }));
        blocker.release();
        pool.flush();
        assert_eq!(runs.load(SeqCst), 0);
    }
}

#[test]
fn m05_what_cannot_be_submitted_says_so_at_its_turn() {
    let pool = Pool::new(1);
    let map = pool.map(same, numbers(5), 1);
    assert_eq!(given(&map, FOREVER), Given::Value(0)); // Item 1 has been submitted by now.
    pool.shutdown(false, false).unwrap();
    let shut = || Given::Refused(Status::Shutdown);
    assert_eq!(all(&map), [Given::Value(1), shut(), shut(), shut()]);
    // A shut executor gives a map all the same.
    let map = pool.map(same, numbers(2), 0);
    assert_eq!(given(&map, POLL), shut());
    assert_eq!(all(&map), [shut()]);
}

#[test]
fn m05_so_do_items_of_a_cancelled_and_of_a_broken_executor() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let map = pool.map(same, numbers(3), 1);
    pool.shutdown(false, true).unwrap();
    let cancelled = Given::Ended(Status::Cancelled);
    assert_eq!(all(&map), [cancelled, Given::Refused(Status::Shutdown), Given::Refused(Status::Shutdown)]);
    blocker.release();

    let (pool, gate) = to_be_broken(1);
    let map = pool.map(same, numbers(3), 1);
    gate.open();
    let first = Given::Ended(Status::Broken);
    let given = all(&map);
    // The second may still have been accepted when the first was awaited.
    assert_eq!(given[0], first);
    assert!(given[1..].iter().all(|one| matches!(one, Given::Refused(Status::Broken) | Given::Ended(Status::Broken))));
    assert_eq!(given.len(), 3);
}

/// A map may outlive the handle, as long as it is only asked for what was submitted.
#[test]
fn m05_a_map_outlives_its_executor() {
    let pool = Pool::new(2);
    let map = pool.map(same, numbers(10), 3);
    drop(pool);
    let given = all(&map);
    assert_eq!(given[..3], [Given::Value(0), Given::Value(1), Given::Value(2)]);
    assert!(given[3..].iter().all(|one| *one == Given::Refused(Status::Shutdown)));
    assert_eq!(given.len(), 10);
}

/// Many maps at once, by tasks of the executor that runs them, on one worker, too.
#[test]
fn m01_maps_work_inside_of_tasks() {
    for workers in [1, 3] {
        let pool = Pool::new(workers);
        let executor = pool.shared();
        let sums: Vec<_> = (0..20)
            .map(|_| {
                pool.go(move || {
                    assert_eq!(current::executor(), std::ptr::from_ref(executor));
                    let map = executor.map(same, numbers(50), 4);
                    all(&map)
                        .into_iter()
                        .map(|one| match one {
                            Given::Value(value) => value,
                            other => panic!("{other:?}"),
                        })
                        .sum()
                })
            })
            .collect();
        assert!(sums.iter().all(|sum| sum.get() == 49 * 50 / 2));
    }
}
