//! Sleeping on a word. Called by `task::node` (waiters of one future), `scheduler` (idle workers), `wait` and `executor`.
//!
//! A sleeper gives the value that it saw; it sleeps only if the word still holds it. Wake-ups may be spurious, so every
//! caller looks again. A wake-up may arrive late, on a word whose owner is gone: the kernel only uses the address as a key
//! and never reads through it for a wake-up, and whoever sleeps there by then looks again.

use super::clock::Deadline;
use crate::sync::{AtomicU32, AtomicU64};

/// What a sleep ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Woken {
    /// Woken, or the word had changed, or a signal: look again.
    Perhaps,
    TimedOut,
}

/// Sleeps while `word` holds `seen`, at most until `deadline`.
pub(crate) fn wait(word: &AtomicU32, seen: u32, deadline: Option<Deadline>) -> Woken {
    imp::wait(std::ptr::from_ref(word).cast(), seen, deadline, || {
        use crate::sync::Ordering::Acquire;
        word.load(Acquire) == seen
    })
}

/// Sleeps while the low half of `word` holds `seen`, at most until `deadline`.
pub(crate) fn wait_low_half(word: &AtomicU64, seen: u32, deadline: Option<Deadline>) -> Woken {
    imp::wait(low_half(word), seen, deadline, || {
        use crate::sync::Ordering::Acquire;
        word.load(Acquire) as u32 == seen
    })
}

/// Wakes up to `n` sleepers.
pub(crate) fn wake(word: &AtomicU32, n: u32) {
    imp::wake(std::ptr::from_ref(word).cast(), n);
}

/// Wakes everyone who sleeps at the address of a low half; takes an address because the word may be gone by now.
pub(crate) fn wake_all_at(low_half: *const u32) {
    imp::wake(low_half, u32::MAX);
}

/// The address under which sleepers on a word's low half are known.
pub(crate) fn low_half(word: &AtomicU64) -> *const u32 {
    let address = std::ptr::from_ref(word).cast::<u32>();
    if cfg!(target_endian = "big") {
        address.wrapping_add(1)
    } else {
        address
    }
}

#[cfg(any(loom, shuttle))]
use super::model as imp;

#[cfg(annotated)]
use super::bells as imp;
#[cfg(not(any(loom, shuttle, annotated)))]
use kernel as imp;

#[cfg(not(any(loom, shuttle)))]
pub(super) mod kernel {
    use super::{Deadline, Woken};

    pub(in crate::sys) fn wait(
        address: *const u32,
        seen: u32,
        deadline: Option<Deadline>,
        _: impl Fn() -> bool,
    ) -> Woken {
        let until = deadline.map(Deadline::timespec);
        let timeout = until.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the word is alive (the caller borrows it), `timeout` is null or a timespec on this stack. WAIT_BITSET
        // is the form with an absolute time, of CLOCK_MONOTONIC.
        let result = unsafe {
            libc::syscall(
                libc::SYS_futex,
                address,
                libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
                seen,
                timeout,
                std::ptr::null::<u32>(),
                libc::FUTEX_BITSET_MATCH_ANY,
            )
        };
        // The errno of the user's thread is not ours to change, but a wait is a call like any other: POSIX lets it.
        if result == -1 && super::super::thread::errno() == libc::ETIMEDOUT {
            Woken::TimedOut
        } else {
            Woken::Perhaps
        }
    }

    pub(in crate::sys) fn wake(address: *const u32, n: u32) {
        // SAFETY: a wake-up does not read through the address (see the module's text).
        unsafe {
            libc::syscall(libc::SYS_futex, address, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, n.min(i32::MAX as u32))
        };
    }
}
