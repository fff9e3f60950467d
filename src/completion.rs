//! What happens when a future becomes done: waiters wake, hooks run, observers hear of it in order. Called by `worker` (a
//! task has run), by whoever cancels, and by those who want to hear (done callbacks).
//!
//! The transition itself, with its proof, is in `task::node`. Everything here happens after it, outside of every lock, so a
//! callback may do anything (K3). Waiters come first, so a slow callback keeps nobody waiting (K5).

use crate::current::outside_task;
use crate::registry;
use crate::status::{Result, FORKED, NOT_LAUNCHED};
use crate::task::listen::Added;
use crate::task::observer::{Class, Kind, List, Observer};
use crate::task::state::{is_done, CANCELLED, PENDING, STATE};
use crate::task::{pool, DoneFn, Node};
use std::ffi::c_void;
use std::ptr::NonNull;

/// A done callback on its way, in memory of a node's size.
#[repr(C)]
struct Callback {
    observer: Observer,
    func: DoneFn,
    user_data: *mut c_void,
}

impl Node {
    /// Whether the task belongs to the process that this one was forked from.
    fn is_foreign(&self) -> bool {
        registry::is_foreign(self.executor_id())
    }

    /// Cancels the task if it is pending: it never runs, and everyone who waits hears of it before this returns. True: it
    /// is cancelled, now or before.
    pub fn cancel(&self) -> bool {
        let word = self.word();
        if word & STATE != PENDING || !self.is_launched() {
            return word & STATE == CANCELLED;
        }
        // The executor is kept for the time of the hooks and callbacks, and for its count of dead entries. A pending task
        // keeps its executor alive, so if it is still pending below, this was the right one.
        let Some(executor) = registry::acquire(self.executor_id()) else {
            return self.word() & STATE == CANCELLED;
        };
        if end_pending(self, CANCELLED, || executor.queue().bury()) {
            return true;
        }
        self.word() & STATE == CANCELLED
    }

    /// Cancels a pending task; lets a running one know that its result is not wanted any more.
    pub fn request_stop(&self) {
        if !self.cancel() && !self.is_foreign() {
            self.mark_stop();
        }
    }

    /// Whether somebody may wait for the task's end, or register to hear of it. A child must not wait for what only its
    /// parent's threads could finish; and a task that is not launched may never be.
    pub(crate) fn check_awaitable(&self) -> Result<()> {
        if is_done(self.word()) {
            return Ok(());
        }
        if self.is_foreign() {
            return Err(FORKED);
        }
        match self.is_launched() {
            true => Ok(()),
            false => Err(NOT_LAUNCHED),
        }
    }

    /// Calls `func` once: when the task is done, or now if it is.
    ///
    /// # Safety
    /// `func` may be called with this node and `user_data` on another thread.
    pub unsafe fn add_done_callback(&self, func: DoneFn, user_data: *mut c_void) -> Result<()> {
        if !is_done(self.word()) {
            self.check_awaitable()?;
            let observer = Observer::new(&Class { kind: Kind::Callback, notify: run_callback });
            let callback = pool::alloc_record(Callback { observer, func, user_data })?;
            // SAFETY: the record is there until it is notified, or freed here.
            unsafe {
                match self.add_observer(callback.as_ptr().cast()) {
                    Added::Registered => return Ok(()),
                    Added::AlreadyDone => pool::free_record(callback),
                }
            }
        }
        // The callback may give up the last handle and still use the future.
        let _keep = self.retain();
        // SAFETY: this function's contract.
        outside_task(|| unsafe { func(std::ptr::from_ref(self).cast_mut(), user_data) });
        Ok(())
    }
}

unsafe fn run_callback(observer: *mut Observer, node: &Node) {
    // SAFETY: registered above as the first member of a Callback; notified once.
    let Callback { func, user_data, .. } = unsafe {
        let callback = NonNull::new_unchecked(observer.cast::<Callback>());
        let taken = callback.read();
        pool::free_record(callback);
        taken
    };
    if node.is_foreign() {
        // An earlier one forked, and this is the child: the others are called in the parent.
        return;
    }
    // SAFETY: the user's function, with the user's data and a future that is referred to during the call.
    outside_task(|| unsafe { func(std::ptr::from_ref(node).cast_mut(), user_data) });
}

/// Ends a pending task as cancelled or broken, with all that follows; false if it is not pending any more. `buried` is
/// called when the task's entry has become a tombstone that somebody else will take.
///
/// The caller has a reference to the node.
pub(crate) fn end_pending(node: &Node, flags: u64, buried: impl FnOnce()) -> bool {
    let Some(ended) = node.end_pending(flags) else { return false };
    // The hook or a callback may give up the last handle, and with it the reference that the caller works with.
    let _keep = node.retain();
    let (waiters, callbacks) = ended.observers.in_order();
    waiters.notify(node);
    // SAFETY: we ended it while it was pending, so `value` is the argument and the hook is ours to call.
    let (_, arg, drop_arg) = unsafe { node.call() };
    if let Some(drop) = drop_arg {
        // SAFETY: the user's hook, with the user's argument, once.
        outside_task(|| unsafe { drop(arg) });
    }
    if flags == CANCELLED {
        // SAFETY: we cancelled it. (Where its executor broke, the payload goes with the last reference.)
        unsafe { node.end_payload() };
    }
    if node.is_foreign() {
        // A hook forked, and this is the child: the queue, the other hooks and the callbacks are the parent's.
        return true;
    }
    buried();
    callbacks.notify(node);
    true
}

/// Notifies the observers of a task that has run. `before_user_code` is called once if there are callbacks.
#[cold]
pub(crate) fn deliver(node: &Node, observers: List, before_user_code: impl FnOnce()) {
    let (waiters, callbacks) = observers.in_order();
    waiters.notify(node);
    if !callbacks.is_empty() {
        before_user_code();
        callbacks.notify(node);
    }
}
