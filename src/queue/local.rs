//! A worker's ring: 256 entries that belong to one worker and that everyone may take from. Called through `queue`, by
//! `worker` (the owner) and by thieves.
//!
//! The owner appends at the back; everyone, the owner included, takes from the front, one at a time, by a CAS; and the
//! owner may take the newest entry back from the back (Chase and Lev, "Dynamic circular work-stealing deque", 2005, with
//! the orderings of Lê et al., 2013).
//!
//! # Proof sketch
//!
//! * *Front.* A slot is read before the CAS on `head`. The owner overwrites slot i only when head has passed i, so a CAS
//!   that succeeds proves that what was read is the entry.
//! * *Back.* The owner lowers `tail`, then looks at `head`; a taker looks at `head`, then at `tail`; all four are
//!   sequentially consistent. If the owner still sees head below the entry, then whoever moves head up to it loads head
//!   after that, hence sees the lowered tail and lets the entry be. For the last entry both use the CAS.
//! * *Takers of several entries at once would break this*, since their CAS could jump over the lowered tail: so there
//!   are none.

use super::Entry;
use crate::sync::{load_sc, store_release, store_sc, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*, Padded, MODEL};
use std::ffi::c_void;

const CAPACITY: usize = if MODEL { 4 } else { 256 };

/// An entry as two atomics: a thief may read it while the owner overwrites it, and then drops what it read.
#[derive(Debug)]
struct Cell {
    what: AtomicUsize,
    value: AtomicPtr<c_void>,
}

#[derive(Debug)]
pub(crate) struct Ring {
    head: Padded<AtomicU64>,
    tail: Padded<AtomicU64>,
    /// The shared queue's index behind the last batch that the owner took: how old the batch's entries are.
    stamp: AtomicU64,
    entries: [Cell; CAPACITY],
}

// One batch or quota, and another quota, always fit: a batch is only taken into an empty ring, and a worker gets a new quota
// only when no more than a quota is left in its ring.
const _: () = assert!(if super::BATCH > super::QUOTA { super::BATCH } else { super::QUOTA } + super::QUOTA <= CAPACITY);

impl Ring {
    pub(crate) fn new() -> Ring {
        let cell = |_| Cell { what: AtomicUsize::new(0), value: AtomicPtr::new(std::ptr::null_mut()) };
        Ring {
            head: Padded(AtomicU64::new(0)),
            tail: Padded(AtomicU64::new(0)),
            stamp: AtomicU64::new(0),
            entries: std::array::from_fn(cell),
        }
    }

    /// Appends entries, visible all at once. The store of `tail` is sequentially consistent: it is the publication after
    /// which the owner looks for sleepers. Owner only; there is room (see above).
    #[inline]
    pub(crate) fn push(&self, entries: &[Entry]) {
        // Relaxed: only the owner writes tail.
        let tail = self.tail.load(Relaxed);
        debug_assert!(self.len() + entries.len() <= CAPACITY);
        for (i, entry) in entries.iter().enumerate() {
            self.set(tail + i as u64, *entry);
        }
        store_sc(&self.tail, tail + entries.len() as u64);
    }

    /// The oldest entry. Anyone.
    #[inline]
    pub(crate) fn take_front(&self) -> Option<Entry> {
        let mut head = load_sc(&self.head);
        loop {
            // SeqCst both (see the module's text); that also Acquires the entries below tail.
            if head >= load_sc(&self.tail) {
                return None;
            }
            let entry = self.get(head);
            match self.head.compare_exchange(head, head + 1, SeqCst, SeqCst) {
                Ok(_) => return Some(entry),
                Err(now) => head = now,
            }
        }
    }

    /// Takes the newest entry back if `is_it` says so. Owner only.
    #[inline]
    pub(crate) fn take_back(&self, is_it: impl FnOnce(Entry) -> bool) -> bool {
        let tail = self.tail.load(Relaxed);
        if self.head.load(Relaxed) >= tail || !is_it(self.get(tail - 1)) {
            return false;
        }
        store_sc(&self.tail, tail - 1);
        let head = load_sc(&self.head);
        if head < tail - 1 {
            return true;
        }
        // The last entry, or already gone: whoever moves head has it.
        let won = head == tail - 1 && self.head.compare_exchange(head, tail, SeqCst, Relaxed).is_ok();
        // Relaxed would do for the count; Release keeps it an ordinary publication of an empty ring.
        store_release(&self.tail, tail);
        won
    }

    /// See [`super::Queue::has_work`].
    pub(crate) fn has_work(&self) -> bool {
        let head = load_sc(&self.head);
        head < load_sc(&self.tail)
    }

    /// Exact for the owner's question "is there anything left?" but for thieves.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Relaxed) >= self.tail.load(Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        let head = self.head.load(Relaxed);
        self.tail.load(Relaxed).saturating_sub(head) as usize
    }

    /// Owner only, before it pushes the batch, whose publication carries the stamp with it (Relaxed here).
    pub(crate) fn set_stamp(&self, index: u64) {
        self.stamp.store(index, Relaxed);
    }

    /// Whether there are entries of a batch that was taken before `mark`. A hint: somebody may take them at this moment.
    pub(crate) fn is_older_than(&self, mark: u64) -> bool {
        self.stamp.load(Relaxed) < mark && !self.is_empty()
    }

    fn get(&self, index: u64) -> Entry {
        let cell = &self.entries[index as usize % CAPACITY];
        // Relaxed: `tail` publishes them.
        Entry { what: cell.what.load(Relaxed), value: cell.value.load(Relaxed) }
    }

    fn set(&self, index: u64, entry: Entry) {
        let cell = &self.entries[index as usize % CAPACITY];
        cell.what.store(entry.what, Relaxed);
        cell.value.store(entry.value, Relaxed);
    }
}
