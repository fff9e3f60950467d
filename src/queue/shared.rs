//! The FIFO that all threads push to. Called through `queue`.
//!
//! Linked segments of 512 entries. Producers exclude each other by a lock bit in the tail word, takers by one in the head
//! word; a producer and a taker meet only in the tail's index.
//!
//! # Proof sketch
//!
//! * *Publication.* A producer writes entries (and links segments) while it holds the tail's lock, then stores the new index
//!   without the bit (Release). A taker loads the tail (Acquire) and reads only entries below that index.
//! * *Segments.* Only the holder of the head's lock leaves a segment, and only when there is an entry behind it, so its
//!   `next` has been linked and no producer will touch it again: it may be reused.
//! * *Closing.* CLOSED is set under the tail's lock; a push takes that lock by a CAS that expects CLOSED clear. So every
//!   push is accepted before the close or refused, and whoever sees CLOSED (Acquire) sees all accepted entries.
//! * *The producer's fence.* The CAS that takes the tail's lock is sequentially consistent, and a checker counts a locked
//!   tail as work. A producer that afterwards finds nobody to wake, and a worker that announced its sleep before it
//!   looked here, cannot both have missed each other (`scheduler` has the other half).

use super::segment::{free_chain, Place, Segment, SEGMENT};
use super::{Batch, Entry, BATCH};
use crate::status::{Result, NO_MEMORY};
use crate::sync::{load_sc, store_release, AtomicPtr, AtomicU64, Backoff, Ordering::*, Padded, UnsafeCell};
use crate::sys::cache::prefetch_for_writing;

// The tail word: index, and these bits.
const LOCKED: u64 = 1;
const CLOSED: u64 = 2;
/// Closed because an initializer failed.
const BROKEN: u64 = 4;
const TAIL_ONE: u64 = 8;
/// How many entries ahead of the tail producers ask for the memory: its last reader may have been another processor.
const AHEAD: usize = 8;
// The head word: index, and the lock bit.
const HEAD_ONE: u64 = 2;

/// One end of the queue; `segment` and `offset` belong to the holder of the word's lock bit.
struct End {
    word: AtomicU64,
    segment: UnsafeCell<*mut Segment>,
    /// Where in the segment the next entry is written or read.
    offset: UnsafeCell<usize>,
}

pub(crate) struct Shared {
    tail: Padded<End>,
    head: Padded<End>,
    /// One segment that was emptied, to be filled again.
    spare: AtomicPtr<Segment>,
}

// SAFETY: plain memory is touched by the holder of the lock bit that guards it, as the module's text says.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Why a push was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Closed,
    Broken,
    NoMemory,
}

/// What a take found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    Nothing,
    /// Another taker is at it.
    Contended,
    /// `n` entries of the `behind` that were there; the head is at `index` now.
    Some {
        n: usize,
        behind: usize,
        index: u64,
    },
}

impl Shared {
    pub(crate) fn new() -> Result<Shared> {
        let first = Segment::new()?;
        let end =
            || Padded(End { word: AtomicU64::new(0), segment: UnsafeCell::new(first), offset: UnsafeCell::new(0) });
        Ok(Shared { tail: end(), head: end(), spare: AtomicPtr::new(std::ptr::null_mut()) })
    }

    /// Appends one entry.
    #[inline(always)]
    pub(crate) fn push(&self, entry: Entry) -> std::result::Result<(), Refused> {
        let word = self.lock_tail()?;
        // SAFETY: we hold the tail's lock.
        unsafe {
            if self.tail.offset.with(|o| *o) == SEGMENT {
                match self.fresh_segment() {
                    Ok(segment) => self.link(segment),
                    Err(_) => {
                        store_release(&self.tail.word, word);
                        return Err(Refused::NoMemory);
                    }
                }
            }
            self.write(entry);
        }
        // Release: the entry is visible to whoever sees the index.
        store_release(&self.tail.word, word + TAIL_ONE);
        Ok(())
    }

    /// Appends `n` entries, all or none; `entry` is called for each once nothing can fail any more.
    pub(crate) fn push_many(
        &self,
        n: usize,
        mut entry: impl FnMut(usize) -> Entry,
    ) -> std::result::Result<(), Refused> {
        let word = self.lock_tail()?;
        // SAFETY: we hold the tail's lock.
        unsafe {
            let room = SEGMENT - self.tail.offset.with(|o| *o);
            let mut chain: *mut Segment = std::ptr::null_mut();
            for _ in 0..n.saturating_sub(room).div_ceil(SEGMENT) {
                match self.fresh_segment() {
                    Ok(segment) => {
                        (*segment).next.store(chain, Relaxed);
                        chain = segment;
                    }
                    Err(_) => {
                        store_release(&self.tail.word, word);
                        free_chain(chain);
                        return Err(Refused::NoMemory);
                    }
                }
            }
            for i in 0..n {
                if self.tail.offset.with(|o| *o) == SEGMENT {
                    let segment = chain;
                    chain = (*segment).next.load(Relaxed);
                    (*segment).next.store(std::ptr::null_mut(), Relaxed);
                    self.link(segment);
                }
                self.write(entry(i));
            }
        }
        store_release(&self.tail.word, word + TAIL_ONE * n as u64);
        Ok(())
    }

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

    /// No more pushes from now on. `broken`: because an initializer failed, which outlasts a plain close.
    pub(crate) fn close(&self, broken: bool) {
        let mut backoff = Backoff::new();
        let mut seen = self.tail.word.load(Relaxed);
        loop {
            if seen & LOCKED != 0 {
                backoff.pause();
                seen = self.tail.word.load(Relaxed);
                continue;
            }
            let closed = seen | CLOSED | if broken { BROKEN } else { 0 };
            // AcqRel: what was pushed happens before the close; whoever sees CLOSED sees what we did before it.
            match self.tail.word.compare_exchange_weak(seen, closed, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Why pushes are refused, if they are.
    #[inline]
    pub(crate) fn closed(&self) -> Option<Refused> {
        refusal(self.tail.word.load(Acquire))
    }

    /// See [`super::Queue::has_work`].
    pub(crate) fn has_work(&self) -> bool {
        let tail = load_sc(&self.tail.word);
        // A stale head could only make the answer a wrong yes; but a stale one again and again would be a wrong yes for ever.
        tail & LOCKED != 0 || tail / TAIL_ONE != load_sc(&self.head.word) / HEAD_ONE
    }

    /// A quick look that may be wrong either way.
    #[inline]
    pub(crate) fn seems_empty(&self) -> bool {
        self.tail.word.load(Relaxed) / TAIL_ONE == self.head.word.load(Relaxed) / HEAD_ONE
    }

    /// How many entries have ever been taken.
    pub(crate) fn index(&self) -> u64 {
        self.head.word.load(Relaxed) / HEAD_ONE
    }

    pub(crate) fn len(&self) -> usize {
        let head = self.head.word.load(Relaxed) / HEAD_ONE;
        (self.tail.word.load(Acquire) / TAIL_ONE).saturating_sub(head) as usize
    }

    /// Takes the tail's lock; returns the word without the bit.
    #[inline]
    fn lock_tail(&self) -> std::result::Result<u64, Refused> {
        let mut backoff = Backoff::new();
        let mut seen = self.tail.word.load(Relaxed);
        loop {
            if seen & (LOCKED | CLOSED) != 0 {
                if let Some(refused) = refusal(seen) {
                    return Err(refused);
                }
                backoff.pause();
                seen = self.tail.word.load(Relaxed);
                continue;
            }
            // SeqCst: the producer's fence (see the module's text); Acquire for what the former holder left.
            match self.tail.word.compare_exchange_weak(seen, seen | LOCKED, SeqCst, Relaxed) {
                Ok(_) => return Ok(seen),
                Err(now) => seen = now,
            }
        }
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

    /// # Safety
    /// The caller holds the tail's lock, and the segment has room.
    #[inline]
    unsafe fn write(&self, entry: Entry) {
        // SAFETY: this function's contract.
        unsafe {
            let offset = self.tail.offset.with(|o| *o);
            let segment = self.tail.segment.with(|s| *s);
            prefetch_for_writing((&raw const (*segment).entries).cast::<Entry>().wrapping_add(offset + AHEAD));
            (&(*segment).entries)[offset].with_mut(|e| *e = entry);
            self.tail.offset.with_mut(|o| *o = offset + 1);
        }
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

    /// Appends a segment.
    ///
    /// # Safety
    /// The caller holds the tail's lock; the current segment is full.
    unsafe fn link(&self, segment: *mut Segment) {
        // SAFETY: this function's contract; `segment` is nobody else's yet.
        unsafe {
            let last = self.tail.segment.with(|s| *s);
            (*segment).previous.with_mut(|p| *p = last);
            // Relaxed: published by the store of the tail word.
            (*last).next.store(segment, Relaxed);
            self.tail.segment.with_mut(|s| *s = segment);
            self.tail.offset.with_mut(|o| *o = 0);
        }
    }

    fn fresh_segment(&self) -> Result<*mut Segment> {
        // AcqRel: the segment's last reader is done with it.
        let spare = self.spare.swap(std::ptr::null_mut(), AcqRel);
        match spare.is_null() {
            true => Segment::new(),
            false => Ok(spare),
        }
    }

    /// A segment that everything has left.
    ///
    /// # Safety
    /// It is not reachable any more.
    unsafe fn retire(&self, segment: *mut Segment) {
        // SAFETY: ours alone. A retired segment has no successor: it must not lead to the living ones.
        unsafe { (*segment).next.store(std::ptr::null_mut(), Relaxed) };
        // Release: our reads happen before its next use.
        if self.spare.compare_exchange(std::ptr::null_mut(), segment, Release, Relaxed).is_err() {
            // SAFETY: this function's contract; made by `Segment::new`.
            drop(unsafe { Box::from_raw(segment) });
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: nobody else refers to the queue; segments form a chain from the head's.
        unsafe {
            free_chain(self.head.segment.with(|s| *s));
            free_chain(self.spare.load(Relaxed));
        }
    }
}

fn refusal(word: u64) -> Option<Refused> {
    match word & (CLOSED | BROKEN) {
        0 => None,
        CLOSED => Some(Refused::Closed),
        _ => Some(Refused::Broken),
    }
}

impl From<Refused> for crate::status::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closed => crate::status::SHUTDOWN,
            Refused::Broken => crate::status::BROKEN,
            Refused::NoMemory => NO_MEMORY,
        }
    }
}
