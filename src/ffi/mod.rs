//! The C shell: everything `include/tpexec.h` declares, one file per section of that header.
//!
//! An exported function does four things: it checks what C handed over, converts it, makes one call into the core, and
//! converts the answer. It decides nothing and allocates nothing. The conventions, which `cbindgen.toml` states for C
//! readers at the head of the header:
//!
//! - **Trust.** A pointer that is not NULL is taken to point at what its type says, as in any C interface. Everything
//!   that can be checked is: NULL, sizes, counts, enum values and flag bits, and those before they become Rust types
//!   (an enum that C passes arrives as `MaybeUninit`, and is read as an integer).
//! - **Order of failures.** All `TP_ERR_INVALID_ARGUMENT` checks of a call come first, then all `TP_ERR_UNSUPPORTED`
//!   ones; both are made here, so the core is asked only for things that make sense and it reports the rest, in order.
//! - **Outputs** are written as the last step, by `check::put`, once nothing can fail any more.
//! - **Panics** stop at `guard`, which every export goes through (`tests/exports.rs` looks). No macro makes an
//!   export: cbindgen and readers see each one as it is.
//! - **Comments** (`///`) on public items become the header's documentation, so they speak to C programmers; what only
//!   Rust readers need is in `//` comments.

// C spells its names its own way, and says in prose what callers owe; a "Safety" heading has no meaning in a C header.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

use crate::status::{Error, Result, Status};
use core::ffi::c_char;
use core::ptr;
use status::tp_status;
use std::panic::{catch_unwind, AssertUnwindSafe};

// The sections of the header in its order, which build.rs reads off these lines. Blank lines keep rustfmt from sorting.

pub mod status;

pub mod callbacks;

pub mod executor;

pub mod submit;

pub mod launch;

pub mod future;

pub mod task;

pub mod many;

pub mod completion_queue;

pub mod map;

// What they share.
mod check;
mod sized;

/// Runs the body of the exported function `function`: no panic passes, and a failure becomes what C sees of it.
///
/// The failure is noted for `tp_last_error` here, after the body and whatever the body dropped or called, because it
/// must be the last thing the call does: user code that ran inside may have failed on its own.
#[inline]
fn guard<R: Refusal>(function: &'static str, body: impl FnOnce() -> Result<R>) -> R {
    // Unwind safety: after a panic nothing the closure borrowed is looked at again; the core keeps its own invariants
    // with drop guards, and a panic in it is a defect that is reported, not a state that is relied upon.
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(answer)) => return answer,
        Ok(Err(error)) => error,
        Err(payload) => {
            // Its destructor might panic in turn. One leaked box per defect is the lesser evil.
            core::mem::forget(payload);
            Error::new(Status::System, "internal error, a panic was stopped at the library's edge: please report it")
        }
    };
    if !is_outcome(error.status) {
        status::set_last_error(function, &error);
    }
    R::refusal(error.status.into())
}

/// Whether a status only says how something else ended. Such answers are no failures of the call that brings them, and
/// `tp_last_error` does not hear of them. Only waits, iterations and joins can give these three.
fn is_outcome(status: Status) -> bool {
    matches!(status, Status::Timeout | Status::Cancelled | Status::Task)
}

/// What a C function returns when it fails: the status itself, or the value that means "no".
trait Refusal {
    fn refusal(status: tp_status) -> Self;
}

impl Refusal for tp_status {
    fn refusal(status: tp_status) -> Self {
        status
    }
}

impl<T> Refusal for *mut T {
    fn refusal(_: tp_status) -> Self {
        ptr::null_mut()
    }
}

impl Refusal for *const c_char {
    fn refusal(_: tp_status) -> Self {
        ptr::null()
    }
}

impl Refusal for future::tp_state {
    fn refusal(_: tp_status) -> Self {
        future::tp_state::TP_STATE_PENDING
    }
}

impl Refusal for bool {
    fn refusal(_: tp_status) -> Self {
        false
    }
}

impl Refusal for usize {
    fn refusal(_: tp_status) -> Self {
        0
    }
}

impl Refusal for u32 {
    fn refusal(_: tp_status) -> Self {
        0
    }
}

impl Refusal for () {
    fn refusal(_: tp_status) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_failure_with_a_message() {
        let answer: tp_status = guard("tp_example", || panic!("expected by the test"));
        assert_eq!(answer, tp_status::TP_ERR_SYSTEM);
        assert_eq!(status::tp_last_error(), tp_status::TP_ERR_SYSTEM);
        // SAFETY: the message is this thread's and NUL-terminated.
        let message = unsafe { core::ffi::CStr::from_ptr(status::tp_last_error_message()) };
        assert!(message.to_str().unwrap().starts_with("tp_example: internal error"));
    }

    #[test]
    fn a_failure_is_noted_after_what_the_body_did() {
        let answer: *mut u8 = guard("tp_outer", || {
            let inner: tp_status = guard("tp_inner", || Err(Error::new(Status::QueueFull, "full")));
            assert_eq!(inner, tp_status::TP_ERR_QUEUE_FULL);
            Err(Error::new(Status::Shutdown, "shut"))
        });
        assert!(answer.is_null());
        assert_eq!(status::tp_last_error(), tp_status::TP_ERR_SHUTDOWN);
    }

    #[test]
    fn outcomes_and_successes_are_not_noted() {
        guard::<tp_status>("tp_first", || Err(Error::new(Status::NoMemory, "none left")));
        for status in [Status::Timeout, Status::Cancelled, Status::Task] {
            guard::<tp_status>("tp_second", || Err(Error::new(status, "an outcome")));
            assert_eq!(status::tp_last_error(), tp_status::TP_ERR_NO_MEMORY);
        }
        guard("tp_third", || Ok(tp_status::TP_END));
        assert_eq!(status::tp_last_error(), tp_status::TP_ERR_NO_MEMORY);
    }
}
