//! C1 to C7: what cancelling does, and does not do.

use crate::support::*;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use tpexec::current;
use tpexec::status::Status;
use tpexec::task::{Future, Node, State, Task};
use tpexec::wait::WaitFor;

#[test]
fn c01_cancelling_a_pending_task_is_true_and_final_and_calls_back_once() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let (runs, calls) = (counter(), counter());
    let future = pool.submit(bump, address(runs)).unwrap();
    future.on_done(|_| inc(calls));
    for _ in 0..3 {
        assert!(future.cancel());
        future.request_stop();
        assert_eq!((future.state(), calls.load(SeqCst)), (State::Cancelled, 1));
    }
    blocker.release();
    pool.flush();
    assert_eq!((runs.load(SeqCst), calls.load(SeqCst)), (0, 1));
}

#[test]
fn c02_cancelling_a_running_task_is_false_and_disturbs_nothing() {
    let pool = Pool::new(1);
    let (entered, gate) = (Gate::new(), Gate::new());
    let future = pool.go(move || {
        entered.open();
        gate.pass();
        assert!(!current::stop_requested(), "a cancel is no request to stop");
        4
    });
    entered.pass();
    assert!(!future.cancel());
    assert_eq!(future.state(), State::Running);
    gate.open();
    assert_eq!(future.get(), 4);
    assert!(!future.cancel());
    assert_eq!(future.get(), 4);
}

#[test]
fn c02_a_running_task_sees_the_request_to_stop() {
    let pool = Pool::new(1);
    let (entered, gate) = (Gate::new(), Gate::new());
    let future = pool.go(move || {
        assert!(!current::stop_requested());
        entered.open();
        gate.pass();
        usize::from(current::stop_requested())
    });
    entered.pass();
    future.request_stop();
    assert_eq!(future.state(), State::Running);
    gate.open();
    assert_eq!(future.get(), 1);
    // The next task is not asked.
    assert_eq!(pool.go(|| usize::from(current::stop_requested())).get(), 0);
}

/// One thread submits, one cancels what it has just submitted, workers run: for each of 100,000 tasks exactly one thing.
fn race(pool: &Pool, tasks: usize, submit: impl Fn(&'static AtomicU8) -> Future) {
    let runs: &'static [AtomicU8] = leak((0..tasks).map(|_| AtomicU8::new(0)).collect::<Vec<_>>());
    let (sender, receiver) = std::sync::mpsc::sync_channel::<(usize, Future)>(64);
    let canceller = std::thread::spawn(move || {
        let mut cancelled = vec![false; tasks];
        for (i, future) in receiver {
            cancelled[i] = future.cancel();
            assert_eq!(future.cancel(), cancelled[i]);
        }
        cancelled
    });
    let mut futures = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        let future = submit(run);
        sender.send((i, future.clone())).unwrap();
        if i % 3 == 0 {
            // Some by two threads at once.
            future.cancel();
        }
        futures.push(future);
    }
    drop(sender);
    let cancelled = canceller.join().unwrap();
    wait_all(&futures);
    for ((future, run), cancelled) in futures.iter().zip(runs).zip(cancelled) {
        let (runs, state) = (run.load(SeqCst), future.state());
        let expected = if cancelled { (0, State::Cancelled) } else { (1, State::Finished) };
        assert_eq!((runs, state), expected);
    }
    assert_eq!(pool.pending_count(), 0);
}

unsafe extern "C-unwind" fn run_once(run: Ptr) -> Ptr {
    unsafe { (*run.cast::<AtomicU8>()).fetch_add(1, SeqCst) };
    NULL
}

#[test]
fn c03_each_of_100_000_tasks_was_run_or_cancelled_one_worker() {
    let pool = Pool::new(1);
    race(&pool, 100_000, |run| pool.submit(run_once, address(run)).unwrap());
}

#[test]
fn c03_each_of_100_000_tasks_was_run_or_cancelled_three_workers() {
    let pool = Pool::new(3);
    race(&pool, 100_000, |run| pool.submit(run_once, address(run)).unwrap());
}

#[test]
fn c03_each_of_100_000_tasks_was_run_or_cancelled_with_hooks() {
    let pool = Pool::new(2);
    let drops: &'static AtomicUsize = counter();
    unsafe extern "C-unwind" fn count(_: Ptr) {
        DROPS.fetch_add(1, SeqCst);
    }
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    race(&pool, 100_000, |run| pool.task(Task { drop_arg: Some(count), ..task(run_once, address(run)) }));
    assert_eq!(DROPS.load(SeqCst) + drops.load(SeqCst), 100_000, "each argument is dropped once");
}

/// A task of the same executor cancels what it has submitted: from its own ring.
#[test]
fn c03_each_task_was_run_or_cancelled_from_inside() {
    let pool = Pool::new(2);
    let executor = pool.shared();
    for _ in 0..40 {
        let accounts = pool.go(move || {
            let runs = counter();
            let futures: Vec<_> = (0..1000).map(|_| executor.submit(bump, address(runs)).unwrap()).collect();
            let cancelled = futures.iter().rev().filter(|future| future.cancel()).count();
            wait_all(&futures);
            runs.load(SeqCst) + cancelled
        });
        assert_eq!(accounts.get(), 1000);
    }
}

#[test]
fn c04_cancel_runs_the_callbacks_on_its_thread_before_it_returns() {
    let pool = Pool::new(1);
    let _blocker = pool.block();
    let future = pool.go(|| 0);
    let order: &'static Mutex<Vec<_>> = leak(Mutex::new(Vec::new()));
    for i in 0..3 {
        future.on_done(move |node| {
            assert_eq!(node.state(), State::Cancelled);
            order.lock().unwrap().push((i, thread_id()));
        });
    }
    assert!(future.cancel());
    let me = thread_id();
    assert_eq!(*order.lock().unwrap(), [(0, me), (1, me), (2, me)]);
}

#[test]
fn c04_callbacks_of_a_cancel_run_outside_of_all_locks() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let blocker = pool.block();
    let (future, other) = (pool.go(|| 0), pool.go(|| 0));
    let runs = counter();
    let this = future.clone();
    future.on_done(move |node| {
        assert!(node.cancel(), "it is");
        assert!(other.cancel());
        this.on_done(|node| assert_eq!(node.state(), State::Cancelled));
        assert_eq!(executor.pending_count(), 0);
        executor.execute(bump, address(runs)).unwrap();
        assert_eq!(this.refusal(), Status::Cancelled);
        assert_eq!(executor.pending_count(), 1);
    });
    assert!(future.cancel());
    blocker.release();
    pool.flush();
    assert_eq!(runs.load(SeqCst), 1);
}

#[test]
fn c05_cancel_drops_the_argument_at_once() {
    let pool = Pool::new(1);
    let _blocker = pool.block();
    let drops = counter();
    let future = pool.task(Task { drop_arg: DROP_BUMP, ..task(same, address(drops)) });
    assert_eq!(drops.load(SeqCst), 0);
    assert!(future.cancel());
    assert_eq!(drops.load(SeqCst), 1, "while the entry is still queued");
    assert!(future.cancel());
    drop(future);
    pool.shutdown(false, true).unwrap();
    assert_eq!(drops.load(SeqCst), 1);
}

/// Whatever cancels: those who wait hear of it while the only worker is busy, so no worker can have told them.
#[test]
fn c06_everyone_counts_a_cancelled_future_as_done_at_once_however_it_was_cancelled() {
    type Cancel = fn(&Pool, &Future);
    let ways: [Cancel; 3] = [
        |_, future| assert!(future.cancel()),
        |_, future| future.request_stop(),
        |pool, _| pool.shutdown(false, true).unwrap(),
    ];
    for cancel in ways {
        let pool = Pool::new(1);
        let blocker = pool.block();
        let future = pool.go(|| 0);
        let queue = Queue::new();
        queue.add(&future, 3).unwrap();
        let one = std::slice::from_ref(&future);
        let completed = Queue::as_completed(one);
        let (ready, woken) = (Count::new(), Count::new());
        let waiters: Vec<_> = [WaitFor::AllCompleted, WaitFor::FirstCompleted, WaitFor::FirstFailed]
            .into_iter()
            .map(|what| {
                let future = future.clone();
                std::thread::spawn(move || {
                    ready.add(1);
                    assert_eq!(wait_for(&[future], FOREVER, what).unwrap().n_done, 1);
                    woken.add(1);
                })
            })
            .collect();
        ready.wait(3);
        cancel(&pool, &future);
        assert_eq!(blocker.future.state(), State::Running);
        assert_eq!(queue.next(POLL).unwrap().expect("ready").1, 3);
        assert_eq!(completed.next(POLL).unwrap().expect("ready").1, 0);
        assert!(!wait_for(one, POLL, WaitFor::AllCompleted).unwrap().timed_out);
        woken.wait(3);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        blocker.release();
    }
}

/// A map that is freed cancels, too.
#[test]
fn c06_those_who_wait_hear_of_a_cancel_by_a_freed_map() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let runs = counter();
    let args = leak(vec![address(runs); 3]);
    let map = pool.map(bump, args, 0);
    assert_eq!(pool.pending_count(), 3);
    drop(map);
    assert_eq!(pool.pending_count(), 0);
    blocker.release();
    pool.flush();
    assert_eq!(runs.load(SeqCst), 0);
}

#[test]
fn c07_a_task_cannot_cancel_itself() {
    let pool = Pool::new(1);
    let future = pool.go(|| {
        let me = unsafe { &*current::future() };
        assert!(!me.cancel());
        assert_eq!(me.state(), State::Running);
        5
    });
    assert_eq!(future.get(), 5);
}

#[test]
fn c07_releasing_every_reference_cancels_nothing() {
    let pool = Pool::new(2);
    let runs = counter();
    for _ in 0..1000 {
        let future = pool.submit(bump, address(runs)).unwrap();
        drop(future.clone());
        drop(future);
    }
    drop(pool);
    assert_eq!(runs.load(SeqCst), 1000);
}

/// A cancelled node is used by its holder while the executor is long gone.
#[test]
fn c01_cancelled_futures_outlive_their_executor() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let futures: Vec<Future> = (0..100).map(|_| pool.go(|| 0)).collect();
    assert!(futures.iter().all(|future: &Future| Node::cancel(future)));
    blocker.release();
    drop(pool);
    // Executors come and take the former one's place in whatever table there is.
    let others: Vec<Pool> = (0..4).map(|_| Pool::new(1)).collect();
    for future in &futures {
        assert!(future.cancel());
        future.request_stop();
        assert_eq!(future.refusal(), Status::Cancelled);
    }
    drop(others);
}
