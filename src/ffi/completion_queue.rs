//! Section "many futures" of the header, second part: futures in the order in which they complete.

use super::check::{borrow, hand_over, handles, put};
use super::future::tp_future;
use super::guard;
use super::status::tp_status;
use crate::completion_queue::CompletionQueue;
use crate::task::Node;
use crate::wait::Timeout;
use core::ptr::NonNull;

/// A queue from which futures come out as they complete, however many threads add and take. Made by
/// tp_completion_queue_new() or tp_as_completed(); ended by tp_completion_queue_free().
pub struct tp_completion_queue {
    _private: [u8; 0],
}

/// Makes an empty, open queue: futures can be added until it is closed.
///
/// @return the queue, owned by the caller, who ends it with tp_completion_queue_free(). NULL on failure;
/// tp_last_error() is then TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
#[must_use]
pub extern "C" fn tp_completion_queue_new() -> *mut tp_completion_queue {
    guard("tp_completion_queue_new", || Ok(CompletionQueue::new()?.as_ptr().cast()))
}

/// Makes a closed queue that gives out these futures as they complete, and then TP_END. The tag of `futures[i]` is i, so
/// a loop knows which input each belongs to:
/// `while (tp_completion_queue_next(queue, TP_FOREVER, &future, &i) == TP_OK) { ...; tp_future_release(future); }`
///
/// @param futures  n handles, none NULL, borrowed for the call: the caller keeps its references, and each future comes
///                 out with one of its own. May be NULL if n is 0.
/// @param n        how many.
/// @return the queue, owned by the caller, who ends it with tp_completion_queue_free(). NULL on failure;
/// tp_last_error() is then TP_ERR_INVALID_ARGUMENT (futures, or one of them, is NULL, or n is impossible),
/// TP_ERR_FORKED (one is not done, and its executor is the parent's), TP_ERR_INVALID_STATE (one has been prepared and
/// not launched), or TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: concurrent.futures.as_completed(fs).
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn tp_as_completed(futures: *const *mut tp_future, n: usize) -> *mut tp_completion_queue {
    guard("tp_as_completed", || {
        // SAFETY: the caller holds a reference to each of the n futures.
        let futures = unsafe { handles(futures, n, "futures is NULL", "an entry of futures is NULL") }?;
        // SAFETY: none is NULL, and all live.
        Ok(unsafe { CompletionQueue::filled(futures) }?.as_ptr().cast())
    })
}

/// Adds a future: it will come out once, when it is done, however it ends; at once if it is done already. Added several
/// times, or to several queues, it comes out as often.
///
/// @param queue   borrowed.
/// @param future  borrowed for the call: the queue holds a reference of its own until the future comes out.
/// @param tag     any number; comes out with the future.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: queue or future is NULL; TP_ERR_FORKED: not done, and its executor is the
/// parent's; TP_ERR_INVALID_STATE: the queue is closed, or the task has been prepared and not launched;
/// TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_completion_queue_add(
    queue: *mut tp_completion_queue,
    future: *mut tp_future,
    tag: u64,
) -> tp_status {
    guard("tp_completion_queue_add", || {
        // SAFETY: a handle that is not NULL is live.
        let queue: &CompletionQueue = unsafe { borrow(queue, "queue is NULL") }?;
        // SAFETY: as above.
        let future: &Node = unsafe { borrow(future, "future is NULL") }?;
        queue.add(future, tag)?;
        Ok(tp_status::TP_OK)
    })
}

/// Closes a queue: nothing more can be added, and once all that was added has come out, takers get TP_END. Takers that
/// wait for nothing wake up. Closing again is fine.
///
/// @param queue  borrowed.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: queue is NULL; TP_ERR_FORKED: the queue is the parent's, and not closed.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_completion_queue_close(queue: *mut tp_completion_queue) -> tp_status {
    guard("tp_completion_queue_close", || {
        // SAFETY: a handle that is not NULL is live.
        let queue: &CompletionQueue = unsafe { borrow(queue, "queue is NULL") }?;
        queue.close()?;
        Ok(tp_status::TP_OK)
    })
}

/// Takes the next future that is done. One that is ready comes out whatever the timeout; those done when they were
/// added come first, then the order is that of completion. With none ready it waits, in an open queue also while there
/// is nothing to wait for. On a worker it runs added futures that are pending in its own executor itself, one after the
/// other, as tp_future_result() does.
///
/// @param queue       borrowed.
/// @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
/// @param future      receives the future, a reference owned by the caller; written only on TP_OK. NULL: not wanted.
/// @param tag         receives its tag; written only on TP_OK. NULL: not wanted.
/// @return TP_OK; TP_END: the queue is closed, and everything added has come out; TP_ERR_TIMEOUT: nothing is ready yet;
/// TP_ERR_INVALID_ARGUMENT: queue is NULL; TP_ERR_FORKED: it would have to wait for tasks of the parent process.
///
/// Any thread, tasks and callbacks included; each future comes out to one taker. Blocks.
/// Python: next() of the iterator that as_completed() returns.
#[no_mangle]
pub unsafe extern "C" fn tp_completion_queue_next(
    queue: *mut tp_completion_queue,
    timeout_ns: i64,
    future: *mut *mut tp_future,
    tag: *mut u64,
) -> tp_status {
    guard("tp_completion_queue_next", || {
        // SAFETY: a handle that is not NULL is live.
        let queue: &CompletionQueue = unsafe { borrow(queue, "queue is NULL") }?;
        let Some((done, its_tag)) = queue.next(Timeout::from_ns(timeout_ns))? else {
            return Ok(tp_status::TP_END);
        };
        // SAFETY: each is NULL, or the caller has room there.
        unsafe {
            put(tag, its_tag);
            hand_over(done, future);
        }
        Ok(tp_status::TP_OK)
    })
}

/// Ends a queue. What has not come out is no longer registered with it; nothing is cancelled, and the futures complete
/// as ever. No other thread may be in a call on the queue: to stop takers, close it, let them see TP_END, then free it.
///
/// @param queue  taken. NULL does nothing.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_completion_queue_free(queue: *mut tp_completion_queue) {
    guard("tp_completion_queue_free", || {
        if let Some(queue) = NonNull::new(queue.cast::<CompletionQueue>()) {
            // SAFETY: a handle that is not NULL is live, and the caller gives it up.
            unsafe { CompletionQueue::free(queue) };
        }
        Ok(())
    })
}
