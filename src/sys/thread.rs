//! Threads through pthread: start, join, detach, name, stack bounds. Called by `worker` and `executor`.

use crate::status::{Error, Result};
use std::ffi::{c_int, c_void, CStr};

#[cfg(any(loom, shuttle))]
pub(crate) use super::model::{set_name, Thread};

/// A started thread that nobody has joined or detached yet.
#[cfg(not(any(loom, shuttle)))]
#[derive(Clone, Copy)]
pub(crate) struct Thread(libc::pthread_t);

#[cfg(not(any(loom, shuttle)))]
// SAFETY: a pthread_t may be joined or detached from any thread; it is a plain identifier.
unsafe impl Send for Thread {}

#[cfg(not(any(loom, shuttle)))]
impl Thread {
    /// Starts `main(arg)` on a new thread, which inherits the caller's signal mask as every thread does. `stack_size` in
    /// bytes; 0: the system's default.
    ///
    /// # Safety
    /// `main(arg)` may be called on another thread.
    pub(crate) unsafe fn start(
        main: extern "C" fn(*mut c_void) -> *mut c_void,
        arg: *mut c_void,
        stack_size: usize,
    ) -> Result<Thread> {
        // SAFETY: the attribute object is initialised before use and destroyed after.
        unsafe {
            let mut attr = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
            check(libc::pthread_attr_init(attr.as_mut_ptr()))?;
            let mut rc = 0;
            if stack_size != 0 {
                rc = libc::pthread_attr_setstacksize(attr.as_mut_ptr(), round_up(stack_size));
            }
            let mut thread = std::mem::MaybeUninit::<libc::pthread_t>::uninit();
            if rc == 0 {
                rc = libc::pthread_create(thread.as_mut_ptr(), attr.as_ptr(), main, arg);
            }
            libc::pthread_attr_destroy(attr.as_mut_ptr());
            check(rc)?;
            Ok(Thread(thread.assume_init()))
        }
    }

    /// Waits until the thread has ended.
    ///
    /// # Safety
    /// Not joined or detached before, and not the calling thread.
    pub(crate) unsafe fn join(self) {
        // SAFETY: this function's contract.
        uncancelled(|| unsafe { libc::pthread_join(self.0, std::ptr::null_mut()) });
    }

    /// Lets the thread's resources go by themselves when it ends.
    ///
    /// # Safety
    /// Not joined or detached before.
    pub(crate) unsafe fn detach(self) {
        // SAFETY: this function's contract.
        unsafe { libc::pthread_detach(self.0) };
    }
}

extern "C" {
    // The `libc` crate has it for some systems only.
    fn pthread_setcancelstate(state: c_int, former: *mut c_int) -> c_int;
}

/// PTHREAD_CANCEL_DISABLE of glibc and musl.
const CANCEL_DISABLE: c_int = 1;

/// From here on pthread_cancel() of the calling thread waits, unless somebody enables it again. The state before.
pub(crate) fn disable_cancellation() -> c_int {
    let mut former = 0;
    // SAFETY: a known state, and room for the former one.
    unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut former) };
    former
}

/// Makes calls that POSIX has as cancellation points, and are none here: cancelling the caller inside of them would unwind our
/// frames, with locks held.
pub(crate) fn uncancelled<R>(call: impl FnOnce() -> R) -> R {
    let former = disable_cancellation();
    let answer = call();
    // SAFETY: a state that was in force before.
    unsafe { pthread_setcancelstate(former, &mut 0) };
    answer
}

/// Names the calling thread for the operating system. Linux takes 15 bytes.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: a NUL-terminated string of this process. A refused name is no reason to fail.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
}

/// The smallest stack that the system gives a thread.
pub(crate) fn smallest_stack() -> usize {
    libc::PTHREAD_STACK_MIN
}

/// The calling thread's errno.
pub(crate) fn errno() -> c_int {
    // SAFETY: the location is the calling thread's own.
    unsafe { *libc::__errno_location() }
}

/// Ends the process at once: no handlers, no flushing.
pub(crate) fn exit_now() -> ! {
    // SAFETY: _exit may be called anywhere.
    unsafe { libc::_exit(0) }
}

/// Ends the process by SIGABRT, with a line on the standard error output.
#[cold]
pub(crate) fn abort_saying(what: &CStr) -> ! {
    let line = [what.to_bytes(), b"\n"]
        .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // SAFETY: both parts are there for the call. Nothing of what this thread holds is needed, unlike for std's output.
    unsafe { libc::writev(libc::STDERR_FILENO, line.as_ptr(), line.len() as c_int) };
    std::process::abort();
}

fn round_up(bytes: usize) -> usize {
    const PAGE: usize = 4096;
    bytes.checked_add(PAGE - 1).map_or(bytes, |b| b & !(PAGE - 1))
}

fn check(rc: c_int) -> Result<()> {
    match rc {
        0 => Ok(()),
        errno => Err(Error::os("the system could not start a thread", errno)),
    }
}
