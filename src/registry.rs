//! The table of live executors: from the id in a node's state word to the executor. Used by `executor` (which gets a slot
//! for its life), `task::extra` (unseen failures) and whoever has only a node (cancel, inline waits).
//!
//! A slot's memory is never freed, so a count in it can be looked at even when its executor may be going:
//!
//! * `references` keeps the executor's memory: its handle, each worker, each call that came by a node's id.
//! * `hook_uses` keeps `unhandled_error` and its user data: the executor until its last worker has ended, and each
//!   failure that nobody has seen (O3). At 0 `drop_user_data` runs.
//! * `pins` keeps the slot: 1 for each of the two above that is not 0. At 0 the id may be used again.
//!
//! An id in a node is read only while the slot cannot have been reused: a pending task keeps its executor alive, an unseen
//! failure its hooks. Otherwise ids of done futures may be stale, and nothing follows them.
//!
//! A forked child starts its own ids above all of its parent's: "is this handle the parent's?" is one comparison.

use crate::executor::Executor;
use crate::status::{Error, Result, Status};
use crate::sync::{global, native, nulls, AtomicPtr, AtomicU32, AtomicU64, Ordering::*, UnsafeCell, MODEL};
use crate::sys::fork_lock::ForkLock;
use crate::task::state::ID_BITS;
use crate::task::{DropFn, ErrorRecord, UnhandledFn};
use crate::{alloc, current};
use std::ffi::c_void;
use std::ops::Deref;
use std::ptr::NonNull;

/// What an executor tells its user, and the user data for it.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    pub(crate) unhandled_error: Option<UnhandledFn>,
    pub(crate) user_data: *mut c_void,
    pub(crate) drop_user_data: Option<DropFn>,
}

impl Hooks {
    /// Whether a failure has to keep them alive.
    pub(crate) fn matter(&self) -> bool {
        self.unhandled_error.is_some() || self.drop_user_data.is_some()
    }
}

pub(crate) struct Slot {
    id: u32,
    references: AtomicU32,
    executor: AtomicPtr<Executor>,
    hook_uses: AtomicU32,
    hooks: UnsafeCell<Hooks>,
    /// The number of the executor whose handle has not been given up; else [`NOBODY`].
    handle: AtomicU64,
    pins: AtomicU32,
    next_free: UnsafeCell<Option<&'static Slot>>,
}

// SAFETY: `hooks` is written by the slot's new owner before anyone else knows the id, and read under `hook_uses`;
// `next_free` is touched under the table's lock.
unsafe impl Sync for Slot {}

/// No executor has this number.
const NOBODY: u64 = u64::MAX;

const BLOCK: usize = if MODEL { 2 } else { 64 };
const BLOCKS: usize = if MODEL { 2 } else { (1 << ID_BITS) / BLOCK };

global! {
    static TABLE: [AtomicPtr<Slot>; BLOCKS] = nulls!(BLOCKS);
}

/// Ids below it belong to a parent process. Relaxed: changed only in a child's fork handler, by its only thread. (The
/// library's own also in models, which do not fork.)
static FIRST_OWN: native::AtomicU32 = native::AtomicU32::new(0);

struct Ids {
    /// The next id that was never used. 0 is nobody's.
    next: u32,
    free: Option<&'static Slot>,
    /// Executors ever made, for default thread names.
    made: u64,
}

global! {
    static IDS: ForkLock<Ids> = ForkLock::new(Ids { next: 1, free: None, made: 0 });
}

/// Whether the executor, or the future with that id, belongs to the process that this one was forked from.
#[inline]
pub(crate) fn is_foreign(id: u32) -> bool {
    id < FIRST_OWN.load(Relaxed)
}

/// A slot for a new executor, with one use of its hooks and no reference yet; and the executor's number in this process.
pub(crate) fn enter(hooks: Hooks) -> Result<(&'static Slot, u64)> {
    crate::sys::fork::check()?;
    let mut ids = IDS.lock();
    let slot = match ids.free.take() {
        Some(slot) => {
            // SAFETY: we hold the lock.
            ids.free = slot.next_free.with(|next| unsafe { *next });
            slot
        }
        None => fresh(&mut ids)?,
    };
    let number = ids.made;
    ids.made += 1;
    // SAFETY: nobody knows this id now.
    slot.hooks.with_mut(|h| unsafe { *h = hooks });
    // Relaxed: the slot becomes known to others by `publish`.
    slot.hook_uses.store(1, Relaxed);
    slot.pins.store(2, Relaxed);
    Ok((slot, number))
}

/// The slot of an id that was never used.
fn fresh(ids: &mut Ids) -> Result<&'static Slot> {
    let id = ids.next;
    let (block, index) = (id as usize / BLOCK, id as usize % BLOCK);
    let Some(entry) = TABLE.get(block) else {
        return Err(Error::new(Status::System, "too many executors are alive in this process"));
    };
    let mut slots = entry.load(Relaxed);
    if slots.is_null() {
        slots = Box::leak(Slot::vacant_block()?).as_mut_ptr();
        // Release: whoever follows an id of this block finds its slots.
        entry.store(slots, Release);
    }
    ids.next += 1;
    // SAFETY: inside the block; nobody knows this slot yet, so it may be written.
    unsafe {
        let slot = slots.add(index);
        (*slot).id = id;
        Ok(&*slot)
    }
}

/// The executor with that id, kept alive for the caller; `None` if it is gone.
///
/// Whoever has a node must look at its state again afterwards: if it is still pending, this is its executor.
pub(crate) fn acquire(id: u32) -> Option<ExecutorRef> {
    let slots = TABLE.get(id as usize / BLOCK)?.load(Acquire);
    if slots.is_null() || is_foreign(id) {
        return None;
    }
    // SAFETY: a published block holds BLOCK slots for ever.
    let slot = unsafe { &*slots.add(id as usize % BLOCK) };
    // A count of 0 never rises again for this use of the slot. Acquire: we see the executor as its maker left it.
    let mut seen = slot.references.load(Relaxed);
    while seen != 0 {
        match slot.references.compare_exchange_weak(seen, seen + 1, Acquire, Relaxed) {
            Ok(_) => return Some(ExecutorRef(slot.executor.load(Relaxed))),
            Err(now) => seen = now,
        }
    }
    None
}

/// A counted reference to an executor's memory. It keeps no thread alive and no queue open.
pub(crate) struct ExecutorRef(*const Executor);

// SAFETY: Executor is Sync, and its reference count is atomic.
unsafe impl Send for ExecutorRef {}

impl ExecutorRef {
    pub(crate) fn new(executor: &Executor) -> ExecutorRef {
        // Relaxed: the caller's own reference keeps it.
        executor.slot().references.fetch_add(1, Relaxed);
        ExecutorRef(executor)
    }
}

impl Deref for ExecutorRef {
    type Target = Executor;
    fn deref(&self) -> &Executor {
        // SAFETY: we hold a reference.
        unsafe { &*self.0 }
    }
}

impl Drop for ExecutorRef {
    fn drop(&mut self) {
        // SAFETY: ours to give.
        unsafe { drop_raw(self.0) };
    }
}

/// Gives up a reference that somebody keeps as a plain pointer: a handle's, a worker's.
///
/// # Safety
/// The caller owns a reference and does not use the pointer again.
pub(crate) unsafe fn drop_raw(executor: *const Executor) {
    // SAFETY: still referred to.
    let slot = unsafe { (*executor).slot() };
    // AcqRel: every use of the executor happens before its end.
    if slot.references.fetch_sub(1, AcqRel) == 1 {
        slot.executor.store(std::ptr::null_mut(), Relaxed);
        retire(executor.cast_mut());
        slot.unpin();
    }
}

/// Executors that are over, of which the memory is kept.
const KEPT: usize = if MODEL { 1 } else { 8 };

global! {
    /// Executors that are over, but whose memory is kept for a while.
    static RETIRED: [AtomicPtr<Executor>; KEPT] = nulls!(KEPT);
}

global! {
    static RETIREMENTS: AtomicU32 = AtomicU32::new(0);
}

/// The last reference to an executor is gone. If its own task freed it, the call that submitted that task may be at its last
/// step yet, the look whether a worker is needed; no reference is counted for that, since it would cost every submission
/// two RMWs. What such a look finds in an executor that is over is "nothing to do", so the memory of the last few stays.
fn retire(executor: *mut Executor) {
    // SAFETY: the caller's reference was the last, so the executor is ours.
    let over = match unsafe { &*executor }.was_detached() {
        // Relaxed: any place will do. AcqRel: the one who frees comes after the one who retired.
        true => RETIRED[RETIREMENTS.fetch_add(1, Relaxed) as usize % RETIRED.len()].swap(executor, AcqRel),
        false => executor,
    };
    if !over.is_null() {
        // SAFETY: executors are made by `alloc::try_box`; this one was swapped out, or is ours.
        drop(unsafe { Box::from_raw(over) });
    }
}

impl Slot {
    /// Slots that were never used.
    #[cfg(not(any(loom, shuttle)))]
    fn vacant_block() -> Result<Box<[Slot]>> {
        // SAFETY: zero is valid for every member: counts, null pointers, `None` functions and references.
        unsafe { alloc::try_zeroed_slice(BLOCK) }
    }

    #[cfg(any(loom, shuttle))] // Whose atomics and cells are more than their bits.
    fn vacant_block() -> Result<Box<[Slot]>> {
        let hooks = Hooks { unhandled_error: None, user_data: std::ptr::null_mut(), drop_user_data: None };
        let vacant = |_| Slot {
            id: 0,
            references: AtomicU32::new(0),
            executor: AtomicPtr::new(std::ptr::null_mut()),
            hook_uses: AtomicU32::new(0),
            hooks: UnsafeCell::new(hooks),
            handle: AtomicU64::new(0),
            pins: AtomicU32::new(0),
            next_free: UnsafeCell::new(None),
        };
        Ok((0..BLOCK).map(vacant).collect())
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Makes the executor known, with one reference: its handle's.
    pub(crate) fn publish(&self, executor: *const Executor, number: u64) {
        self.executor.store(executor.cast_mut(), Relaxed);
        self.handle.store(number, Relaxed);
        // Release: pairs with the Acquire in `acquire`, which reads the pointer only after it has counted itself.
        self.references.store(1, Release);
    }

    /// The handle is about to be given up: nobody finds the executor by its number any more.
    pub(crate) fn withdraw_handle(&self) {
        // Relaxed: orders nothing. Who gives the handle up keeps other calls from using it at the same time, and the
        // executor's own tasks find the executor alive in any case.
        self.handle.store(NOBODY, Relaxed);
    }

    /// Takes back a slot whose executor was never published.
    pub(crate) fn leave_unused(&self) {
        self.unpin();
        self.hook_uses.store(0, Relaxed);
        self.unpin();
    }

    /// One more failure that nobody has seen. The caller runs a task of the executor, whose hooks are alive for that.
    pub(crate) fn use_hooks(&self) {
        // Relaxed: as for any reference count, the caller's own use keeps it.
        self.hook_uses.fetch_add(1, Relaxed);
    }

    /// The user's function for failures that nobody saw; called outside of any task.
    ///
    /// # Safety
    /// The caller has a use of the hooks, `record` is valid.
    pub(crate) unsafe fn report(&self, record: *const ErrorRecord) {
        // SAFETY: this function's contract.
        let hooks = self.hooks.with(|hooks| unsafe { *hooks });
        if let Some(report) = hooks.unhandled_error {
            // SAFETY: the user's function with the user's data.
            current::outside_task(|| unsafe { report(record, hooks.user_data) });
        }
    }

    /// Gives a use of the hooks up; the last one frees the user data.
    pub(crate) fn release_hooks(&self) {
        // SAFETY: read before our use is given up.
        let hooks = self.hooks.with(|hooks| unsafe { *hooks });
        if self.hook_uses.fetch_sub(1, AcqRel) == 1 {
            // In a child that a report forked the user data is the parent's.
            if let Some(drop) = hooks.drop_user_data.filter(|_| !is_foreign(self.id)) {
                // SAFETY: once, after every other use (AcqRel on the count).
                current::outside_task(|| unsafe { drop(hooks.user_data) });
            }
            self.unpin();
        }
    }

    fn unpin(&self) {
        if self.pins.fetch_sub(1, AcqRel) == 1 && !is_foreign(self.id) {
            let mut ids = IDS.lock();
            // SAFETY: slots live for ever; we hold the table's lock, and nobody follows this id any more.
            unsafe {
                let slot: &'static Slot = &*std::ptr::from_ref(self);
                slot.next_free.with_mut(|next| *next = ids.free);
                ids.free = Some(slot);
            }
        }
    }
}

/// The slot of an id that this process has given to an executor.
fn slot_of(id: u32) -> &'static Slot {
    let slots = TABLE[id as usize / BLOCK].load(Acquire);
    // SAFETY: an id that was given out has a slot, for ever.
    unsafe { &*slots.add(id as usize % BLOCK) }
}

/// The executor with that id and number, if its handle has not been given up. The id must be this process's own; the number
/// tells the executor from later ones with the same id.
///
/// What is found lives as long as the handle, or the caller's being a task of that executor, keeps it.
pub(crate) fn by_handle(id: u32, number: u64) -> Option<NonNull<Executor>> {
    let slot = slot_of(id);
    // Relaxed, both: the caller got its node after the executor was made, from the maker's own call or through whoever
    // handed it on.
    match slot.handle.load(Relaxed) == number {
        true => NonNull::new(slot.executor.load(Relaxed)),
        false => None,
    }
}

/// A failure goes unseen: reports it and gives its use of the hooks up.
///
/// # Safety
/// The failure was HOOKED and not SEEN; `record` is valid.
pub(crate) unsafe fn report_unseen(id: u32, record: *const ErrorRecord) {
    let slot = slot_of(id);
    // SAFETY: the failure's use of the hooks is the caller's.
    unsafe { slot.report(record) };
    slot.release_hooks();
}

/// A failure has been seen: it needs the hooks no longer. Called by whoever set SEEN, if HOOKED was set.
pub(crate) fn forget_seen(id: u32) {
    if !is_foreign(id) {
        slot_of(id).release_hooks();
    }
}

/// In a forked child: everything that exists belongs to the parent.
pub(crate) fn abandon_all() {
    // The table's lock is held over the fork; this thread is the only one.
    FIRST_OWN.store(
        IDS.peek(|ids| {
            ids.free = None;
            ids.next
        }),
        Relaxed,
    );
}

pub(crate) fn lock_for_fork() {
    IDS.lock_for_fork();
}

pub(crate) fn unlock_after_fork() {
    IDS.unlock_after_fork();
}
