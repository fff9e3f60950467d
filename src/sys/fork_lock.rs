//! A process-wide lock that fork takes and gives back, so that a child finds what it guards whole.
//! Used by `registry`, `task::pool` and `deadlock`.

use crate::sync::{Mutex, MutexGuard};
use std::cell::UnsafeCell;

pub(crate) struct ForkLock<T: 'static> {
    lock: Mutex<T>,
    /// The guard that `prepare` took and `parent`/`child` drop. Only the forking thread touches it, and only while it
    /// holds `lock`.
    over_fork: UnsafeCell<Option<MutexGuard<'static, T>>>,
}

// SAFETY: `lock` hands out T to one thread at a time; `over_fork` is touched only by the holder of `lock`.
unsafe impl<T: Send> Sync for ForkLock<T> {}

impl<T> ForkLock<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        ForkLock { lock: Mutex::new(value), over_fork: UnsafeCell::new(None) }
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        ForkLock { lock: Mutex::new(value), over_fork: UnsafeCell::new(None) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.lock.lock()
    }

    pub(crate) fn lock_for_fork(&'static self) {
        let guard = self.lock();
        // SAFETY: we hold the lock.
        unsafe { *self.over_fork.get() = Some(guard) };
    }

    pub(crate) fn unlock_after_fork(&'static self) {
        // SAFETY: the forking thread, which took the lock in `lock_for_fork`, or its copy in the child.
        drop(unsafe { (*self.over_fork.get()).take() });
    }

    /// In a child's fork handler: what the lock guards, which the handler's thread holds since before the fork.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: as in `unlock_after_fork`.
        let guard = unsafe { (*self.over_fork.get()).as_mut() };
        look(&mut *guard.expect("between lock_for_fork and unlock_after_fork"))
    }
}
