//! The backend of `sync` under shuttle, which runs a model under very many random schedules. Every access is sequentially
//! consistent there: what it finds are errors of the protocols, not of their orderings.

use crate::status::Result;
pub(crate) use shuttle::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

pub(crate) use super::cell::UnsafeCell;
pub(crate) use super::channel::{bounded, Receiver, Sender};

/// A process-wide static, which begins anew with each execution.
macro_rules! global {
    ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;) => {
        shuttle::lazy_static! {
            $(#[$doc])*
            static ref $name: $type = $value;
        }
    };
}
pub(crate) use global;

/// A variable of which each thread has its own.
macro_rules! per_thread {
    ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;) => {
        shuttle::thread_local! {
            $(#[$doc])*
            static $name: $type = $value;
        }
    };
}
pub(crate) use per_thread;

/// A sequentially consistent load.
pub(crate) fn load_sc(word: &AtomicU64) -> u64 {
    word.load(Ordering::SeqCst)
}

/// A sequentially consistent store.
pub(crate) fn store_sc(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::SeqCst)
}

/// A release store.
pub(crate) fn store_release(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Release)
}

/// An array of null pointers.
macro_rules! nulls {
    ($n:expr) => {
        std::array::from_fn::<_, { $n }, _>(|_| AtomicPtr::new(std::ptr::null_mut()))
    };
}
pub(crate) use nulls;

/// `n` null pointers: shuttle's are more than their bits.
pub(crate) fn null_pointers<T>(n: usize) -> Result<Box<[AtomicPtr<T>]>> {
    Ok((0..n).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect())
}

/// A pause; shuttle lets others go first.
pub(super) fn pause(before: u32) -> u32 {
    shuttle::thread::yield_now();
    before
}
