//! Recycled memory of nodes, of blocks that begin with a node, and of records no larger than one. Called by `executor` (a node
//! for a submission), `task::payload` (a block), `completion` (a done callback) and `task::handle` (a node's end).
//!
//! A task's memory is allocated on one thread and freed on another, the case in which general allocators are slowest.
//! There are few sizes of block, so here those of one size travel in chains of 128: each thread has a free list of its own
//! and one full chain in reserve; what is too much goes to the depot, what is missing comes from there, one lock for 128
//! blocks.
//!
//! Memory comes from the system in chunks of 2 MiB, aligned, asked to be huge pages (page faults otherwise cost a
//! submission 16 to 33 ns) but for the first, so that a program with few tasks touches few pages. It goes back when the
//! depot of a size holds more than 64 MiB, and half of all there is of that size: chunks of which every block is in the
//! depot lose their pages (`MADV_DONTNEED`), down to 32 MiB. Their addresses stay mapped and are used again first: a late
//! futex wake-up may still name one.
//!
//! With the feature `plain-malloc` every node comes from malloc, for tools that watch malloc; likewise in models, but for those of
//! the recycling itself, which call `recycled`.

use super::depot::Size;
use super::node::Node;
use crate::status::Result;
use std::ptr::NonNull;

#[cfg(all(test, loom))]
pub(crate) use super::depot::free_nodes;
pub(crate) use super::depot::{lock_for_fork, unlock_after_fork};
#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
pub(crate) use plain::{alloc, free};
#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
pub(super) use plain::{alloc_block, free_block};
#[cfg(not(any(loom, shuttle, feature = "plain-malloc")))]
pub(crate) use recycled::{alloc, free};
#[cfg(not(any(loom, shuttle, feature = "plain-malloc")))]
pub(super) use recycled::{alloc_block, free_block, give_back, withdraw};

/// Memory for a record that is no larger than a node, filled with it.
pub(crate) fn alloc_record<T>(record: T) -> Result<NonNull<T>> {
    const { assert!(size_of::<T>() <= size_of::<Node>() && align_of::<T>() <= align_of::<Node>()) };
    let memory = alloc_block(Size::Node)?.cast::<T>();
    // SAFETY: a free block of ours, large and aligned enough.
    unsafe { memory.write(record) };
    Ok(memory)
}

/// Takes a record's memory back.
///
/// # Safety
/// From `alloc_record`, not used again.
pub(crate) unsafe fn free_record<T>(record: NonNull<T>) {
    // SAFETY: this function's contract.
    unsafe { free_block(record.cast(), Size::Node) };
}

#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
mod plain {
    use super::*;
    use crate::alloc::{free_raw, try_raw};
    use std::alloc::Layout;

    pub(crate) fn alloc(node: Node) -> Result<NonNull<Node>> {
        crate::alloc::try_box(node).map(|node| NonNull::from(Box::leak(node)))
    }

    pub(in super::super) fn alloc_block(size: Size) -> Result<NonNull<u8>> {
        try_raw(layout(size))
    }

    /// # Safety
    /// From `alloc_block` of that size, not used again.
    pub(in super::super) unsafe fn free_block(block: NonNull<u8>, size: Size) {
        // SAFETY: this function's contract.
        unsafe { free_raw(block, layout(size)) };
    }

    fn layout(size: Size) -> Layout {
        // SAFETY: a power of two, and not too large.
        unsafe { Layout::from_size_align_unchecked(size.bytes(), align_of::<Node>()) }
    }

    /// # Safety
    /// From `alloc`, not used again.
    pub(crate) unsafe fn free(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        unsafe {
            // loom does not watch memory that goes, but a write: whoever may still read the node races with this one.
            #[cfg(loom)]
            node.as_ref().value.with_mut(|value| *value = std::ptr::null_mut());
            drop(Box::from_raw(node.as_ptr()));
        }
    }
}

#[cfg_attr(any(loom, shuttle, feature = "plain-malloc"), allow(dead_code))]
pub(crate) mod recycled;
