//! Structs that C fills, which begin with their `size`: how old, new and wrong ones are told apart.
//!
//! A caller compiled against an older header passes a smaller struct: what it lacks means the default, which is always
//! all zero. One compiled against a newer header passes a larger struct: fine, if what this version does not know is
//! all zero, too.

use super::check::{invalid, require, unsupported};
use crate::status::Result;
use core::mem::MaybeUninit;

/// No struct of any version will be larger; so larger sizes are garbage, and the tail is not searched far.
const MAX_SIZE: usize = 4096;

/// A struct of the header that callers fill.
///
/// # Safety
/// `repr(C)`, its first member is `size: usize`, every pattern of bytes is a valid value (no Rust enum, no bool, no
/// reference), and it has no padding.
pub(super) unsafe trait SizedStruct: Copy {
    /// The size of the struct in the first release that had it: where its last member of that release ends. So it is
    /// the same when members are appended.
    const FIRST_SIZE: usize;
    /// What to say when `size` is less than that.
    const TOO_SMALL: &'static str;
    /// What to say when it is more than any version will use.
    const TOO_LARGE: &'static str;
    /// What to say when it goes on past this version's members and not with zeros.
    const UNKNOWN: &'static str;
}

/// A struct as this version understands it, and whether the caller wanted more.
pub(super) struct Given<T> {
    pub(super) value: T,
    tail_is_zero: bool,
}

impl<T: SizedStruct> Given<T> {
    /// Copies the caller's struct: members it lacks are zero, and later changes to it go unseen.
    ///
    /// # Safety
    /// `given` is not NULL and points at a struct that begins with its size in bytes, all of them readable.
    pub(super) unsafe fn read(given: *const T) -> Result<Given<T>> {
        // SAFETY: the struct begins with its size. Nothing is assumed of the rest before the size has been judged.
        let size = unsafe { given.cast::<usize>().read() };
        require(size >= T::FIRST_SIZE, invalid(T::TOO_SMALL))?;
        require(size <= MAX_SIZE, invalid(T::TOO_LARGE))?;

        let known = size.min(size_of::<T>());
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: `known` bytes are readable there and writable here, and a local variable overlaps nothing of C's.
        unsafe { given.cast::<u8>().copy_to_nonoverlapping(value.as_mut_ptr().cast::<u8>(), known) };
        // SAFETY: the bytes up to `size` are readable, and `known <= size`.
        let tail = unsafe { core::slice::from_raw_parts(given.cast::<u8>().add(known), size - known) };
        // SAFETY: every byte of the value was set, and every pattern of bytes is valid (the trait's contract).
        let value = unsafe { value.assume_init() };
        Ok(Given { value, tail_is_zero: tail.iter().all(|&byte| byte == 0) })
    }

    /// `TP_ERR_UNSUPPORTED` for members only a later version has. Comes after all checks of what is known.
    pub(super) fn check_tail(&self) -> Result<()> {
        require(self.tail_is_zero, unsupported(T::UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::submit::tp_task;
    use crate::status::Status;

    const SIZE: usize = size_of::<tp_task>();

    /// What becomes of a caller's struct: `size` as given, the memory behind it full of `rest`.
    fn read(size: usize, rest: impl Fn(usize) -> u8) -> Result<Given<tp_task>> {
        // As long as the largest struct, and aligned; size_t comes first.
        let mut memory = [0u64; MAX_SIZE / 8];
        for (i, word) in memory.iter_mut().enumerate().skip(1) {
            *word = u64::from_ne_bytes(core::array::from_fn(|byte| rest(i * 8 + byte)));
        }
        memory[0] = size as u64;
        // SAFETY: the memory begins with the size, and as many bytes follow, or else the size is refused.
        unsafe { Given::<tp_task>::read(memory.as_ptr().cast()) }
    }

    fn refusal(size: usize) -> Option<Status> {
        read(size, |_| 0).err().map(|error| error.status)
    }

    #[test]
    fn sizes_from_the_first_release_to_4096_are_taken() {
        for size in [0, 1, size_of::<usize>(), SIZE - 1, MAX_SIZE + 1, usize::MAX] {
            assert_eq!(refusal(size), Some(Status::InvalidArgument), "{size}");
        }
        for size in [SIZE, SIZE + 1, SIZE + 8, MAX_SIZE] {
            assert_eq!(refusal(size), None, "{size}");
        }
    }

    #[test]
    fn a_tail_that_is_not_zero_is_unsupported_wherever_it_is_not() {
        for size in [SIZE + 1, SIZE + 9, MAX_SIZE] {
            assert!(read(size, |_| 0).unwrap_or_else(|_| unreachable!()).check_tail().is_ok());
            for odd in [SIZE, size - 1] {
                let given = read(size, |at| u8::from(at == odd)).unwrap_or_else(|_| unreachable!());
                assert_eq!(given.check_tail().unwrap_err().status, Status::Unsupported, "byte {odd} of {size}");
            }
        }
    }

    #[test]
    fn what_lies_behind_the_struct_is_not_looked_at() {
        let given = read(SIZE, |at| u8::from(at >= SIZE)).unwrap_or_else(|_| unreachable!());
        assert!(given.check_tail().is_ok());
        assert!(given.value.name.is_null());
    }

    #[test]
    fn members_are_copied() {
        let given = read(SIZE, |at| u8::from(at == size_of::<usize>() * 2)).unwrap_or_else(|_| unreachable!());
        assert_eq!(given.value.size, SIZE);
        assert_eq!(given.value.arg.addr().to_ne_bytes()[0], 1);
    }
}
