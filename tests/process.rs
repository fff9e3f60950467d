//! E: the end of the process, and fork.
//!
//! A child checks with `check`, which writes to stderr and ends it: nothing in a child may rely on locks that other
//! threads of the parent may have held at the fork, such as those of the test harness. The parent is a process of its own
//! for each test, so that no other test's threads are in the middle of anything.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use support::*;
use tpexec::completion_queue::CompletionQueue;
use tpexec::config::Config;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::map::{Map, MapItem};
use tpexec::status::Status;
use tpexec::task::{Future, Node, State, Task};
use tpexec::wait::{self, Timeout, WaitFor};

/// Runs `f` in a child, which must end well within a minute: it is killed if it hangs.
#[track_caller]
fn in_child(f: impl FnOnce()) {
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        unsafe { libc::alarm(60) };
        f();
        unsafe { libc::_exit(0) };
    }
    assert_eq!(end_of(child), 0, "how the child ended");
}

fn end_of(child: libc::pid_t) -> i32 {
    let mut status = 0;
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    status
}

/// An assertion in a child.
#[track_caller]
fn check(so: bool) {
    if !so {
        complain(std::panic::Location::caller().line());
    }
}

fn complain(mut line: u32) -> ! {
    let mut text = *b"check failed in a child, tests/process.rs line 00000\n";
    let end = text.len() - 1;
    for digit in text[end - 5..end].iter_mut().rev() {
        *digit = b'0' + (line % 10) as u8;
        line /= 10;
    }
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
        libc::_exit(1)
    }
}

#[track_caller]
fn check_status<T>(answer: tpexec::status::Result<T>, expected: Status) {
    check(answer.is_err_and(|error| error.status == expected));
}

unsafe extern "C-unwind" fn never_done(_: *mut Node, _: Ptr) {
    complain(line!());
}

#[test]
fn e01_leaving_main_with_executors_alive_neither_hangs_nor_crashes() {
    if !alone("e01_leaving_main_with_executors_alive_neither_hangs_nor_crashes") {
        return;
    }
    // One idle, one in a task that never ends, one at work, one shut down and not joined, one broken.
    let idle = Pool::new(2);
    idle.go(|| 0).get();
    let stuck = Pool::new(1);
    std::mem::forget(stuck.block());
    let busy = Pool::new(2);
    let executor = busy.shared();
    fn again(executor: &'static Executor) {
        executor.go(move || {
            again(executor);
            0
        });
    }
    (0..4).for_each(|_| again(executor));
    let shut = Pool::new(1);
    std::mem::forget(shut.block());
    shut.shutdown(false, true).unwrap();
    let (broken, gate) = to_be_broken(1);
    broken.go(|| 0);
    gate.open();
    std::mem::forget((idle, stuck, busy, shut, broken));
    // The process of this test now ends by exit, which must work with all of them alive.
}

#[test]
fn e02_done_futures_answer_as_ever_in_every_call() {
    if !alone("e02_done_futures_answer_as_ever_in_every_call") {
        return;
    }
    let pool = Pool::new(1);
    let blocker = pool.block();
    let drops = counter();
    let taken = pool.task(Task { drop_result: DROP_BUMP, ..task(same, address(drops)) });
    let futures = [pool.go(|| 5), pool.go(|| fail(6)), pool.go(|| 0), taken];
    futures[2].cancel();
    blocker.release();
    wait_all(&futures);
    in_child(|| {
        let [good, bad, cancelled, taken] = &futures;
        for timeout in [POLL, ms(1), FOREVER] {
            check(wait::result(good, timeout) == Ok(ptr(5)));
            check(wait::error(good, timeout) == Ok(None));
            check_status(wait::result(bad, timeout), Status::Task);
            let error = wait::error(bad, timeout).unwrap().unwrap();
            check(unsafe { (*error).code == 6 && text((*error).message) == "failed as the test wants it" });
            check_status(wait::result(cancelled, timeout), Status::Cancelled);
            for what in [WaitFor::AllCompleted, WaitFor::FirstCompleted, WaitFor::FirstFailed] {
                let outcome = wait_for(&futures, timeout, what);
                check(outcome.is_ok_and(|outcome| outcome.n_done == 4 && !outcome.timed_out));
            }
            let queue = Queue::as_completed(&futures);
            for tag in 0..4 {
                check(queue.next(timeout).is_ok_and(|next| next.is_some_and(|(_, given)| given == tag)));
            }
            check(queue.next(timeout).is_ok_and(|next| next.is_none()));
        }
        check(wait::take(taken, POLL) == Ok(address(drops)));
        check_status(wait::take(taken, POLL), Status::InvalidState);
        let called = counter();
        for future in &futures {
            future.on_done(|_| inc(called));
        }
        check(called.load(SeqCst) == 4);
        check(cancelled.cancel() && !good.cancel());
        futures.iter().for_each(|future| future.request_stop());
        check(good.state() == State::Finished && cancelled.state() == State::Cancelled);
        drop(good.clone());
        // A mixture with a new executor's future.
        let own = Pool::new(1);
        let mixed = [good.clone(), own.go(|| 2)];
        check(wait_for(&mixed, FOREVER, WaitFor::AllCompleted).is_ok_and(|outcome| outcome.n_done == 2));
    });
    // In the parent the result is still to be had.
    assert_eq!(wait::take(&futures[3], POLL), Ok(address(drops)));
}

#[test]
fn e02_what_would_wait_submit_or_change_something_is_refused() {
    if !alone("e02_what_would_wait_submit_or_change_something_is_refused") {
        return;
    }
    let pool = Pool::new(1);
    let shut = Pool::new(1);
    let (blocker, shut_blocker) = (pool.block(), shut.block());
    shut.shutdown(false, false).unwrap();
    let drops = counter();
    let hooks = Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(same, address(drops)) };
    let pending = pool.task(hooks);
    let done = pool.go(|| 0);
    done.cancel();
    let running = &blocker.future;
    let queue = Queue::as_completed(&[running.clone(), done.clone()]);
    let open = Queue::new();
    let map = pool.map(same, numbers(4), 1);
    let pending_count = pool.pending_count();
    in_child(|| {
        for timeout in [POLL, Timeout::from_ns(-1), ms(1), FOREVER] {
            for future in [&pending, running] {
                check_status(wait::result(future, timeout), Status::Forked);
                check_status(wait::take(future, timeout), Status::Forked);
                check_status(wait::error(future, timeout), Status::Forked);
                for what in [WaitFor::AllCompleted, WaitFor::FirstCompleted, WaitFor::FirstFailed] {
                    check_status(wait_for(std::slice::from_ref(future), timeout, what), Status::Forked);
                }
            }
            let both = [done.clone(), pending.clone()];
            check_status(wait_for(&both, timeout, WaitFor::AllCompleted), Status::Forked);
            check_status(pool.join(timeout), Status::Forked);
            check_status(shut.join(timeout), Status::Forked);
            check(given(&map, timeout) == Given::Failed(Status::Forked));
        }
        // What is done already ends a wait for the first.
        let both = [pending.clone(), done.clone()];
        let outcome = wait_for(&both, FOREVER, WaitFor::FirstCompleted);
        check(outcome.is_ok_and(|outcome| outcome.n_done == 1));
        for future in [&pending, running] {
            check(!future.cancel());
            future.request_stop();
            check_status(unsafe { future.add_done_callback(never_done, NULL) }, Status::Forked);
            check_status(Queue::new().add(future, 0), Status::Forked);
            check_status(unsafe { CompletionQueue::filled(&nodes(&[(*future).clone()])) }, Status::Forked);
        }
        check(pending.state() == State::Pending && running.state() == State::Running);
        check_status(pool.submit(same, NULL), Status::Forked);
        check_status(pool.execute(same, NULL), Status::Forked);
        check_status(pool.submit_task(&hooks), Status::Forked);
        check_status(pool.execute_task(&hooks), Status::Forked);
        for n in 0..2 {
            let many = unsafe { pool.submit_many(same, [NULL].as_ptr(), n, std::ptr::null_mut()) };
            check_status(many, Status::Forked);
        }
        for (wait, cancel) in [(false, false), (true, false), (false, true), (true, true)] {
            check_status(pool.shutdown(wait, cancel), Status::Forked);
            check_status(shut.shutdown(wait, cancel), Status::Forked);
        }
        check_status(unsafe { Map::new(&pool, same, numbers(1).as_ptr(), 1, 0, None) }.map(drop_map), Status::Forked);
        // The queue of the parent: what was ready comes out, the rest would have to be waited for.
        check(queue.next(POLL).is_ok_and(|next| next.is_some_and(|(_, tag)| tag == 1)));
        check_status(queue.next(POLL), Status::Forked);
        check_status(queue.next(FOREVER), Status::Forked);
        check_status(open.add(&done, 1), Status::Forked);
        check_status(open.close(), Status::Forked);
        check_status(open.next(POLL), Status::Forked);
        // Predicates and counts answer from memory.
        check((pool.max_workers(), pool.worker_count(), pool.pending_count()) == (1, 1, pending_count));
    });
    // The parent notices nothing.
    assert_eq!((pending.state(), drops.load(SeqCst)), (State::Pending, 0));
    drop((blocker, shut_blocker));
    pending.get();
    assert_eq!((queue.tag(), queue.tag(), queue.tag()), (Some(1), Some(0), None));
    assert!((0..4).all(|i| given(&map, FOREVER) == Given::Value(i)));
}

fn drop_map(map: std::ptr::NonNull<Map>) {
    drop(Mapping(map));
}

#[test]
fn e02_free_and_release_return_and_run_no_hook() {
    if !alone("e02_free_and_release_return_and_run_no_hook") {
        return;
    }
    let calls = counter();
    unsafe extern "C-unwind" fn unhandled(_: *const tpexec::task::ErrorRecord, calls: Ptr) {
        unsafe { bump(calls) };
    }
    let pool = Pool::with(&Config {
        max_workers: 2,
        unhandled_error: Some(unhandled),
        user_data: address(calls),
        drop_user_data: DROP_BUMP,
        ..Config::default()
    });
    let hooks = Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(same, address(calls)) };
    let done: Vec<Future> = (0..3).map(|_| pool.task(hooks)).collect();
    wait_all(&done);
    let failed = pool.go(|| fail(1));
    wait_all(std::slice::from_ref(&failed));
    let blockers = [pool.block(), pool.block()];
    let pending: Vec<Future> = (0..3).map(|_| pool.task(hooks)).collect();
    let queue = Queue::as_completed(&pending);
    let map = pool.map(same, numbers(3), 0);
    assert_eq!(calls.load(SeqCst), 3);
    let (pool, queue, map) = (pool.into_handle(), std::mem::ManuallyDrop::new(queue), std::mem::ManuallyDrop::new(map));
    let copies = unsafe { [std::ptr::read(&raw const done), std::ptr::read(&raw const pending)] };
    let failed_copy = unsafe { std::ptr::read(&raw const failed) };
    let (copies, failed_copy) = (std::mem::ManuallyDrop::new(copies), std::mem::ManuallyDrop::new(failed_copy));
    in_child(|| unsafe {
        for future in copies.iter().flatten() {
            drop(std::ptr::read(future));
        }
        drop(std::ptr::read(&*failed_copy));
        CompletionQueue::free(queue.0);
        Map::free(map.0);
        Executor::free(pool);
        check(calls.load(SeqCst) == 3);
    });
    in_child(|| unsafe {
        Executor::detach(pool);
        check(calls.load(SeqCst) == 3);
    });
    // In the parent nothing has happened to any of them.
    drop(blockers);
    wait_all(&pending);
    drop((std::mem::ManuallyDrop::into_inner(queue), std::mem::ManuallyDrop::into_inner(map)));
    drop((done, pending, failed));
    unsafe { Executor::free(pool) };
    // Six arguments, six results, the failure, the user data.
    assert_eq!(calls.load(SeqCst), 14);
}

/// All that an executor can do.
fn exercise_new_executor() {
    let pool = Pool::new(2);
    let executor = pool.shared();
    let futures: Vec<Future> = (0..100).map(|i| pool.go(move || i)).collect();
    check(futures.iter().enumerate().all(|(i, future)| future.get() == i));
    check(pool.go(move || executor.go(|| 7).get()).get() == 7);
    let queue = Queue::as_completed(&futures);
    check(std::iter::from_fn(|| queue.tag()).count() == 100);
    let map = pool.map(same, numbers(10), 2);
    check((0..10).all(|i| given(&map, FOREVER) == Given::Value(i)));
    check(matches!(map.next(FOREVER), MapItem::End));
    let blocker = pool.block();
    check(!blocker.future.cancel());
    blocker.release();
    check(pool.shutdown(true, false).is_ok());
    check_status(pool.submit(same, NULL), Status::Shutdown);
}

#[test]
fn e02_new_executors_work_in_a_child_and_in_its_children() {
    if !alone("e02_new_executors_work_in_a_child_and_in_its_children") {
        return;
    }
    let pool = Pool::new(2);
    pool.go(|| 0).get();
    in_child(|| {
        exercise_new_executor();
        // And once more: the child's executors are the grandchild's parent's.
        let own = Pool::new(1);
        let future = own.go(|| 8);
        future.get();
        let grandchild = unsafe { libc::fork() };
        if grandchild == 0 {
            unsafe { libc::alarm(60) };
            check_status(own.submit(same, NULL), Status::Forked);
            check_status(pool.submit(same, NULL), Status::Forked);
            check(future.get() == 8);
            exercise_new_executor();
            unsafe { libc::_exit(0) };
        }
        check(end_of(grandchild) == 0);
        check(own.go(|| 9).get() == 9);
    });
    pool.go(|| 0).get();
}

#[test]
fn e02_after_a_fork_in_a_task_the_childs_thread_is_no_worker() {
    if !alone("e02_after_a_fork_in_a_task_the_childs_thread_is_no_worker") {
        return;
    }
    let pool = Pool::new(2);
    let executor = pool.shared();
    // Nobody else may run the task that the child is going to ask for.
    let blocker = pool.block();
    let ended = pool.go(move || {
        let child = executor.go(|| 0);
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            unsafe { libc::alarm(60) };
            check(current::worker_name().is_null() && current::executor().is_null());
            check(current::future().is_null());
            check(!current::stop_requested());
            check_status(current::fail(1, None, NULL, None), Status::InvalidState);
            check_status(executor.submit(same, NULL), Status::Forked);
            // It is its parent's, whatever thread could have run it.
            check_status(wait::result(&child, FOREVER), Status::Forked);
            exercise_new_executor();
            // Not _exit: the function returns, and with that the child ends by itself, well.
            return 1;
        }
        end_of(pid) as usize
    });
    assert_eq!(ended.get(), 0);
    blocker.release();
    assert_eq!(pool.go(|| 3).get(), 3);
}

/// The same in a task run inline, in a callback, in a drop hook, in an initializer.
#[test]
fn e02_after_a_fork_in_any_hook_the_child_ends_when_it_returns() {
    if !alone("e02_after_a_fork_in_any_hook_the_child_ends_when_it_returns") {
        return;
    }
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    fn fork_here() {
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            unsafe { libc::alarm(60) };
            check(current::executor().is_null() && current::future().is_null());
            return;
        }
        assert_eq!(end_of(pid), 0);
        ENDED.fetch_add(1, SeqCst);
    }
    unsafe extern "C-unwind" fn fork_in_hook(_: Ptr) {
        fork_here();
    }
    unsafe extern "C-unwind" fn fork_in_initializer(_: Ptr) -> i32 {
        fork_here();
        0
    }
    let pool = Pool::with(&Config {
        max_workers: 1,
        initializer: Some(fork_in_initializer),
        finalizer: Some(fork_in_hook),
        ..Config::default()
    });
    let executor = pool.shared();
    let outer = pool.go(move || {
        executor
            .go(|| {
                fork_here();
                4
            })
            .get()
    });
    assert_eq!(outer.get(), 4);
    let blocker = pool.block();
    let future = pool.task(Task { drop_arg: Some(fork_in_hook), ..task(same, NULL) });
    future.on_done(|_| fork_here());
    blocker.release();
    future.get();
    drop(future);
    pool.shutdown(true, false).unwrap();
    // Initializer, inline task, drop hook, callback, finalizer.
    assert_eq!(ENDED.load(SeqCst), 5);
}

/// Forks while four threads submit, cancel, wait and take: the children find everything in a state that they can use, and
/// the parent's accounts are exact.
#[test]
fn e02_forks_at_any_moment_leave_both_processes_whole() {
    if !alone("e02_forks_at_any_moment_leave_both_processes_whole") {
        return;
    }
    let pool = Pool::new(2);
    let executor = pool.shared();
    let (over, ran) = (Gate::new(), counter());
    let shared: &'static std::sync::Mutex<Vec<Future>> = leak(std::sync::Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            std::thread::spawn(move || {
                let mut random = Random::new(seed);
                let (mut accepted, mut cancelled) = (0, 0);
                while !over.is_open() {
                    let futures: Vec<Future> = (0..40).map(|_| executor.submit(bump, address(ran)).unwrap()).collect();
                    accepted += 40;
                    for _ in 0..4 {
                        futures[random.below(40)].cancel();
                    }
                    match random.below(3) {
                        0 => {
                            let queue = Queue::as_completed(&futures);
                            while queue.tag().is_some() {}
                        }
                        1 => _ = wait_for(&futures, FOREVER, WaitFor::FirstCompleted).unwrap(),
                        _ => {}
                    }
                    wait_all(&futures);
                    cancelled += futures.iter().filter(|future| future.state() == State::Cancelled).count();
                    // Executors come and go as well, so that every lock of the library is taken now and then.
                    if random.below(30) == 0 {
                        drop(Pool::new(1));
                    }
                    *shared.lock().unwrap() = futures;
                }
                (accepted, cancelled)
            })
        })
        .collect();
    for _ in 0..150 {
        let some: Vec<Future> = shared.lock().unwrap().clone();
        let unfinished = executor.submit(bump, address(ran)).unwrap();
        in_child(|| {
            for future in &some {
                check(matches!(future.state(), State::Finished | State::Cancelled));
                check(wait::result(future, FOREVER).is_ok() || future.cancel());
            }
            match unfinished.state() {
                State::Finished => check(wait::result(&unfinished, FOREVER).is_ok()),
                _ => check_status(wait::result(&unfinished, FOREVER), Status::Forked),
            }
            check(!unfinished.cancel());
            check_status(executor.submit(same, NULL), Status::Forked);
            check_status(executor.shutdown(true, true), Status::Forked);
            exercise_new_executor();
        });
        unfinished.get();
    }
    over.open();
    let (mut accepted, mut cancelled) = (150, 0);
    for thread in threads {
        let account = thread.join().unwrap();
        accepted += account.0;
        cancelled += account.1;
    }
    assert_eq!(ran.load(SeqCst) + cancelled, accepted);
}
