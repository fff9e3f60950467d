//! R: result, take and error.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use support::*;
use tpexec::current;
use tpexec::status::Status;
use tpexec::task::{Future, State, Task};
use tpexec::wait::{self, Timeout, WaitFor};

/// Every kind of time limit, as the ABI has them.
fn timeouts() -> impl Iterator<Item = Timeout> {
    [0, -1, i64::MIN, 1, 1_000_000, i64::MAX - 1, i64::MAX].into_iter().map(Timeout::from_ns)
}

/// A future of each outcome: succeeded with 5, failed with code 6, cancelled.
fn done_futures(pool: &Pool) -> [Future; 3] {
    let blocker = pool.block();
    let futures = [pool.go(|| 5), pool.go(|| fail(6)), pool.go(|| unreachable!("cancelled"))];
    futures[2].cancel();
    blocker.release();
    wait_all(&futures);
    futures
}

#[test]
fn r01_a_done_future_answers_whatever_the_timeout() {
    let pool = Pool::new(1);
    let [good, bad, cancelled] = done_futures(&pool);
    for timeout in timeouts() {
        assert_eq!(wait::result(&good, timeout), Ok(ptr(5)));
        assert_eq!(wait::error(&good, timeout), Ok(None));
        assert_eq!(refused(wait::result(&bad, timeout)), Status::Task);
        let error = wait::error(&bad, timeout).unwrap().unwrap();
        assert_eq!(unsafe { (*error).code }, 6);
        assert_eq!(refused(wait::result(&cancelled, timeout)), Status::Cancelled);
        assert_eq!(refused(wait::error(&cancelled, timeout)), Status::Cancelled);
        assert_eq!(refused(wait::take(&cancelled, timeout)), Status::Cancelled);
        let all = [good.clone(), bad.clone(), cancelled.clone()];
        let outcome = wait_for(&all, timeout, WaitFor::AllCompleted).unwrap();
        assert_eq!((outcome.n_done, outcome.timed_out), (3, false));
    }
}

#[test]
fn r02_a_poll_leaves_an_unfinished_future_alone() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let future = pool.go(|| 9);
    for ns in [0, -1, i64::MIN] {
        let timeout = Timeout::from_ns(ns);
        for (future, state) in [(&future, State::Pending), (&blocker.future, State::Running)] {
            assert_eq!(refused(wait::result(future, timeout)), Status::Timeout);
            assert_eq!(refused(wait::take(future, timeout)), Status::Timeout);
            assert_eq!(refused(wait::error(future, timeout)), Status::Timeout);
            assert_eq!(future.state(), state);
        }
    }
    blocker.release();
    assert_eq!(wait::take(&future, FOREVER), Ok(ptr(9)));
}

/// A task polls another one of its own executor, which only it could run.
#[test]
fn r02_a_poll_from_a_worker_runs_nothing() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let polled = pool.go(move || {
        let other = executor.go(|| 4);
        for timeout in [POLL, Timeout::from_ns(-5)] {
            assert_eq!(refused(wait::result(&other, timeout)), Status::Timeout);
            assert_eq!(refused(wait::error(&other, timeout)), Status::Timeout);
            for what in [WaitFor::AllCompleted, WaitFor::FirstCompleted, WaitFor::FirstFailed] {
                let outcome = wait_for(std::slice::from_ref(&other), timeout, what).unwrap();
                assert_eq!((outcome.n_done, outcome.timed_out), (0, true));
            }
            let queue = Queue::as_completed(std::slice::from_ref(&other));
            assert_eq!(refused(queue.next(timeout)), Status::Timeout);
            let map = executor.map(same, numbers(1), 1);
            assert_eq!(given(&map, timeout), Given::Failed(Status::Timeout));
        }
        assert_eq!(other.state(), State::Pending);
        other.into_raw().addr()
    });
    let other = unsafe { Future::from_raw(polled.get() as *mut tpexec::task::Node) };
    assert_eq!(other.get(), 4);
}

#[test]
fn r02_no_wait_gives_up_before_its_time() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let future = pool.go(|| 0);
    let queue = Queue::as_completed(std::slice::from_ref(&future));
    let map = pool.map(same, numbers(2), 1);
    let both = [future.clone(), blocker.future.clone()];
    pool.shutdown(false, false).unwrap();
    for micros in [1, 300, 2_500] {
        let time = Duration::from_micros(micros);
        let timeout = || Timeout::from_ns(time.as_nanos() as i64);
        let check = |name: &str, call: &dyn Fn(Timeout) -> bool| {
            let start = Instant::now();
            assert!(call(timeout()), "{name}");
            assert!(start.elapsed() >= time, "{name} gave up after {:?} of {time:?}", start.elapsed());
        };
        check("result", &|t| refused(wait::result(&future, t)) == Status::Timeout);
        check("take", &|t| refused(wait::take(&future, t)) == Status::Timeout);
        check("error", &|t| refused(wait::error(&blocker.future, t)) == Status::Timeout);
        for what in [WaitFor::AllCompleted, WaitFor::FirstCompleted, WaitFor::FirstFailed] {
            check("wait", &|t| wait_for(&both, t, what).unwrap().timed_out);
        }
        check("next", &|t| refused(queue.next(t)) == Status::Timeout);
        check("map", &|t| given(&map, t) == Given::Failed(Status::Timeout));
        check("join", &|t| refused(pool.join(t)) == Status::Timeout);
    }
    blocker.release();
}

#[test]
fn r02_huge_timeouts_do_not_overflow() {
    let pool = Pool::new(1);
    for ns in [i64::MAX - 1, i64::MAX / 2, i64::MAX] {
        let timeout = Timeout::from_ns(ns);
        let blocker = pool.block();
        let (future, waiting) = (pool.go(|| 3), Gate::new());
        let waiter = {
            let future = future.clone();
            std::thread::spawn(move || {
                waiting.open();
                let queue = Queue::as_completed(std::slice::from_ref(&future));
                let first = wait_for(std::slice::from_ref(&future), timeout, WaitFor::FirstCompleted).unwrap();
                let all = wait_for(std::slice::from_ref(&future), timeout, WaitFor::AllCompleted).unwrap();
                assert!(!first.timed_out && !all.timed_out);
                assert!(queue.next(timeout).unwrap().is_some());
                wait::result(&future, timeout).unwrap().addr()
            })
        };
        waiting.pass();
        blocker.release();
        assert_eq!(wait::result(&future, timeout), Ok(ptr(3)));
        assert_eq!(waiter.join().unwrap(), 3);
    }
    pool.shutdown(false, false).unwrap();
    pool.join(Timeout::from_ns(i64::MAX - 1)).unwrap();
}

#[test]
fn r03_a_cancelled_future_says_so_to_everyone() {
    let pool = Pool::new(1);
    let [_, _, cancelled] = done_futures(&pool);
    assert_eq!(cancelled.refusal(), Status::Cancelled);
    assert_eq!(refused(wait::take(&cancelled, POLL)), Status::Cancelled);
    assert_eq!(refused(wait::error(&cancelled, POLL)), Status::Cancelled);
}

#[test]
fn r04_error_tells_of_success_with_none_and_never_fails_because_the_task_did() {
    let pool = Pool::new(1);
    let [good, bad, _] = done_futures(&pool);
    assert_eq!(wait::error(&good, FOREVER), Ok(None));
    let error = wait::error(&bad, FOREVER).unwrap().unwrap();
    unsafe {
        assert_eq!((*error).code, 6);
        assert_eq!(text((*error).message), "failed as the test wants it");
    }
}

/// Eight threads ask; the future ends while they do, before, or after, as it happens.
#[test]
fn r05_everyone_who_waits_is_woken_and_hears_the_same() {
    let pool = Pool::new(1);
    for round in 0..400 {
        let blocker = pool.block();
        let end = round % 3;
        let future = match end {
            0 => pool.go(move || round + 1),
            _ => pool.go(move || fail(round as i32)),
        };
        let ready = Count::new();
        let waiters: Vec<_> = (0..8)
            .map(|i| {
                let future = future.clone();
                std::thread::spawn(move || {
                    ready.add(1);
                    match i % 3 {
                        0 => wait_all(std::slice::from_ref(&future)),
                        1 => drop(wait_for(std::slice::from_ref(&future), FOREVER, WaitFor::FirstCompleted).unwrap()),
                        _ => {}
                    }
                    let result = wait::result(&future, FOREVER).map_err(|e| e.status);
                    let error = wait::error(&future, FOREVER).map(|e| e.map(|e| e.addr())).map_err(|e| e.status);
                    (result.map(|value| value.addr()), error)
                })
            })
            .collect();
        ready.wait(round % 9);
        if end == 2 {
            assert!(future.cancel());
        }
        blocker.release();
        let answers: Vec<_> = waiters.into_iter().map(|w| w.join().unwrap()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        match end {
            0 => assert_eq!(answers[0], (Ok(round + 1), Ok(None))),
            1 => assert_eq!(answers[0].0, Err(Status::Task)),
            _ => assert_eq!(answers[0], (Err(Status::Cancelled), Err(Status::Cancelled))),
        }
    }
}

#[test]
fn r06_a_failure_is_a_failure_whatever_its_code() {
    let pool = Pool::new(1);
    // The numbers of all statuses, and the ends of the range.
    for code in (0..=14).chain([i32::MIN, -1, i32::MAX]) {
        let future = pool.go(move || fail(code));
        assert_eq!(future.refusal(), Status::Task);
        let error = wait::error(&future, FOREVER).unwrap().unwrap();
        assert_eq!(unsafe { (*error).code }, code);
    }
}

#[test]
fn r07_the_worker_survives_whatever_a_task_does() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let worker = pool.go(thread_id).get();
    // Fails, fails twice, waits for itself, shuts what is not its own, sets errno, leaves signals blocked.
    pool.go(|| fail(1)).refusal();
    pool.go(|| fail(1) + fail(2)).refusal();
    let itself = pool.go(|| {
        let me = unsafe { Future::from_raw(current::future()) };
        let status = refused(wait::result(&me, FOREVER));
        me.into_raw(); // The reference was not ours.
        status as usize
    });
    assert_eq!(itself.get(), Status::Deadlock as usize);
    pool.go(|| unsafe {
        *libc::__errno_location() = libc::EINTR;
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut()) as usize
    })
    .get();
    // Takes most of a stack, below what it has.
    fn deep(n: usize) -> usize {
        let page = std::hint::black_box([n as u8; 4096]);
        if n == 0 {
            0
        } else {
            deep(n - 1) + usize::from(page[7] == n as u8)
        }
    }
    assert_eq!(pool.go(|| deep(200)).get(), 200);
    // Ends another executor's life.
    pool.go(|| {
        drop(Pool::new(2));
        let other = Pool::new(2).into_handle();
        unsafe { tpexec::executor::Executor::detach(other) };
        0
    })
    .get();
    assert_eq!(refused(pool.join(POLL)), Status::InvalidState);
    assert_eq!(executor.go(thread_id).get(), worker, "another worker");
    assert_eq!(pool.worker_count(), 1);
}

#[test]
fn r08_the_futures_of_a_broken_executor_say_broken() {
    let (pool, gate) = to_be_broken(1);
    let future = pool.go(|| unreachable!("no worker is initialized"));
    gate.open();
    assert_eq!(future.refusal(), Status::Broken);
    assert_eq!(refused(wait::error(&future, POLL)), Status::Broken);
    assert_eq!(refused(wait::take(&future, POLL)), Status::Broken);
}

#[test]
fn r09_take_hands_a_result_out_once() {
    let pool = Pool::new(1);
    let drops = counter();
    let future = pool.task(Task { drop_result: DROP_BUMP, ..task(same, address(drops)) });
    assert_eq!(wait::result(&future, FOREVER), Ok(address(drops)));
    assert_eq!(wait::take(&future, FOREVER), Ok(address(drops)));
    assert_eq!(refused(wait::take(&future, FOREVER)), Status::InvalidState);
    assert_eq!(refused(wait::result(&future, POLL)), Status::InvalidState);
    assert_eq!(wait::error(&future, POLL), Ok(None), "it did succeed");
    assert_eq!(future.state(), State::Finished);
    drop(future);
    assert_eq!(drops.load(SeqCst), 0, "the result is the taker's");
}

/// Four threads take from the same futures in the same order, while those are being finished.
#[test]
fn r09_of_many_takers_one_has_the_result() {
    const TASKS: usize = 20_000;
    let pool = Pool::new(1);
    let drops = counter();
    let blocker = pool.block();
    let hooks = Task { drop_result: DROP_BUMP, ..task(same, address(drops)) };
    let futures: Vec<Future> = (0..TASKS).map(|_| pool.task(hooks)).collect();
    let winners: &'static [AtomicUsize] = leak((0..TASKS).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
    let start = Count::new();
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let futures = futures.clone();
            std::thread::spawn(move || {
                start.meet(5);
                for (future, winners) in futures.iter().zip(winners) {
                    match wait::take(future, FOREVER) {
                        Ok(value) => {
                            assert_eq!(value, address(drops));
                            inc(winners);
                        }
                        Err(error) => assert_eq!(error.status, Status::InvalidState),
                    }
                }
            })
        })
        .collect();
    start.meet(5);
    blocker.release();
    takers.into_iter().for_each(|taker| taker.join().unwrap());
    drop(futures);
    assert!(winners.iter().all(|winners| winners.load(SeqCst) == 1));
    drop(pool);
    assert_eq!(drops.load(SeqCst), 0);
}
