//! The backend of `sync` under loom.
//!
//! loom explores what a weak memory may do, but treats `SeqCst` accesses as `AcqRel`. Of the store-buffering points it would
//! report reorderings that no machine makes. So they are rendered by what loom does know, in one of three ways (of which each
//! yields the guarantee that the single total order of `SeqCst` gives to these pairs), and a model may be run in all:
//!
//! * [`Rendering::Looks`]: sequentially consistent loads are read-modify-writes, which always read the newest value. So are
//!   release stores: loom lets a plain store take its place in modification order between an RMW and the value that this
//!   RMW read, which no machine does. These models have the fewest states.
//! * [`Rendering::Writes`]: as on x86, each sequentially consistent write (RMWs too) is followed by a full fence; loads and
//!   release stores are plain, and a release store may be seen late. A model notices when a *write* is no longer
//!   sequentially consistent.
//! * [`Rendering::Loads`]: as on Power, each sequentially consistent load follows a full fence; everything else is plain. A model
//!   notices when a *load* is no longer sequentially consistent, of whichever side.

pub(crate) use loom::cell::UnsafeCell;
use loom::sync::atomic;
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicUsize};
pub(crate) use loom::sync::{Mutex, MutexGuard};
use loom::thread;
use std::cell::Cell;
use std::sync::atomic::Ordering::{self, *};

pub(crate) use super::channel::{bounded, Receiver, Sender};
pub(crate) use super::modelled::{global, null_pointers, nulls, per_thread};

/// What becomes of sequentially consistent accesses; see the module's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rendering {
    Looks,
    Writes,
    Loads,
}

std::thread_local! {
    /// Of the model that runs on this thread of the test program; loom's threads share it.
    static RENDERING: Cell<Rendering> = const { Cell::new(Rendering::Looks) };
}

/// Runs a model in that rendering.
pub(crate) fn rendered(rendering: Rendering, model: impl FnOnce()) {
    let before = RENDERING.replace(rendering);
    model();
    RENDERING.set(before);
}

fn is_in(rendering: Rendering) -> bool {
    RENDERING.get() == rendering
}

/// After a write with that ordering.
fn fence_after(order: Ordering) {
    if order == SeqCst && is_in(Rendering::Writes) {
        atomic::fence(SeqCst);
    }
}

/// Before a load with that ordering.
fn fence_before(order: Ordering) {
    if order == SeqCst && is_in(Rendering::Loads) {
        atomic::fence(SeqCst);
    }
}

/// Read-modify-writes that give back what was there.
macro_rules! rmw {
    ($($method:ident)*, $int:ty) => {
        $(#[track_caller]
        pub(crate) fn $method(&self, value: $int, order: Ordering) -> $int {
            let before = self.0.$method(value, order);
            fence_after(order);
            before
        })*
    };
}

/// The atomics of which the core uses sequentially consistent read-modify-writes.
macro_rules! fenced {
    ($name:ident, $int:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name(atomic::$name);

        impl $name {
            #[track_caller]
            pub(crate) fn new(value: $int) -> Self {
                $name(atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $int {
                fence_before(order);
                self.0.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                self.0.store(value, order);
                fence_after(order);
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> std::result::Result<$int, $int> {
                let before = self.0.compare_exchange(current, new, success, failure)?;
                fence_after(success);
                Ok(before)
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> std::result::Result<$int, $int> {
                self.compare_exchange(current, new, success, failure)
            }

            rmw!(swap fetch_add fetch_sub fetch_and fetch_or, $int);
        }
    };
}

fenced!(AtomicU32, u32);
fenced!(AtomicU64, u64);

/// A sequentially consistent load.
#[track_caller]
pub(crate) fn load_sc(word: &AtomicU64) -> u64 {
    match is_in(Rendering::Looks) {
        true => word.fetch_add(0, AcqRel),
        false => word.load(SeqCst),
    }
}

/// A sequentially consistent store.
#[track_caller]
pub(crate) fn store_sc(word: &AtomicU64, value: u64) {
    match is_in(Rendering::Looks) {
        true => drop(word.swap(value, AcqRel)),
        false => word.store(value, SeqCst),
    }
}

/// A release store.
#[track_caller]
pub(crate) fn store_release(word: &AtomicU64, value: u64) {
    match is_in(Rendering::Looks) {
        true => drop(word.swap(value, Release)),
        false => word.store(value, Release),
    }
}

/// A pause after `before` others in a row; returns how many there were.
pub(super) fn pause(before: u32) -> u32 {
    // A long wait brings no state that a short one does not; without a limit there would be infinitely many.
    if before >= 2 {
        loom::skip_branch();
    }
    thread::yield_now();
    before + 1
}
