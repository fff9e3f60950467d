//! A1 to A4: what comes out, when, and to whom.

use crate::support::*;
use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait::Timeout;

#[test]
fn a01_done_ones_come_first_then_the_others_in_the_order_of_completion() {
    let pool = Pool::new(1);
    let mut random = Random::new(1);
    for _ in 0..100 {
        // Gated tasks, each on a pool of its own kind of order: the test decides who ends when.
        let n = 8;
        let early: Vec<Future> = (0..3).map(|i| pool.go(move || i)).collect();
        wait_all(&early);
        let blocker = pool.block();
        let late: Vec<Future> = (0..n).map(|i| pool.go(move || i)).collect();
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, random.below(i + 1));
        }
        let all: Vec<Future> = late.iter().chain(&early).cloned().collect();
        let queue = Queue::as_completed(&all);
        // Half of them end by cancels, in that order; the rest by running, in the order of submission.
        let (cancelled, run) = order.split_at(n / 2);
        for &i in cancelled {
            assert!(late[i].cancel());
        }
        let mut run = run.to_vec();
        run.sort_unstable();
        blocker.release();
        let expected: Vec<usize> = (n..n + 3).chain(cancelled.iter().copied()).chain(run).collect();
        let given: Vec<usize> = std::iter::from_fn(|| queue.tag()).map(|tag| tag as usize).collect();
        assert_eq!(given, expected);
        assert_eq!(queue.tag(), None);
    }
}

#[test]
fn a01_each_comes_out_once_per_add() {
    let pool = Pool::new(2);
    for round in 0..200 {
        let blockers = [pool.block(), pool.block()];
        let futures: Vec<Future> = (0..10).map(|i| pool.go(move || i)).collect();
        let queue = Queue::new();
        for tag in 0..40 {
            queue.add(&futures[tag as usize % 10], tag).unwrap();
            if round % 4 == 3 {
                futures[tag as usize % 7].cancel();
            }
        }
        queue.close().unwrap();
        drop(blockers);
        let mut tags = HashSet::new();
        while let Some((future, tag)) = queue.next(FOREVER).unwrap() {
            assert!(tags.insert(tag), "{tag} twice");
            assert!(std::ptr::eq::<tpexec::task::Node>(&*future, &*futures[tag as usize % 10]));
            assert!(matches!(future.state(), State::Finished | State::Cancelled));
        }
        assert_eq!(tags.len(), 40);
    }
}

#[test]
fn a01_many_seeds_of_racing_ends_lose_nothing() {
    let pools = [Pool::new(2), Pool::new(3)];
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let futures: Vec<Future> = (0..60).map(|i| pools[random.below(2)].go(move || i)).collect();
        let queue = Queue::new();
        let mut expected = HashSet::new();
        for (i, future) in futures.iter().enumerate() {
            queue.add(future, i as u64).unwrap();
            expected.insert(i as u64);
            futures[random.below(60)].cancel();
            if random.below(3) == 0 {
                if let Ok(Some((_, tag))) = queue.next(POLL) {
                    assert!(expected.remove(&tag));
                }
            }
        }
        queue.close().unwrap();
        while let Some(tag) = queue.tag() {
            assert!(expected.remove(&tag), "{tag} came twice");
        }
        assert!(expected.is_empty(), "never came: {expected:?}");
    }
}

#[test]
fn a02_ready_before_end_before_timeout() {
    let pool = Pool::new(1);
    let done = pool.go(|| 0);
    done.get();
    let blocker = pool.block();
    let queue = Queue::new();
    // Open and empty: not the end.
    assert_eq!(refused(queue.next(POLL)), Status::Timeout);
    assert_eq!(refused(queue.next(ms(2))), Status::Timeout);
    // Ready: given out whatever the timeout.
    for timeout in [POLL, Timeout::from_ns(-1), ms(1), FOREVER] {
        queue.add(&done, 1).unwrap();
        assert_eq!(queue.next(timeout).unwrap().expect("ready").1, 1);
    }
    queue.add(&done, 2).unwrap();
    queue.add(&blocker.future, 3).unwrap();
    queue.close().unwrap();
    queue.close().unwrap();
    assert_eq!(refused(queue.add(&done, 4)), Status::InvalidState);
    assert_eq!(queue.next(POLL).unwrap().expect("ready").1, 2);
    // Closed, but something is outstanding: not the end.
    assert_eq!(refused(queue.next(POLL)), Status::Timeout);
    blocker.release();
    assert_eq!(queue.tag(), Some(3));
    for timeout in [POLL, ms(1), FOREVER] {
        assert!(queue.next(timeout).unwrap().is_none());
    }
    // Over nothing, as-completed is at its end.
    assert!(Queue::as_completed(&[]).next(FOREVER).unwrap().is_none());
}

#[test]
fn a02_takers_wait_while_nothing_is_outstanding_and_close_wakes_them_all() {
    let pool = Pool::new(1);
    for _ in 0..300 {
        let queue: &'static Queue = leak(Queue::new());
        let ready = Count::new();
        let takers: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || {
                    ready.add(1);
                    std::iter::from_fn(|| queue.tag()).collect::<Vec<_>>()
                })
            })
            .collect();
        ready.wait(4);
        for tag in 0..3 {
            queue.add(&pool.go(|| 0), tag).unwrap();
        }
        queue.close().unwrap();
        let mut all: Vec<u64> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }
}

/// Each taker asks once: whoever takes the last one leaves the news of the end to the others.
#[test]
fn a02_every_taker_hears_of_the_end() {
    let pool = Pool::new(1);
    for _ in 0..200 {
        let blocker = pool.block();
        let queue: &'static Queue = leak(Queue::as_completed(std::slice::from_ref(&blocker.future)));
        let ready = Count::new();
        let takers: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || {
                    ready.add(1);
                    queue.tag()
                })
            })
            .collect();
        ready.wait(4);
        std::thread::yield_now();
        blocker.release();
        let took = takers.into_iter().filter_map(|taker| taker.join().unwrap()).count();
        assert_eq!(took, 1);
    }
}

/// A worker that waits for an open queue runs what is added to it and could run nowhere else.
#[test]
fn a02_a_worker_that_waits_runs_what_is_added_meanwhile() {
    let pool = Pool::new(1);
    for _ in 0..200 {
        let queue: &'static Queue = leak(Queue::new());
        let waiting = Gate::new();
        let taker = pool.go(move || {
            waiting.open();
            (queue.tag().unwrap() + queue.tag().unwrap()) as usize
        });
        waiting.pass();
        std::thread::yield_now();
        for tag in [3, 4] {
            queue.add(&pool.go(|| 0), tag).unwrap();
        }
        assert_eq!(taker.get(), 7);
    }
}

#[test]
fn a03_freeing_a_queue_cancels_nothing() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let futures: Vec<Future> = (0..10).map(|i| pool.go(move || i)).collect();
    drop(Queue::as_completed(&futures));
    blocker.release();
    assert!(futures.iter().enumerate().all(|(i, future)| future.get() == i));
}

/// Queues are freed, some of their futures taken, while those complete on two workers and are cancelled here.
#[test]
fn a03_freeing_a_queue_is_safe_while_futures_complete() {
    let pool = Pool::new(2);
    let drops = counter();
    const ROUNDS: usize = 2000;
    for round in 0..ROUNDS {
        let mut random = Random::new(round as u64);
        let hooked = Task { drop_result: DROP_BUMP, drop_arg: DROP_BUMP, ..task(same, address(drops)) };
        let futures: Vec<Future> = (0..16).map(|_| pool.task(hooked)).collect();
        let queues = [Queue::as_completed(&futures), Queue::as_completed(&futures[..8])];
        for _ in 0..random.below(6) {
            drop(queues[0].next(POLL));
        }
        futures[random.below(16)].cancel();
        for _ in 0..random.below(200) {
            std::hint::spin_loop();
        }
        drop(queues);
        let cancelled = futures.iter().filter(|future| future.cancel()).count();
        wait_all(&futures);
        // One drop for each argument here, and one for each result when the last reference goes.
        drops.fetch_add(cancelled, SeqCst); // So that each future accounts for two.
    }
    drop(pool);
    assert_eq!(drops.load(SeqCst), ROUNDS * 16 * 2, "a reference was lost, or given up twice");
}

#[test]
fn a03_the_queue_holds_no_reference_to_what_has_come_out() {
    let pool = Pool::new(1);
    let drops = counter();
    let hooked = Task { drop_result: DROP_BUMP, ..task(same, address(drops)) };
    let queue = Queue::new();
    for i in 0..100 {
        let future = pool.task(hooked);
        queue.add(&future, 0).unwrap();
        drop(future);
        let (future, _) = queue.next(FOREVER).unwrap().unwrap();
        pool.flush(); // The worker has let go of it.
        assert_eq!(drops.load(SeqCst), i);
        drop(future);
        assert_eq!(drops.load(SeqCst), i + 1);
    }
}

/// What was added is kept by the queue alone.
#[test]
fn a03_the_queue_keeps_what_has_not_come_out() {
    let pool = Pool::new(1);
    let drops = counter();
    let blocker = pool.block();
    let hooked = Task { drop_result: DROP_BUMP, ..task(same, address(drops)) };
    let queue = Queue::new();
    for tag in 0..10 {
        queue.add(&pool.task(hooked), tag).unwrap();
    }
    blocker.release();
    pool.flush();
    assert_eq!(drops.load(SeqCst), 0);
    drop(queue.next(FOREVER).unwrap());
    assert_eq!(drops.load(SeqCst), 1);
    drop(queue);
    assert_eq!(drops.load(SeqCst), 10);
}

#[test]
fn a04_two_queues_over_the_same_futures_see_all_of_them() {
    let pool = Pool::new(2);
    for _ in 0..200 {
        let futures: Vec<Future> = (0..20).map(|i| pool.go(move || i)).collect();
        let queues: Vec<Queue> = (0..2).map(|_| Queue::as_completed(&futures)).collect();
        let takers: Vec<_> = queues
            .into_iter()
            .map(|queue| std::thread::spawn(move || std::iter::from_fn(|| queue.tag()).collect::<Vec<_>>()))
            .collect();
        for taker in takers {
            let mut tags = taker.join().unwrap();
            tags.sort_unstable();
            assert_eq!(tags, (0..20).collect::<Vec<_>>());
        }
    }
}

/// Four threads take, two add, workers complete: each comes out of the queue exactly once.
#[test]
fn a04_several_threads_may_take_from_one_queue() {
    let pool = Pool::new(2);
    let executor = pool.shared();
    for _ in 0..30 {
        let queue: &'static Queue = leak(Queue::new());
        let adders: Vec<_> = (0..2u64)
            .map(|thread| {
                std::thread::spawn(move || {
                    for i in 0..300 {
                        let future = executor.go(move || i);
                        if i % 9 == 0 {
                            future.cancel();
                        }
                        queue.add(&future, thread * 300 + i as u64).unwrap();
                    }
                })
            })
            .collect();
        let takers: Vec<_> = (0..4)
            .map(|i| {
                std::thread::spawn(move || {
                    let mut tags = Vec::new();
                    loop {
                        // Some takers give up now and then: their timeout costs the others nothing.
                        match queue.next(if i == 0 { Timeout::from_ns(2000) } else { FOREVER }) {
                            Ok(Some((_, tag))) => tags.push(tag),
                            Ok(None) => return tags,
                            Err(error) => assert_eq!(error.status, Status::Timeout),
                        }
                    }
                })
            })
            .collect();
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        queue.close().unwrap();
        let mut all: Vec<u64> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..600).collect::<Vec<_>>());
    }
}
