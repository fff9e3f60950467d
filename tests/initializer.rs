//! I: initializer, finalizer, and executors that break.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use support::*;
use tpexec::config::Config;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait;

/// What happened on each thread, in order: i(nitializer), t(ask), f(inalizer).
type Lives = Mutex<HashMap<usize, String>>;

fn note(lives: &Lives, what: char) {
    lives.lock().unwrap().entry(thread_id()).or_default().push(what);
}

unsafe extern "C-unwind" fn initialize(lives: Ptr) -> i32 {
    assert!(current::future().is_null());
    assert!(!current::executor().is_null() && !current::worker_name().is_null());
    note(unsafe { &*lives.cast::<Lives>() }, 'i');
    0
}

unsafe extern "C-unwind" fn finalize(lives: Ptr) {
    assert!(current::future().is_null());
    assert!(!current::executor().is_null() && !current::worker_name().is_null());
    note(unsafe { &*lives.cast::<Lives>() }, 'f');
}

fn noted(max_workers: usize, idle_timeout_ns: i64) -> (Pool, &'static Lives) {
    let lives: &'static Lives = leak(Mutex::new(HashMap::new()));
    let config = Config {
        max_workers,
        initializer: Some(initialize),
        finalizer: Some(finalize),
        user_data: address(lives),
        idle_timeout_ns,
        ..Config::default()
    };
    (Pool::with(&config), lives)
}

#[test]
fn i01_once_per_worker_before_its_first_task_and_after_its_last() {
    for max_workers in [1, 2, 4] {
        for idle_timeout_ns in [0, 20_000] {
            let (pool, lives) = noted(max_workers, idle_timeout_ns);
            for _ in 0..50 {
                let meeting = Count::new();
                let futures: Vec<Future> = (0..max_workers + 5)
                    .map(|i| {
                        pool.go(move || {
                            note(lives, 't');
                            if i < max_workers {
                                meeting.meet(max_workers);
                            }
                            0
                        })
                    })
                    .collect();
                wait_all(&futures);
            }
            pool.shutdown(true, false).unwrap();
            let lives = lives.lock().unwrap();
            assert!(lives.len() >= max_workers);
            for life in lives.values() {
                // The kernel may give a thread's id to another one after its end, hence more lives than one in a row.
                for one in life.split_inclusive('f') {
                    let tasks = one.strip_prefix('i').and_then(|rest| rest.strip_suffix('f'));
                    assert!(tasks.is_some_and(|tasks| tasks.chars().all(|c| c == 't')), "{life}");
                }
            }
        }
    }
}

#[test]
fn i01_without_a_task_no_worker_and_no_hook() {
    let (pool, lives) = noted(2, 0);
    pool.shutdown(true, false).unwrap();
    assert!(lives.lock().unwrap().is_empty());
}

#[test]
fn i02_every_pending_future_ends_as_broken_and_cancelled_ones_stay_cancelled() {
    for max_workers in [1, 3] {
        let (pool, gate) = to_be_broken(max_workers);
        let drops = counter();
        let hooks = Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(same, address(drops)) };
        let futures: Vec<Future> =
            (0..100).map(|i| if i % 5 == 0 { pool.task(hooks) } else { pool.go(|| 0) }).collect();
        let cancelled: Vec<&Future> = futures.iter().step_by(7).collect();
        assert!(cancelled.iter().all(|future| future.cancel()));
        pool.execute_task(&Task { drop_arg: DROP_BUMP, ..task(same, address(drops)) }).unwrap();
        let queue = Queue::as_completed(&futures);
        gate.open();
        wait_all(&futures);
        for (i, future) in futures.iter().enumerate() {
            let expected = if i % 7 == 0 { Status::Cancelled } else { Status::Broken };
            assert_eq!(future.refusal(), expected);
        }
        assert_eq!(std::iter::from_fn(|| queue.tag()).count(), 100);
        pool.shutdown(true, false).unwrap();
        assert_eq!(drops.load(SeqCst), 21, "each argument once, and no result");
        assert_eq!(pool.pending_count(), 0);
    }
}

#[test]
fn i02_later_submits_say_broken_before_and_after_a_shutdown() {
    let (pool, gate) = to_be_broken(2);
    let future = pool.go(|| 0);
    gate.open();
    assert_eq!(future.refusal(), Status::Broken);
    let calls = counter();
    let hooks = Task { drop_arg: DROP_BUMP, ..task(same, address(calls)) };
    for _ in 0..2 {
        assert_eq!(refused(pool.submit(same, NULL)), Status::Broken);
        assert_eq!(refused(pool.execute(same, NULL)), Status::Broken);
        assert_eq!(refused(pool.submit_task(&hooks)), Status::Broken);
        for n in 0..2 {
            let many = unsafe { pool.submit_many(same, [NULL].as_ptr(), n, std::ptr::null_mut()) };
            assert_eq!(refused(many), Status::Broken);
        }
        pool.shutdown(true, true).unwrap();
    }
    assert_eq!(calls.load(SeqCst), 0);
}

#[test]
fn i02_callbacks_run_on_the_worker_whose_initializer_failed() {
    static FAILED_ON: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn refuse(gate: Ptr) -> i32 {
        unsafe { fail_to_initialize(gate) };
        FAILED_ON.store(thread_id(), SeqCst);
        -3
    }
    let gate = Gate::new();
    let pool = Pool::with(&Config {
        max_workers: 1,
        initializer: Some(refuse),
        user_data: address(gate),
        ..Config::default()
    });
    let (future, called, on) = (pool.go(|| 0), Gate::new(), counter());
    future.on_done(move |node| {
        assert_eq!(node.state(), State::Finished);
        on.store(thread_id(), SeqCst);
        called.open();
    });
    gate.open();
    called.pass();
    assert_eq!(on.load(SeqCst), FAILED_ON.load(SeqCst));
}

/// The first worker is fine, the second one's initializer fails: what runs on the first finishes as usual.
#[test]
fn i02_running_tasks_finish_as_usual() {
    static FINALIZED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn second_fails(made: Ptr) -> i32 {
        i32::from(unsafe { (*made.cast::<AtomicUsize>()).fetch_add(1, SeqCst) } != 0)
    }
    unsafe extern "C-unwind" fn finalized(_: Ptr) {
        FINALIZED.fetch_add(1, SeqCst);
    }
    let made = counter();
    let pool = Pool::with(&Config {
        max_workers: 2,
        initializer: Some(second_fails),
        finalizer: Some(finalized),
        user_data: address(made),
        ..Config::default()
    });
    let executor = pool.shared();
    let (broken, gate) = (Gate::new(), Gate::new());
    let entered = Gate::new();
    let running = pool.go(move || {
        entered.open();
        broken.pass();
        // It is told like everybody else; a child in its own ring would be no way around.
        assert_eq!(refused(executor.submit(same, NULL)), Status::Broken);
        gate.pass();
        9
    });
    running.on_done(|_| {});
    entered.pass();
    let second = pool.go(|| unreachable!("broken"));
    assert_eq!(second.refusal(), Status::Broken);
    broken.open();
    assert_eq!(running.state(), State::Running);
    gate.open();
    assert_eq!(running.get(), 9);
    pool.shutdown(true, false).unwrap();
    assert_eq!((made.load(SeqCst), FINALIZED.load(SeqCst)), (2, 1), "the failed one is not finalized");
}

/// Threads submit, tasks submit, workers break: every future ends, every account is exact, and shutdown returns.
#[test]
fn i02_breaking_races_with_submitters() {
    unsafe extern "C-unwind" fn third_fails(made: Ptr) -> i32 {
        i32::from(unsafe { (*made.cast::<AtomicUsize>()).fetch_add(1, SeqCst) } == 2)
    }
    for round in 0..300 {
        let made = counter();
        let pool = Pool::with(&Config {
            max_workers: 1 + round % 4,
            initializer: Some(if round % 4 == 3 { third_fails } else { third_fails_or_all }),
            user_data: address(made),
            ..Config::default()
        });
        unsafe extern "C-unwind" fn third_fails_or_all(_: Ptr) -> i32 {
            std::thread::yield_now();
            1
        }
        let executor: &'static Executor = pool.shared();
        let ran = counter();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                std::thread::spawn(move || {
                    let mut futures = Vec::new();
                    for i in 0..2000 {
                        match executor.try_go(move || {
                            if i % 50 == 0 {
                                std::thread::yield_now();
                            }
                            let _ = executor.execute(same, NULL);
                            ran.fetch_add(1, SeqCst)
                        }) {
                            Ok(future) => futures.push(future),
                            Err(error) => {
                                assert_eq!(error.status, Status::Broken);
                                break;
                            }
                        }
                    }
                    futures
                })
            })
            .collect();
        let futures: Vec<Future> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        wait_all(&futures);
        let finished = futures.iter().filter(|future| wait::result(future, POLL).is_ok()).count();
        let broken = futures.iter().filter(|future| refused_with(future) == Some(Status::Broken)).count();
        assert_eq!(finished + broken, futures.len());
        pool.shutdown(true, false).unwrap();
        assert_eq!((ran.load(SeqCst), pool.worker_count()), (finished, 0));
    }
}

fn refused_with(future: &Future) -> Option<Status> {
    wait::result(future, POLL).err().map(|error| error.status)
}

#[test]
fn i03_shutdown_and_free_of_a_broken_executor_return() {
    for round in 0..200 {
        let (pool, gate) = to_be_broken(1 + round % 3);
        let futures: Vec<Future> = (0..round % 10 + 1).map(|_| pool.go(|| 0)).collect();
        // The shutdown comes before, beside and after the breakage.
        match round % 4 {
            0 => {
                gate.open();
                wait_all(&futures);
                pool.shutdown(true, false).unwrap();
            }
            1 => {
                pool.shutdown(false, false).unwrap();
                gate.open();
                pool.join(FOREVER).unwrap();
            }
            2 => {
                pool.shutdown(false, true).unwrap();
                gate.open();
            }
            _ => gate.open(),
        }
        drop(pool);
        let cancelled = round % 4 == 2;
        for future in &futures {
            assert_eq!(future.refusal(), if cancelled { Status::Cancelled } else { Status::Broken });
        }
    }
}

/// Legal things to do in an initializer and a finalizer.
#[test]
fn i01_the_hooks_may_call_the_library() {
    static EXECUTOR: Mutex<usize> = Mutex::new(0);
    static RAN: AtomicUsize = AtomicUsize::new(0);
    fn executor() -> &'static Executor {
        let handle = std::ptr::with_exposed_provenance::<Executor>(*EXECUTOR.lock().unwrap());
        unsafe { &*handle }
    }
    unsafe extern "C-unwind" fn ran(_: Ptr) -> Ptr {
        RAN.fetch_add(1, SeqCst);
        NULL
    }
    unsafe extern "C-unwind" fn submits(_: Ptr) -> i32 {
        executor().execute(ran, NULL).unwrap();
        assert_eq!(refused(executor().join(POLL)), Status::InvalidState);
        0
    }
    unsafe extern "C-unwind" fn is_refused(_: Ptr) {
        assert_eq!(refused(executor().execute(ran, NULL)), Status::Shutdown);
        assert_eq!(refused(executor().shutdown(true, false)), Status::Deadlock);
    }
    let pool = Pool::with(&Config {
        max_workers: 1,
        initializer: Some(submits),
        finalizer: Some(is_refused),
        ..Config::default()
    });
    *EXECUTOR.lock().unwrap() = std::ptr::from_ref(pool.shared()).expose_provenance();
    pool.go(|| 0).get();
    pool.shutdown(true, false).unwrap();
    assert_eq!(RAN.load(SeqCst), 1);
}
