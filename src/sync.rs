//! std or a model checker: the one place that decides where atomics, mutexes, cells, statics and thread-locals come from.
//!
//! Every protocol of the core is written against this module, so that the very same source runs under two model checkers:
//! loom (`--cfg loom`: every interleaving and reordering of a small model) and shuttle (`--cfg shuttle`: very many random
//! schedules of a larger one). What differs is in the three backends: `sync::real`, `sync::weak` (loom), `sync::random`
//! (shuttle); the latter two share `sync::modelled`. What the operating system does, threads, sleep and time, is `sys::model`
//! there.
//!
//! The store-buffering points of the core (publish, then look for sleepers; go to sleep, then look for work) need sequential
//! consistency. They use [`load_sc`] and [`store_sc`], and `SeqCst` read-modify-writes; `sync::weak` says what becomes of
//! these under loom, which knows no sequentially consistent accesses.

/// What the library has when it is not a model: std's types, or, for valgrind's race detectors, those of `annotated`. The few
/// statics that no model uses have them always.
#[cfg(annotated)]
pub(crate) mod annotated;
#[cfg(annotated)]
pub(crate) use annotated as native;

#[cfg(not(annotated))]
pub(crate) mod native {
    pub(crate) use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

#[cfg(not(loom))]
mod cell;
#[cfg(any(loom, shuttle))]
mod channel;
#[cfg(any(loom, shuttle))]
pub(crate) mod modelled;

#[cfg(not(any(loom, shuttle)))]
mod real;
#[cfg(not(any(loom, shuttle)))]
use real as backend;
#[cfg(loom)]
pub(crate) mod weak;
#[cfg(loom)]
use weak as backend;
#[cfg(shuttle)]
mod random;
#[cfg(shuttle)]
use random as backend;

pub(crate) use backend::{
    bounded, global, load_sc, null_pointers, nulls, per_thread, store_release, store_sc, AtomicPtr, AtomicU32,
    AtomicU64, AtomicUsize, MutexGuard, Receiver, Sender, UnsafeCell,
};
pub(crate) use std::sync::atomic::Ordering;

/// Under a model checker sizes are scaled down, so that a model reaches the edges of every structure.
pub(crate) const MODEL: bool = cfg!(any(loom, shuttle));

/// A mutex without poisoning: no code of ours panics while it holds one, and user code never runs under one.
#[derive(Debug)]
pub(crate) struct Mutex<T>(backend::Mutex<T>);

impl<T> Mutex<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        Mutex(backend::Mutex::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Mutex(backend::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The lock if nobody holds it: for those who can do without.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// One step of a wait for another thread that is between two instructions of ours (it holds a lock bit): spins a little,
/// then gives the processor away, since that thread may have been preempted.
#[derive(Default)]
pub(crate) struct Backoff(u32);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Backoff(0)
    }

    #[inline]
    pub(crate) fn pause(&mut self) {
        self.0 = backend::pause(self.0);
    }
}

/// Keeps what it holds on cache lines of its own (two of them: the prefetcher pulls lines in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> std::ops::Deref for Padded<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
