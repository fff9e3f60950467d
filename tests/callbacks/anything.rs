//! K3, K5 to K8: what a callback may do, and what goes on beside it.

use crate::support::*;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Mutex;
use tpexec::config::Config;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait;

/// Whatever a callback does to the library, on the worker.
#[test]
fn k03_a_callback_on_a_worker_may_do_anything() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let blocker = pool.block();
    let (runs, called) = (counter(), Gate::new());
    let (future, doomed, done) = (pool.go(|| 7), pool.go(|| 0), pool.go(|| 0));
    assert!(done.cancel());
    let this = future.clone();
    future.on_done(move |node| {
        assert!(doomed.cancel());
        assert_eq!(done.refusal(), Status::Cancelled);
        assert_eq!(node.get(), 7);
        this.on_done(|node| assert_eq!(node.get(), 7));
        // Submits, and runs what it has submitted: it is on a worker.
        assert_eq!(executor.submit(bump, address(runs)).unwrap().get(), address(runs).addr());
        executor.execute(bump, address(runs)).unwrap();
        let queue = Queue::as_completed(std::slice::from_ref(&this));
        assert_eq!((queue.tag(), queue.tag()), (Some(0), None));
        assert_eq!(refused(executor.shutdown(true, false)), Status::Deadlock);
        assert_eq!(refused(executor.submit(same, NULL)), Status::Shutdown);
        drop(this);
        called.open();
    });
    drop(future);
    blocker.release();
    called.pass();
    drop(pool);
    assert_eq!(runs.load(SeqCst), 2);
}

/// The last reference to the future, and the executor itself, go inside of a callback.
#[test]
fn k03_a_callback_may_free_the_executor_and_release_the_last_reference() {
    for round in 0..200 {
        let pool = Pool::new(2);
        let (entered, gate, drops) = (Gate::new(), Gate::new(), counter());
        let handle = pool.into_handle();
        let executor: &'static Executor = unsafe { &*handle.as_ptr() };
        let (runs, called) = (counter(), Gate::new());
        let handle = handle.as_ptr().expose_provenance();
        let future = executor.task(Task { drop_result: DROP_BUMP, ..task(same, address(drops)) });
        let running = executor.go(move || {
            entered.open();
            gate.pass();
            0
        });
        future.get();
        entered.pass();
        for _ in 0..10 {
            executor.execute(bump, address(runs)).unwrap();
        }
        let held = Mutex::new(Some(future));
        running.on_done(move |_| {
            drop(held.lock().unwrap().take());
            assert_eq!(drops.load(SeqCst), 1);
            let handle = std::ptr::with_exposed_provenance_mut(handle);
            let handle = std::ptr::NonNull::new(handle).unwrap();
            match round % 2 {
                0 => unsafe { Executor::free(handle) },
                _ => unsafe { Executor::detach(handle) },
            }
            called.open();
        });
        gate.open();
        called.pass();
        drop(running);
        until(|| runs.load(SeqCst) == 10);
    }
}

/// The last reference goes in the first callback; the future stays until the last one has returned.
#[test]
fn k03_the_future_outlives_its_callbacks_whoever_releases_it() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    for (end, adding) in [(State::Cancelled, false), (State::Finished, false), (State::Finished, true)] {
        for _ in 0..50 {
            let (drops, looks) = (counter(), counter());
            let blocker = (!adding).then(|| pool.block());
            let future = pool.task(Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(same, address(drops)) });
            if adding {
                future.get();
                pool.flush();
            }
            let this = future.into_raw();
            let node = unsafe { &*this };
            let this = this.expose_provenance();
            let add = |first: bool| {
                node.on_done(move |node| {
                    if first {
                        drop(unsafe { Future::from_raw(std::ptr::with_exposed_provenance_mut(this)) });
                        // Others would use its memory now.
                        let others: Vec<Future> = (0..300).map(|_| executor.submit(same, NULL).unwrap()).collect();
                        others.iter().for_each(|other| _ = other.cancel());
                    }
                    assert_eq!(node.state(), end);
                    assert_eq!(node.refusal_or_value().is_ok(), end == State::Finished);
                    inc(looks);
                });
            };
            if adding {
                // Called at once; the one behind it would be too late.
                add(true);
            } else {
                add(true);
                add(false);
                if end == State::Cancelled {
                    assert!(node.cancel());
                }
            }
            drop(blocker);
            pool.flush();
            assert_eq!(looks.load(SeqCst), if adding { 1 } else { 2 });
            assert_eq!(drops.load(SeqCst), if end == State::Cancelled { 1 } else { 2 });
        }
    }
}

#[test]
fn k07_a_callback_of_a_shutdown_that_cancels_may_free_the_executor() {
    for _ in 0..100 {
        let pool = Pool::new(2);
        let blockers = [pool.block(), pool.block()];
        let futures: Vec<Future> = (0..100).map(|_| pool.go(|| 0)).collect();
        let handle = pool.into_handle();
        let (executor, address): (&Executor, usize) =
            (unsafe { &*handle.as_ptr() }, handle.as_ptr().expose_provenance());
        // Not an own worker: free would wait for the blocked ones, so detach.
        futures[0].on_done(move |_| {
            let handle = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut(address)).unwrap();
            unsafe { Executor::detach(handle) };
        });
        let last: Future = futures[99].clone();
        let blocked = blockers.each_ref().map(|blocker| blocker.future.clone());
        last.on_done(move |_| drop(blockers));
        executor.shutdown(false, true).unwrap();
        assert!(futures.iter().all(|future| future.state() == State::Cancelled));
        wait_all(&blocked);
    }
}

/// K5 and K6: while a callback takes its time, everyone who waits goes on, and the worker is busy.
#[test]
fn k05_waiters_do_not_wait_for_callbacks_k06_the_worker_is_busy_with_them() {
    let pool = Pool::new(1);
    let (entered, gate) = (Gate::new(), Gate::new());
    let blocker = pool.block();
    let future = pool.go(|| 3);
    future.on_done(move |_| {
        entered.open();
        gate.pass();
    });
    // Registered after the callback, and still told before it.
    let queue = Queue::new();
    queue.add(&future, 1).unwrap();
    let waiter = {
        let future = future.clone();
        std::thread::spawn(move || future.get())
    };
    blocker.release();
    entered.pass();
    assert_eq!(waiter.join().unwrap(), 3);
    assert_eq!(queue.tag(), Some(1));
    assert_eq!((future.get(), future.state()), (3, State::Finished));
    let next = pool.go(|| 0);
    assert_eq!(refused(wait::result(&next, ms(5))), Status::Timeout);
    assert_eq!(next.state(), State::Pending);
    gate.open();
    next.get();
}

#[test]
fn k05_shutdown_returns_after_the_callbacks() {
    for _ in 0..100 {
        let pool = Pool::new(2);
        let (calls, gate) = (counter(), Gate::new());
        for _ in 0..20 {
            let future = pool.go(move || {
                gate.pass();
                0
            });
            future.on_done(|_| {
                std::thread::yield_now();
                calls.fetch_add(1, SeqCst);
            });
        }
        gate.open();
        pool.shutdown(true, false).unwrap();
        assert_eq!(calls.load(SeqCst), 20);
    }
}

#[test]
fn k07_callbacks_of_a_shutdown_that_cancels_run_with_no_lock_held() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let blocker = pool.block();
    let futures: &'static [Future] = leak((0..5).map(|_| pool.go(|| 0)).collect::<Vec<_>>());
    let calls = counter();
    for (i, future) in futures.iter().enumerate() {
        future.on_done(move |node| {
            assert_eq!(node.state(), State::Cancelled);
            // Everything that would need a lock: the queue's, the list's of threads, the other futures'.
            assert_eq!(refused(executor.submit(same, NULL)), Status::Shutdown);
            executor.shutdown(false, true).unwrap();
            futures[(i + 1) % 5].cancel();
            futures[(i + 2) % 5].on_done(|_| inc(calls));
            assert_eq!(refused(executor.join(POLL)), Status::Timeout);
            calls.fetch_add(1, SeqCst);
        });
    }
    pool.shutdown(false, true).unwrap();
    assert_eq!(calls.load(SeqCst), 10);
    blocker.release();
}

#[test]
fn k07_callbacks_of_a_failed_initializer_run_with_no_lock_held() {
    let (pool, gate) = to_be_broken(2);
    let executor = pool.shared();
    let called = Count::new();
    for _ in 0..3 {
        pool.go(|| unreachable!("broken")).on_done(move |node| {
            assert_eq!(node.refusal(), Status::Broken);
            assert_eq!(refused(executor.submit(same, NULL)), Status::Broken);
            assert_eq!(refused(executor.shutdown(true, true)), Status::Deadlock);
            called.add(1);
        });
    }
    gate.open();
    called.wait(3);
    drop(pool);
}

/// Checks that there is no current task, in whatever hook calls it, and counts the call in its argument.
fn check_no_task() {
    assert_eq!(refused(current::fail(1, None, NULL, None)), Status::InvalidState);
    assert!(current::future().is_null());
    assert!(!current::stop_requested());
}

unsafe extern "C-unwind" fn drop_no_task(calls: Ptr) {
    check_no_task();
    unsafe { bump(calls) };
}

unsafe extern "C-unwind" fn unhandled_no_task(_: *const tpexec::task::ErrorRecord, calls: Ptr) {
    check_no_task();
    unsafe { bump(calls) };
}

#[test]
fn k08_there_is_no_current_task_in_any_hook_on_a_worker() {
    let calls = counter();
    let pool = Pool::with(&Config {
        max_workers: 1,
        unhandled_error: Some(unhandled_no_task),
        user_data: address(calls),
        ..Config::default()
    });
    let blocker = pool.block();
    let hooks = Task { drop_arg: Some(drop_no_task), drop_result: Some(drop_no_task), ..task(same, address(calls)) };
    let future = pool.task(hooks);
    future.on_done(move |_| {
        check_no_task();
        calls.fetch_add(1, SeqCst);
    });
    drop(future);
    blocker.release();
    pool.flush();
    // drop_arg, the callback, drop_result.
    assert_eq!(calls.load(SeqCst), 3);
    pool.go(|| fail(1)); // Released at once.
    pool.flush();
    until(|| calls.load(SeqCst) == 4);
}

/// A task cancels another one: the hooks run inside of it, and it is none of their business.
#[test]
fn k08_there_is_no_current_task_in_hooks_that_run_inside_a_task() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let calls = counter();
    let outer = pool.go(move || {
        let me = current::future();
        let hooks = Task { drop_arg: Some(drop_no_task), ..task(same, address(calls)) };
        let other = executor.task(hooks);
        other.on_done(move |_| {
            check_no_task();
            // A task that is run from inside of a callback is one all the same.
            let inner = executor.go(|| fail(2));
            assert_eq!(inner.refusal(), Status::Task);
            check_no_task();
            calls.fetch_add(1, SeqCst);
        });
        assert!(other.cancel());
        assert_eq!(calls.load(SeqCst), 2);
        // Outside of them the task is current again, and what they tried has not made it fail.
        assert_eq!(current::future(), me);
        6
    });
    assert_eq!(outer.get(), 6);
}
