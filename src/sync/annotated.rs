//! The core's atomics and locks in the form that valgrind's race detectors understand. Stands in for std's, through `sync`,
//! in the library that tests/sanitizers builds for helgrind and drd (`RUSTFLAGS="--cfg annotated"`), and nowhere else.
//!
//! Both tools know pthread's locks. Of an atomic access they see the instruction, and not what it orders. So here
//!
//! * every access is a locked instruction, which both tools take for a read: they report none of two that meet, but do report
//!   a plain write that meets one;
//! * what is ordered is told to them: all that came before a Release of a word happens before all that follows an Acquire of
//!   that word. The memory model asks in addition that the Acquire has read what the Release wrote; without that a race may
//!   go unseen, but none is made up. ThreadSanitizer and the loom models, which know the whole rule, look for those;
//! * a mutex is pthread's, and the tools watch its use, and the order in which several are taken.

use crate::sys::valgrind::{happens_after, happens_before};
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{self, *};
use std::sync::{LockResult, TryLockError, TryLockResult};

/// One access, with what it orders; `ordering` is that of the access given what it came to.
fn access<R>(word: *const (), releases: bool, run: impl FnOnce() -> R, ordering: impl FnOnce(&R) -> Ordering) -> R {
    if releases {
        happens_before(word);
    }
    let result = run();
    if matches!(ordering(&result), Acquire | AcqRel | SeqCst) {
        happens_after(word);
    }
    result
}

fn releases(ordering: Ordering) -> bool {
    matches!(ordering, Release | AcqRel | SeqCst)
}

/// An atomic: std's type of that name in ours, what it holds, a value that `load` can compare with, and the operations that
/// it has beyond those of all.
macro_rules! atomic {
    ($name:ident$(<$param:ident>)?, $value:ty, $some:expr, $($operation:ident)*) => {
        #[derive(Debug)]
        pub(crate) struct $name$(<$param>)?(std::sync::atomic::$name$(<$param>)?);

        #[allow(dead_code)] // Of the common operations each type is asked for some.
        impl$(<$param>)? $name$(<$param>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self(std::sync::atomic::$name::new(value))
            }

            fn access<R>(&self, ordering: Ordering, run: impl FnOnce() -> R) -> R {
                access(std::ptr::from_ref(self).cast(), releases(ordering), run, |_| ordering)
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                // A compare-and-swap that changes nothing: the locked form of a load.
                self.access(ordering, || self.0.compare_exchange($some, $some, SeqCst, SeqCst).unwrap_or_else(|seen| seen))
            }

            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.access(ordering, || self.0.swap(value, SeqCst));
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let run = || self.0.compare_exchange(current, new, SeqCst, SeqCst);
                let ordering = |result: &Result<_, _>| if result.is_ok() { success } else { failure };
                access(std::ptr::from_ref(self).cast(), releases(success), run, ordering)
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            $(pub(crate) fn $operation(&self, value: $value, ordering: Ordering) -> $value {
                self.access(ordering, || self.0.$operation(value, SeqCst))
            })*
        }
    };
}

atomic!(AtomicU32, u32, 0, swap fetch_add fetch_sub fetch_and fetch_or);
atomic!(AtomicI32, i32, 0,);
atomic!(AtomicU64, u64, 0, swap fetch_add fetch_sub fetch_and fetch_or);
atomic!(AtomicUsize, usize, 0, swap fetch_add fetch_sub fetch_max);
atomic!(AtomicPtr<T>, *mut T, std::ptr::null_mut(), swap);

/// A lock with the interface of std's.
#[derive(Debug)]
pub(crate) struct Mutex<T> {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Mutex { lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        // SAFETY: an initialised mutex, which does not move any more once it is shared.
        unsafe { libc::pthread_mutex_lock(self.lock.get()) };
        Ok(MutexGuard(self))
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        // SAFETY: as in `lock`.
        match unsafe { libc::pthread_mutex_trylock(self.lock.get()) } {
            0 => Ok(MutexGuard(self)),
            _ => Err(TryLockError::WouldBlock),
        }
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // drd knows a lock from its first use on, and takes one without for none.
        drop(self.try_lock());
        // SAFETY: nobody else has it now; destroying one that is held would be reported.
        unsafe { libc::pthread_mutex_destroy(self.lock.get()) };
    }
}

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T>(&'a Mutex<T>);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: we hold the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: we hold the lock.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: we hold the lock.
        unsafe { libc::pthread_mutex_unlock(self.0.lock.get()) };
    }
}
