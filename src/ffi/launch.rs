//! Section "submitting" of the header, second part: a task with a value of the caller's in its own memory, in two steps.

use super::callbacks::{tp_drop_fn, tp_task_fn};
use super::check::{borrow, function, invalid, put, require};
use super::executor::tp_executor;
use super::future::tp_future;
use super::guard;
use super::status::tp_status;
use crate::executor::Executor;
use crate::task::Node;
use core::ffi::c_void;

/// The largest alignment of a payload: a page.
const MAX_ALIGN: usize = 4096;

/// Prepares a task whose argument, the payload, lives in memory that the library provides: the submitter makes a value
/// there, for instance a closure with room for its result, and submits the task with tp_task_launch(). Small payloads (up
/// to 192 bytes) cost no allocation once the program has warmed up; a large one costs one.
///
/// Until tp_task_launch() succeeds the payload is the caller's to make and to destroy; releasing the future then frees the
/// memory and calls nothing. The future's state is TP_STATE_PENDING, it cannot be cancelled, and whatever would wait for
/// it or register with it fails with TP_ERR_INVALID_STATE. It does not count as a task of the executor, which may be shut
/// down and freed meanwhile.
///
/// @param executor  borrowed.
/// @param size      bytes of the payload; 0 is fine.
/// @param align     a power of two, at most 4096; the payload's address is a multiple of it.
/// @param future    receives the future, owned by the caller; written only on TP_OK. Not NULL.
/// @param payload   receives the payload's address, which is valid as long as the future, or until drop_payload has
///                  returned in a call that cancels the task; written only on TP_OK. Not NULL.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor, future or payload is NULL, size is impossible, or align not as
/// above; TP_ERR_FORKED; TP_ERR_BROKEN; TP_ERR_SHUTDOWN; TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_task_prepare(
    executor: *mut tp_executor,
    size: usize,
    align: usize,
    future: *mut *mut tp_future,
    payload: *mut *mut c_void,
) -> tp_status {
    guard("tp_task_prepare", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        require(size <= isize::MAX as usize, invalid("size is more than memory can hold"))?;
        require(align.is_power_of_two() && align <= MAX_ALIGN, invalid("align is not a power of two up to 4096"))?;
        require(!future.is_null(), invalid("future is NULL"))?;
        require(!payload.is_null(), invalid("payload is NULL"))?;
        let (prepared, place) = executor.prepare(size, align)?;
        // SAFETY: the caller has room for a handle and a pointer there.
        unsafe {
            put(future, prepared.into_raw().cast());
            put(payload, place);
        }
        Ok(tp_status::TP_OK)
    })
}

/// Submits a task that tp_task_prepare() made: a worker will run fn(payload), as if it came from tp_submit(). From then on
/// the payload is the task's. What fn returns is the future's result; it may point into the payload, which stays until
/// the last reference to the future goes, whether or not the result was taken.
///
/// @param future        borrowed: prepared, and not launched yet.
/// @param fn            what to run. Not NULL.
/// @param drop_payload  destroys what is in the payload, exactly once for a launched task: in the call that cancels it, or
///                      when the last reference to its future goes, after the drop functions of a failure's payload. The
///                      memory is the library's to free. NULL: nothing to do.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: future or fn is NULL; TP_ERR_FORKED; TP_ERR_INVALID_STATE: launched before, or
/// not from tp_task_prepare(); TP_ERR_BROKEN; TP_ERR_SHUTDOWN: the executor has been shut down, or is gone;
/// TP_ERR_SYSTEM: there is no thread and none can be started; TP_ERR_NO_MEMORY. On any failure fn and drop_payload will
/// not run, and nothing has changed: the payload is the caller's still, and may be launched again.
///
/// Any thread, tasks and callbacks included; of several at once, one succeeds. Like every submission it must not overlap
/// with tp_executor_free() or tp_executor_detach(). Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_task_launch(
    future: *mut tp_future,
    r#fn: tp_task_fn,
    drop_payload: tp_drop_fn,
) -> tp_status {
    guard("tp_task_launch", || {
        // SAFETY: a handle that is not NULL is live.
        let future: &Node = unsafe { borrow(future, "future is NULL") }?;
        let run = function(r#fn, "fn is NULL")?;
        // SAFETY: the caller vouches for fn, drop_payload and what it made in the payload together.
        unsafe { future.launch(run, drop_payload) }?;
        Ok(tp_status::TP_OK)
    })
}

/// Submits a task that tp_task_prepare() made, and takes its future: to tp_task_launch() what tp_execute() is to tp_submit().
/// The task cannot be waited for or cancelled alone, and a failure goes to the executor's unhandled_error, on the worker. It
/// costs less than tp_task_launch() and tp_future_release(), which report on the caller's thread where the task is quicker.
///
/// @param future        prepared, not launched yet, and the only reference; taken on TP_OK. No other thread uses it.
/// @param fn            what to run. Not NULL. What it returns is ignored.
/// @param drop_payload  destroys what is in the payload, exactly once for a task that was submitted: on the worker when the
///                      task has ended, or in the call that cancels it. The memory is the library's to free. NULL: nothing
///                      to do.
/// @return as tp_task_launch(); TP_ERR_INVALID_STATE also when there are other references. On any failure the future stays
/// the caller's, and may be launched again.
///
/// Any thread, tasks and callbacks included. Like every submission it must not overlap with tp_executor_free() or
/// tp_executor_detach(). Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_task_execute(
    future: *mut tp_future,
    r#fn: tp_task_fn,
    drop_payload: tp_drop_fn,
) -> tp_status {
    guard("tp_task_execute", || {
        // SAFETY: a handle that is not NULL is live.
        let future: &Node = unsafe { borrow(future, "future is NULL") }?;
        let run = function(r#fn, "fn is NULL")?;
        // SAFETY: the caller vouches for fn, drop_payload and what it made in the payload together, and gives its reference.
        unsafe { future.execute(run, drop_payload) }?;
        Ok(tp_status::TP_OK)
    })
}
