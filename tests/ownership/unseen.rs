//! O3: failures that nobody saw.

use crate::support::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use tpexec::config::Config;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{ErrorRecord, Future, State, Task};
use tpexec::wait;

/// What unhandled_error and drop_user_data saw, with the threads they ran on.
#[derive(Default)]
struct Hooks {
    unhandled: Mutex<Vec<(i32, usize)>>,
    dropped: AtomicUsize,
}

unsafe extern "C-unwind" fn unhandled(error: *const ErrorRecord, hooks: Ptr) {
    let hooks = unsafe { &*hooks.cast::<Hooks>() };
    assert_eq!(hooks.dropped.load(SeqCst), 0, "the user data has gone");
    unsafe {
        assert_eq!(text((*error).message), "failed as the test wants it");
        hooks.unhandled.lock().unwrap().push(((*error).code, thread_id()));
    }
}

unsafe extern "C-unwind" fn drop_hooks(hooks: Ptr) {
    unsafe { inc(&(*hooks.cast::<Hooks>()).dropped) };
}

fn hooked(max_workers: usize) -> (Pool, &'static Hooks) {
    let hooks = leak(Hooks::default());
    let config = Config {
        max_workers,
        unhandled_error: Some(unhandled),
        user_data: address(hooks),
        drop_user_data: Some(drop_hooks),
        ..Config::default()
    };
    (Pool::with(&config), hooks)
}

impl Hooks {
    fn seen(&self) -> (Vec<(i32, usize)>, usize) {
        (self.unhandled.lock().unwrap().clone(), self.dropped.load(SeqCst))
    }
}

#[test]
fn o03_a_failure_that_nobody_saw_is_reported_on_the_releasing_thread() {
    let (pool, hooks) = hooked(1);
    let future = pool.go(|| fail(5));
    pool.flush();
    // Not a look at the error: states, a wait, a poll of something else.
    assert_eq!(future.state(), State::Finished);
    wait_all(std::slice::from_ref(&future));
    future.on_done(|_| {});
    drop(Queue::as_completed(std::slice::from_ref(&future)).next(POLL));
    assert_eq!(hooks.seen(), (vec![], 0));
    drop(future);
    assert_eq!(hooks.seen(), (vec![(5, thread_id())], 0));
}

#[test]
fn o03_a_failure_that_somebody_saw_is_not_reported() {
    let (pool, hooks) = hooked(1);
    let looks: [fn(&Future); 3] = [
        |future| assert_eq!(future.refusal(), Status::Task),
        |future| assert_eq!(refused(wait::take(future, FOREVER)), Status::Task),
        |future| assert!(wait::error(future, FOREVER).unwrap().is_some()),
    ];
    for look in looks {
        let future = pool.go(|| fail(5));
        // By another thread, through another reference.
        let other = future.clone();
        std::thread::spawn(move || look(&other)).join().unwrap();
        drop(future);
        pool.flush();
    }
    assert_eq!(hooks.seen(), (vec![], 0));
}

#[test]
fn o03_successes_and_cancels_are_not_reported() {
    let (pool, hooks) = hooked(1);
    let blocker = pool.block();
    let (good, cancelled) = (pool.go(|| 0), pool.go(|| fail(1)));
    assert!(cancelled.cancel());
    blocker.release();
    drop((good, cancelled));
    drop(pool);
    assert_eq!(hooks.seen(), (vec![], 1));
}

#[test]
fn o03_a_failed_execute_is_reported_at_once_on_its_worker() {
    unsafe extern "C-unwind" fn fail_with(code: Ptr) -> Ptr {
        fail(code.addr() as i32);
        NULL
    }
    let (pool, hooks) = hooked(1);
    let worker = pool.go(thread_id).get();
    pool.execute(fail_with, ptr(1)).unwrap();
    pool.execute_task(&task(fail_with, ptr(2))).unwrap();
    unsafe extern "C-unwind" fn nothing(_: Ptr) {}
    pool.execute_task(&Task { drop_arg: Some(nothing), ..task(fail_with, ptr(3)) }).unwrap();
    unsafe { pool.submit_many(fail_with, [ptr(4)].as_ptr(), 1, std::ptr::null_mut()).unwrap() };
    pool.flush();
    assert_eq!(hooks.seen().0, [1, 2, 3, 4].map(|code| (code, worker)));
}

/// An unseen failure keeps the hooks, even after the executor; user data goes with the last, on its thread.
#[test]
fn o03_the_user_data_outlives_the_executor_until_the_last_unseen_failure_has_gone() {
    for looked_at in [false, true] {
        let (pool, hooks) = hooked(2);
        let mut futures: Vec<Future> = (0..5).map(|i| pool.go(move || fail(i))).collect();
        drop(pool);
        assert_eq!(hooks.seen(), (vec![], 0));
        let last = futures.pop().unwrap();
        drop(futures);
        assert_eq!((hooks.seen().0.len(), hooks.seen().1), (4, 0));
        if looked_at {
            // Seeing it is as good as its going.
            assert_eq!(last.refusal(), Status::Task);
            assert_eq!(hooks.seen().1, 1);
        }
        drop(last);
        assert_eq!(hooks.seen().1, 1);
        assert_eq!(hooks.seen().0.len(), if looked_at { 4 } else { 5 });
    }
}

#[test]
fn o03_drop_user_data_runs_once_also_without_a_task_and_after_a_breakage() {
    let (pool, hooks) = hooked(1);
    pool.shutdown(true, false).unwrap();
    pool.shutdown(true, true).unwrap();
    drop(pool);
    assert_eq!(hooks.seen(), (vec![], 1));

    let (pool, gate) = {
        let gate = Gate::new();
        unsafe extern "C-unwind" fn dropped(gate: Ptr) {
            unsafe { &*gate.cast::<Gate>() }.open();
        }
        let initializer = Some(fail_to_initialize as tpexec::config::InitFn);
        let config = Config {
            max_workers: 1,
            initializer,
            user_data: address(gate),
            drop_user_data: Some(dropped),
            ..Config::default()
        };
        (Pool::with(&config), gate)
    };
    let future = pool.go(|| 0);
    gate.open();
    assert_eq!(future.refusal(), Status::Broken);
    drop(pool);
    gate.pass();
}

/// It may call anything, on whatever thread the last use ends.
#[test]
fn o03_drop_user_data_may_shut_the_executor_down_and_wait() {
    static EXECUTOR: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn dropped(gate: Ptr) {
        let executor = std::ptr::with_exposed_provenance::<Executor>(EXECUTOR.load(SeqCst));
        // Either there is nothing left to wait for, or this is an own worker.
        let waited = unsafe { &*executor }.shutdown(true, true).map_err(|error| error.status);
        assert!(matches!(waited, Ok(()) | Err(Status::Deadlock)), "{waited:?}");
        unsafe { &*gate.cast::<Gate>() }.open();
    }
    for started in [false, true] {
        let gate = Gate::new();
        let pool = Pool::with(&Config {
            max_workers: 1,
            user_data: address(gate),
            drop_user_data: Some(dropped),
            ..Config::default()
        });
        EXECUTOR.store(std::ptr::from_ref(pool.shared()).expose_provenance(), SeqCst);
        if started {
            pool.go(|| 0).get();
        }
        pool.shutdown(true, false).unwrap();
        gate.pass();
    }
}

/// Executors, failures and threads that look at them or do not: each failure is seen or reported, and then the data goes.
#[test]
fn o03_in_a_great_mess_each_failure_is_seen_or_reported_once() {
    for round in 0..200 {
        let (pool, hooks) = hooked(1 + round % 3);
        let futures: Vec<Future> = (0..30).map(|i| pool.go(move || fail(i))).collect();
        let seen = counter();
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let futures: Vec<Future> = futures.to_vec();
                std::thread::spawn(move || {
                    for (i, future) in futures.into_iter().enumerate() {
                        // Every other one is looked at, by all three at once.
                        if i % 2 == 0 && future.refusal() == Status::Task && thread == 0 {
                            inc(seen);
                        }
                    }
                })
            })
            .collect();
        match round % 2 {
            0 => drop(pool),
            _ => {
                drop(futures);
                threads.into_iter().for_each(|thread| thread.join().unwrap());
                drop(pool);
                let (unhandled, dropped) = hooks.seen();
                assert_eq!((seen.load(SeqCst), unhandled.len(), dropped), (15, 15, 1));
                continue;
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(futures);
        let (unhandled, dropped) = hooks.seen();
        assert_eq!((seen.load(SeqCst), unhandled.len(), dropped), (15, 15, 1));
        assert!(unhandled.iter().all(|(code, _)| code % 2 == 1));
    }
}
