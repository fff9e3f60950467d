//! Section "many futures" of the header, first part: waiting for several.

use super::check::{handles, invalid, number, put};
use super::future::tp_future;
use super::guard;
use super::status::tp_status;
use crate::status::Result;
use crate::wait::{self, Timeout, WaitFor};
use core::mem::MaybeUninit;

/// What tp_wait() waits for.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum tp_wait_for {
    /// All futures to be done.
    TP_WAIT_ALL_COMPLETED = 0,
    /// One future to be done.
    TP_WAIT_FIRST_COMPLETED = 1,
    /// One future to fail (TP_ERR_TASK or TP_ERR_BROKEN; being cancelled is no failure), or all to be done.
    TP_WAIT_FIRST_FAILED = 2,
}

/// Waits for several futures, of whichever executors. On a worker it runs those pending in its own executor itself, one
/// after the other, as tp_future_result() does.
///
/// @param futures     n handles, none NULL, borrowed for the call; the same one may occur several times. May be NULL
///                    if n is 0.
/// @param n           how many; with 0 there is nothing to wait for.
/// @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
/// @param what        what to wait for.
/// @param n_done      receives how many entries are done at return; written on TP_OK and TP_ERR_TIMEOUT. May be NULL.
/// @return TP_OK: what was waited for has happened; TP_ERR_TIMEOUT: not yet; TP_ERR_INVALID_ARGUMENT: futures, or one
/// of them, is NULL, n is impossible, or what unknown; TP_ERR_DEADLOCK: an unlimited wait for all could never end;
/// TP_ERR_FORKED: it would have to wait for tasks of the parent process; TP_ERR_INVALID_STATE: it would have to wait for
/// one that has been prepared and not launched; TP_ERR_NO_MEMORY. How the tasks ended does not
/// matter here: ask each future.
///
/// Any thread, tasks and callbacks included. Blocks. Nothing stays registered with the futures when it returns.
/// Python: concurrent.futures.wait(fs, timeout, return_when).
#[no_mangle]
pub unsafe extern "C" fn tp_wait(
    futures: *const *mut tp_future,
    n: usize,
    timeout_ns: i64,
    what: MaybeUninit<tp_wait_for>,
    n_done: *mut usize,
) -> tp_status {
    guard("tp_wait", || {
        let what = wait_for(&what)?;
        // SAFETY: the caller holds a reference to each of the n futures.
        let futures = unsafe { handles(futures, n, "futures is NULL", "an entry of futures is NULL") }?;
        // SAFETY: none is NULL, and all live.
        let outcome = unsafe { wait::wait(futures, Timeout::from_ns(timeout_ns), what) }?;
        // SAFETY: NULL, or the caller has room for a number there.
        unsafe { put(n_done, outcome.n_done) };
        Ok(if outcome.timed_out { tp_status::TP_ERR_TIMEOUT } else { tp_status::TP_OK })
    })
}

fn wait_for(what: &MaybeUninit<tp_wait_for>) -> Result<WaitFor> {
    const ALL_COMPLETED: u32 = tp_wait_for::TP_WAIT_ALL_COMPLETED as u32;
    const FIRST_COMPLETED: u32 = tp_wait_for::TP_WAIT_FIRST_COMPLETED as u32;
    const FIRST_FAILED: u32 = tp_wait_for::TP_WAIT_FIRST_FAILED as u32;
    match number(what) {
        ALL_COMPLETED => Ok(WaitFor::AllCompleted),
        FIRST_COMPLETED => Ok(WaitFor::FirstCompleted),
        FIRST_FAILED => Ok(WaitFor::FirstFailed),
        _ => Err(invalid("what is no tp_wait_for")),
    }
}
