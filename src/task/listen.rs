//! Hearing of a task's end: getting onto and off its list of observers, sleeping until it is done, and the mark of a runner
//! that sleeps itself. Called by `completion`, `completion_queue`, `wait`, `wait_first` and `deadlock`.
//!
//! The proof that nobody is forgotten is with the transitions, in `task::node`.

use super::node::Node;
use super::observer::{List, Observer};
use super::state::*;
use crate::sync::{Backoff, Ordering::*};
use crate::sys::clock::Deadline;
use crate::sys::futex;
use std::ffi::c_void;

/// Whether an observer got onto the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Added {
    Registered,
    /// The task is done: the adder acts itself.
    AlreadyDone,
}

impl Node {
    /// Takes the list's lock bit; `None` when the task is done. Returns the word with the bit set.
    pub(super) fn lock_list(&self) -> Option<u64> {
        let mut backoff = Backoff::new();
        let mut seen = self.state.load(Acquire);
        loop {
            if is_done(seen) {
                return None;
            }
            if seen & LOCKED != 0 {
                backoff.pause();
                seen = self.state.load(Acquire);
                continue;
            }
            let locked = seen | LOCKED | OBSERVERS;
            // Acquire: pairs with the last unlock.
            match self.state.compare_exchange_weak(seen, locked, Acquire, Acquire) {
                Ok(_) => return Some(locked),
                Err(now) => seen = now,
            }
        }
    }

    fn unlock_list(&self) {
        // Release: the next holder, or the author of the transition to done, sees the list as we leave it.
        self.state.fetch_and(!LOCKED, Release);
    }

    /// Puts a record on the list, unless the task is done.
    ///
    /// # Safety
    /// `record` stays valid until it is notified or taken back.
    pub(crate) unsafe fn add_observer(&self, record: *mut Observer) -> Added {
        if self.lock_list().is_none() {
            return Added::AlreadyDone;
        }
        // SAFETY: we hold the lock bit.
        self.observers.with_mut(|head| unsafe { List::push(&mut *head, record) });
        self.unlock_list();
        Added::Registered
    }

    /// Takes a record back. False: its notification has begun or is bound to come.
    ///
    /// # Safety
    /// `record` was registered here.
    pub(crate) unsafe fn remove_observer(&self, record: *mut Observer) -> bool {
        if self.lock_list().is_none() {
            return false;
        }
        // SAFETY: we hold the lock bit.
        let found = self.observers.with_mut(|head| unsafe { List::unlink(&mut *head, record) });
        self.unlock_list();
        found
    }

    /// Sleeps until the task is done or the time is up. True: done.
    pub(crate) fn sleep_until_done(&self, deadline: Option<Deadline>) -> bool {
        let mut seen = self.state.load(Acquire);
        loop {
            if is_done(seen) {
                return true;
            }
            if seen & WAITERS == 0 {
                // Relaxed on success: we publish nothing; the kernel (or loom's stand-in) compares the word again.
                match self.state.compare_exchange_weak(seen, seen | WAITERS, Relaxed, Acquire) {
                    Ok(_) => seen |= WAITERS,
                    Err(now) => seen = now,
                }
                continue;
            }
            let woken = futex::wait_low_half(&self.state, seen as u32, deadline);
            seen = self.state.load(Acquire);
            if woken == futex::Woken::TimedOut {
                return is_done(seen);
            }
        }
    }

    /// Sets or clears BLOCKED and with it what `value` means; under the wait graph's lock, by the runner.
    ///
    /// # Safety
    /// The caller runs this task, has read the argument, holds the graph's lock.
    pub(crate) unsafe fn set_blocked(&self, record: *mut c_void) {
        if record.is_null() {
            // Relaxed: only read under the graph's lock.
            self.state.fetch_and(!BLOCKED, Relaxed);
            return;
        }
        // SAFETY: `value` belongs to the runner.
        self.value.with_mut(|v| unsafe { *v = record });
        self.state.fetch_or(BLOCKED, Relaxed);
    }

    /// The record of the thread that runs this task, if that thread is blocked.
    ///
    /// # Safety
    /// The caller holds the graph's lock; `self` is a node that somebody has a reference to.
    pub(crate) unsafe fn blocked_record(&self) -> *mut c_void {
        let word = self.state.load(Acquire);
        if word & STATE == RUNNING && word & BLOCKED != 0 {
            // SAFETY: BLOCKED cannot be cleared while the lock is held, so `value` is the record.
            self.value.with(|v| unsafe { *v })
        } else {
            std::ptr::null_mut()
        }
    }
}
