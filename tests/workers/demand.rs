//! P1, P2: how many threads there are, and when they start.

use crate::support::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tpexec::config::Config;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::Future;

#[test]
fn p01_the_default_is_min_32_and_usable_cpus_plus_4() {
    let pool = Pool::new(0);
    // std looks at affinity and cgroup quota, too.
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert_eq!(pool.max_workers(), 32.min(cpus + 4));
}

#[test]
fn p01_affinity_counts() {
    if !alone("demand::p01_affinity_counts") {
        return;
    }
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set), 0);
        let one = (0..libc::CPU_SETSIZE as usize).find(|&cpu| libc::CPU_ISSET(cpu, &set)).unwrap();
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(one, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set), 0);
    }
    assert_eq!(Pool::new(0).max_workers(), 5);
}

#[test]
fn p01_more_than_the_maximum_is_refused() {
    for max_workers in [16_384, 1_000_000, usize::MAX] {
        let config = Config { max_workers, ..Config::default() };
        assert_eq!(refused(Executor::new(&config)), Status::InvalidArgument);
    }
    let largest = Pool::new(16_383);
    assert_eq!(largest.max_workers(), 16_383);
    assert_eq!(largest.go(|| 5).get(), 5);
    assert_eq!(largest.worker_count(), 1);
}

#[test]
fn p02_threads_start_on_demand_and_never_above_the_maximum() {
    let pool = Pool::new(3);
    assert_eq!(pool.worker_count(), 0);
    let mut blockers = vec![pool.block()];
    for n in 1..=3 {
        assert_eq!(pool.worker_count(), n);
        if n < 3 {
            blockers.push(pool.block());
        }
    }
    let more: Vec<Future> = (0..100).map(|i| pool.go(move || i)).collect();
    assert_eq!(pool.worker_count(), 3);
    blockers.clear();
    wait_all(&more);
    assert_eq!(pool.worker_count(), 3);
}

#[test]
fn p02_submit_and_result_in_turns_use_one_thread() {
    let pool = Pool::new(8);
    for _ in 0..20_000 {
        pool.go(|| 0).get();
    }
    assert_eq!(pool.worker_count(), 1);
}

/// The same through everything else that tells of the end.
#[test]
fn p02_an_idle_worker_is_used_however_its_end_of_work_was_learnt() {
    let pool = Pool::new(8);
    for _ in 0..3000 {
        let queue = Queue::as_completed(&[pool.go(|| 0)]);
        assert!(queue.tag().is_some());
        wait_for(&[pool.go(|| 0)], FOREVER, tpexec::wait::WaitFor::FirstCompleted).unwrap();
        let map = pool.map(same, numbers(1), 0);
        assert_eq!(given(&map, FOREVER), Given::Value(0));
    }
    assert_eq!(pool.worker_count(), 1);
}

#[test]
fn p02_the_threads_are_never_more_than_the_maximum_under_any_load() {
    let pool = Pool::new(3);
    let executor = pool.shared();
    let (inside, most): (&'static AtomicUsize, &'static AtomicUsize) = (counter(), counter());
    let submitters: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(move || {
                let futures: Vec<Future> = (0..3000)
                    .map(|i| {
                        executor.go(move || {
                            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                            if i % 64 == 0 {
                                std::thread::yield_now();
                            }
                            inside.fetch_sub(1, SeqCst)
                        })
                    })
                    .collect();
                wait_all(&futures);
                assert!(executor.worker_count() <= 3);
            })
        })
        .collect();
    submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
    assert!((1..=3).contains(&most.load(SeqCst)));
}

/// A worker that is on its way out, in its finalizer, still has its seat: what is submitted meanwhile waits for nobody else.
#[test]
fn p02_a_task_gets_its_thread_when_one_that_ends_makes_room() {
    static FINALIZERS: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn slow(gate: Ptr) {
        FINALIZERS.fetch_add(1, SeqCst);
        unsafe { (*gate.cast::<Gate>()).pass() };
    }
    for _ in 0..20 {
        let gate = Gate::new();
        let finalizers = FINALIZERS.load(SeqCst);
        let pool = Pool::with(&Config {
            max_workers: 2,
            finalizer: Some(slow),
            user_data: address(gate),
            idle_timeout_ns: 1000,
            ..Config::default()
        });
        let (a, b) = (pool.block(), pool.block());
        // One of the two retires and is held in its finalizer, the other one goes on with the next task.
        drop(a);
        drop(b);
        until(|| FINALIZERS.load(SeqCst) == finalizers + 1);
        let last = pool.block();
        let stuck = pool.go(|| 7);
        std::thread::sleep(std::time::Duration::from_micros(300));
        gate.open();
        assert_eq!(stuck.get(), 7, "there is room for a worker");
        last.release();
    }
}
