//! O1, O2: arguments, results, messages and payloads.

use crate::support::*;
use std::ffi::CString;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait;

/// An object with an argument's and a result's life: how often each was dropped.
struct Lives {
    args: AtomicUsize,
    results: AtomicUsize,
}

fn lives() -> &'static Lives {
    leak(Lives { args: AtomicUsize::new(0), results: AtomicUsize::new(0) })
}

unsafe extern "C-unwind" fn drop_arg(lives: Ptr) {
    unsafe { inc(&(*lives.cast::<Lives>()).args) };
}

unsafe extern "C-unwind" fn drop_result(lives: Ptr) {
    unsafe { inc(&(*lives.cast::<Lives>()).results) };
}

/// A task whose result is its argument.
fn owning(lives: &'static Lives) -> Task {
    Task { drop_arg: Some(drop_arg), drop_result: Some(drop_result), ..task(same, address(lives)) }
}

impl Lives {
    fn dropped(&self) -> (usize, usize) {
        (self.args.load(SeqCst), self.results.load(SeqCst))
    }
}

#[test]
fn o01_the_argument_goes_before_the_task_is_done_the_result_with_the_last_reference() {
    let pool = Pool::new(1);
    let lives = lives();
    let future = pool.task(owning(lives));
    future.on_done(|_| assert_eq!(lives.dropped(), (1, 0)));
    let other = future.clone();
    future.get();
    assert_eq!(lives.dropped(), (1, 0));
    pool.flush();
    drop(future);
    assert_eq!(lives.dropped(), (1, 0));
    drop(other);
    assert_eq!(lives.dropped(), (1, 1));
}

/// A task that its waiter ran leaves nothing in the queue that would keep its result.
#[test]
fn o01_the_result_of_a_task_run_inline_goes_with_its_last_reference() {
    for workers in [1, 2] {
        let pool = Pool::new(workers);
        let executor = pool.shared();
        let _busy = (workers == 2).then(|| pool.block());
        pool.go(move || {
            // One before it that is still pending.
            let _first = executor.go(|| 0);
            for _ in 0..10 {
                let lives = lives();
                let future = executor.task(owning(lives));
                let _behind = executor.go(|| 0);
                future.get();
                drop(future);
                assert_eq!(lives.dropped(), (1, 1));
            }
            0
        })
        .get();
    }
}

#[test]
fn o01_a_result_of_null_is_not_dropped() {
    unsafe extern "C-unwind" fn never(_: Ptr) {
        unreachable!("there is no result");
    }
    let pool = Pool::new(1);
    pool.task(Task { drop_result: Some(never), ..task(same, NULL) }).get();
    pool.flush();
}

#[test]
fn o01_what_a_failed_task_returned_is_dropped_too() {
    unsafe extern "C-unwind" fn fail_and_return(lives: Ptr) -> Ptr {
        fail(1);
        lives
    }
    let pool = Pool::new(1);
    let lives = lives();
    let future = pool.task(Task { func: fail_and_return, ..owning(lives) });
    assert_eq!(future.refusal(), Status::Task);
    pool.flush();
    drop(future);
    assert_eq!(lives.dropped(), (1, 1));
}

#[test]
fn o01_fire_and_forget_drops_both_on_the_worker() {
    let pool = Pool::new(1);
    let lives = lives();
    pool.execute_task(&owning(lives)).unwrap();
    pool.flush();
    assert_eq!(lives.dropped(), (1, 1));
}

#[test]
fn o01_a_refused_submission_drops_nothing() {
    let pool = Pool::new(1);
    pool.shutdown(false, false).unwrap();
    let lives = lives();
    assert_eq!(refused(pool.submit_task(&owning(lives))), Status::Shutdown);
    assert_eq!(refused(pool.execute_task(&owning(lives))), Status::Shutdown);
    assert_eq!(lives.dropped(), (0, 0));
}

/// Many tasks that end in every way, and references that go on any thread: each hook exactly once.
#[test]
fn o01_every_hook_runs_exactly_once_whatever_happens() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let pool = Pool::new(1 + random.below(3));
        let executor = pool.shared();
        let mut all: Vec<(&'static Lives, bool)> = Vec::new();
        let mut held: Vec<Future> = Vec::new();
        for _ in 0..80 {
            let lives = lives();
            let future = pool.task(owning(lives));
            let mut taken = false;
            match random.below(7) {
                0 => _ = future.cancel(),
                1 => taken = wait::take(&future, FOREVER).is_ok(),
                2 => future.on_done(|_| {}),
                3 => {
                    let future = future.clone();
                    // Taken, or dropped, inside of another task.
                    executor.go(move || {
                        drop(future);
                        0
                    });
                }
                4 => _ = wait::result(&future, POLL),
                5 => drop(Queue::as_completed(std::slice::from_ref(&future))),
                _ => {}
            }
            if random.below(2) == 0 {
                held.push(future);
            }
            all.push((lives, taken));
        }
        if random.below(2) == 0 {
            pool.shutdown(false, true).unwrap();
        }
        drop(pool);
        let cancelled: Vec<bool> = held.iter().map(|future| future.state() == State::Cancelled).collect();
        drop(held);
        drop(cancelled);
        for (lives, taken) in all {
            let (args, results) = lives.dropped();
            assert_eq!(args, 1);
            assert!(results <= usize::from(!taken), "{results} drops of a result");
        }
    }
}

/// As above, where every task runs and none is taken: so every result is dropped, too.
#[test]
fn o01_no_result_is_forgotten() {
    let pool = Pool::new(3);
    let executor = pool.shared();
    let lives = lives();
    for round in 0..300 {
        let futures: Vec<Future> = (0..20).map(|_| pool.task(owning(lives))).collect();
        let inside = executor.go(move || {
            for _ in 0..10 {
                let future = executor.task(owning(lives));
                if round % 2 == 0 {
                    future.get();
                }
            }
            0
        });
        match round % 3 {
            0 => drop(futures),
            1 => {
                wait_all(&futures);
                drop(Queue::as_completed(&futures));
            }
            _ => _ = std::thread::spawn(move || drop(futures)).join(),
        }
        inside.get();
    }
    drop(pool);
    assert_eq!(lives.dropped(), (300 * 30, 300 * 30));
}

#[test]
fn o01_the_hooks_run_with_no_lock_held() {
    struct Everything {
        executor: &'static Executor,
        other: Future,
        calls: &'static AtomicUsize,
    }
    unsafe extern "C-unwind" fn uses_everything(everything: Ptr) {
        let Everything { executor, other, calls } = unsafe { &*everything.cast::<Everything>() };
        executor.execute(bump, address(*calls)).unwrap();
        other.on_done(|_| inc(calls));
        assert!(other.cancel() || other.state() == State::Finished);
        drop(Queue::as_completed(std::slice::from_ref(other)));
        drop(Pool::new(1));
        assert_eq!(refused(executor.join(POLL)), Status::InvalidState);
    }
    let pool = Pool::new(1);
    let blocker = pool.block();
    let calls = counter();
    let hooked = || {
        let everything = leak(Everything { executor: pool.shared(), other: pool.go(|| 0), calls });
        let hook = Some(uses_everything as tpexec::task::DropFn);
        pool.task(Task { drop_arg: hook, drop_result: hook, ..task(same, address(everything)) })
    };
    let (run, cancelled) = (hooked(), hooked());
    assert!(cancelled.cancel());
    drop(cancelled);
    blocker.release();
    run.get();
    pool.flush();
    drop(run);
    pool.flush();
    // Three hooks, each a callback and a task.
    assert_eq!(calls.load(SeqCst), 6);
}

#[test]
fn o02_the_message_is_copied_and_the_payload_goes_with_the_future() {
    let pool = Pool::new(1);
    let (first, second) = (counter(), counter());
    let future = pool.go(move || {
        for (code, text, payload) in [(1, "first", first), (2, "\u{e4}\u{f6}\u{fc}, second", second)] {
            let message = CString::new(text).unwrap();
            current::fail(code, Some(&message), address(payload), DROP_BUMP).unwrap();
            // The original goes at once.
            let mut bytes = message.into_bytes();
            bytes.fill(b'x');
        }
        assert_eq!(first.load(SeqCst), 1, "replaced");
        0
    });
    let error = wait::error(&future, FOREVER).unwrap().unwrap();
    unsafe {
        assert_eq!(((*error).code, (*error).payload), (2, address(second)));
        assert_eq!(text((*error).message), "\u{e4}\u{f6}\u{fc}, second");
    }
    assert_eq!(wait::error(&future, FOREVER).unwrap(), Some(error), "the same record for everyone");
    pool.flush();
    assert_eq!(second.load(SeqCst), 0);
    drop(future);
    assert_eq!((first.load(SeqCst), second.load(SeqCst)), (1, 1));
}

#[test]
fn o02_a_payload_without_a_hook_is_the_tasks_own_business() {
    let pool = Pool::new(1);
    let future = pool.go(|| {
        current::fail(1, None, ptr(99), None).unwrap();
        0
    });
    let error = wait::error(&future, FOREVER).unwrap().unwrap();
    assert_eq!(unsafe { (*error).payload }, ptr(99));
}
