//! The library's own backend of `sync`: std, and crossbeam's channel.

pub(crate) use super::native::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard};
use crate::status::Result;
pub(crate) use std::sync::atomic::Ordering;

pub(crate) use super::cell::UnsafeCell;
pub(crate) use crossbeam_channel::{bounded, Receiver, Sender};

/// A process-wide static. (In a model it begins anew with each execution.)
macro_rules! global {
    ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $(#[$doc])*
        static $name: $type = $value;
    };
}
pub(crate) use global;

/// A variable of which each thread has its own.
macro_rules! per_thread {
    ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;) => {
        thread_local! {
            $(#[$doc])*
            static $name: $type = const { $value };
        }
    };
}
pub(crate) use per_thread;

/// A sequentially consistent load.
#[inline(always)]
pub(crate) fn load_sc(word: &AtomicU64) -> u64 {
    word.load(Ordering::SeqCst)
}

/// A sequentially consistent store.
#[inline(always)]
pub(crate) fn store_sc(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::SeqCst)
}

/// A release store.
#[inline(always)]
pub(crate) fn store_release(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Release)
}

/// An array of null pointers.
macro_rules! nulls {
    ($n:expr) => {
        [const { AtomicPtr::new(std::ptr::null_mut()) }; $n]
    };
}
pub(crate) use nulls;

/// `n` null pointers.
pub(crate) fn null_pointers<T>(n: usize) -> Result<Box<[AtomicPtr<T>]>> {
    // SAFETY: zero is a valid null pointer.
    unsafe { crate::alloc::try_zeroed_slice(n) }
}

/// A pause after `before` others in a row; returns how many there were.
#[inline]
pub(super) fn pause(before: u32) -> u32 {
    if before >= 7 {
        std::thread::yield_now();
        return before;
    }
    for _ in 0..1u32 << before {
        std::hint::spin_loop();
    }
    before + 1
}
