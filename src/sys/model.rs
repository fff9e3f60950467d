//! What models have instead of an operating system: threads, sleeping on a word, and a clock. Used by `thread`, `futex` and
//! `clock`, under loom and shuttle.

use super::clock::Deadline;
use super::futex::Woken;
use crate::alloc::try_box;
use crate::status::{Error, Result, Status};
use crate::sync::{global, AtomicU64, Mutex, Ordering::*};
use std::cell::Cell;
use std::ffi::{c_void, CStr};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

#[cfg(loom)]
use loom::{sync::Condvar, thread};
#[cfg(shuttle)]
use shuttle::{sync::Condvar, thread};

/// A started thread that nobody has joined or detached yet.
#[derive(Clone, Copy)]
pub(crate) struct Thread(*mut thread::JoinHandle<()>);

// SAFETY: the handle is used by whoever joins or detaches the thread, once.
unsafe impl Send for Thread {}

impl Thread {
    /// See `thread::Thread::start`.
    ///
    /// # Safety
    /// `main(arg)` may be called on another thread.
    pub(crate) unsafe fn start(
        main: extern "C" fn(*mut c_void) -> *mut c_void,
        arg: *mut c_void,
        _stack_size: usize,
    ) -> Result<Thread> {
        if REFUSES.load(Relaxed) {
            return Err(Error::new(Status::System, "the model has no thread left"));
        }
        let arg = arg.expose_provenance();
        let handle = thread::spawn(move || drop_pointer(main(std::ptr::with_exposed_provenance_mut(arg))));
        try_box(handle).map(|handle| Thread(Box::into_raw(handle)))
    }

    /// # Safety
    /// Not joined or detached before, and not the calling thread.
    pub(crate) unsafe fn join(self) {
        // SAFETY: made by `start`; this function's contract.
        unsafe { Box::from_raw(self.0) }.join().expect("a worker's code does not panic");
    }

    /// # Safety
    /// Not joined or detached before.
    pub(crate) unsafe fn detach(self) {
        DETACHED.lock().extend([self]);
    }
}

global! {
    /// Whether threads cannot be started now. Of std: looking at it is no step of the model.
    static REFUSES: AtomicBool = AtomicBool::new(false);
}

/// From here on no thread can be started. Called by models.
#[cfg(loom)]
pub(crate) fn refuse_threads() {
    REFUSES.store(true, Relaxed);
}

global! {
    /// Threads that nobody is to join but a model at its end: the statics of an execution go with its first thread.
    static DETACHED: Mutex<Vec<Thread>> = Mutex::new(Vec::new());
}

/// Waits until the threads that were detached have ended. Called by models.
#[cfg(loom)]
pub(crate) fn join_detached() {
    loop {
        let thread = DETACHED.lock().pop();
        match thread {
            // SAFETY: given to this list alone.
            Some(thread) => unsafe { thread.join() },
            None => return,
        }
    }
}

/// Threads of a model have no names.
pub(crate) fn set_name(_: &CStr) {}

/// A stack with room for everything, so that tasks run inline.
pub(crate) fn of_this_thread(_asked: usize) -> (usize, usize) {
    (0, 0)
}

fn drop_pointer(_: *mut c_void) {}

/// Someone who sleeps on a word.
struct Sleeper {
    address: *const u32,
    deadline: Option<Deadline>,
    /// What the sleep has ended with, when it has.
    ended: Cell<Option<Woken>>,
    bell: Condvar,
}

// SAFETY: the address is a key, and nobody follows it; `ended` is touched under the lock of SLEEPERS.
unsafe impl Send for Sleeper {}
// SAFETY: as above.
unsafe impl Sync for Sleeper {}

global! {
    /// Those who sleep, in the order in which they fell asleep.
    static SLEEPERS: Mutex<Vec<Arc<Sleeper>>> = Mutex::new(Vec::new());
}

global! {
    /// How often the clock has struck.
    static STROKES: AtomicU64 = AtomicU64::new(0);
}

/// What the clock shows.
pub(super) fn now() -> u64 {
    STROKES.load(Acquire)
}

/// Every deadline there is passes, and all who sleep until one wake. Called by models, on a thread of their own: so time is up
/// at every moment at which it may be.
pub(crate) fn strike() {
    let mut sleepers = SLEEPERS.lock();
    STROKES.fetch_add(1, AcqRel);
    end(&mut sleepers, usize::MAX, Woken::TimedOut, |sleeper| sleeper.deadline.is_some_and(Deadline::passed));
}

/// How many sleep until a deadline. Called by models.
#[cfg(loom)]
pub(crate) fn limited_sleepers() -> usize {
    SLEEPERS.lock().iter().filter(|sleeper| sleeper.deadline.is_some()).count()
}

/// The contract of futex.h: sleeps, unless the word has changed by now.
pub(super) fn wait(address: *const u32, _: u32, deadline: Option<Deadline>, unchanged: impl Fn() -> bool) -> Woken {
    let mut sleepers = SLEEPERS.lock();
    if !unchanged() {
        return Woken::Perhaps;
    }
    if deadline.is_some_and(Deadline::passed) {
        return Woken::TimedOut;
    }
    let me = Arc::from(Sleeper { address, deadline, ended: Cell::new(None), bell: Condvar::new() });
    sleepers.extend([me.clone()]);
    loop {
        sleepers = me.bell.wait(sleepers).expect("nobody panics here");
        if let Some(woken) = me.ended.get() {
            return woken;
        }
    }
}

/// Wakes the `n` at that address who have slept longest.
pub(super) fn wake(address: *const u32, n: u32) {
    end(&mut SLEEPERS.lock(), n as usize, Woken::Perhaps, |sleeper| sleeper.address == address);
}

/// Ends the sleep of the first `n` of whom `whom` says yes.
fn end(sleepers: &mut Vec<Arc<Sleeper>>, n: usize, woken: Woken, whom: impl Fn(&Sleeper) -> bool) {
    let mut left = n;
    sleepers.retain(|sleeper| {
        let ends = left > 0 && whom(sleeper);
        if ends {
            left -= 1;
            sleeper.ended.set(Some(woken));
            sleeper.bell.notify_one();
        }
        !ends
    });
}
