//! The FIFO that all threads push to. Called through `queue`. Here is what it consists of, its end and looks at it; `pushing` is
//! the producers' end, `taking` the takers'.
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

mod pushing;
mod taking;

use super::segment::{free_chain, Segment};
use crate::status::{Result, NO_MEMORY};
use crate::sync::{load_sc, AtomicPtr, AtomicU64, Backoff, Ordering::*, Padded, UnsafeCell};

// The tail word: index, and these bits.
const LOCKED: u64 = 1;
const CLOSED: u64 = 2;
/// Closed because an initializer failed.
const BROKEN: u64 = 4;
const TAIL_ONE: u64 = 8;
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
