//! Segments: the blocks that the shared FIFO is made of, and places in a chain of them. Called by `queue::shared`, which says
//! who may touch what.

use super::Entry;
#[cfg(any(loom, shuttle))]
use crate::alloc::try_box;
use crate::status::Result;
use crate::sync::{AtomicPtr, Ordering::*, UnsafeCell, MODEL};

/// Entries in a segment.
pub(super) const SEGMENT: usize = if MODEL { 2 } else { 512 };

pub(super) struct Segment {
    pub(super) next: AtomicPtr<Segment>,
    /// For the sweep, which walks backwards; written when the segment is linked. Not followed below the head.
    pub(super) previous: UnsafeCell<*mut Segment>,
    pub(super) entries: [UnsafeCell<Entry>; SEGMENT],
}

impl Segment {
    pub(super) fn new() -> Result<*mut Segment> {
        #[cfg(not(any(loom, shuttle)))]
        // SAFETY: zero is valid for null pointers and empty entries.
        let segment = unsafe { crate::alloc::try_zeroed_slice::<Segment>(1) };
        #[cfg(not(any(loom, shuttle)))]
        return segment.map(|one| Box::into_raw(one).cast::<Segment>());
        #[cfg(any(loom, shuttle))]
        try_box(Segment {
            next: AtomicPtr::new(std::ptr::null_mut()),
            previous: UnsafeCell::new(std::ptr::null_mut()),
            entries: std::array::from_fn(|_| UnsafeCell::new(Entry::EMPTY)),
        })
        .map(Box::into_raw)
    }
}

/// # Safety
/// A chain of segments that nobody else refers to.
pub(super) unsafe fn free_chain(mut segment: *mut Segment) {
    while !segment.is_null() {
        // SAFETY: this function's contract.
        let boxed = unsafe { Box::from_raw(segment) };
        segment = boxed.next.load(Relaxed);
    }
}

/// A position, for the sweep: the entry before `offset`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) segment: *mut Segment,
    pub(super) offset: usize,
}

impl Place {
    /// # Safety
    /// There are `n` entries from here, and the head's lock is held.
    pub(super) unsafe fn plus(mut self, mut n: usize) -> Place {
        while n > SEGMENT - self.offset {
            n -= SEGMENT - self.offset;
            // SAFETY: there are more entries, so there is a next segment.
            self = Place { segment: unsafe { (*self.segment).next.load(Relaxed) }, offset: 0 };
        }
        Place { offset: self.offset + n, ..self }
    }

    /// # Safety
    /// There is an entry before this place, and the head's lock is held.
    pub(super) unsafe fn back(&mut self) {
        if self.offset == 0 {
            // SAFETY: the entry before is in the previous segment, which is not below the head.
            self.segment = unsafe { (*self.segment).previous.with(|p| *p) };
            self.offset = SEGMENT;
        }
        self.offset -= 1;
    }

    /// # Safety
    /// An entry is here, and the head's lock is held.
    pub(super) unsafe fn get(&self) -> Entry {
        // SAFETY: this function's contract.
        unsafe { (&(*self.segment).entries)[self.offset].with(|e| *e) }
    }

    /// # Safety
    /// As for `get`.
    pub(super) unsafe fn set(&self, entry: Entry) {
        // SAFETY: this function's contract.
        unsafe { (&(*self.segment).entries)[self.offset].with_mut(|e| *e = entry) }
    }
}
