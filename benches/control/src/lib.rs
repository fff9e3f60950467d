//! The control of the benchmark: the thread pool that a Rust textbook builds.
//!
//! One unbounded crossbeam channel carries boxed closures to threads that are started up front; each result comes back through a
//! oneshot channel. Every part is a well-made, widely used crate, put together the usual way. A C shell (`control.h`) lets the same C
//! loops drive this pool and libtpexec, so that both pay the same price for the crossing.
//!
//! It is a control, not a product: no cancel, no callbacks, no errors, and a task that waits for another blocks its thread, so that
//! nested fork-join would stop for ever.

// The library's rule that allocation must be able to fail is not the textbook's.
#![allow(clippy::disallowed_methods)]

use std::ffi::c_void;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{unbounded, Sender};

type TaskFn = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Job = Box<dyn FnOnce() + Send>;

pub struct Pool {
    jobs: Sender<Job>,
    workers: Vec<JoinHandle<()>>,
}

/// A C pointer on its way to another thread and back; what it points at is the C caller's affair.
struct Value(*mut c_void);
// SAFETY: the pointer is only carried, never read; the driver shares what it points at between threads on purpose.
unsafe impl Send for Value {}

impl Value {
    // A method, so that closures capture the Value and not (edition 2021) the bare pointer in it, which is not Send.
    fn get(self) -> *mut c_void {
        self.0
    }
}

#[no_mangle]
pub extern "C" fn control_pool_new(workers: usize) -> *mut Pool {
    let (jobs, inbox) = unbounded::<Job>();
    let workers = (0..workers)
        .map(|_| {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.iter().for_each(|job| job()))
        })
        .collect();
    Box::into_raw(Box::new(Pool { jobs, workers }))
}

/// Runs what was submitted, ends the threads, frees the pool.
///
/// # Safety
/// `pool` comes from `control_pool_new` and no other call on it is running or follows.
#[no_mangle]
pub unsafe extern "C" fn control_pool_free(pool: *mut Pool) {
    // SAFETY: the caller hands back what control_pool_new gave out.
    let Pool { jobs, workers } = *unsafe { Box::from_raw(pool) };
    drop(jobs);
    for worker in workers {
        worker.join().expect("a worker of the control panicked");
    }
}

/// Submits `f(arg)`; the handle goes to exactly one `control_result`.
///
/// # Safety
/// `pool` is alive; `f` may be called with `arg` on any thread.
#[no_mangle]
pub unsafe extern "C" fn control_submit(pool: *const Pool, f: TaskFn, arg: *mut c_void) -> *mut c_void {
    let (sender, receiver) = oneshot::channel();
    let arg = Value(arg);
    let job = Box::new(move || {
        // SAFETY: the submitter promised that f may be called with arg on any thread.
        let result = Value(unsafe { f(arg.get()) });
        // Fails only when the receiver is gone; then nobody wants the result.
        let _ = sender.send(result);
    });
    // SAFETY: the caller promises a live pool.
    unsafe { &*pool }.jobs.send(job).expect("the control has no workers");
    receiver.into_raw().cast()
}

/// Waits for the result and frees the handle.
///
/// # Safety
/// `handle` comes from `control_submit` and is used once.
#[no_mangle]
pub unsafe extern "C" fn control_result(handle: *mut c_void) -> *mut c_void {
    // SAFETY: control_submit made the handle by into_raw from this very type.
    let receiver = unsafe { oneshot::Receiver::<Value>::from_raw(handle.cast()) };
    receiver.recv().expect("the task was dropped").get()
}

/// Submits `f(arg)` and forgets it.
///
/// # Safety
/// As `control_submit`.
#[no_mangle]
pub unsafe extern "C" fn control_execute(pool: *const Pool, f: TaskFn, arg: *mut c_void) {
    let arg = Value(arg);
    let job = Box::new(move || {
        // SAFETY: the submitter promised that f may be called with arg on any thread.
        unsafe { f(arg.get()) };
    });
    // SAFETY: the caller promises a live pool.
    unsafe { &*pool }.jobs.send(job).expect("the control has no workers");
}
