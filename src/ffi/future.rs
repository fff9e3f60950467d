//! Section "future" of the header: waiting for a task's outcome, asking how it stands, cancelling it, hearing of its end.

use super::callbacks::{self, tp_done_fn, tp_error};
use super::check::{borrow, function, invalid, put, require};
use super::guard;
use super::status::tp_status;
use crate::task::{Future, Node, State};
use crate::wait::{self, Timeout};
use core::ffi::c_void;
use core::ptr;

/// The outcome of a task, now or later. Who holds a reference may use it from any thread, by several threads at once.
/// References are counted: tp_future_retain() adds one, tp_future_release() gives one back.
pub struct tp_future {
    _private: [u8; 0],
}

/// How a future stands. It goes from PENDING to RUNNING to FINISHED, or from PENDING to CANCELLED; if its executor is
/// broken, from PENDING to FINISHED. FINISHED and CANCELLED are final: the future is done.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum tp_state {
    /// Waits for a worker, or to be launched.
    TP_STATE_PENDING = 0,
    /// Its function has been entered.
    TP_STATE_RUNNING = 1,
    /// It was cancelled before it started, and never will.
    TP_STATE_CANCELLED = 2,
    /// It has its outcome: a result or a failure.
    TP_STATE_FINISHED = 3,
}

/// The state of a future as the core sees it; that of none is PENDING.
///
/// # Safety
/// A future that is not NULL is live.
unsafe fn state(future: *const tp_future) -> State {
    // SAFETY: this function's contract.
    unsafe { future.cast::<Node>().as_ref() }.map_or(State::Pending, Node::state)
}

/// How long to wait for `future`. For one that is done the clock, whose reading takes longer than all the rest of such a
/// call, is left alone: no time will be needed (R1).
#[inline]
fn limit(future: &Node, timeout_ns: i64) -> Timeout {
    if timeout_ns != i64::MAX && matches!(future.state(), State::Finished | State::Cancelled) {
        return Timeout::Poll;
    }
    Timeout::from_ns(timeout_ns)
}

/// Waits until a future is done and gives its result.
///
/// On a worker of the task's own executor, a call that would have to wait for a pending task runs that task itself, at
/// once: nested waits cannot starve, but a limited wait may last as long as that task. If tasks wait for each other in
/// a circle without limit, the wait that would close the circle fails instead.
///
/// @param future      borrowed.
/// @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
/// @param result      receives what the task's function returned; written only on TP_OK. NULL: just wait. The pointer
///                    is the future's if the task has a drop_result, and valid while the caller holds a reference.
/// @return TP_OK; TP_ERR_TASK: the task failed, see tp_future_error(); TP_ERR_CANCELLED; TP_ERR_BROKEN: a worker's
/// initializer failed before the task started; TP_ERR_TIMEOUT: not done yet; TP_ERR_INVALID_ARGUMENT: future is NULL;
/// TP_ERR_INVALID_STATE: the result was taken, or the task has been prepared and not launched; TP_ERR_DEADLOCK: the wait
/// could never end; TP_ERR_FORKED: not done, and its executor is the parent's.
///
/// Any thread, tasks and callbacks included. Blocks.
/// Python: Future.result(timeout).
#[no_mangle]
pub unsafe extern "C" fn tp_future_result(
    future: *mut tp_future,
    timeout_ns: i64,
    result: *mut *mut c_void,
) -> tp_status {
    guard("tp_future_result", || {
        // SAFETY: a handle that is not NULL is live.
        let future: &Node = unsafe { borrow(future, "future is NULL") }?;
        let value = wait::result(future, limit(future, timeout_ns))?;
        // SAFETY: NULL, or the caller has room for a pointer there.
        unsafe { put(result, value) };
        Ok(tp_status::TP_OK)
    })
}

/// Waits like tp_future_result(), and makes the result the caller's: the task's drop_result will not run for it.
/// Pointers to it that tp_future_result() gave out before are then the taker's to keep valid.
///
/// @param future      borrowed.
/// @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
/// @param result      receives what the task's function returned, owned by the caller; written only on TP_OK. Not NULL.
/// @return as tp_future_result(); TP_ERR_INVALID_ARGUMENT also when result is NULL. Among several takers one gets
/// TP_OK, and all others, like every later tp_future_result(), TP_ERR_INVALID_STATE.
///
/// Any thread, tasks and callbacks included. Blocks.
#[no_mangle]
pub unsafe extern "C" fn tp_future_take(
    future: *mut tp_future,
    timeout_ns: i64,
    result: *mut *mut c_void,
) -> tp_status {
    guard("tp_future_take", || {
        // SAFETY: a handle that is not NULL is live.
        let future: &Node = unsafe { borrow(future, "future is NULL") }?;
        require(!result.is_null(), invalid("result is NULL"))?;
        let value = wait::take(future, limit(future, timeout_ns))?;
        // SAFETY: the caller has room for a pointer there.
        unsafe { put(result, value) };
        Ok(tp_status::TP_OK)
    })
}

/// Waits like tp_future_result(), and tells how the task failed, if it did.
///
/// @param future      borrowed.
/// @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
/// @param error       receives NULL if the task succeeded, else its report, which is the future's and valid while the
///                    caller holds a reference; written only on TP_OK. NULL: just wait.
/// @return TP_OK: the task has run, and *error tells the rest. Never TP_ERR_TASK. Else as tp_future_result().
///
/// Any thread, tasks and callbacks included. Blocks.
/// Python: Future.exception(timeout).
#[no_mangle]
pub unsafe extern "C" fn tp_future_error(
    future: *mut tp_future,
    timeout_ns: i64,
    error: *mut *const tp_error,
) -> tp_status {
    guard("tp_future_error", || {
        // SAFETY: a handle that is not NULL is live.
        let future: &Node = unsafe { borrow(future, "future is NULL") }?;
        let record = wait::error(future, limit(future, timeout_ns))?;
        // SAFETY: NULL, or the caller has room for a pointer there.
        unsafe { put(error, record.map_or(ptr::null(), <*const _>::cast)) };
        Ok(tp_status::TP_OK)
    })
}

/// Tells how a future stands at this moment.
///
/// @param future  borrowed.
/// @return its state; TP_STATE_PENDING for NULL. A state that is done stays; others may be over when it is returned.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_future_state(future: *const tp_future) -> tp_state {
    guard("tp_future_state", || {
        // SAFETY: a handle that is not NULL is live.
        Ok(match unsafe { state(future) } {
            State::Pending => tp_state::TP_STATE_PENDING,
            State::Running => tp_state::TP_STATE_RUNNING,
            State::Cancelled => tp_state::TP_STATE_CANCELLED,
            State::Finished => tp_state::TP_STATE_FINISHED,
        })
    })
}

/// Cancels a task that has not started. Its drop_arg or drop_payload runs in this call, waiters wake up, and done
/// callbacks run in this call. A running task is not disturbed; tp_future_request_stop() asks it to end.
///
/// @param future  borrowed.
/// @return true: it is cancelled, by this call or before, and will never run. false: it runs or has finished, or future
/// is NULL, or it has been prepared and not launched, or it is pending in an executor of the parent process.
///
/// Any thread, tasks and callbacks included. Does not block, but for what the callbacks do.
/// Python: Future.cancel().
#[no_mangle]
pub unsafe extern "C" fn tp_future_cancel(future: *mut tp_future) -> bool {
    guard("tp_future_cancel", || {
        // SAFETY: a handle that is not NULL is live.
        Ok(unsafe { future.cast::<Node>().as_ref() }.is_some_and(Node::cancel))
    })
}

/// Tells whether a task was cancelled.
///
/// @param future  borrowed.
/// @return true if its state is TP_STATE_CANCELLED; false for NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: Future.cancelled().
#[no_mangle]
pub unsafe extern "C" fn tp_future_cancelled(future: *const tp_future) -> bool {
    // SAFETY: a handle that is not NULL is live.
    guard("tp_future_cancelled", || Ok(matches!(unsafe { state(future) }, State::Cancelled)))
}

/// Tells whether a task is running at this moment.
///
/// @param future  borrowed.
/// @return true if its state is TP_STATE_RUNNING; false for NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: Future.running().
#[no_mangle]
pub unsafe extern "C" fn tp_future_running(future: *const tp_future) -> bool {
    // SAFETY: a handle that is not NULL is live.
    guard("tp_future_running", || Ok(matches!(unsafe { state(future) }, State::Running)))
}

/// Tells whether a future is done, that is finished or cancelled.
///
/// @param future  borrowed.
/// @return true if its state is TP_STATE_FINISHED or TP_STATE_CANCELLED; false for NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: Future.done().
#[no_mangle]
pub unsafe extern "C" fn tp_future_done(future: *const tp_future) -> bool {
    // SAFETY: a handle that is not NULL is live.
    guard("tp_future_done", || Ok(matches!(unsafe { state(future) }, State::Finished | State::Cancelled)))
}

/// Has fn(future, user_data) called once, when the future is done: by the worker that ran the task or the thread that
/// cancelled it, in the order in which callbacks were added; or, if it is done already, by this call. Waiters are woken
/// before callbacks run, so a result may be in use while they do.
///
/// @param future     borrowed. The library keeps it alive until the callback has returned, also if the caller does not.
/// @param fn         what to call. Not NULL. The same one may be added several times.
/// @param user_data  given to fn; may be NULL. It must stay valid until fn has been called; the library does not look
///                   at it.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: future or fn is NULL; TP_ERR_FORKED: not done, and its executor is the
/// parent's; TP_ERR_INVALID_STATE: prepared and not launched; TP_ERR_NO_MEMORY. On any failure fn will not be called.
///
/// Any thread, tasks and callbacks included. Does not block, but for what fn does.
/// Python: Future.add_done_callback(fn).
#[no_mangle]
pub unsafe extern "C" fn tp_future_add_done_callback(
    future: *mut tp_future,
    r#fn: tp_done_fn,
    user_data: *mut c_void,
) -> tp_status {
    guard("tp_future_add_done_callback", || {
        // SAFETY: a handle that is not NULL is live.
        let future: &Node = unsafe { borrow(future, "future is NULL") }?;
        let callback = callbacks::done(function(r#fn, "fn is NULL")?);
        // SAFETY: the caller vouches for fn and user_data together.
        unsafe { future.add_done_callback(callback, user_data) }?;
        Ok(tp_status::TP_OK)
    })
}

/// Asks a task to end: a pending one is cancelled as by tp_future_cancel(), a running one can see the request with
/// tp_task_stop_requested() and return early. A future that is done stays as it is.
///
/// @param future  borrowed. NULL does nothing.
///
/// Any thread, tasks and callbacks included. Does not block, but for what done callbacks do.
#[no_mangle]
pub unsafe extern "C" fn tp_future_request_stop(future: *mut tp_future) {
    guard("tp_future_request_stop", || {
        // SAFETY: a handle that is not NULL is live.
        if let Some(future) = unsafe { future.cast::<Node>().as_ref() } {
            future.request_stop();
        }
        Ok(())
    })
}

/// Adds a reference to a future, so that one more holder may use and has to release it.
///
/// @param future  borrowed: the caller holds a reference, or the future is lent to it by a callback.
/// @return future itself, as a reference owned by the caller; NULL for NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_future_retain(future: *mut tp_future) -> *mut tp_future {
    guard("tp_future_retain", || {
        // SAFETY: a handle that is not NULL is live.
        let retained = unsafe { future.cast::<Node>().as_ref() }.map(Node::retain);
        Ok(retained.map_or(ptr::null_mut(), |future| future.into_raw().cast()))
    })
}

/// Gives a reference to a future back. That cancels nothing: a task whose future nobody holds still runs. With the last
/// reference go the result (drop_result runs, if there is one to drop), the error, which unhandled_error hears of if
/// nobody has looked at it, and the payload (drop_payload runs, if the task was launched).
///
/// @param future  a reference that the caller owns, and must not use again. NULL does nothing.
///
/// Any thread, tasks and callbacks included. Does not block, but for what the functions named do.
#[no_mangle]
pub unsafe extern "C" fn tp_future_release(future: *mut tp_future) {
    guard("tp_future_release", || {
        if !future.is_null() {
            // SAFETY: the caller owns a reference and gives it up.
            drop(unsafe { Future::from_raw(future.cast()) });
        }
        Ok(())
    })
}
