//! The takers' end of the shared FIFO: one at a time, under the lock bit of the head's word, and nobody waits for it. Called through
//! `queue`; the protocol is in `shared`.

use super::super::segment::{Place, Segment, SEGMENT};
use super::super::{Batch, Entry, BATCH};
use super::{Shared, Taken, HEAD_ONE, LOCKED, TAIL_ONE};
use crate::sync::{store_release, Ordering::*};

impl Shared {
    /// Takes up to a batch of entries, a `share`th of what is there but at least one, without waiting for anyone.
    #[inline]
    pub(crate) fn take(&self, batch: &mut Batch, share: usize) -> Taken {
        let head = self.head.word.load(Relaxed);
        if head / HEAD_ONE == self.tail.word.load(Acquire) / TAIL_ONE {
            return Taken::Nothing;
        }
        let Some(head) = self.try_lock_head(head) else { return Taken::Contended };
        let behind = (self.tail.word.load(Acquire) / TAIL_ONE - head / HEAD_ONE) as usize;
        let n = (behind / share).clamp(1, BATCH).min(behind);
        // SAFETY: we hold the head's lock, and there are `behind` entries.
        unsafe { self.read(batch, n) };
        // Release: the next taker finds segment and offset as we leave them.
        store_release(&self.head.word, head + HEAD_ONE * n as u64);
        if n == 0 {
            Taken::Nothing
        } else {
            Taken::Some { n, behind, index: head / HEAD_ONE + n as u64 }
        }
    }

    /// Takes dead entries from the head, up to `limit`, unless somebody else is at the head.
    pub(crate) fn take_dead(&self, dead: &mut Batch, limit: usize) {
        let Some(head) = self.try_lock_head(self.head.word.load(Relaxed)) else { return };
        let behind = (self.tail.word.load(Acquire) / TAIL_ONE - head / HEAD_ONE) as usize;
        let mut n = 0;
        // SAFETY: we hold the head's lock, and there are `behind` entries.
        unsafe {
            while n < behind.min(limit) && self.peek().dead().is_some() {
                self.read(dead, 1);
                n += 1;
            }
        }
        store_release(&self.head.word, head + HEAD_ONE * n as u64);
    }

    /// Moves all dead entries to the head, keeping the order of the living; from there `take_dead` gets them. Producers go
    /// on meanwhile, takers do not.
    pub(crate) fn sweep(&self) {
        let Some(head) = self.try_lock_head(self.head.word.load(Relaxed)) else { return };
        let behind = (self.tail.word.load(Acquire) / TAIL_ONE - head / HEAD_ONE) as usize;
        // SAFETY: we hold the head's lock; entries below the tail are written and nobody else's.
        unsafe {
            let first = Place { segment: self.head.segment.with(|s| *s), offset: self.head.offset.with(|o| *o) };
            let mut from = first.plus(behind);
            let mut to = from;
            for _ in 0..behind {
                from.back();
                let entry = from.get();
                if entry.dead().is_none() {
                    to.back();
                    from.set(to.get());
                    to.set(entry);
                }
            }
        }
        store_release(&self.head.word, head);
    }

    /// Takes the head's lock if it is free; returns the word without the bit.
    #[inline]
    fn try_lock_head(&self, seen: u64) -> Option<u64> {
        if seen & LOCKED != 0 {
            return None;
        }
        // Acquire: pairs with the former holder's Release.
        self.head.word.compare_exchange(seen, seen | LOCKED, Acquire, Relaxed).ok()
    }

    /// Where the next entry is read.
    ///
    /// # Safety
    /// The caller holds the head's lock, and there is an entry.
    #[inline]
    unsafe fn front(&self) -> (*mut Segment, usize) {
        // SAFETY: this function's contract.
        unsafe {
            let segment = self.head.segment.with(|s| *s);
            let offset = self.head.offset.with(|o| *o);
            if offset < SEGMENT {
                return (segment, offset);
            }
            // There is an entry behind this segment, so `next` was linked before the tail that we saw (Acquire).
            let next = (*segment).next.load(Relaxed);
            self.retire(segment);
            self.head.segment.with_mut(|s| *s = next);
            self.head.offset.with_mut(|o| *o = 0);
            (next, 0)
        }
    }

    /// # Safety
    /// As for `front`.
    unsafe fn peek(&self) -> Entry {
        // SAFETY: this function's contract.
        unsafe {
            let (segment, offset) = self.front();
            (&(*segment).entries)[offset].with(|e| *e)
        }
    }

    /// Moves `n` entries into the batch, which has room for them.
    ///
    /// # Safety
    /// The caller holds the head's lock, and there are `n` entries.
    #[inline]
    unsafe fn read(&self, batch: &mut Batch, n: usize) {
        let mut left = n;
        while left > 0 {
            // SAFETY: this function's contract.
            unsafe {
                let (segment, offset) = self.front();
                let run = left.min(SEGMENT - offset);
                batch.extend((&(*segment).entries)[offset..offset + run].iter().map(|cell| cell.with(|e| *e)));
                self.head.offset.with_mut(|o| *o = offset + run);
                left -= run;
            }
        }
    }
}
