//! Tasks that are prepared, given a payload, and launched.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::mem::{align_of, size_of};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Barrier;
use support::*;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::{Result, Status};
use tpexec::task::{Future, State};
use tpexec::wait::{self, WaitFor};

/// What the payloads here are.
struct Payload {
    runs: &'static AtomicUsize,
    drops: &'static AtomicUsize,
}

unsafe extern "C-unwind" fn run(payload: Ptr) -> Ptr {
    inc(unsafe { &*payload.cast::<Payload>() }.runs);
    payload
}

unsafe extern "C-unwind" fn drop_payload(payload: Ptr) {
    inc(unsafe { payload.cast::<Payload>().read() }.drops);
}

fn prepare(executor: &Executor, runs: &'static AtomicUsize, drops: &'static AtomicUsize) -> Future {
    let (future, payload) = executor.prepare(size_of::<Payload>(), align_of::<Payload>()).unwrap();
    unsafe { payload.cast::<Payload>().write(Payload { runs, drops }) };
    future
}

fn launch(future: &Future) -> Result<()> {
    unsafe { future.launch(run, Some(drop_payload)) }
}

#[test]
fn s01_a_prepared_task_is_pending_and_is_no_task_of_the_executor_yet() {
    let pool = Pool::new(1);
    let (runs, drops) = (counter(), counter());
    let future = prepare(&pool, runs, drops);
    assert_eq!((future.state(), future.cancel()), (State::Pending, false));
    assert_eq!((pool.pending_count(), pool.worker_count()), (0, 0));
    for what in [WaitFor::AllCompleted, WaitFor::FirstCompleted, WaitFor::FirstFailed] {
        assert_eq!(refused(wait_for(&[future.clone(), future.clone()], POLL, what)), Status::InvalidState);
    }
    assert_eq!(future.refusal(), Status::InvalidState);
    assert_eq!(refused(Queue::new().add(&future, 1)), Status::InvalidState);
    launch(&future).unwrap();
    assert_ne!(future.get(), 0);
    assert_eq!(refused(launch(&future)), Status::InvalidState);
    drop(future);
    assert_eq!((runs.load(SeqCst), drops.load(SeqCst)), (1, 1));
}

#[test]
fn n01_a_worker_that_waits_for_a_task_runs_it_but_not_one_that_is_not_launched() {
    for workers in 1..=2 {
        let pool = Pool::new(workers);
        let executor = pool.shared();
        let (runs, drops) = (counter(), counter());
        let waiting = pool.go(move || {
            let _ahead = executor.go(|| 0);
            let future = prepare(executor, runs, drops);
            assert_eq!(future.refusal(), Status::InvalidState);
            assert_eq!(runs.load(SeqCst), 0);
            launch(&future).unwrap();
            assert_ne!(future.get(), 0);
            drop(future);
            // With one worker its entry is queued still, behind a live one.
            drops.load(SeqCst)
        });
        assert_eq!(waiting.get(), 1);
        assert_eq!(runs.load(SeqCst), 1);
    }
}

#[test]
fn i02_the_payload_of_a_broken_task_goes_with_the_last_reference() {
    let (pool, gate) = to_be_broken(1);
    let (runs, drops) = (counter(), counter());
    let (launched, prepared) = (prepare(&pool, runs, drops), prepare(&pool, runs, drops));
    launch(&launched).unwrap();
    gate.open();
    assert_eq!(launched.refusal(), Status::Broken);
    assert_eq!(refused(launch(&prepared)), Status::Broken);
    assert_eq!(refused(pool.prepare(8, 8)), Status::Broken);
    drop(prepared);
    pool.shutdown(true, false).unwrap();
    assert_eq!(drops.load(SeqCst), 0);
    drop(launched);
    assert_eq!((runs.load(SeqCst), drops.load(SeqCst)), (0, 1));
}

#[test]
fn k08_a_payload_dropped_by_a_cancel_inside_a_task_has_no_current_task() {
    unsafe extern "C-unwind" fn look(payload: Ptr) {
        assert!(current::future().is_null());
        assert_eq!(refused(current::fail(1, None, NULL, None)), Status::InvalidState);
        unsafe { drop_payload(payload) };
    }
    let pool = Pool::new(1);
    let executor = pool.shared();
    let (runs, drops) = (counter(), counter());
    pool.go(move || {
        let future = prepare(executor, runs, drops);
        unsafe { future.launch(run, Some(look)) }.unwrap();
        assert!(future.cancel());
        0
    })
    .get();
    assert_eq!((runs.load(SeqCst), drops.load(SeqCst)), (0, 1));
}

/// A launch, a shutdown and somebody who wants to hear of the end, all at once: either the launch is accepted, and then
/// the task runs or is cancelled, its payload is dropped and everyone who got onto the list is called; or it is refused,
/// and then nobody got anything, and the payload is the submitter's.
#[test]
fn d01_a_launch_that_races_with_shutdown_is_accepted_or_refused_wholly() {
    for round in 0..2000 {
        let pool = Pool::new(1);
        let started = pool.block();
        let (runs, drops, calls) = (counter(), counter(), counter());
        let future = prepare(&pool, runs, drops);
        let start = Barrier::new(3);
        let (answer, registered, cancelled) = std::thread::scope(|scope| {
            let launcher = scope.spawn(|| {
                start.wait();
                launch(&future)
            });
            let listener = scope.spawn(|| {
                start.wait();
                let registered = unsafe { future.add_done_callback(count_call, address(calls)) };
                (registered.is_ok(), round % 2 == 0 && future.cancel())
            });
            start.wait();
            pool.shutdown(false, round % 4 < 2).unwrap();
            let (registered, cancelled) = listener.join().unwrap();
            (launcher.join().unwrap(), registered, cancelled)
        });
        drop(started);
        match answer {
            Ok(()) => {
                let outcome = wait::result(&future, FOREVER).map_err(|error| error.status);
                assert!(matches!(outcome, Ok(_) | Err(Status::Cancelled)));
                assert!(!cancelled || outcome.is_err());
                assert_eq!(runs.load(SeqCst), usize::from(outcome.is_ok()));
            }
            Err(error) => {
                assert_eq!(error.status, Status::Shutdown);
                assert!(!registered && !cancelled);
                assert_eq!(future.state(), State::Pending);
            }
        }
        drop(future);
        drop(pool);
        assert_eq!(drops.load(SeqCst), usize::from(answer.is_ok()));
        assert_eq!(calls.load(SeqCst), usize::from(registered));
    }
}

unsafe extern "C-unwind" fn count_call(_: *mut tpexec::task::Node, calls: Ptr) {
    unsafe { bump(calls) };
}
