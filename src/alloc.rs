//! Fallible allocation: nothing that C can reach aborts for want of memory. Every heap block of the core comes from here;
//! clippy's `disallowed_methods` keeps `Box::new` and its like out (see `clippy.toml`).

use crate::status::{Result, NO_MEMORY};
use std::alloc::{alloc, alloc_zeroed, dealloc, Layout};
use std::ptr::NonNull;

/// `Box::new` that can fail. What it returns may be given to `Box::from_raw`.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>> {
    const { assert!(std::mem::size_of::<T>() != 0) };
    let layout = Layout::new::<T>();
    // SAFETY: the size is not zero (asserted above).
    let block = unsafe { alloc(layout) }.cast::<T>();
    if block.is_null() {
        return Err(NO_MEMORY);
    }
    // SAFETY: `block` is fresh, of T's layout, and becomes a box of the same layout and allocator.
    unsafe {
        block.write(value);
        Ok(Box::from_raw(block))
    }
}

/// `n` values of a type for which all-zero bytes are valid, as one block. Pages that are never touched cost nothing.
///
/// # Safety
/// All-zero bytes are a valid `T`.
pub(crate) unsafe fn try_zeroed_slice<T>(n: usize) -> Result<Box<[T]>> {
    if n == 0 {
        return Ok(Box::default());
    }
    let layout = Layout::array::<T>(n).map_err(|_| NO_MEMORY)?;
    // SAFETY: n > 0 and callers use sized types, so the size is not zero.
    let block = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if block.is_null() {
        return Err(NO_MEMORY);
    }
    // SAFETY: zero is a valid T (this function's contract); layout as a boxed slice of n has it.
    Ok(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(block, n)) })
}

/// Memory of that layout, whose size is not zero, uninitialised. Free it with [`free_raw`].
pub(crate) fn try_raw(layout: Layout) -> Result<NonNull<u8>> {
    debug_assert_ne!(layout.size(), 0);
    // SAFETY: the size is not zero, as every caller sees to.
    NonNull::new(unsafe { alloc(layout) }).ok_or(NO_MEMORY)
}

/// # Safety
/// `block` came from [`try_raw`] with the same layout, and is not used again.
pub(crate) unsafe fn free_raw(block: NonNull<u8>, layout: Layout) {
    // SAFETY: this function's contract.
    unsafe { dealloc(block.as_ptr(), layout) };
}

/// A block of `T` followed by `tail` bytes, uninitialised: for records that carry a string. Free it with [`free_with_tail`].
pub(crate) fn try_with_tail<T>(tail: usize) -> Result<NonNull<T>> {
    try_raw(with_tail::<T>(tail).ok_or(NO_MEMORY)?).map(NonNull::cast)
}

/// # Safety
/// `block` came from [`try_with_tail`] with the same `T` and `tail`, and is not used again.
pub(crate) unsafe fn free_with_tail<T>(block: NonNull<T>, tail: usize) {
    if let Some(layout) = with_tail::<T>(tail) {
        // SAFETY: this function's contract.
        unsafe { free_raw(block.cast(), layout) };
    }
}

fn with_tail<T>(tail: usize) -> Option<Layout> {
    let size = std::mem::size_of::<T>().checked_add(tail)?;
    Layout::from_size_align(size, std::mem::align_of::<T>()).ok()
}
