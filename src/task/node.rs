//! The node: a task and its future in one block of 32 bytes, half a cache line. Made by `executor`, run by `worker`,
//! ended here, followed up by `completion`.
//!
//! # Who may touch what
//!
//! | field       | while PENDING          | while RUNNING                      | when done                              |
//! |-------------|------------------------|------------------------------------|----------------------------------------|
//! | `state`     | everyone, atomically   | everyone, atomically               | everyone, atomically                   |
//! | `func`      | read: who claims       | the runner                         | read: everyone with a reference        |
//! | `value`     | argument; who claims   | the runner (wait graph: `BLOCKED`) | result; read: everyone with a reference |
//! | `observers` | holder of `LOCKED`     | holder of `LOCKED`                 | the author of the transition to done   |
//!
//! # Proof sketch: completion against everything else
//!
//! * *One winner.* Leaving PENDING, and leaving RUNNING, is a CAS on the whole word whose expected value has that state; so
//!   claim, cancel and fail_pending exclude each other, and the winner alone runs or ends the task.
//! * *Results are seen.* The author writes `func` and `value` before the CAS to done (Release); readers load the word with
//!   Acquire and read only when it says done.
//! * *No observer is lost or notified twice.* A record gets on the list only under `LOCKED`, taken by a CAS that expects a
//!   state that is not done. The CAS to done expects `LOCKED` clear, and Acquires the last unlock. So each record is either
//!   on the list that the author finds, or its adder sees done and acts itself; after done nobody locks again.
//! * *No waiter sleeps on.* A waiter sets `WAITERS` by a CAS that expects not-done and sleeps only while the low half is
//!   what it saw; the CAS to done changes the low half and, having read `WAITERS` in the value it replaced, wakes.
//! * *Memory.* After the CAS to done, an author that gave its reference up in it touches the node no more: it only wakes by
//!   address. Node memory stays mapped, and who sleeps there by then looks again (see `sys::futex`).

use super::extra::{ErrorRecord, Extra, Failure};
use super::observer::{List, Observer};
use super::state::*;
use super::{DropFn, TaskFn};
use crate::sync::{AtomicU64, Backoff, Ordering::*, UnsafeCell};
use crate::sys::futex;
use std::ffi::c_void;
use std::ptr::NonNull;

/// See the module. C sees a `tp_future*`.
#[repr(C)]
pub struct Node {
    pub(super) state: AtomicU64,
    /// The function, or an [`Extra`] (EXTRA). When done and FAILED without EXTRA: a [`Failure`].
    pub(super) func: UnsafeCell<*mut ()>,
    /// The argument, later the result.
    pub(super) value: UnsafeCell<*mut c_void>,
    pub(super) observers: UnsafeCell<*mut Observer>,
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(std::mem::size_of::<Node>() == 32);

// SAFETY: the table in the module's text says who touches which field when; the user's pointers are theirs to share.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

/// What the author of a transition to done has to do next.
pub(crate) struct Ended {
    /// To be notified, in the end by [`crate::completion`].
    pub(crate) observers: List,
    pub(crate) reference: Held,
}

/// What has become of the author's reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    /// It is the author's still, to be given up when the observers have been notified.
    Still,
    /// It went with the transition: the node is not to be touched any more.
    NoMore,
    /// It went, and was the last one: the node is the author's to destroy.
    Last,
}

/// What becomes of the reference that the author of a finish holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reference {
    /// The author keeps it.
    Keep,
    /// Given up with the transition, unless there are (or were) observers, or a tombstone: then the author has it still.
    GiveUp,
}

/// What a task that failed left behind.
pub(crate) struct Failed {
    /// What its function returned, for which drop_result is due all the same.
    pub(crate) value: *mut c_void,
    /// What it reported; `None` when there was no memory to say more than the code.
    pub(crate) record: Option<NonNull<Failure>>,
    pub(crate) code: i32,
    /// The failure keeps the executor's hooks.
    pub(crate) hooked: bool,
}

impl Node {
    /// A pending task. `extra` replaces `func` where the task has hooks.
    pub(crate) fn new(id: u32, func: TaskFn, extra: Option<NonNull<Extra>>, arg: *mut c_void, word: u64) -> Node {
        let (what, flag) = match extra {
            None => (func as *mut (), 0),
            Some(extra) => (extra.as_ptr().cast(), EXTRA),
        };
        Node {
            state: AtomicU64::new(word | flag | (u64::from(id) << ID_SHIFT) | PENDING),
            func: UnsafeCell::new(what),
            value: UnsafeCell::new(arg),
            observers: UnsafeCell::new(std::ptr::null_mut()),
        }
    }

    /// The state word. Acquire: whoever sees done sees all that led to it.
    #[inline]
    pub(crate) fn word(&self) -> u64 {
        self.state.load(Acquire)
    }

    pub(crate) fn executor_id(&self) -> u32 {
        // Relaxed: the id never changes.
        executor_id(self.state.load(Relaxed))
    }

    pub fn state(&self) -> State {
        State::of(self.word())
    }

    /// PENDING → RUNNING. True: the caller is the runner. It holds the queue's entry, or another reference.
    #[inline]
    pub(crate) fn claim(&self) -> bool {
        self.claim_with(RUNNING)
    }

    /// The same for a waiter that leaves the entry where it is, as a tombstone.
    pub(crate) fn claim_inline(&self) -> bool {
        self.claim_with(RUNNING | TOMBSTONE)
    }

    #[inline]
    fn claim_with(&self, flags: u64) -> bool {
        let mut seen = self.state.load(Acquire);
        loop {
            if seen & STATE != PENDING {
                return false;
            }
            if references(seen) == 1 {
                // Only the runner's own reference is left, so nobody else can change the word. Acquire above: what the
                // former holders did to the node happens before we run it.
                self.state.store(seen | flags, Relaxed);
                return true;
            }
            // Acquire: pairs with the Release of whoever wrote the fields last (the submitter, through the queue or
            // through the user's own hand-over of the future).
            // Acquire on failure too: the new value may say that the other references are gone, see above.
            match self.state.compare_exchange_weak(seen, seen | flags, Acquire, Acquire) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
    }

    /// The function and argument of a task.
    ///
    /// # Safety
    /// The caller claimed the task and has not written `value` yet, or ended it while pending.
    #[inline]
    pub(crate) unsafe fn call(&self) -> (TaskFn, *mut c_void, Option<DropFn>) {
        // Relaxed: EXTRA never changes.
        let extra = self.state.load(Relaxed) & EXTRA != 0;
        // SAFETY: `func` is what EXTRA says; see the table for why it is ours to read.
        unsafe {
            let func = self.func.with(|f| *f);
            let arg = self.value.with(|v| *v);
            if extra {
                let extra = &*func.cast::<Extra>();
                (extra.func, arg, extra.drop_arg)
            } else {
                (std::mem::transmute::<*mut (), TaskFn>(func), arg, None)
            }
        }
    }

    /// RUNNING → FINISHED, for a task that succeeded.
    ///
    /// # Safety
    /// The caller claimed the task. With [`Reference::GiveUp`] it owns a reference; the answer says what became of it.
    #[inline]
    pub(crate) unsafe fn succeed(&self, value: *mut c_void, reference: Reference) -> Ended {
        // SAFETY: we are the runner, so `value` is ours until the word says done.
        self.value.with_mut(|v| unsafe { *v = value });
        // Relaxed: the CAS does the rest.
        let seen = self.state.load(Relaxed);
        let plain = seen & (STATE | WAITERS | OBSERVERS | LOCKED | TOMBSTONE) == RUNNING && references(seen) > 1;
        if reference == Reference::GiveUp && plain {
            // What `end` would do for most tasks, in few instructions. Release and Acquire as there.
            let done = seen - REF - RUNNING + FINISHED;
            if self.state.compare_exchange(seen, done, AcqRel, Relaxed).is_ok() {
                return Ended { observers: List::EMPTY, reference: Held::NoMore };
            }
        }
        self.end_running(FINISHED, reference)
    }

    /// RUNNING → FINISHED, for a task that failed.
    ///
    /// # Safety
    /// As for [`Node::succeed`]; what the failure holds is handed over.
    pub(crate) unsafe fn fail(&self, failed: Failed, reference: Reference) -> Ended {
        let Failed { value, record, code, hooked } = failed;
        let flags = FINISHED | FAILED | if hooked { HOOKED } else { 0 };
        let Some(record) = record else {
            // SAFETY: the same contract.
            return unsafe { self.finish_in_place(value, code, flags) };
        };
        // SAFETY: we are the runner, so `func` and `value` are ours; an Extra there lives as long as the node.
        unsafe {
            if self.state.load(Relaxed) & EXTRA != 0 {
                (*self.func.with(|f| *f).cast::<Extra>()).failure = record.as_ptr();
            } else {
                self.func.with_mut(|f| *f = record.as_ptr().cast());
            }
            self.value.with_mut(|v| *v = value);
        }
        self.end_running(flags, reference)
    }

    #[inline(never)]
    fn end_running(&self, flags: u64, reference: Reference) -> Ended {
        self.end(RUNNING, flags, reference).expect("the runner alone ends a running task")
    }

    /// PENDING → CANCELLED or FINISHED | BROKEN; `None` when the task is no longer pending.
    pub(crate) fn end_pending(&self, flags: u64) -> Option<Ended> {
        self.end(PENDING, flags, Reference::Keep)
    }

    /// The transition from a state to done: one CAS, then the wake-up.
    fn end(&self, from: u64, flags: u64, reference: Reference) -> Option<Ended> {
        let sleepers = futex::low_half(&self.state);
        let mut backoff = Backoff::new();
        let mut seen = self.state.load(Acquire);
        let given_up = loop {
            if seen & STATE != from {
                return None;
            }
            if seen & LOCKED != 0 {
                backoff.pause();
                seen = self.state.load(Acquire);
                continue;
            }
            let give_up = reference == Reference::GiveUp && seen & (OBSERVERS | TOMBSTONE) == 0;
            let done = (seen & !(STATE | WAITERS)) | flags;
            if give_up && references(seen) == 1 {
                // Nobody else has a reference, so nobody waits, looks or registers.
                self.state.store(done, Relaxed);
                return Some(Ended { observers: List::EMPTY, reference: Held::Last });
            }
            let done = if give_up { done - REF } else { done };
            // Release: results are seen by whoever sees done. Acquire: we see the records that were added, and, should the
            // last other reference have gone, what its holder did.
            match self.state.compare_exchange_weak(seen, done, AcqRel, Acquire) {
                Ok(_) => break give_up,
                Err(now) => seen = now,
            }
        };
        let observers = match seen & OBSERVERS {
            0 => List::EMPTY,
            // SAFETY: with observers the caller's reference still stands, and since the word says done the list is ours.
            _ => self.observers.with(|o| unsafe { List::from_raw(*o) }),
        };
        if seen & WAITERS != 0 {
            futex::wake_all_at(sleepers);
        }
        Some(Ended { observers, reference: if given_up { Held::NoMore } else { Held::Still } })
    }

    /// RUNNING → FINISHED with the failure's record in `func`, `value` and `observers`, which lie side by side and have its
    /// shape when there was no memory for a separate one. The list's lock is held until the word says done, so that
    /// nobody uses `observers` as a list again.
    ///
    /// # Safety
    /// As for [`Node::succeed`].
    #[cold]
    unsafe fn finish_in_place(&self, value: *mut c_void, code: i32, flags: u64) -> Ended {
        let sleepers = futex::low_half(&self.state);
        let locked = self.lock_list().expect("a running task is not done");
        // SAFETY: the runner owns func and value, the lock's holder the list.
        let observers = unsafe {
            let extra = self.state.load(Relaxed) & EXTRA != 0;
            let observers = List::from_raw(self.observers.with(|o| *o));
            let ErrorRecord { message, payload, .. } = ErrorRecord::bare(code);
            if extra {
                (*self.func.with(|f| *f).cast::<Extra>()).bare = ErrorRecord::bare(code);
                self.value.with_mut(|v| *v = value);
            } else {
                self.func.with_mut(|f| f.cast::<[u32; 2]>().write([code as u32, 0]));
                self.value.with_mut(|v| *v = message.cast_mut().cast());
                self.observers.with_mut(|o| *o = payload.cast());
            }
            observers
        };
        let mut seen = locked;
        loop {
            let done = (seen & !(STATE | WAITERS | LOCKED)) | flags | IN_PLACE;
            // Orderings as in `end`.
            match self.state.compare_exchange_weak(seen, done, AcqRel, Acquire) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        if seen & WAITERS != 0 {
            futex::wake_all_at(sleepers);
        }
        Ended { observers, reference: Held::Still }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({:?})", Decoded(self.word()))
    }
}
