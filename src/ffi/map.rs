//! Section "many futures" of the header, third part: one function over many arguments, the outcomes in input order.

use super::callbacks::{tp_drop_fn, tp_task_fn};
use super::check::{array, borrow, function, hand_over, put};
use super::executor::tp_executor;
use super::future::tp_future;
use super::guard;
use super::status::tp_status;
use crate::executor::Executor;
use crate::map::{Map, MapItem};
use crate::wait::Timeout;
use core::ffi::c_void;
use core::ptr::{self, NonNull};

/// An iteration over the outcomes of one function for many arguments. Made by tp_map_new(); ended by tp_map_free().
pub struct tp_map {
    _private: [u8; 0],
}

/// Runs `fn(args[0])`, `fn(args[1])` and so on, and gives the futures out in that order with tp_map_next().
///
/// With a lookahead the tasks are submitted little by little, as futures are taken, so that a million arguments need
/// neither a million futures nor the memory of a million results.
///
/// @param executor     borrowed. If it is shut down, now or later, the map comes about all the same, and the items that
///                     are not submitted yet come out as TP_ERR_SHUTDOWN. It may be freed before the map.
/// @param fn           what to run. Not NULL.
/// @param args         the n arguments. Not copied: the array stays valid and unchanged until TP_END or tp_map_free().
///                     May be NULL if n is 0.
/// @param n            how many.
/// @param lookahead    tasks at most that are submitted beyond the one that comes out next. 0: all at once.
/// @param drop_result  as in tp_task, for each result. May be NULL.
/// @return the map, owned by the caller, who ends it with tp_map_free(). NULL on failure; tp_last_error() is then
/// TP_ERR_INVALID_ARGUMENT (executor, fn, or args with n > 0, is NULL, or n is impossible), TP_ERR_FORKED, or
/// TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: Executor.map(fn, args, buffersize).
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn tp_map_new(
    executor: *mut tp_executor,
    r#fn: tp_task_fn,
    args: *const *mut c_void,
    n: usize,
    lookahead: usize,
    drop_result: tp_drop_fn,
) -> *mut tp_map {
    guard("tp_map_new", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        let run = function(r#fn, "fn is NULL")?;
        array(args, n, "args is NULL")?;
        // SAFETY: `args` has n entries, which stay as long as the map wants them.
        Ok(unsafe { Map::new(executor, run, args, n, lookahead, drop_result) }?.as_ptr().cast())
    })
}

/// Waits until the next item's task is done, and gives its future out. A failed task comes out like any other, and does
/// not end the iteration. On a worker of the map's executor a pending task is run in this call, as by
/// tp_future_result().
///
/// @param map         borrowed.
/// @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
/// @param future      receives the future, done, a reference owned by the caller; written on TP_OK, and with NULL for an
///                    item that could not be submitted. NULL: not wanted.
/// @return TP_OK; TP_END: there are no more items; TP_ERR_TIMEOUT: not done yet, and the next call goes on from here;
/// TP_ERR_INVALID_ARGUMENT: map is NULL; TP_ERR_INVALID_STATE: another thread is in this call; TP_ERR_DEADLOCK: the
/// wait could never end; TP_ERR_FORKED: the map is the parent's. For an item that could not be submitted what
/// tp_submit() says: TP_ERR_SHUTDOWN, TP_ERR_BROKEN, TP_ERR_SYSTEM or TP_ERR_NO_MEMORY; the item is used up, and the
/// next call gives the one after it.
///
/// Any thread, tasks and callbacks included, but one at a time. Blocks.
/// Python: next() of the iterator that Executor.map() returns.
#[no_mangle]
pub unsafe extern "C" fn tp_map_next(map: *mut tp_map, timeout_ns: i64, future: *mut *mut tp_future) -> tp_status {
    guard("tp_map_next", || {
        // SAFETY: a handle that is not NULL is live.
        let map: &Map = unsafe { borrow(map, "map is NULL") }?;
        match map.next(Timeout::from_ns(timeout_ns)) {
            MapItem::Done(done) => {
                // SAFETY: NULL, or the caller has room for a handle there.
                unsafe { hand_over(done, future) };
                Ok(tp_status::TP_OK)
            }
            MapItem::Refused(error) => {
                // SAFETY: as above.
                unsafe { put(future, ptr::null_mut()) };
                Err(error)
            }
            MapItem::Failed(error) => Err(error),
            MapItem::End => Ok(tp_status::TP_END),
        }
    })
}

/// Ends a map. What is pending is cancelled, also if nothing was ever taken; running tasks go on, and are not waited for.
/// No other thread may be in a call on the map.
///
/// @param map  taken. NULL does nothing.
///
/// Any thread, tasks and callbacks included. Does not block, but for what drop functions do.
#[no_mangle]
pub unsafe extern "C" fn tp_map_free(map: *mut tp_map) {
    guard("tp_map_free", || {
        if let Some(map) = NonNull::new(map.cast::<Map>()) {
            // SAFETY: a handle that is not NULL is live, and the caller gives it up.
            unsafe { Map::free(map) };
        }
        Ok(())
    })
}
