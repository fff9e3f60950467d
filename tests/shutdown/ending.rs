//! D6 to D9: waiting for the end, and the end of the handle.

use crate::support::*;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::SeqCst;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait::{self};

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
