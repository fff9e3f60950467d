//! D: shutdown, join, free and detach.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use support::*;
use tpexec::config::Config;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait::{self, WaitFor};

/// A handle that crosses threads.
#[derive(Clone, Copy)]
struct Handle(NonNull<Executor>);

unsafe impl Send for Handle {}

impl Handle {
    fn new(pool: Pool) -> Handle {
        Handle(pool.into_handle())
    }

    fn executor(self) -> &'static Executor {
        unsafe { &*self.0.as_ptr() }
    }

    fn free(self) {
        unsafe { Executor::free(self.0) }
    }

    fn detach(self) {
        unsafe { Executor::detach(self.0) }
    }
}

#[test]
fn d01_submitting_after_shutdown_is_refused_and_takes_nothing() {
    for started in [false, true] {
        let pool = Pool::new(1);
        if started {
            pool.flush();
        }
        pool.shutdown(false, false).unwrap();
        let calls = counter();
        let hooks = Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(bump, address(calls)) };
        let mut futures = [std::ptr::null_mut(); 2];
        let args = [address(calls); 2];
        assert_eq!(refused(pool.submit(bump, address(calls))), Status::Shutdown);
        assert_eq!(refused(pool.execute(bump, address(calls))), Status::Shutdown);
        assert_eq!(refused(pool.submit_task(&hooks)), Status::Shutdown);
        assert_eq!(refused(pool.execute_task(&hooks)), Status::Shutdown);
        unsafe {
            for n in 0..=2 {
                let many = pool.submit_many(bump, args.as_ptr(), n, futures.as_mut_ptr());
                assert_eq!(refused(many), Status::Shutdown);
                let many = pool.submit_many(bump, args.as_ptr(), n, std::ptr::null_mut());
                assert_eq!(refused(many), Status::Shutdown);
            }
        }
        assert!(futures.iter().all(|future| future.is_null()));
        assert_eq!(pool.pending_count(), 0);
        pool.join(FOREVER).unwrap();
        assert_eq!(calls.load(SeqCst), 0);
    }
}

#[test]
fn d02_shutdown_may_be_repeated_and_needs_no_thread() {
    let pool = Pool::new(3);
    for (wait, cancel) in [(false, false), (true, false), (false, true), (true, true)] {
        pool.shutdown(wait, cancel).unwrap();
    }
    pool.join(POLL).unwrap();
    assert_eq!(pool.worker_count(), 0);
}

#[test]
fn d02_all_who_wait_for_a_shutdown_wait_until_its_end() {
    for _ in 0..100 {
        let pool = Pool::new(2);
        let executor = pool.shared();
        let (ready, runs) = (Count::new(), counter());
        let blocker = pool.block();
        for _ in 0..50 {
            pool.execute(bump, address(runs)).unwrap();
        }
        let callers: Vec<_> = (0..4)
            .map(|i| {
                std::thread::spawn(move || {
                    ready.add(1);
                    match i {
                        0 => executor.shutdown(false, false).and_then(|()| executor.join(FOREVER)).unwrap(),
                        _ => executor.shutdown(true, false).unwrap(),
                    }
                    assert_eq!((runs.load(SeqCst), executor.worker_count()), (50, 0));
                })
            })
            .collect();
        ready.wait(4);
        blocker.release();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }
}

/// What a shutdown that waits has behind it when it returns.
#[test]
fn d03_wait_returns_after_tasks_callbacks_finalizers_and_threads() {
    unsafe extern "C" fn count_hook(count: Ptr) {
        std::thread::yield_now();
        unsafe { bump(count) };
    }
    // Its destructor is the last thing that a thread does.
    let mut key = 0;
    unsafe { assert_eq!(libc::pthread_key_create(&mut key, Some(count_hook)), 0) };
    for _ in 0..60 {
        let (finalized, ended) = (counter(), counter());
        let pool = Pool::with(&Config {
            max_workers: 3,
            finalizer: Some(count_hook),
            user_data: address(finalized),
            ..Config::default()
        });
        let (runs, calls, meeting) = (counter(), counter(), Count::new());
        for i in 0..100 {
            let future = pool.go(move || {
                if i < 3 {
                    unsafe { assert_eq!(libc::pthread_setspecific(key, address(ended)), 0) };
                    meeting.meet(3);
                }
                runs.fetch_add(1, SeqCst)
            });
            future.on_done(|_| inc(calls));
        }
        pool.shutdown(true, false).unwrap();
        assert_eq!((runs.load(SeqCst), calls.load(SeqCst), pool.pending_count()), (100, 100, 0));
        // More workers than these may have come and gone by then: one that ends makes room for another.
        assert_eq!(ended.load(SeqCst), 3);
        assert!(finalized.load(SeqCst) >= 3);
    }
}

#[test]
fn d04_without_wait_it_returns_at_once_and_what_is_pending_still_runs() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let runs = counter();
    let futures: Vec<Future> = (0..20).map(|_| pool.submit(bump, address(runs)).unwrap()).collect();
    pool.shutdown(false, false).unwrap();
    assert_eq!((blocker.future.state(), pool.pending_count()), (State::Running, 20));
    assert_eq!(refused(pool.join(POLL)), Status::Timeout);
    blocker.release();
    wait_all(&futures);
    pool.join(FOREVER).unwrap();
    assert_eq!((runs.load(SeqCst), pool.worker_count()), (20, 0));
}

/// The threads end by themselves, idle ones as well.
#[test]
fn d04_idle_workers_end_after_shutdown() {
    for _ in 0..200 {
        let pool = Pool::new(3);
        let meeting = Count::new();
        let futures: Vec<Future> = (0..3)
            .map(|_| {
                pool.go(move || {
                    meeting.meet(3);
                    0
                })
            })
            .collect();
        wait_all(&futures);
        pool.shutdown(false, false).unwrap();
        until(|| pool.worker_count() == 0);
        pool.join(FOREVER).unwrap();
    }
}

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

/// Threads submit in every form until they are refused; the account must be exact, and final when shutdown returns.
#[test]
fn d03_shutdown_races_with_submitters_and_every_account_is_exact() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn count_drop(_: Ptr) {
        DROPS.fetch_add(1, SeqCst);
    }
    for round in 0..500 {
        let mut random = Random::new(round);
        let pool = Pool::new(1 + random.below(3));
        let executor = pool.shared();
        let cancels = round % 2 == 1;
        let (ran, start) = (counter(), Count::new());
        let submitters: Vec<_> = (0..3)
            .map(|i| {
                std::thread::spawn(move || {
                    start.meet(4);
                    let (mut futures, mut anonymous, mut hooked) = (Vec::new(), 0, 0);
                    let run = address(ran);
                    for n in 0.. {
                        let result = match (n + i) % 4 {
                            0 => executor.submit(bump, run).map(|future| futures.push(future)),
                            1 => executor.execute(bump, run).map(|()| anonymous += 1),
                            2 => {
                                let hooks = Task { drop_arg: Some(count_drop), ..task(bump, run) };
                                executor.submit_task(&hooks).map(|future| {
                                    hooked += 1;
                                    futures.push(future);
                                })
                            }
                            _ => unsafe {
                                let mut out = [std::ptr::null_mut(); 3];
                                executor.submit_many(bump, [run; 3].as_ptr(), 3, out.as_mut_ptr()).map(|()| {
                                    futures.extend(out.map(|node| Future::from_raw(node)));
                                })
                            },
                        };
                        if let Err(error) = result {
                            assert_eq!(error.status, Status::Shutdown);
                            break;
                        }
                    }
                    (futures, anonymous, hooked)
                })
            })
            .collect();
        let drops = DROPS.load(SeqCst);
        start.meet(4);
        for _ in 0..random.below(3000) {
            std::hint::spin_loop();
        }
        pool.shutdown(true, cancels).unwrap();
        let ran_at_the_end = ran.load(SeqCst);
        let accounts: Vec<_> = submitters.into_iter().map(|submitter| submitter.join().unwrap()).collect();
        let (mut finished, mut cancelled, mut anonymous, mut hooked) = (0, 0, 0, 0);
        for (futures, more_anonymous, more_hooked) in accounts {
            anonymous += more_anonymous;
            hooked += more_hooked;
            for future in futures {
                match future.state() {
                    State::Finished => finished += 1,
                    State::Cancelled => cancelled += 1,
                    other => panic!("{other:?} after the end"),
                }
            }
        }
        assert_eq!(ran.load(SeqCst), ran_at_the_end, "something ran after shutdown had returned");
        assert_eq!(DROPS.load(SeqCst) - drops, hooked);
        match cancels {
            false => assert_eq!((ran_at_the_end, cancelled), (finished + anonymous, 0)),
            true => assert!((finished..=finished + anonymous).contains(&ran_at_the_end)),
        }
        assert_eq!((pool.worker_count(), pool.pending_count()), (0, 0));
    }
}

#[test]
fn d06_waiting_for_the_own_executor_is_refused_after_everything_else_is_done() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let blocker = pool.block();
    let asked = pool.go(move || {
        assert_eq!(refused(executor.shutdown(true, true)), Status::Deadlock);
        assert_eq!(refused(executor.join(FOREVER)), Status::Deadlock);
        assert_eq!(refused(executor.submit(same, NULL)), Status::Shutdown);
        1
    });
    let pending = pool.go(|| unreachable!("cancelled"));
    blocker.release();
    assert_eq!(asked.get(), 1);
    assert_eq!(pending.state(), State::Cancelled);
    pool.join(FOREVER).unwrap();
}

#[test]
fn d06_a_worker_may_wait_for_another_executor() {
    let (pool, other) = (Pool::new(1), Pool::new(1));
    let (a, b) = (pool.shared(), other.shared());
    let runs = counter();
    for _ in 0..10 {
        other.execute(bump, address(runs)).unwrap();
    }
    pool.go(move || {
        b.shutdown(true, false).unwrap();
        assert_eq!(runs.load(SeqCst), 10);
        assert_eq!(refused(a.join(POLL)), Status::InvalidState);
        0
    })
    .get();
}

#[test]
fn d07_a_task_that_submits_to_its_own_shut_executor_is_refused() {
    for workers in [1, 2] {
        let pool = Pool::new(workers);
        let executor = pool.shared();
        let (entered, gate) = (Gate::new(), Gate::new());
        let future = pool.go(move || {
            executor.go(|| 0).get();
            entered.open();
            gate.pass();
            assert_eq!(refused(executor.submit(same, NULL)), Status::Shutdown);
            assert_eq!(refused(executor.execute(same, NULL)), Status::Shutdown);
            8
        });
        entered.pass();
        pool.shutdown(false, false).unwrap();
        gate.open();
        assert_eq!(future.get(), 8);
    }
}

#[test]
fn d08_join_waits_with_a_limit_and_only_after_a_shutdown() {
    let pool = Pool::new(1);
    for timeout in [POLL, ms(1), FOREVER] {
        assert_eq!(refused(pool.join(timeout)), Status::InvalidState);
    }
    let blocker = pool.block();
    assert_eq!(refused(pool.join(FOREVER)), Status::InvalidState);
    pool.shutdown(false, false).unwrap();
    assert_eq!(refused(pool.join(POLL)), Status::Timeout);
    assert_eq!(refused(pool.join(ms(3))), Status::Timeout);
    blocker.release();
    pool.join(FOREVER).unwrap();
    pool.join(POLL).unwrap();
}

/// Frees the executor in a task of it, with more pending: those still run, and nothing is waited for.
#[test]
fn d09_free_and_detach_are_legal_in_a_task() {
    for round in 0..300 {
        let handle = Handle::new(Pool::new(1 + round % 2));
        let (runs, freed) = (counter(), Gate::new());
        let started = Gate::new();
        handle.executor().go(move || {
            started.pass();
            match round % 4 {
                0 | 1 => handle.free(),
                _ => handle.detach(),
            }
            // The handle stays valid until the task returns.
            assert_eq!(refused(handle.executor().submit(same, NULL)), Status::Shutdown);
            freed.open();
            0
        });
        for _ in 0..20 {
            handle.executor().execute(bump, address(runs)).unwrap();
        }
        started.open();
        freed.pass();
        until(|| runs.load(SeqCst) == 20);
    }
}

#[test]
fn d09_free_on_another_thread_waits_and_detach_does_not() {
    for _ in 0..100 {
        let handle = Handle::new(Pool::new(2));
        let runs = counter();
        let futures: Vec<Future> = (0..50).map(|_| handle.executor().submit(bump, address(runs)).unwrap()).collect();
        handle.free();
        assert_eq!(runs.load(SeqCst), 50);
        assert!(futures.iter().all(|future| future.state() == State::Finished));
    }
    let pool = Pool::new(1);
    let blocker = pool.block();
    let last = pool.go(|| 6);
    Handle::new(pool).detach();
    assert_eq!(blocker.future.state(), State::Running);
    blocker.release();
    assert_eq!(last.get(), 6);
}

/// Futures are used long after their executor, and after others have taken its place.
#[test]
fn d09_futures_outlive_their_executor() {
    let pool = Pool::new(2);
    let drops = counter();
    let futures: Vec<Future> = (0..300)
        .map(|i| match i % 3 {
            0 => pool.go(move || i),
            1 => pool.go(move || fail(i as i32)),
            _ => pool.task(Task { drop_result: DROP_BUMP, ..task(same, address(drops)) }),
        })
        .collect();
    drop(pool);
    let _others: Vec<Pool> = (0..8).map(|_| Pool::new(1)).collect();
    for (i, future) in futures.iter().enumerate() {
        let called = counter();
        future.on_done(|_| inc(called));
        assert_eq!(called.load(SeqCst), 1);
        assert!(!future.cancel());
        future.request_stop();
        match i % 3 {
            0 => assert_eq!(future.get(), i),
            1 => assert_eq!(unsafe { (*wait::error(future, POLL).unwrap().unwrap()).code }, i as i32),
            _ => assert_eq!(future.get(), address(drops).addr()),
        }
    }
    assert_eq!(std::iter::from_fn(|| Queue::as_completed(&futures).tag()).take(1).count(), 1);
    drop(futures);
    assert_eq!(drops.load(SeqCst), 100);
}

/// Executors come and go, with work in flight, in many threads at once.
#[test]
fn d09_executors_may_come_and_go_in_great_numbers() {
    let threads: Vec<_> = (0..3)
        .map(|seed| {
            std::thread::spawn(move || {
                let mut random = Random::new(seed);
                let runs = counter();
                let mut expected = 0;
                for _ in 0..400 {
                    let handle = Handle::new(Pool::new(1 + random.below(3)));
                    let n = random.below(10);
                    for _ in 0..n {
                        handle.executor().execute(bump, address(runs)).unwrap();
                    }
                    expected += n;
                    match random.below(3) {
                        0 => handle.detach(),
                        1 => handle.free(),
                        _ => {
                            handle.executor().shutdown(true, false).unwrap();
                            handle.free();
                        }
                    }
                }
                until(|| runs.load(SeqCst) == expected);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
