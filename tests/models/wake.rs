//! Wake-ups, starts on demand and shutdown: the real queue and scheduler (`src/scheduler.rs`), with the workers of `pool`. A lost
//! wake-up leaves main waiting for a task for ever, which loom reports as a deadlock.

use super::pool::{Does, Pool};
use super::{pointer, NOTHING};
use crate::queue::Entry;
use crate::sync::Backoff;
use loom::sync::atomic::Ordering::*;
use loom::thread;

/// P2, P8: a worker that goes to sleep as a task is submitted is woken, or sees the task. Up to two threads, three
/// preemptions, in both renderings.
#[test]
fn p02_no_wake_up_is_lost_with_one_worker() {
    super::in_both_renderings(|| {
        super::bounded(3, || {
            let pool = Pool::new(1, Does::Count);
            pool.start_first();
            pool.submit(1).unwrap();
            pool.wait_for(1);
            pool.submit(2).unwrap();
            pool.wait_for(2);
            pool.shut();
            pool.join();
        })
    });
}

/// The same with two producers at once. Up to three threads, two preemptions.
#[test]
fn p02_no_wake_up_is_lost_with_two_producers() {
    super::bounded(2, || {
        let pool = Pool::new(1, Does::Count);
        pool.start_first();
        let other = pool.clone();
        let producer = thread::spawn(move || other.submit(1).unwrap());
        pool.submit(2).unwrap();
        pool.wait_for(2);
        producer.join().unwrap();
        pool.shut();
        pool.join();
    });
}

/// P2, the hard guarantee: two tasks that wait for each other both get a thread, though nobody but the first submission
/// starts one: batches, searchers and the chain of wake-ups included (pitfall 1). Up to three threads, one preemption, in both
/// renderings.
#[test]
fn p02_two_tasks_that_need_two_threads_get_them() {
    super::in_both_renderings(|| {
        super::bounded(1, || {
            let pool = Pool::new(2, Does::Meet(2));
            pool.start_first();
            pool.submit(1).unwrap();
            pool.submit(2).unwrap();
            pool.wait_for(2);
            assert_eq!(pool.0.born.load(Acquire), 2);
            pool.shut();
            pool.join();
        })
    });
}

/// The same when both come at once, as one operation. Up to three threads, one preemption.
#[test]
fn p09_many_tasks_at_once_spread() {
    super::bounded(1, || {
        let pool = Pool::new(2, Does::Meet(2));
        pool.start_first();
        pool.0.queue.shared.push_many(2, |i| Entry::call(NOTHING, pointer(i + 1))).unwrap();
        pool.0.scheduler.published_many(2, &pool);
        pool.wait_for(2);
        pool.shut();
        pool.join();
    });
}

/// P2: never more threads than max_workers, and none for a task that an idle worker takes. Up to three threads, two
/// preemptions.
#[test]
fn p02_an_idle_worker_takes_the_next_task() {
    super::bounded(2, || {
        let pool = Pool::new(2, Does::Count);
        pool.start_first();
        pool.submit(1).unwrap();
        pool.wait_for(1);
        let mut backoff = Backoff::new();
        while pool.0.scheduler.idle() == 0 {
            backoff.pause();
        }
        pool.submit(2).unwrap();
        pool.wait_for(2);
        assert_eq!(pool.0.born.load(Acquire), 1);
        pool.shut();
        pool.join();
    });
}

/// D3, pitfall 3: a worker that goes to sleep as the executor is shut down ends, having run what was accepted. Up to three
/// threads, three preemptions, in both renderings.
#[test]
fn d03_shutdown_wakes_every_sleeper_and_loses_no_task() {
    super::in_both_renderings(|| {
        super::bounded(3, || {
            let pool = Pool::new(1, Does::Count);
            pool.start_first();
            let other = pool.clone();
            let producer = thread::spawn(move || other.submit(1));
            pool.shut();
            let accepted = producer.join().unwrap().is_ok();
            if accepted {
                pool.wait_for(1);
            }
            pool.join();
            assert_eq!(*pool.0.started.lock().unwrap(), usize::from(accepted));
        })
    });
}

/// D4: two tasks accepted before the shutdown both run, with the second worker started after it if need be. Up to three
/// threads, one preemption.
#[test]
fn d04_tasks_accepted_before_shutdown_get_their_threads() {
    super::bounded(1, || {
        let pool = Pool::new(2, Does::Meet(2));
        pool.start_first();
        pool.submit(1).unwrap();
        pool.submit(2).unwrap();
        pool.shut();
        pool.wait_for(2);
        pool.join();
    });
}

/// P2: three tasks that wait for each other get three threads. Up to four threads, switched where one sleeps, yields or ends.
#[test]
fn p02_three_tasks_that_need_three_threads_get_them() {
    super::bounded(0, || {
        let pool = Pool::new(3, Does::Meet(3));
        pool.start_first();
        for n in 1..=3 {
            pool.submit(n).unwrap();
        }
        pool.wait_for(3);
        assert_eq!(pool.0.born.load(Acquire), 3);
        pool.shut();
        pool.join();
    });
}

/// P4: a thread that cannot be started leaves no searcher behind that others would rely on: the only worker runs both tasks. Up to
/// three threads, two preemptions.
#[test]
fn p04_a_thread_that_cannot_start_strands_no_task() {
    super::bounded(2, || {
        let pool = Pool::with(2, Does::Count, usize::MAX);
        pool.start_first();
        pool.submit(1).unwrap();
        pool.submit(2).unwrap();
        pool.wait_for(2);
        pool.shut();
        pool.join();
    });
}
