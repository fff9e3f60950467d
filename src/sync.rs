//! std ↔ loom: the one place that decides where atomics, mutexes and cells come from.
//!
//! Every protocol of the core is written against this module, so that the very same source runs under the loom model
//! checker (`RUSTFLAGS="--cfg loom"`). Two things differ there and are wrapped here:
//!
//! * loom treats `SeqCst` accesses as `AcqRel`. The store-buffering points of the core (publish, then look for sleepers;
//!   go to sleep, then look for work) need sequential consistency, so they use [`load_sc`] and [`store_sc`]: plain
//!   `SeqCst` accesses in the library, read-modify-writes under loom. An RMW always reads the newest value in modification
//!   order, which yields exactly the guarantee that the single total order of `SeqCst` gives to these pairs.
//! * loom tracks plain memory through closures ([`UnsafeCell::with`]), so std's cell gets the same shape.

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// std's cell in loom's shape.
#[cfg(not(loom))]
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// A mutex without poisoning: no code of ours panics while it holds one, and user code never runs under one.
#[derive(Debug)]
pub(crate) struct Mutex<T>(Inner<T>);

#[cfg(loom)]
type Inner<T> = loom::sync::Mutex<T>;
#[cfg(not(loom))]
type Inner<T> = std::sync::Mutex<T>;
#[cfg(loom)]
pub(crate) type MutexGuard<'a, T> = loom::sync::MutexGuard<'a, T>;
#[cfg(not(loom))]
pub(crate) type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        Mutex(Inner::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Mutex(Inner::new(value))
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

/// A sequentially consistent load; see the module's text for what it is under loom.
#[inline(always)]
pub(crate) fn load_sc(word: &AtomicU64) -> u64 {
    #[cfg(loom)]
    return word.fetch_add(0, Ordering::AcqRel);
    #[cfg(not(loom))]
    word.load(Ordering::SeqCst)
}

/// A sequentially consistent store; see the module's text for what it is under loom.
#[inline(always)]
pub(crate) fn store_sc(word: &AtomicU64, value: u64) {
    #[cfg(loom)]
    let _ = word.swap(value, Ordering::AcqRel);
    #[cfg(not(loom))]
    word.store(value, Ordering::SeqCst)
}

/// A release store. Under loom a read-modify-write: loom lets a plain store take its place in modification order between an
/// RMW and the value that this RMW read, which no machine does, and our looks are RMWs there (see [`load_sc`]).
#[inline(always)]
pub(crate) fn store_release(word: &AtomicU64, value: u64) {
    #[cfg(loom)]
    let _ = word.swap(value, Ordering::Release);
    #[cfg(not(loom))]
    word.store(value, Ordering::Release)
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
        #[cfg(loom)]
        {
            // A long wait brings no state that a short one does not; without a limit there would be infinitely many.
            self.0 += 1;
            if self.0 > 2 {
                loom::skip_branch();
            }
            loom::thread::yield_now();
        }
        #[cfg(not(loom))]
        if self.0 < 7 {
            for _ in 0..1u32 << self.0 {
                std::hint::spin_loop();
            }
            self.0 += 1;
        } else {
            std::thread::yield_now();
        }
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
