//! Time: monotonic deadlines. Called by everything that waits.

use crate::sync::MODEL;

const NANOS: u64 = 1_000_000_000;

/// A point of CLOCK_MONOTONIC, in nanoseconds. Stepping the wall clock does not move it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline(u64);

impl Deadline {
    #[cfg(any(loom, shuttle))]
    pub(crate) fn now() -> Deadline {
        Deadline(super::model::now())
    }

    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn now() -> Deadline {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `t` is a valid timespec; CLOCK_MONOTONIC exists on every Linux.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
        Deadline(t.tv_sec as u64 * NANOS + t.tv_nsec as u64)
    }

    /// `ns` from now; saturates, so that no timeout overflows. In a model: when the clock strikes next.
    pub(crate) fn after_ns(ns: u64) -> Deadline {
        let ns = if MODEL { 1 } else { ns };
        Deadline(Deadline::now().0.saturating_add(ns))
    }

    pub(crate) fn passed(self) -> bool {
        Deadline::now() >= self
    }

    pub(crate) fn timespec(self) -> libc::timespec {
        libc::timespec { tv_sec: (self.0 / NANOS) as libc::time_t, tv_nsec: (self.0 % NANOS) as _ }
    }
}

/// How long a caller is willing to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timeout {
    /// Not at all: look and return.
    Poll,
    Until(Deadline),
    Forever,
}

impl Timeout {
    /// From the ABI's form: nanoseconds from now; 0 and negative poll, the largest value waits without limit.
    pub fn from_ns(ns: i64) -> Timeout {
        match ns {
            i64::MAX => Timeout::Forever,
            ns if ns <= 0 => Timeout::Poll,
            ns => Timeout::Until(Deadline::after_ns(ns as u64)),
        }
    }

    /// Whether the time is up. A poll's always is.
    pub(crate) fn is_up(self) -> bool {
        match self {
            Timeout::Poll => true,
            Timeout::Until(deadline) => deadline.passed(),
            Timeout::Forever => false,
        }
    }

    /// The deadline to sleep until; `None` means without limit. Not to be asked of a poll, which never sleeps.
    pub(crate) fn deadline(self) -> Option<Deadline> {
        match self {
            Timeout::Poll => Some(Deadline(0)),
            Timeout::Until(deadline) => Some(deadline),
            Timeout::Forever => None,
        }
    }
}
