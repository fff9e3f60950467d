//! What a done task left behind, and the marks that its readers make on it. Called by `wait` and `task::handle`.
//!
//! Everything here reads fields that do not change any more once the state word, loaded with Acquire, has said done.

use super::extra::{ErrorRecord, Extra, Failure};
use super::node::Node;
use super::state::*;
use crate::sync::Ordering::*;
use std::ffi::c_void;

/// How a task ended, for whoever asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Value(*mut c_void),
    Failed,
    Broken,
    Cancelled,
    Taken,
}

impl Node {
    /// The result of a task that is done, succeeded and has its result still.
    #[inline]
    pub(crate) fn result(&self) -> Option<*mut c_void> {
        let there = self.word() & (STATE | BROKEN | FAILED | TAKEN) == FINISHED;
        // SAFETY: done (read with Acquire), so `value` is the result and no longer written.
        there.then(|| self.value.with(|v| unsafe { *v }))
    }

    /// How a done task ended; `None` when it is not done.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let word = self.word();
        match word & STATE {
            CANCELLED => Some(Outcome::Cancelled),
            FINISHED if word & BROKEN != 0 => Some(Outcome::Broken),
            FINISHED if word & FAILED != 0 => Some(Outcome::Failed),
            FINISHED if word & TAKEN != 0 => Some(Outcome::Taken),
            // SAFETY: done (read with Acquire), so `value` is the result and no longer written.
            FINISHED => Some(Outcome::Value(self.value.with(|v| unsafe { *v }))),
            _ => None,
        }
    }

    /// Sets TAKEN on a task that succeeded: true for exactly one caller.
    pub(crate) fn mark_taken(&self) -> bool {
        // AcqRel: the winner's use of the result comes after every earlier reader's look at the word.
        self.state.fetch_or(TAKEN, AcqRel) & TAKEN == 0
    }

    /// Sets SEEN on a failed task; the word as it was tells whether the caller was the first.
    pub(crate) fn mark_seen(&self) -> u64 {
        if self.word() & SEEN != 0 {
            return self.word();
        }
        self.state.fetch_or(SEEN, AcqRel)
    }

    /// Asks the running task to stop early.
    pub(crate) fn mark_stop(&self) {
        let mut seen = self.state.load(Relaxed);
        // Relaxed: a request carries no data.
        while seen & STATE == RUNNING && seen & STOP == 0 {
            match self.state.compare_exchange_weak(seen, seen | STOP, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// What the task reported.
    ///
    /// # Safety
    /// The task is done and FAILED, seen with Acquire.
    pub(crate) unsafe fn error_record(&self) -> *const ErrorRecord {
        let word = self.state.load(Relaxed);
        // SAFETY: the flags say what `func` is; nothing of it changes any more.
        unsafe {
            let func = self.func.with(|f| *f);
            match (word & EXTRA != 0, word & IN_PLACE != 0) {
                (true, true) => &raw const (*func.cast::<Extra>()).bare,
                (true, false) => &raw const (*(*func.cast::<Extra>()).failure).record,
                (false, true) => self.record_in_place(),
                (false, false) => &raw const (*func.cast::<Failure>()).record,
            }
        }
    }

    /// The three fields behind the state word, as the record that `finish_in_place` made of them.
    fn record_in_place(&self) -> *const ErrorRecord {
        #[cfg(not(any(loom, shuttle)))]
        const _: () = assert!(
            std::mem::offset_of!(Node, value) - std::mem::offset_of!(Node, func)
                == std::mem::offset_of!(ErrorRecord, message)
                && std::mem::offset_of!(Node, observers) - std::mem::offset_of!(Node, func)
                    == std::mem::offset_of!(ErrorRecord, payload)
        );
        #[cfg(not(any(loom, shuttle)))]
        return std::ptr::from_ref(self).wrapping_byte_add(std::mem::offset_of!(Node, func)).cast();
        #[cfg(any(loom, shuttle))] // Cells are apart there; the code is all that the model reads.
        self.func.with(|f| f.cast())
    }

    /// The parts that a node which nobody refers to any more has to let go of.
    ///
    /// # Safety
    /// The caller is the last holder, and the node is not used again but to free its memory.
    pub(crate) unsafe fn take_apart(&self) -> (u64, *mut (), *mut c_void) {
        let word = self.state.load(Relaxed);
        // SAFETY: nobody else has a reference.
        unsafe { (word, self.func.with(|f| *f), self.value.with(|v| *v)) }
    }
}
