//! The work queue as the rest sees it: one shared FIFO and a ring per worker. Used by `executor` (push), `worker` (take),
//! `wait` (take back), `lifecycle` (close, drain) and `scheduler` (is there work?).
//!
//! # Order
//!
//! Tasks enter the shared FIFO and leave it in order, in batches: a worker runs the first of a batch and puts the rest
//! into its ring, which it empties front to back before it takes again. With one worker that is exact. A worker that
//! submits puts the task into its own ring instead, where it is found first; with one worker everything goes through the
//! FIFO.
//!
//! How often a task t is overtaken by later ones (P3: at most `workers × (32 + 64)` times):
//!
//! * *While t is in the FIFO*: by tasks that workers push to their own rings. Each has a quota of [`QUOTA`], and gets more only
//!   when it sees the FIFO empty: `QUOTA` per worker.
//! * *While t is in the ring of a worker A, behind a long task perhaps*: each other worker B remembers by its *mark* how far
//!   the FIFO was when it last looked around; each ring is stamped with how far it was when its batch was taken. B first
//!   rescues what is left in rings with a stamp below its mark, before it takes a batch or gets a new quota, either of which
//!   moves its mark beyond A's stamp. So B gets one batch and one quota ahead of t at most: `BATCH + QUOTA`. A's own pushes lie
//!   behind t.
//!
//! Together at most `BATCH + 2 × QUOTA` per worker. A task that its own waiter takes back or runs inline is aside, and its
//! push is refunded.
//!
//! # Tombstones
//!
//! A task that was cancelled, or run inline by a waiter, leaves its entry behind: a node that is not pending. Whoever
//! takes such an entry only gives up the queue's reference. They are counted, so that memory stays flat (C8): whoever makes
//! one drops dead entries from the head of the FIFO, and when they outnumber the living (and [`SWEEP`]) sweeps it.

pub(crate) mod local;
mod segment;
pub(crate) mod shared;

use crate::sync::{AtomicUsize, Ordering::*, MODEL};
use crate::task::handle::destroy;
use crate::task::{Node, TaskFn};
use local::Ring;
use shared::{Shared, Taken};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::ptr::NonNull;

/// Entries that a worker takes from the FIFO at once, at most.
pub(crate) const BATCH: usize = if MODEL { 2 } else { 32 };
/// Tasks that a worker may put into its own ring while something older waits elsewhere.
pub(crate) const QUOTA: usize = if MODEL { 2 } else { 32 };
/// Tombstones below this number are not worth a sweep.
const SWEEP: usize = if MODEL { 4 } else { 1024 };

/// What is queued, 16 bytes: a function with its argument, or a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The function's address, or [`NODE`].
    what: usize,
    value: *mut c_void,
}

/// No function lives at this address.
const NODE: usize = 1;

/// An entry, read.
pub(crate) enum Job {
    Call(TaskFn, *mut c_void),
    /// With the queue's reference to it.
    Node(NonNull<Node>),
}

impl Entry {
    /// What a segment holds where nothing was written yet.
    #[cfg(any(loom, shuttle))]
    pub(crate) const EMPTY: Entry = Entry { what: 0, value: std::ptr::null_mut() };

    pub(crate) fn call(func: TaskFn, arg: *mut c_void) -> Entry {
        Entry { what: func as usize, value: arg }
    }

    pub(crate) fn node(node: NonNull<Node>) -> Entry {
        Entry { what: NODE, value: node.as_ptr().cast() }
    }

    /// Reads an entry that was made by `call` or `node`.
    #[inline]
    pub(crate) fn job(self) -> Job {
        if self.what == NODE {
            // SAFETY: `node` stored a non-null pointer.
            return Job::Node(unsafe { NonNull::new_unchecked(self.value.cast()) });
        }
        // SAFETY: `call` stored a function of this type.
        Job::Call(unsafe { std::mem::transmute::<*const (), TaskFn>(self.what as *const ()) }, self.value)
    }

    /// Whether it is that node's.
    #[inline]
    pub(crate) fn is_node(self, node: NonNull<Node>) -> bool {
        self.what == NODE && self.value == node.as_ptr().cast()
    }

    /// The node of an entry that nobody needs any more.
    pub(crate) fn dead(self) -> Option<NonNull<Node>> {
        if self.what != NODE {
            return None;
        }
        let node = NonNull::new(self.value.cast::<Node>())?;
        // SAFETY: the entry's own reference keeps the node.
        (crate::task::state::STATE & unsafe { node.as_ref() }.word() != crate::task::state::PENDING).then_some(node)
    }
}

/// Room for entries that are about to be taken. Not filled beforehand: that would cost more than a short batch.
pub(crate) struct Batch {
    room: [MaybeUninit<Entry>; BATCH],
    len: usize,
}

impl Batch {
    #[inline]
    pub(crate) fn new() -> Batch {
        Batch { room: [const { MaybeUninit::uninit() }; BATCH], len: 0 }
    }

    /// Appends entries, for which there is room.
    #[inline]
    fn extend(&mut self, entries: impl ExactSizeIterator<Item = Entry>) {
        let end = self.len + entries.len();
        for (room, entry) in self.room[self.len..end].iter_mut().zip(entries) {
            room.write(entry);
        }
        self.len = end;
    }
}

impl std::ops::Deref for Batch {
    type Target = [Entry];
    #[inline]
    fn deref(&self) -> &[Entry] {
        // SAFETY: the first `len` have been written.
        unsafe { std::slice::from_raw_parts(self.room.as_ptr().cast(), self.len) }
    }
}

/// A place where workers' rings are found.
pub(crate) trait Rings {
    /// The rings of all workers that ever lived, `from` first, then round.
    fn ring(&self, index: usize) -> Option<&Ring>;
    fn count(&self) -> usize;
}

pub(crate) struct Queue {
    pub(crate) shared: Shared,
    /// Entries whose task is no longer pending. It may run behind for a moment, hence the wrapping arithmetic.
    dead: AtomicUsize,
}

impl Queue {
    pub(crate) fn new() -> crate::status::Result<Queue> {
        Ok(Queue { shared: Shared::new()?, dead: AtomicUsize::new(0) })
    }

    /// One entry from another worker's ring; looks at all of them, beginning behind `me`.
    pub(crate) fn steal(&self, rings: &impl Rings, me: usize) -> Option<Entry> {
        let n = rings.count();
        (1..n).filter_map(|i| rings.ring((me + i) % n)).find_map(Ring::take_front)
    }

    /// A ring that has kept a batch since before `mark`; looks at all of them, beginning behind `me`.
    pub(crate) fn overdue<'a>(&self, rings: &'a impl Rings, me: usize, mark: u64) -> Option<&'a Ring> {
        let n = rings.count();
        (1..n).filter_map(|i| rings.ring((me + i) % n)).find(|ring| ring.is_older_than(mark))
    }

    /// One entry from such a ring.
    #[inline]
    pub(crate) fn rescue(&self, rings: &impl Rings, me: usize, mark: u64) -> Option<Entry> {
        while let Some(ring) = self.overdue(rings, me, mark) {
            if let Some(entry) = ring.take_front() {
                return Some(entry);
            }
        }
        None
    }

    /// Whether there is an entry anywhere. With [`crate::sync::load_sc`] inside: the look of someone who is about to stop
    /// looking. May say yes wrongly (somebody is in the middle of a push or a take), never no.
    pub(crate) fn has_work(&self, rings: &impl Rings) -> bool {
        self.shared.has_work() || (0..rings.count()).filter_map(|i| rings.ring(i)).any(Ring::has_work)
    }

    /// Entries anywhere, tombstones included.
    pub(crate) fn entries(&self, rings: &impl Rings) -> usize {
        self.shared.len() + (0..rings.count()).filter_map(|i| rings.ring(i)).map(Ring::len).sum::<usize>()
    }

    /// Tasks anywhere that are accepted, not started and not cancelled: a snapshot.
    pub(crate) fn pending(&self, rings: &impl Rings) -> usize {
        let dead = self.dead.load(Relaxed);
        let dead = if dead as isize > 0 { dead } else { 0 };
        self.entries(rings).saturating_sub(dead)
    }

    /// Somebody ended or started a task whose entry is still queued.
    pub(crate) fn bury(&self) {
        // Relaxed: a count for housekeeping and snapshots.
        let dead = self.dead.fetch_add(1, Relaxed).wrapping_add(1);
        self.drop_dead_head(8);
        if dead > SWEEP && (dead as isize) > 0 && dead > self.shared.len() / 2 {
            self.shared.sweep();
            while self.drop_dead_head(BATCH) == BATCH {}
        }
    }

    /// The reference of an entry that was taken and found dead.
    ///
    /// # Safety
    /// The caller took the entry.
    pub(crate) unsafe fn drop_dead(&self, node: NonNull<Node>) {
        self.dead.fetch_sub(1, Relaxed);
        // SAFETY: the entry's reference is the caller's.
        unsafe {
            if node.as_ref().drop_entry() {
                destroy(node);
            }
        }
    }

    /// Drops up to `limit` dead entries from the head of the FIFO, if nobody else is at it.
    fn drop_dead_head(&self, limit: usize) -> usize {
        let mut dead = Batch::new();
        self.shared.take_dead(&mut dead, limit.min(BATCH));
        for entry in dead.iter() {
            if let Job::Node(node) = entry.job() {
                // SAFETY: taken. Outside of the head's lock, since hooks may run.
                unsafe { self.drop_dead(node) };
            }
        }
        dead.len()
    }

    /// Every entry from everywhere, one at a time, until there is none: for shutdown and breakage, after the close.
    pub(crate) fn drain(&self, rings: &impl Rings, mut each: impl FnMut(Entry) -> ControlFlow<()>) {
        let mut backoff = crate::sync::Backoff::new();
        loop {
            let mut batch = Batch::new();
            match self.shared.take(&mut batch, 1) {
                Taken::Some { .. } => {
                    if batch.iter().try_for_each(|entry| each(*entry)).is_break() {
                        return;
                    }
                }
                Taken::Contended => backoff.pause(),
                Taken::Nothing => break,
            }
        }
        for ring in (0..rings.count()).filter_map(|i| rings.ring(i)) {
            while let Some(entry) = ring.take_front() {
                if each(entry).is_break() {
                    return;
                }
            }
        }
    }
}

/// Gives a reference up that is kept as a plain pointer.
///
/// # Safety
/// The reference is the caller's.
pub(crate) unsafe fn release(node: NonNull<Node>) {
    // SAFETY: this function's contract.
    unsafe {
        if node.as_ref().drop_reference() {
            destroy(node);
        }
    }
}
