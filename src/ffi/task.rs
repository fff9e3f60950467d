//! Section "inside a task" of the header: what a running task can say, and ask about itself.

use super::callbacks::tp_drop_fn;
use super::executor::tp_executor;
use super::future::tp_future;
use super::guard;
use super::status::tp_status;
use crate::current;
use crate::status::Result;
use core::ffi::{c_char, c_void, CStr};
use core::ptr;

/// Makes the calling task end as failed, whatever its function returns: waiting for it gives TP_ERR_TASK, and
/// tp_future_error() this report. The function goes on, and should return soon. A second call replaces the first.
///
/// @param code     any number, for tp_error.
/// @param message  UTF-8 text for tp_error, copied. NULL: "".
/// @return TP_OK; TP_ERR_INVALID_STATE: not inside a task (callbacks and drop functions are not); TP_ERR_NO_MEMORY:
/// the task has failed all the same, with its code, but with the message "".
///
/// Called by the task itself. Does not block.
/// Python: raise in the task.
#[no_mangle]
pub unsafe extern "C" fn tp_task_fail(code: i32, message: *const c_char) -> tp_status {
    guard("tp_task_fail", || {
        // SAFETY: NULL, or the caller's string.
        unsafe { fail(code, message, ptr::null_mut(), None) }
    })
}

/// Fails like tp_task_fail(), and adds data of the task's own to the report, for instance a C++ exception.
///
/// @param code     any number, for tp_error.
/// @param message  UTF-8 text for tp_error, copied. NULL: "".
/// @param payload  for tp_error; may be NULL. Owned by the future on TP_OK, if drop is given.
/// @param drop     disposes of payload when the future goes, or when another failure replaces this one. NULL: nothing
///                 to do.
/// @return as tp_task_fail(). On any failure payload stays the caller's, and drop does not run.
///
/// Called by the task itself. Does not block, but for what the drop function of a replaced payload does.
#[no_mangle]
pub unsafe extern "C" fn tp_task_fail_with(
    code: i32,
    message: *const c_char,
    payload: *mut c_void,
    drop: tp_drop_fn,
) -> tp_status {
    guard("tp_task_fail_with", || {
        // SAFETY: NULL, or the caller's string.
        unsafe { fail(code, message, payload, drop) }
    })
}

/// # Safety
/// `message` is NULL or a C string.
unsafe fn fail(code: i32, message: *const c_char, payload: *mut c_void, drop: tp_drop_fn) -> Result<tp_status> {
    // SAFETY: not NULL means a C string, by this function's contract.
    let message = (!message.is_null()).then(|| unsafe { CStr::from_ptr(message) });
    current::fail(code, message, payload, drop)?;
    Ok(tp_status::TP_OK)
}

/// Tells a task whether it should end early. Long tasks ask now and then.
///
/// @return true once tp_future_request_stop() was called for the calling task, or its executor was shut down with
/// TP_SHUTDOWN_CANCEL_FUTURES; false outside of a task.
///
/// Called by the task itself. Does not block.
#[no_mangle]
pub extern "C" fn tp_task_stop_requested() -> bool {
    guard("tp_task_stop_requested", || Ok(current::stop_requested()))
}

/// Gives the future of the task that is calling; when tasks run nested, of the innermost.
///
/// @return borrowed, and valid until the task returns: to keep it call tp_future_retain(). NULL outside of a task, in
/// callbacks and drop functions, and in a task without a future.
///
/// Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
#[no_mangle]
pub extern "C" fn tp_future_current() -> *mut tp_future {
    guard("tp_future_current", || Ok(current::future().cast()))
}

/// Gives the executor whose worker is calling.
///
/// @return borrowed, and valid until the task or callback returns. NULL on threads that are no workers.
///
/// Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
#[no_mangle]
pub extern "C" fn tp_executor_current() -> *mut tp_executor {
    guard("tp_executor_current", || Ok(current::executor().cast_mut().cast()))
}

/// Gives the full name of the worker that is calling, for instance "io_0". The operating system may show it cut.
///
/// @return a string of the worker's, valid as long as the thread. NULL on threads that are no workers.
///
/// Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
#[no_mangle]
pub extern "C" fn tp_worker_name() -> *const c_char {
    guard("tp_worker_name", || Ok(current::worker_name()))
}
