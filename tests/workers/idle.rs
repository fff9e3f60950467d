//! P6, P8: what idle workers keep and use, and how they end.

use crate::meetings::meet;
use crate::support::*;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use tpexec::config::Config;
use tpexec::executor::Executor;
use tpexec::task::{Future, Task};

#[test]
fn p06_an_idle_worker_keeps_nothing_of_a_task() {
    let pool = Pool::new(2);
    let executor = pool.shared();
    for i in 0..400 {
        let drops = counter();
        let hooks = move || Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(same, address(drops)) };
        match i % 3 {
            // Held until it is done: the argument has gone by then, and the last reference is this one.
            0 => {
                let future = pool.task(hooks());
                future.get();
                assert_eq!(drops.load(SeqCst), 1);
                drop(future);
                until(|| drops.load(SeqCst) == 2);
            }
            // Let go at once.
            1 => drop(pool.task(hooks())),
            // With a callback, and from inside.
            _ => {
                executor
                    .go(move || {
                        executor.task(hooks()).on_done(|_| {});
                        0
                    })
                    .get();
            }
        }
        // No further task is needed to make the worker let go.
        until(|| drops.load(SeqCst) == 2);
    }
}

/// No processor time, no wake-ups: nothing but a new task makes an idle worker run.
#[test]
fn p08_idle_workers_use_no_processor_time() {
    if !alone("idle::p08_idle_workers_use_no_processor_time") {
        return;
    }
    for (max_workers, idle_timeout_ns) in [(1, 0), (4, 0), (3, 2_000_000)] {
        let pool = Pool::with(&Config { max_workers, idle_timeout_ns, ..Config::default() });
        let (meeting, ids): (_, &'static Mutex<Vec<usize>>) = (Count::new(), leak(Mutex::new(Vec::new())));
        let futures: Vec<Future> = (0..max_workers)
            .map(|_| {
                pool.go(move || {
                    ids.lock().unwrap().push(thread_id());
                    meeting.meet(max_workers);
                    0
                })
            })
            .collect();
        wait_all(&futures);
        // How often each of the threads has gone to sleep, or was made to stop.
        let switches = || -> Vec<String> {
            let of = |id: &usize| {
                // Nothing of one that has retired.
                let status = std::fs::read_to_string(format!("/proc/self/task/{id}/status")).unwrap_or_default();
                status.lines().filter(|line| line.contains("ctxt_switches")).collect::<String>()
            };
            ids.lock().unwrap().iter().map(of).collect()
        };
        // They fall asleep some time or other; from then on nothing happens.
        let mut before = switches();
        until(|| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            std::mem::replace(&mut before, switches()) == before
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(switches(), before);
        pool.go(|| 0).get();
    }
}

#[test]
fn p08_idle_workers_end_after_their_time_but_for_one_and_come_back() {
    let pool = Pool::with(&Config { max_workers: 4, idle_timeout_ns: 1_000_000, ..Config::default() });
    let mut random = Random::new(1);
    let mut threads = HashSet::new();
    for _ in 0..25 {
        meet(&pool, 4, &mut random);
        until(|| pool.worker_count() == 1);
        threads.insert(pool.go(thread_id).get());
        assert_eq!(pool.worker_count(), 1, "the last one stays");
    }
    assert!(!threads.is_empty());
}

/// Bursts at the very moment at which workers retire: nothing is lost, and there is always one.
#[test]
fn p08_retiring_races_with_new_work() {
    for idle_timeout_ns in [1, 20_000, 60_000] {
        let pool = Pool::with(&Config { max_workers: 3, idle_timeout_ns, ..Config::default() });
        let mut random = Random::new(idle_timeout_ns as u64 + 7);
        let runs = counter();
        let mut expected = 0;
        for _ in 0..1500 {
            for _ in 0..random.below(5) {
                pool.execute(bump, address(runs)).unwrap();
                expected += 1;
            }
            for _ in 0..random.below(4000) {
                std::hint::spin_loop();
            }
            let n = pool.worker_count();
            assert!(n <= 3 && (n >= 1 || expected == 0), "{n} workers");
        }
        until(|| runs.load(SeqCst) == expected);
        drop(pool);
        assert_eq!(runs.load(SeqCst), expected);
    }
}

/// A thread that has ended as a worker may take its time: its seat is free, and nobody who submits waits for it.
#[test]
fn p08_a_retired_threads_slow_destructors_hold_nobody_up() {
    static KEY: std::sync::OnceLock<libc::pthread_key_t> = std::sync::OnceLock::new();
    static ENDING: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn at_thread_end(gate: Ptr) {
        ENDING.fetch_add(1, SeqCst);
        unsafe { (*gate.cast::<Gate>()).pass() };
    }
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        unsafe { assert_eq!(libc::pthread_key_create(&mut key, Some(at_thread_end)), 0) };
        key
    });
    let gate = Gate::new();
    let pool = Pool::with(&Config { max_workers: 2, idle_timeout_ns: 1000, ..Config::default() });
    let meeting = Count::new();
    let futures: Vec<Future> = (0..2)
        .map(|_| {
            pool.go(move || {
                unsafe { assert_eq!(libc::pthread_setspecific(key, address(gate)), 0) };
                meeting.meet(2);
                0
            })
        })
        .collect();
    wait_all(&futures);
    until(|| ENDING.load(SeqCst) == 1);
    let blocker = pool.block();
    // A second worker is needed, in the seat of the one that is still ending.
    assert_eq!(pool.go(|| 5).get(), 5);
    gate.open();
    blocker.release();
}

/// The end of a retired worker's thread may call into the library as well: its thread-local destructors do.
#[test]
fn p08_a_retiring_threads_destructors_may_submit() {
    static KEY: std::sync::OnceLock<libc::pthread_key_t> = std::sync::OnceLock::new();
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn at_thread_end(executor: Ptr) {
        let executor = unsafe { &*executor.cast::<Executor>() };
        for _ in 0..3 {
            // Refused once the executor is shut down.
            let _ = executor.execute(same, NULL);
        }
        ENDED.fetch_add(1, SeqCst);
    }
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        unsafe { assert_eq!(libc::pthread_key_create(&mut key, Some(at_thread_end)), 0) };
        key
    });
    let pool = Pool::with(&Config { max_workers: 3, idle_timeout_ns: 1, ..Config::default() });
    let executor = pool.shared();
    for _ in 0..400 {
        let meeting = Count::new();
        let futures: Vec<Future> = (0..3)
            .map(|_| {
                pool.go(move || {
                    let executor = std::ptr::from_ref(executor).cast_mut().cast::<std::ffi::c_void>();
                    unsafe { assert_eq!(libc::pthread_setspecific(key, executor), 0) };
                    meeting.meet(3);
                    0
                })
            })
            .collect();
        wait_all(&futures);
    }
    pool.shutdown(true, false).unwrap();
    assert!(ENDED.load(SeqCst) >= 1);
}
