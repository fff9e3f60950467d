//! Checks and conversions that the exported functions share: pointers to references, counts to slices, enums to integers.

use super::future::tp_future;
use crate::status::{Error, Result, Status};
use crate::task::Future;
use core::mem::MaybeUninit;

/// The error of an argument that cannot be meant.
pub(super) const fn invalid(why: &'static str) -> Error {
    Error::new(Status::InvalidArgument, why)
}

/// The error of a member that this version knows but cannot honour.
pub(super) const fn unsupported(why: &'static str) -> Error {
    Error::new(Status::Unsupported, why)
}

/// `Ok` when `condition` holds, else `error`.
pub(super) fn require(condition: bool, error: Error) -> Result<()> {
    if condition {
        Ok(())
    } else {
        Err(error)
    }
}

/// The core object behind a handle; `why` says which argument was NULL. C's handle types are names without content:
/// `H` is the name in the header, `T` the core's type it stands for, and the caller of this function pairs them.
///
/// # Safety
/// A handle that is not NULL stands for a live `T`, and does so for as long as the result is used.
pub(super) unsafe fn borrow<'a, H, T>(handle: *const H, why: &'static str) -> Result<&'a T> {
    // SAFETY: not NULL means a live T, by this function's contract.
    unsafe { handle.cast::<T>().as_ref() }.ok_or(invalid(why))
}

/// The function a caller passed; `why` says which one was NULL.
pub(super) fn function<F>(function: Option<F>, why: &'static str) -> Result<F> {
    function.ok_or(invalid(why))
}

/// `Ok` when `items` may be an array of `n` pointers: not NULL unless empty, and not larger than memory can be.
pub(super) fn array<T>(items: *const *mut T, n: usize, why: &'static str) -> Result<()> {
    require(n == 0 || !items.is_null(), invalid(why))?;
    require(n <= isize::MAX as usize / size_of::<*mut T>(), invalid("n is more than memory can hold"))
}

/// The array of `n` handles as the core takes it, every one of them there.
///
/// # Safety
/// As for [`borrow`]; `handles` points at `n` of them, and nobody writes to the array while the result is used.
pub(super) unsafe fn handles<'a, H, T>(
    handles: *const *mut H,
    n: usize,
    why: &'static str,
    entry_why: &'static str,
) -> Result<&'a [*const T]> {
    array(handles, n, why)?;
    if n == 0 {
        return Ok(&[]);
    }
    // SAFETY: `array` has seen that the pointer is not NULL and the length fits an object; the caller vouches for the
    // rest. `*mut H` and `*const T` are both thin pointers: one representation.
    let handles = unsafe { core::slice::from_raw_parts(handles.cast::<*const T>(), n) };
    require(handles.iter().all(|handle| !handle.is_null()), invalid(entry_why))?;
    Ok(handles)
}

/// Writes an output, if the caller wants it.
///
/// # Safety
/// A pointer that is not NULL is valid for writing a `T`.
pub(super) unsafe fn put<T>(output: *mut T, value: T) {
    if !output.is_null() {
        // SAFETY: by this function's contract. What was there is C's plain data, so nothing needs dropping.
        unsafe { output.write(value) }
    }
}

/// The number C passed for an enum, which may be none of the enum's values.
pub(super) fn number<E>(value: &MaybeUninit<E>) -> u32 {
    const { assert!(size_of::<E>() == 4 && align_of::<E>() == 4, "a C enum of this library is an int") };
    // SAFETY: same size and alignment, and any bits make a u32. They are there: a C caller passed the argument, or the
    // struct it is a member of was copied from memory that the caller filled.
    unsafe { value.as_ptr().cast::<u32>().read() }
}

/// Gives a future to the caller, or releases it if the caller does not want it. Comes after all other outputs: a release
/// may run the caller's drop functions.
///
/// # Safety
/// A pointer that is not NULL is valid for writing a handle.
pub(super) unsafe fn hand_over(future: Future, output: *mut *mut tp_future) {
    if output.is_null() {
        drop(future);
    } else {
        // SAFETY: this function's contract.
        unsafe { put(output, future.into_raw().cast()) };
    }
}
