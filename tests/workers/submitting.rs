//! P4, P5, P7, P9: submitting when threads cannot be had, from anywhere, and many at once; the names of workers.

use crate::support::*;
use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Mutex;
use tpexec::config::Config;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, Task};

/// A closure as a task function that may run any number of times.
pub fn closure_many<F: Fn() + Sync + 'static>(f: F) -> (tpexec::task::TaskFn, Ptr) {
    unsafe extern "C-unwind" fn call<F: Fn()>(f: Ptr) -> Ptr {
        unsafe { (*f.cast::<F>())() };
        NULL
    }
    (call::<F>, address(leak(f)))
}

#[test]
fn p04_with_no_worker_and_no_thread_to_be_had_submit_is_refused_and_takes_nothing() {
    // No system has room for a stack of this size.
    let pool =
        Pool::with(&Config { max_workers: 2, stack_size: isize::MAX as usize / 4096 * 4096, ..Config::default() });
    let calls = counter();
    let hooks = Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(bump, address(calls)) };
    for _ in 0..3 {
        let error = pool.submit(bump, address(calls)).unwrap_err();
        assert_eq!(error.status, Status::System);
        assert_ne!(error.errno, 0);
        assert_eq!(refused(pool.execute(bump, address(calls))), Status::System);
        assert_eq!(refused(pool.submit_task(&hooks)), Status::System);
        assert_eq!(refused(pool.execute_task(&hooks)), Status::System);
        let many = unsafe { pool.submit_many(bump, [address(calls)].as_ptr(), 1, std::ptr::null_mut()) };
        assert_eq!(refused(many), Status::System);
        assert_eq!((pool.worker_count(), pool.pending_count()), (0, 0));
    }
    drop(pool);
    assert_eq!(calls.load(SeqCst), 0);
}

/// With a worker alive tasks are accepted although no more threads can be had; when they can, later submissions start them.
#[test]
fn p04_with_a_worker_alive_the_task_is_accepted_and_later_submits_start_what_is_missing() {
    if !alone("submitting::p04_with_a_worker_alive_the_task_is_accepted_and_later_submits_start_what_is_missing") {
        return;
    }
    let limit = |bytes: libc::rlim_t| unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_AS, &mut limit);
        limit.rlim_cur = bytes.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &limit), 0);
    };
    let pool = Pool::with(&Config { max_workers: 3, stack_size: 1 << 30, ..Config::default() });
    let blocker = pool.block();
    // Room for other things, but not for another stack.
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let now = statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
    limit(now + (256 << 20));
    let futures: Vec<Future> = (0..10).map(|i| pool.go(move || i)).collect();
    assert_eq!((pool.worker_count(), pool.pending_count()), (1, 10));
    blocker.release();
    wait_all(&futures);
    limit(libc::RLIM_INFINITY);
    let (a, b, c) = (pool.block(), pool.block(), pool.block());
    assert_eq!(pool.worker_count(), 3);
    drop((a, b, c));
}

#[test]
fn p05_workers_have_names() {
    fn os_name() -> String {
        let mut name = [0u8; 32];
        unsafe { libc::pthread_getname_np(libc::pthread_self(), name.as_mut_ptr().cast(), name.len()) };
        unsafe { text(name.as_ptr().cast()) }.to_string()
    }
    let check = |prefix: &'static std::ffi::CStr, expected: [(&str, &str); 3]| {
        let pool =
            Pool::with(&Config { max_workers: 3, thread_name_prefix: Some(prefix.as_ptr()), ..Config::default() });
        let (meeting, names): (_, &'static Mutex<HashSet<(String, String)>>) =
            (Count::new(), leak(Mutex::new(HashSet::new())));
        let futures: Vec<Future> = (0..3)
            .map(|_| {
                pool.go(move || {
                    let whole = unsafe { text(current::worker_name()) }.to_string();
                    names.lock().unwrap().insert((whole, os_name()));
                    meeting.meet(3);
                    0
                })
            })
            .collect();
        wait_all(&futures);
        let expected: HashSet<_> = expected.map(|(whole, os)| (whole.to_string(), os.to_string())).into();
        assert_eq!(*names.lock().unwrap(), expected);
    };
    check(c"io", [("io_0", "io_0"), ("io_1", "io_1"), ("io_2", "io_2")]);
    let long = c"a-prefix-of-some-length";
    let whole = ["a-prefix-of-some-length_0", "a-prefix-of-some-length_1", "a-prefix-of-some-length_2"];
    check(long, [(whole[0], "a-prefix-of-s_0"), (whole[1], "a-prefix-of-s_1"), (whole[2], "a-prefix-of-s_2")]);
    assert!(current::worker_name().is_null());
}

#[test]
fn p07_submit_works_from_any_thread_workers_and_callbacks_included() {
    let pools = [Pool::new(2), Pool::new(1)];
    let [a, b] = [pools[0].shared(), pools[1].shared()];
    let done = Count::new();
    // Each hops to the other executor until its number is used up, half of the hops in callbacks.
    fn hop(here: &'static Executor, there: &'static Executor, left: usize, done: &'static Count) {
        if left == 0 {
            done.add(1);
            return;
        }
        let next = move || hop(there, here, left - 1, done);
        match left % 2 {
            0 => {
                here.go(move || {
                    next();
                    0
                });
            }
            _ => here.go(|| 0).on_done(move |_| next()),
        }
    }
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::spawn(move || (0..50).for_each(|_| hop(a, b, 40, done)))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    done.wait(200);
}

/// A task of one executor goes all its way while another executor is stuck in everything that it can be stuck in.
#[test]
fn p07_executors_do_not_get_into_each_others_way() {
    let (stuck, pool) = (Pool::new(1), Pool::new(2));
    let (entered, gate) = (Gate::new(), Gate::new());
    let blocker = stuck.block();
    let future = stuck.go(|| 0);
    future.on_done(move |_| {
        entered.open();
        gate.pass();
    });
    let joiner = {
        let executor = stuck.shared();
        std::thread::spawn(move || executor.shutdown(true, false).unwrap())
    };
    blocker.release();
    entered.pass();
    for _ in 0..2000 {
        pool.go(|| 0).get();
    }
    gate.open();
    joiner.join().unwrap();
}

#[test]
fn p09_submit_many_is_all_or_none() {
    let pool = Pool::new(2);
    let runs = counter();
    // More than a segment of any queue, and less; with and without futures.
    for n in [1, 2, 511, 512, 513, 3000] {
        let before = runs.load(SeqCst);
        let futures = pool.many(bump, &vec![address(runs); n]);
        wait_all(&futures);
        assert_eq!(runs.load(SeqCst), before + n);
        let args = vec![address(runs); n];
        unsafe { pool.submit_many(bump, args.as_ptr(), n, std::ptr::null_mut()).unwrap() };
        until(|| runs.load(SeqCst) == before + 2 * n);
    }
    // Nothing is nothing: no thread is started for it.
    let other = Pool::new(2);
    unsafe { other.submit_many(bump, std::ptr::null(), 0, std::ptr::null_mut()).unwrap() };
    assert_eq!(other.worker_count(), 0);
}

#[test]
fn p09_submit_many_keeps_the_order_of_its_arguments() {
    static ORDER: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    unsafe extern "C-unwind" fn note(arg: Ptr) -> Ptr {
        ORDER.lock().unwrap().push(arg.addr());
        arg
    }
    let pool = Pool::new(1);
    let futures = pool.many(note, numbers(2000));
    assert!(futures.iter().enumerate().all(|(i, future)| future.get() == i));
    assert!(ORDER.lock().unwrap().iter().enumerate().all(|(i, number)| i == *number));
}

/// All of them at once, on workers that sleep, search or do not exist yet.
#[test]
fn p09_submit_many_spreads_over_idle_workers() {
    let pool = Pool::new(8);
    for round in 0..300 {
        let k = 1 + round % 8;
        let meeting = Count::new();
        let (func, arg) = closure_many(move || meeting.meet(k));
        wait_all(&pool.many(func, &vec![arg; k]));
        if round % 10 == 0 {
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
    }
}
