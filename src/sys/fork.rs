//! fork: what a child must know. Called by `registry` (which executors are the parent's) and `worker`.
//!
//! `pthread_atfork` handlers take the process-wide locks before a fork and let them go after it, in both processes: what
//! those locks guard is whole in the child. Locks that belong to one executor (queues, nodes) are not taken: handles of
//! the parent are only looked at in the child, never locked. The child's handler also ends the calling thread's life as a
//! worker, and moves the border between the parent's executors and the child's own (`registry::abandon_all`).

use crate::status::{Error, Result};
use crate::sync::native::{AtomicI32, AtomicU32};
use std::sync::atomic::Ordering;

/// How many forks lie between this process and the one that loaded the library. Relaxed everywhere: it changes only in a
/// child's handler, when the process has one thread.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// What the installation answered: 0, or an errno; [`NOT_YET`] before. It runs when the library is loaded: later, a fork might come between the
/// first executor's taking of a lock and the handlers that know of it.
static REFUSED: AtomicI32 = AtomicI32::new(NOT_YET);

const NOT_YET: i32 = -1;

#[used]
#[link_section = ".init_array"]
static AT_LOAD: extern "C" fn() = install_at_load;

#[inline(never)]
extern "C" fn install_at_load() {
    // SAFETY: the handlers are functions of this library, which is never unloaded.
    let errno = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    REFUSED.store(errno, Ordering::Relaxed);
}

pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether the handlers are in place; without them there must be no executor.
pub(crate) fn check() -> Result<()> {
    if REFUSED.load(Ordering::Relaxed) == NOT_YET {
        // A static link that left the initialiser out.
        install_at_load();
    }
    match REFUSED.load(Ordering::Relaxed) {
        0 => Ok(()),
        errno => Err(Error::os("the fork handlers could not be installed", errno)),
    }
}

/// The order in which the process-wide locks are taken; the release order does not matter. No thread holds one of them
/// while it takes another, nor while user code runs, so this cannot deadlock.
unsafe extern "C" fn prepare() {
    crate::registry::lock_for_fork();
    crate::task::pool::lock_for_fork();
    crate::deadlock::lock_for_fork();
}

unsafe extern "C" fn parent() {
    release();
}

unsafe extern "C" fn child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    crate::registry::abandon_all();
    crate::current::forget_worker();
    release();
}

fn release() {
    crate::deadlock::unlock_after_fork();
    crate::task::pool::unlock_after_fork();
    crate::registry::unlock_after_fork();
}
