//! D1 to D4: what a shutdown refuses and what it still runs.

use crate::support::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tpexec::config::Config;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};

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
    unsafe extern "C" fn count_end(count: Ptr) {
        std::thread::yield_now();
        unsafe { bump(count) };
    }
    unsafe extern "C-unwind" fn count_hook(count: Ptr) {
        unsafe { count_end(count) };
    }
    // Its destructor is the last thing that a thread does.
    let mut key = 0;
    unsafe { assert_eq!(libc::pthread_key_create(&mut key, Some(count_end)), 0) };
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

/// Threads submit in every form until they are refused; the account must be exact, and final when shutdown returns.
#[test]
fn d03_shutdown_races_with_submitters_and_every_account_is_exact() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn count_drop(_: Ptr) {
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
