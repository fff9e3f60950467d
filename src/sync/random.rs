//! The backend of `sync` under shuttle, which runs a model under very many random schedules. Every access is sequentially
//! consistent there: what it finds are errors of the protocols, not of their orderings.

pub(crate) use shuttle::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

pub(crate) use super::cell::UnsafeCell;
pub(crate) use super::channel::{bounded, Receiver, Sender};
pub(crate) use super::modelled::{global, null_pointers, nulls, per_thread};

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

/// A pause; shuttle lets others go first.
pub(super) fn pause(before: u32) -> u32 {
    shuttle::thread::yield_now();
    before
}
