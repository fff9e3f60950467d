//! The producers' end of the shared FIFO: one at a time, under the lock bit of the tail's word. Called through `queue`; the protocol
//! is in `shared`.

use super::super::segment::{free_chain, Segment, SEGMENT};
use super::super::Entry;
use super::{refusal, Refused, Shared, CLOSED, LOCKED, TAIL_ONE};
use crate::sync::{store_release, Backoff, Ordering::*};
use crate::sys::cache::prefetch_for_writing;

/// How many entries ahead of the tail producers ask for the memory: its last reader may have been another processor.
const AHEAD: usize = 8;

impl Shared {
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
}
