//! A reserve of memory for the one thing in the library that allocates infallibly: making a crossbeam channel. Called by
//! `completion_queue`; installed as the library's own allocator, which is malloc with this reserve behind it.
//!
//! Rust's collections end the process when memory runs out, and so would a channel that is made at that moment. So it is
//! made inside [`with_reserve`], which first gets a few blocks that are large enough for it: should malloc fail in there,
//! they step in. If they cannot be had, the caller hears of it before anything is allocated, as a `Result`.

use crate::status::{Result, NO_MEMORY};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::{null_mut, NonNull};

/// Large enough, and aligned enough, for each of a channel's two blocks.
const BLOCK: Layout = match Layout::from_size_align(1024, 128) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};
/// Blocks that are set aside.
const BLOCKS: usize = 2;

thread_local! {
    /// The blocks that this thread has set aside. Null: none, or handed out.
    static ASIDE: [Cell<*mut u8>; BLOCKS] = const { [const { Cell::new(null_mut()) }; BLOCKS] };
}

/// Runs `make`, of whose allocations up to two may find malloc without memory. Fails, before it begins, if there is none now.
pub(crate) fn with_reserve<R>(make: impl FnOnce() -> R) -> Result<R> {
    let _reserve = Reserve::new()?;
    Ok(make())
}

/// While it lives, this thread has blocks set aside. Those that were not needed are freed at its end.
struct Reserve;

impl Reserve {
    fn new() -> Result<Reserve> {
        let reserve = Reserve;
        for place in 0..BLOCKS {
            // SAFETY: the size is not zero.
            let block = NonNull::new(unsafe { System.alloc(BLOCK) }).ok_or(NO_MEMORY)?;
            ASIDE.with(|aside| aside[place].set(block.as_ptr()));
        }
        Ok(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        while let Some(block) = take() {
            // SAFETY: from `new`, with this layout, and nobody else's.
            unsafe { System.dealloc(block.as_ptr(), BLOCK) };
        }
    }
}

/// One of the blocks that are set aside.
fn take() -> Option<NonNull<u8>> {
    ASIDE.with(|aside| aside.iter().find_map(|place| NonNull::new(place.replace(null_mut()))))
}

/// malloc, and behind it the blocks that the thread has set aside.
struct Backed;

#[global_allocator]
static ALLOCATOR: Backed = Backed;

// SAFETY: every block comes from `System`, which is malloc, posix_memalign and free: it takes a block back whatever layout
// it was asked for. So one that was set aside may go, or grow, as what it was handed out for.
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
        // loom does not watch memory that goes: what a model still reads of it afterwards is to look like nothing.
        #[cfg(loom)]
        // SAFETY: the block is ours from here on, and that large.
        unsafe {
            block.write_bytes(0xa5, layout.size())
        };
        // SAFETY: the caller's contract, and see above.
        unsafe { System.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract, and see above.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[cold]
fn from_reserve(layout: Layout) -> *mut u8 {
    if layout.size() > BLOCK.size() || layout.align() > BLOCK.align() {
        return null_mut();
    }
    take().map_or(null_mut(), NonNull::as_ptr)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_set_aside_is_handed_out_once_and_may_be_freed() {
        let blocks = with_reserve(|| [from_reserve(BLOCK), from_reserve(BLOCK), from_reserve(BLOCK)]).unwrap();
        assert!(!blocks[0].is_null() && !blocks[1].is_null() && blocks[0] != blocks[1]);
        assert!(blocks[2].is_null(), "more than was set aside");
        assert!(from_reserve(BLOCK).is_null(), "outside of with_reserve");
        for block in &blocks[..BLOCKS] {
            assert_eq!(block.addr() % BLOCK.align(), 0);
            // SAFETY: handed out just now.
            unsafe { ALLOCATOR.dealloc(*block, Layout::new::<u64>()) };
        }
    }

    #[test]
    fn what_is_larger_than_a_block_is_not_served_from_one() {
        let large = Layout::from_size_align(BLOCK.size() + 1, 1).unwrap();
        let aligned = Layout::from_size_align(1, 2 * BLOCK.align()).unwrap();
        assert!(with_reserve(|| [from_reserve(large), from_reserve(aligned)])
            .unwrap()
            .iter()
            .all(|block| block.is_null()));
    }
}
