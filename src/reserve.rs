//! A reserve of memory for the one thing in the library that allocates infallibly: making a crossbeam channel. Called by
//! `completion_queue`; installed as the library's own allocator, which is malloc with this reserve behind it.
//!
//! Rust's collections end the process when memory runs out, and so would a channel that is made at that moment. So it is
//! made inside [`with_reserve`], which first sets a few static blocks aside: should malloc fail in there, they step in. If
//! there are no blocks left, the caller hears of it before anything is allocated, as a `Result`.

use crate::status::{Result, NO_MEMORY};
use crate::sync::native::AtomicU32;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::Ordering::*;

/// Large enough, and aligned enough, for each of a channel's two blocks.
const BLOCK: usize = 1024;
const ALIGN: usize = 128;
const BLOCKS: usize = 32;
/// Blocks that one caller sets aside.
const CLAIM: usize = 2;

#[repr(align(128))]
struct Memory(UnsafeCell<[[u8; BLOCK]; BLOCKS]>);

// SAFETY: blocks are handed out one by one; whoever has one is its only user.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([[0; BLOCK]; BLOCKS]));

/// A bit for each block in use.
static USED: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The blocks that this thread has set aside: a bit each.
    static ASIDE: Cell<u32> = const { Cell::new(0) };
}

/// Runs `make`, of whose allocations up to two may find malloc without memory. Fails, before it begins, if the reserve is
/// used up.
pub(crate) fn with_reserve<R>(make: impl FnOnce() -> R) -> Result<R> {
    let aside = claim().ok_or(NO_MEMORY)?;
    ASIDE.with(|mine| mine.set(aside));
    let made = make();
    // Acquire/Release on USED: a block's next user comes after its last one.
    USED.fetch_and(!ASIDE.with(|mine| mine.take()), Release);
    Ok(made)
}

/// CLAIM free blocks.
fn claim() -> Option<u32> {
    let mut used = USED.load(Relaxed);
    loop {
        let (mut free, mut aside) = (!used, 0);
        for _ in 0..CLAIM {
            let lowest = free & free.wrapping_neg();
            if lowest == 0 {
                return None;
            }
            free &= !lowest;
            aside |= lowest;
        }
        match USED.compare_exchange_weak(used, used | aside, Acquire, Relaxed) {
            Ok(_) => return Some(aside),
            Err(now) => used = now,
        }
    }
}

fn base() -> *mut u8 {
    MEMORY.0.get().cast()
}

/// malloc, and behind it the blocks that the thread has set aside.
struct Backed;

#[global_allocator]
static ALLOCATOR: Backed = Backed;

// SAFETY: every block comes from `System`, or from the reserve, where it is the caller's alone until it comes back.
unsafe impl GlobalAlloc for Backed {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() {
            from_reserve(layout)
        } else {
            block
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match index(block) {
            Some(index) => drop(USED.fetch_and(!(1 << index), Release)),
            // SAFETY: the caller's contract; not one of the reserve's.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if index(block).is_none() {
            // SAFETY: the caller's contract; not one of the reserve's.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the caller's contract: `size` fits a layout. The old block is whole until it is given back.
        unsafe {
            let fresh = System.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !fresh.is_null() {
                fresh.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            fresh
        }
    }
}

#[cold]
fn from_reserve(layout: Layout) -> *mut u8 {
    let aside = ASIDE.with(Cell::get);
    if aside == 0 || layout.size() > BLOCK || layout.align() > ALIGN {
        return std::ptr::null_mut();
    }
    let block = aside & aside.wrapping_neg();
    ASIDE.with(|mine| mine.set(aside & !block));
    base().wrapping_add(block.trailing_zeros() as usize * BLOCK)
}

/// Which of the reserve's blocks that is, if it is one.
#[inline]
fn index(block: *mut u8) -> Option<usize> {
    let offset = block.addr().wrapping_sub(base().addr());
    (offset < BLOCK * BLOCKS).then_some(offset / BLOCK)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_block_is_handed_out_once_and_comes_back() {
        let layout = Layout::from_size_align(BLOCK, ALIGN).unwrap();
        let blocks = with_reserve(|| [from_reserve(layout), from_reserve(layout), from_reserve(layout)]).unwrap();
        assert!(!blocks[0].is_null() && !blocks[1].is_null() && blocks[0] != blocks[1]);
        assert!(blocks[2].is_null(), "more than was set aside");
        assert!(from_reserve(layout).is_null(), "outside of with_reserve");
        for block in &blocks[..2] {
            assert_eq!(block.addr() % ALIGN, 0);
            // SAFETY: handed out just now.
            unsafe { ALLOCATOR.dealloc(*block, layout) };
        }
        // Nothing leaks: as many claims as ever.
        for _ in 0..BLOCKS {
            with_reserve(|| ()).unwrap();
        }
    }

    #[test]
    fn what_a_channel_allocates_fits_the_reserve() {
        // The largest block of a channel is its counted core; were it larger than a block, the reserve would be of no use.
        let made = with_reserve(|| {
            let before = ASIDE.with(Cell::get);
            let channel = crossbeam_channel::bounded::<()>(1);
            (channel, before)
        });
        assert!(made.is_ok());
    }
}
