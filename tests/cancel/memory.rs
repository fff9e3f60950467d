//! C8: cancelled tasks leave nothing behind.

use crate::support::*;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Mutex;
use tpexec::executor::Executor;
use tpexec::task::Future;
use tpexec::wait::{self};

/// Resident memory after `rounds` times `step`, beyond what it was after a tenth of them.
fn growth(rounds: usize, mut step: impl FnMut()) -> usize {
    (0..rounds / 10).for_each(|_| step());
    let before = memory();
    (0..rounds - rounds / 10).for_each(|_| step());
    memory().saturating_sub(before)
}

/// Less than what is measured would leak at ten bytes a time; no entry and no node is as small.
const FLAT: usize = 3 << 20;

#[test]
fn c08_memory_stays_flat_when_tasks_are_cancelled_behind_a_blocked_one() {
    if !alone("memory::c08_memory_stays_flat_when_tasks_are_cancelled_behind_a_blocked_one") {
        return;
    }
    let pool = Pool::new(1);
    let blocker = pool.block();
    let grown = growth(500_000, || assert!(pool.submit(same, NULL).unwrap().cancel()));
    assert!(grown < FLAT, "{grown} bytes");
    assert_eq!(pool.pending_count(), 0);
    // The same with something alive in front, which no drop from the head gets past.
    let alive = pool.go(|| 1);
    let grown = growth(500_000, || assert!(pool.submit(same, NULL).unwrap().cancel()));
    assert!(grown < FLAT, "{grown} bytes behind a pending task");
    assert_eq!(pool.pending_count(), 1);
    blocker.release();
    assert_eq!(alive.get(), 1);
}

#[test]
fn c08_memory_stays_flat_when_a_one_worker_task_submits_and_waits() {
    if !alone("memory::c08_memory_stays_flat_when_a_one_worker_task_submits_and_waits") {
        return;
    }
    let pool = Pool::new(1);
    let executor = pool.shared();
    // Alone, and with a pending task in front that only this worker could run.
    for keep in [false, true] {
        let grown = pool.go(move || {
            let front = keep.then(|| executor.go(|| 1));
            let grown = growth(400_000, || assert_eq!(executor.submit(same, NULL).unwrap().get(), 0));
            assert_eq!(executor.pending_count(), usize::from(keep));
            drop(front);
            grown
        });
        let grown = grown.get();
        assert!(grown < FLAT, "{grown} bytes");
    }
}

#[test]
fn c08_memory_stays_flat_when_a_task_of_many_workers_submits_and_waits() {
    if !alone("memory::c08_memory_stays_flat_when_a_task_of_many_workers_submits_and_waits") {
        return;
    }
    // All other workers are busy, so nobody takes anything from the submitter's ring.
    let pool = Pool::new(3);
    let executor = pool.shared();
    let blockers = [pool.block(), pool.block()];
    let grown = pool.go(move || {
        growth(200_000, || {
            // Two at a time, the older one first: it is not the newest of the ring.
            let pair = [executor.submit(same, NULL).unwrap(), executor.submit(same, NULL).unwrap()];
            for future in &pair {
                wait::result(future, FOREVER).unwrap();
            }
        })
    });
    let grown = grown.get();
    assert!(grown < FLAT, "{grown} bytes");
    drop(blockers);
}

/// Threads that come and go give back what they had of the library's memory: those that only release, and workers.
#[test]
fn c08_memory_stays_flat_when_threads_come_and_go() {
    if !alone("memory::c08_memory_stays_flat_when_threads_come_and_go") {
        return;
    }
    let pool = Pool::new(1);
    let executor = pool.shared();
    // As many as stay below what a thread hands over while it lives.
    let grown = growth(2000, || {
        let futures: Vec<Future> = (0..120).map(|_| executor.submit(same, NULL).unwrap()).collect();
        wait_all(&futures);
        std::thread::spawn(move || drop(futures)).join().unwrap();
    });
    assert!(grown < FLAT, "{grown} bytes in threads that release");
    let grown = growth(2000, || {
        let own = Pool::new(1);
        // No reference is held here, so the worker frees them.
        (0..120).for_each(|_| drop(own.submit(same, NULL).unwrap()));
    });
    assert!(grown < FLAT, "{grown} bytes in workers");
}

/// Sweeps move what is alive: it must stay in order, and all of it.
#[test]
fn c08_sweeping_the_dead_keeps_the_order_of_the_living() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let pool = Pool::new(1);
        let blocker = pool.block();
        let order: &'static Mutex<Vec<usize>> = leak(Mutex::new(Vec::new()));
        let one_in = [2, 3, 10, 700][seed as usize % 4];
        let (mut alive, mut dead): (Vec<(usize, Future)>, Vec<Future>) = Default::default();
        for i in 0..12_000 {
            let submit = |executor: &Executor| {
                executor.go(move || {
                    order.lock().unwrap().push(i);
                    0
                })
            };
            let future = submit(&pool);
            match random.below(one_in) {
                0 => alive.push((i, future)),
                _ => dead.push(future),
            }
            // Now and then a few of those that are to die do, from anywhere.
            while dead.len() > 1500 || (!dead.is_empty() && random.below(4) == 0) {
                let victim = random.below(dead.len());
                assert!(dead.swap_remove(victim).cancel());
            }
        }
        for future in dead {
            assert!(future.cancel());
        }
        assert_eq!(pool.pending_count(), alive.len());
        blocker.release();
        pool.flush();
        let expected: Vec<usize> = alive.iter().map(|(i, _)| *i).collect();
        assert_eq!(*order.lock().unwrap(), expected);
    }
}

/// Cancels from two threads, and workers that take meanwhile: sweeps against takes and pushes.
#[test]
fn c08_sweeps_lose_nothing_while_workers_take_and_others_submit() {
    let pool = Pool::new(2);
    let executor = pool.shared();
    let ran = counter();
    let threads: Vec<_> = (0..2)
        .map(|seed| {
            std::thread::spawn(move || {
                let mut random = Random::new(seed + 100);
                let (mut kept, mut cancelled) = (Vec::new(), 0);
                for _ in 0..60 {
                    let mut futures: Vec<Option<Future>> =
                        (0..2000).map(|_| Some(executor.submit(bump, address(ran)).unwrap())).collect();
                    for i in (0..futures.len()).rev() {
                        if random.below(20) != 0 && futures[i].as_ref().unwrap().cancel() {
                            futures[i] = None;
                            cancelled += 1;
                        }
                    }
                    kept.extend(futures.into_iter().flatten());
                }
                wait_all(&kept);
                (kept.len(), cancelled)
            })
        })
        .collect();
    let accounts: Vec<(usize, usize)> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (kept, cancelled) = accounts.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(kept + cancelled, 2 * 60 * 2000);
    assert_eq!(ran.load(SeqCst), kept);
    assert_eq!(pool.pending_count(), 0);
}
