//! D5: a shutdown that cancels.

use crate::support::*;
use std::sync::atomic::Ordering::SeqCst;
use tpexec::current;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait::WaitFor;

#[test]
fn d05_cancel_futures_cancels_everything_pending_and_everyone_hears() {
    let pool = Pool::new(2);
    let asked = Gate::new();
    let blocker = pool.block();
    let entered = Gate::new();
    let running = pool.go(move || {
        entered.open();
        until(current::stop_requested);
        asked.open();
        4
    });
    entered.pass();
    let (calls, runs, drops) = (counter(), counter(), counter());
    let hooks = Task { drop_arg: DROP_BUMP, ..task(same, address(drops)) };
    let futures: Vec<Future> = (0..20)
        .map(|i| if i % 2 == 0 { pool.task(hooks) } else { pool.submit(bump, address(runs)).unwrap() })
        .collect();
    futures.iter().for_each(|future| future.on_done(|_| inc(calls)));
    pool.execute(bump, address(runs)).unwrap();
    pool.execute_task(&Task { drop_arg: DROP_BUMP, ..task(bump, address(drops)) }).unwrap();
    let queue = Queue::as_completed(&futures);
    let waiter = {
        let futures = futures.clone();
        std::thread::spawn(move || wait_for(&futures, FOREVER, WaitFor::AllCompleted).unwrap().n_done)
    };
    pool.shutdown(false, true).unwrap();
    assert_eq!(pool.pending_count(), 0);
    assert!(futures.iter().all(|future| future.state() == State::Cancelled));
    assert_eq!((calls.load(SeqCst), drops.load(SeqCst)), (20, 11));
    assert_eq!(std::iter::from_fn(|| queue.next(POLL).unwrap()).count(), 20);
    assert_eq!(waiter.join().unwrap(), 20);
    // What runs sees the request and finishes as usual.
    asked.pass();
    assert_eq!(running.get(), 4);
    let blocked = blocker.future.clone();
    blocker.release();
    assert_eq!(blocked.get(), 0);
    pool.join(FOREVER).unwrap();
    assert_eq!(runs.load(SeqCst), 0);
}

#[test]
fn d05_cancel_futures_after_a_shutdown_without_it_still_cancels() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let future = pool.go(|| unreachable!("cancelled"));
    pool.shutdown(false, false).unwrap();
    assert_eq!(future.state(), State::Pending);
    pool.shutdown(false, true).unwrap();
    assert_eq!(future.state(), State::Cancelled);
    blocker.release();
}

/// Tasks submit children to their own executor while it is shut down with its futures cancelled: whatever slips into a ring
/// is cancelled, never forgotten, never run after the end.
#[test]
fn d05_what_slips_into_a_ring_is_cancelled_by_its_worker() {
    for round in 0..150 {
        let pool = Pool::new(2);
        let executor = pool.shared();
        let (ran, accepted, cancelled) = (counter(), counter(), counter());
        let started = Count::new();
        let roots: Vec<Future> = (0..2)
            .map(|_| {
                pool.go(move || {
                    started.add(1);
                    loop {
                        match executor.submit(bump, address(ran)) {
                            Ok(child) => {
                                if accepted.fetch_add(1, SeqCst) % 128 == 0 {
                                    std::thread::yield_now(); // For the one who shuts down.
                                }
                                child.on_done(move |child| {
                                    if child.state() == State::Cancelled {
                                        inc(cancelled);
                                    }
                                });
                            }
                            Err(error) => {
                                assert_eq!(error.status, Status::Shutdown);
                                return 0;
                            }
                        }
                    }
                })
            })
            .collect();
        started.wait(1 + round % 2);
        pool.shutdown(true, true).unwrap();
        let (ran, accepted, cancelled) = (ran.load(SeqCst), accepted.load(SeqCst), cancelled.load(SeqCst));
        assert_eq!(ran + cancelled, accepted);
        assert!(roots.iter().all(|root| matches!(root.state(), State::Finished | State::Cancelled)));
    }
}

/// The one worker that could run them is inside of the task that submits them, until that is refused: so none may run.
#[test]
fn d05_what_slips_into_the_ring_of_a_busy_worker_is_not_run() {
    for _ in 0..300 {
        let pool = Pool::new(2);
        let executor = pool.shared();
        let blocker = pool.block();
        let (ran, accepted, submitting) = (counter(), counter(), Gate::new());
        let root = pool.go(move || {
            submitting.open();
            while executor.execute(bump, address(ran)).is_ok() {
                let child = executor.submit(bump, address(ran));
                inc(accepted);
                drop(child);
                if accepted.load(SeqCst) % 64 == 0 {
                    std::thread::yield_now();
                }
            }
            0
        });
        submitting.pass();
        pool.shutdown(false, true).unwrap();
        root.get();
        blocker.release();
        pool.join(FOREVER).unwrap();
        assert_eq!(ran.load(SeqCst), 0);
    }
}
