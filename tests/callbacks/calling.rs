//! K1, K2, K4: how often, in which order and on which thread.

use crate::support::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use tpexec::current;
use tpexec::task::{Future, Node, State};

type Log<T> = &'static Mutex<Vec<T>>;

fn log<T>() -> Log<T> {
    leak(Mutex::new(Vec::new()))
}

/// Counts itself in its user data, and looks at the future it is given.
unsafe extern "C-unwind" fn count_call(future: *mut Node, calls: Ptr) {
    unsafe {
        assert!(matches!((*future).state(), State::Finished | State::Cancelled));
        bump(calls);
    }
}

#[test]
fn k01_each_callback_runs_once_in_the_order_added() {
    let pool = Pool::new(1);
    for end in [State::Finished, State::Cancelled] {
        let blocker = pool.block();
        let future = pool.go(|| 0);
        let order = log();
        let this = std::ptr::from_ref::<Node>(&future).addr();
        for i in 0..50 {
            future.on_done(move |node| order.lock().unwrap().push((i, std::ptr::from_ref(node).addr())));
        }
        if end == State::Cancelled {
            assert!(future.cancel());
        }
        blocker.release();
        pool.flush();
        let expected: Vec<_> = (0..50).map(|i| (i, this)).collect();
        assert_eq!(*order.lock().unwrap(), expected);
    }
}

#[test]
fn k01_the_same_function_added_twice_runs_twice() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let (calls, future) = (counter(), pool.go(|| 0));
    for _ in 0..2 {
        unsafe { future.add_done_callback(count_call, address(calls)).unwrap() };
    }
    blocker.release();
    pool.flush();
    assert_eq!(calls.load(SeqCst), 2);
    unsafe { future.add_done_callback(count_call, address(calls)).unwrap() };
    assert_eq!(calls.load(SeqCst), 3);
}

/// Four threads add callbacks while the task ends: each runs exactly once, each thread's in its order.
#[test]
fn k01_callbacks_added_while_the_task_ends_run_exactly_once_each() {
    const THREADS: usize = 4;
    const EACH: usize = 12;
    let pool = Pool::new(1);
    let worker = pool.go(thread_id).get();
    for round in 0..1500 {
        let blocker = pool.block();
        let (calls, start) = (leak([const { AtomicUsize::new(0) }; THREADS * EACH]), Count::new());
        let future = pool.go(|| 0);
        let order: Log<(usize, usize, usize)> = log();
        let adders: Vec<_> = (0..THREADS)
            .map(|thread| {
                let future = future.clone();
                std::thread::spawn(move || {
                    start.meet(THREADS + 1);
                    for i in 0..EACH {
                        future.on_done(move |_| {
                            calls[thread * EACH + i].fetch_add(1, SeqCst);
                            order.lock().unwrap().push((thread, i, thread_id()));
                        });
                    }
                })
            })
            .collect();
        start.meet(THREADS + 1);
        match round % 2 {
            0 => blocker.release(),
            _ => {
                future.cancel();
                blocker.release();
            }
        }
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        pool.flush();
        assert!(calls.iter().all(|calls| calls.load(SeqCst) == 1), "round {round}: {calls:?}");
        // A late one may run beside the early ones, so orders can only be told among those that ran on the ending thread.
        let order = order.lock().unwrap();
        let ending = if round % 2 == 0 { worker } else { thread_id() };
        for thread in 0..THREADS {
            let early: Vec<_> =
                order.iter().filter(|one| one.0 == thread && one.2 == ending).map(|one| one.1).collect();
            assert!(early.is_sorted(), "round {round}: {early:?}");
        }
    }
}

#[test]
fn k02_a_finished_task_calls_back_on_its_worker() {
    let pool = Pool::new(2);
    for _ in 0..200 {
        let (entered, gate, called) = (Gate::new(), Gate::new(), Gate::new());
        let on: Log<usize> = log();
        let future = pool.go(move || {
            entered.open();
            gate.pass();
            thread_id()
        });
        entered.pass();
        future.on_done(move |_| {
            on.lock().unwrap().push(thread_id());
            assert!(!current::worker_name().is_null());
            called.open();
        });
        gate.open();
        called.pass();
        assert_eq!(*on.lock().unwrap(), [future.get()]);
    }
}

#[test]
fn k02_a_done_future_calls_back_on_the_adding_thread_before_add_returns() {
    let pool = Pool::new(1);
    let future = pool.go(|| 0);
    future.get();
    let on: Log<usize> = log();
    future.on_done(move |_| on.lock().unwrap().push(thread_id()));
    assert_eq!(*on.lock().unwrap(), [thread_id()]);
}

#[test]
fn k02_a_task_run_by_who_waits_for_it_calls_back_there() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let checked = pool.go(move || {
        let (inner, on): (Future, Log<usize>) = (executor.go(|| 0), log());
        inner.on_done(move |_| on.lock().unwrap().push(thread_id()));
        inner.get();
        assert_eq!(*on.lock().unwrap(), [thread_id()]);
        0
    });
    checked.get();
}

#[test]
fn k04_a_callback_added_in_a_callback_of_the_same_future_runs_at_once() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let (future, order): (Future, Log<&str>) = (pool.go(|| 0), log());
    let say = move |word| order.lock().unwrap().push(word);
    let this = future.clone();
    future.on_done(move |_| {
        say("first begins");
        this.on_done(move |_| say("nested"));
        say("first ends");
    });
    future.on_done(move |_| say("second"));
    blocker.release();
    pool.flush();
    assert_eq!(*order.lock().unwrap(), ["first begins", "nested", "first ends", "second"]);
}
