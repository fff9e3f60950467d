//! Section "callbacks" of the header: the functions that C hands to the library, and the report of a failed task.

use super::future::tp_future;
use crate::task::{DoneFn, ErrorRecord, UnhandledFn};
use core::ffi::{c_char, c_int, c_void};
use core::mem::{offset_of, transmute};

/// What a failed task reported with tp_task_fail() or tp_task_fail_with(). Only the library makes one, and later
/// versions may append members, so it is never copied by value or put into an array.
///
/// It belongs to the future and is valid for as long as the caller holds a reference to that; in a
/// tp_unhandled_error_fn, for that call. It never changes, so any thread may read it.
#[repr(C)]
pub struct tp_error {
    /// The number the task chose. It has nothing to do with tp_status, and 0 is as good as any.
    pub code: i32,
    /// 0.
    pub reserved: u32,
    /// The task's text, a copy; "" when it gave none. Never NULL.
    pub message: *const c_char,
    /// The task's own data, for instance a boxed C++ exception; may be NULL.
    pub payload: *mut c_void,
}

/// A task's function; what it returns is the result of its future. It has the shape of a pthread start routine.
///
/// It runs on a worker of its executor, or on a worker of that executor that waits for it, and may call any function of
/// the library. It must come back by returning. So must all other functions that a program hands to the library; one
/// that leaves in another way ends the process, and never hangs it:
///
/// - a C++ exception: SIGABRT, by std::terminate() where nothing would catch it, else by the library with a message;
/// - pthread_exit(): SIGABRT with a message. So does cancelling the thread; but what pthread_cancel() asks of a worker
///   stays pending, because workers run with cancellation disabled, unless a task enables it;
/// - longjmp() out of it is undefined, as C has it. Out of a function that runs inside of another one, into that, it is
///   SIGABRT with a message when the outer one returns. A longjmp() that stays inside is fine;
/// - more stack than the worker has: SIGSEGV, from the guard page below the stack. See stack_size in tp_executor_config.
pub type tp_task_fn = Option<unsafe extern "C-unwind" fn(arg: *mut c_void) -> *mut c_void>;

/// Frees or otherwise disposes of a pointer that was given to the library. It runs exactly once per pointer accepted,
/// with no lock held, and may call any function of the library.
pub type tp_drop_fn = Option<unsafe extern "C-unwind" fn(ptr: *mut c_void)>;

/// Hears that a future is done. The future is borrowed for the call: who wants to keep it calls tp_future_retain(). It
/// runs with no lock held, and may call any function of the library.
pub type tp_done_fn = Option<unsafe extern "C-unwind" fn(future: *mut tp_future, user_data: *mut c_void)>;

/// Prepares a new worker thread, on it and before its first task. Not 0 means failure, and breaks the executor.
pub type tp_initializer_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void) -> c_int>;

/// Undoes what the initializer did, on the worker and after its last task.
pub type tp_finalizer_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;

/// Hears of a task's failure that nobody has looked at and nobody can look at any more. The error is borrowed for the
/// call. It runs with no lock held, and may call any function of the library.
pub type tp_unhandled_error_fn = Option<unsafe extern "C-unwind" fn(error: *const tp_error, user_data: *mut c_void)>;

// A tp_error is the core's ErrorRecord under its C name.
const _: () = {
    assert!(size_of::<tp_error>() == size_of::<ErrorRecord>());
    assert!(align_of::<tp_error>() == align_of::<ErrorRecord>());
    assert!(offset_of!(tp_error, code) == offset_of!(ErrorRecord, code));
    assert!(offset_of!(tp_error, reserved) == offset_of!(ErrorRecord, reserved));
    assert!(offset_of!(tp_error, message) == offset_of!(ErrorRecord, message));
    assert!(offset_of!(tp_error, payload) == offset_of!(ErrorRecord, payload));
};

/// A done callback as the core calls it.
pub(super) fn done(callback: unsafe extern "C-unwind" fn(*mut tp_future, *mut c_void)) -> DoneFn {
    // SAFETY: the types differ only in what a thin pointer argument points at, which calls do not see. What the core
    // passes is a node, and a tp_future is the header's name for one.
    unsafe { transmute(callback) }
}

/// An unhandled-error callback as the core calls it.
pub(super) fn unhandled(callback: unsafe extern "C-unwind" fn(*const tp_error, *mut c_void)) -> UnhandledFn {
    // SAFETY: as above; ErrorRecord and tp_error are one layout (asserted above).
    unsafe { transmute(callback) }
}
