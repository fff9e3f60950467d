//! A6: completing needs no memory.

use crate::support::*;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering::SeqCst;
use tpexec::status::Status;
use tpexec::task::Future;
use tpexec::wait::{self, WaitFor};

thread_local! {
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
}

/// From now on this thread's allocations fail, or do not.
fn forbid_memory(forbidden: bool) {
    FORBIDDEN.with(|cell| cell.set(forbidden));
}

fn is_forbidden() -> bool {
    FORBIDDEN.try_with(Cell::get).unwrap_or(false)
}

// The C library's functions, interposed: the library under test has an allocator of its own, which ends here.
extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(n: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
}

#[no_mangle]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    if is_forbidden() {
        return std::ptr::null_mut();
    }
    unsafe { __libc_malloc(size) }
}

#[no_mangle]
unsafe extern "C" fn calloc(n: usize, size: usize) -> *mut c_void {
    if is_forbidden() {
        return std::ptr::null_mut();
    }
    unsafe { __libc_calloc(n, size) }
}

#[no_mangle]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if is_forbidden() {
        return std::ptr::null_mut();
    }
    unsafe { __libc_realloc(block, size) }
}

#[no_mangle]
unsafe extern "C" fn posix_memalign(block: *mut *mut c_void, align: usize, size: usize) -> c_int {
    if is_forbidden() {
        return libc::ENOMEM;
    }
    unsafe {
        *block = __libc_memalign(align, size);
        match (*block).is_null() {
            true => libc::ENOMEM,
            false => 0,
        }
    }
}

/// From the end of the task's function on the worker gets no memory: the completion does without, for everyone who waits.
#[test]
fn a06_completing_needs_no_memory() {
    let pool = Pool::new(1);
    let calls = counter();
    for _ in 0..50 {
        let blocker = pool.block();
        let future = pool.go(|| {
            forbid_memory(true);
            5
        });
        let waiter = {
            let future = future.clone();
            std::thread::spawn(move || wait_for(&[future], FOREVER, WaitFor::FirstCompleted).unwrap().n_done)
        };
        let queues = [Queue::new(), Queue::as_completed(std::slice::from_ref(&future))];
        queues[0].add(&future, 1).unwrap();
        future.on_done(|_| inc(calls));
        let last = pool.go(|| {
            forbid_memory(false);
            0
        });
        blocker.release();
        assert_eq!((queues[0].tag(), queues[1].tag(), queues[1].tag()), (Some(1), Some(0), None));
        assert_eq!((waiter.join().unwrap(), future.get()), (1, 5));
        last.get();
    }
    assert_eq!(calls.load(SeqCst), 50);
}

/// Cancelling completes, too. Adding to a queue needs memory and is refused without a trace; a done callback's record is in
/// recycled memory, of which there is some: it is accepted, and then it is called.
#[test]
fn a06_cancelling_needs_no_memory_and_what_adding_needs_is_refused_cleanly() {
    let pool = Pool::new(1);
    let blocker = pool.block();
    let (future, queue) = (pool.go(|| 0), Queue::new());
    queue.add(&future, 1).unwrap();
    let mut calls = 0usize;
    forbid_memory(true);
    let added = queue.add(&future, 2).map_err(|error| error.status);
    let called = unsafe { future.add_done_callback(count_call, (&raw mut calls).cast()) };
    let first = wait_for_one(&future).map_err(|error| error.status);
    let cancelled = future.cancel();
    forbid_memory(false);
    assert_eq!((added, first), (Err(Status::NoMemory), Err(Status::NoMemory)));
    assert!(cancelled && called.is_ok());
    assert_eq!(calls, 1);
    assert_eq!(queue.tag(), Some(1));
    assert_eq!(refused(queue.next(POLL)), Status::Timeout, "what was refused does not come out");
    blocker.release();
}

unsafe extern "C-unwind" fn count_call(_: *mut tpexec::task::Node, calls: Ptr) {
    unsafe { *calls.cast::<usize>() += 1 };
}

fn wait_for_one(future: &Future) -> tpexec::status::Result<wait::WaitOutcome> {
    let node: *const tpexec::task::Node = &**future;
    unsafe { wait::wait(&[node], ms(1), WaitFor::FirstCompleted) }
}
