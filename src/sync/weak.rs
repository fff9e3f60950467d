//! The backend of `sync` under loom.
//!
//! loom explores what a weak memory may do, but treats `SeqCst` accesses as `AcqRel`. Of the store-buffering points it would
//! report reorderings that no machine makes. So they are rendered by what loom does know, in one of three ways (of which each
//! yields the guarantee that the single total order of `SeqCst` gives to these pairs), and a model may be run in all:
//!
//! * [`Rendering::Looks`]: sequentially consistent loads are read-modify-writes, which always read the newest value; they only
//!   acquire, so that what comes before a look is not published by it, and a look that is a plain load reads old values. So are
//!   release stores: loom lets a plain store take its place in modification order between an RMW and the value that this
//!   RMW read, which no machine does. These models have the fewest states.
//! * [`Rendering::Writes`]: as on x86, each sequentially consistent write (RMWs too) is followed by a full fence; loads and
//!   release stores are plain, and a release store may be seen late. A model notices when a *write* is no longer
//!   sequentially consistent.
//! * [`Rendering::Loads`]: as on Power, each sequentially consistent load follows a full fence; everything else is plain. A model
//!   notices when a *load* is no longer sequentially consistent, of whichever side.
//!
//! loom 0.7 skips orders of execution when a thread reads a word and then writes it: of those who read the word before it
//! remembers the last, and that is the writer itself (tokio-rs/loom issues 166 and 392). So each word has a second one beside it,
//! which a load writes first, without ordering anything: two loads now count as accesses whose order matters, and none is
//! forgotten. tests/models/orders.rs shows that with it they all come.

pub(crate) use loom::cell::UnsafeCell;
use loom::sync::atomic;
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

/// An atomic, and the word that its loads write (see the module's text).
#[derive(Debug)]
pub(crate) struct Word<A> {
    value: A,
    loads: atomic::AtomicUsize,
}

impl<A> Word<A> {
    #[track_caller]
    fn around(value: A) -> Self {
        Word { value, loads: atomic::AtomicUsize::new(0) }
    }

    /// Where a load may come earlier or later.
    #[track_caller]
    fn turn(&self) {
        self.loads.fetch_add(1, Relaxed);
    }
}

/// What every atomic has.
macro_rules! accesses {
    ([$($param:ident)?] $atomic:ty, $value:ty) => {
        impl$(<$param>)? Word<$atomic> {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Word::around(<$atomic>::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                fence_before(order);
                self.turn();
                self.value.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.value.store(value, order);
                fence_after(order);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                let before = self.value.swap(value, order);
                fence_after(order);
                before
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> std::result::Result<$value, $value> {
                let before = self.value.compare_exchange(current, new, success, failure)?;
                fence_after(success);
                Ok(before)
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> std::result::Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }
        }
    };
}

/// What a number has besides.
macro_rules! arithmetic {
    ($atomic:ty, $int:ty, $($method:ident)*) => {
        impl Word<$atomic> {
            $(#[track_caller]
            pub(crate) fn $method(&self, value: $int, order: Ordering) -> $int {
                let before = self.value.$method(value, order);
                fence_after(order);
                before
            })*
        }
    };
}

impl Word<atomic::AtomicUsize> {
    /// As plain memory, which nobody else may be looking at.
    #[track_caller]
    pub(crate) fn with_mut<R>(&mut self, change: impl FnOnce(&mut usize) -> R) -> R {
        self.value.with_mut(change)
    }
}

pub(crate) type AtomicU32 = Word<atomic::AtomicU32>;
pub(crate) type AtomicU64 = Word<atomic::AtomicU64>;
pub(crate) type AtomicUsize = Word<atomic::AtomicUsize>;
pub(crate) type AtomicPtr<T> = Word<atomic::AtomicPtr<T>>;

accesses!([] atomic::AtomicU32, u32);
accesses!([] atomic::AtomicU64, u64);
accesses!([] atomic::AtomicUsize, usize);
accesses!([T] atomic::AtomicPtr<T>, *mut T);
arithmetic!(atomic::AtomicU32, u32, fetch_add fetch_sub fetch_and fetch_or);
arithmetic!(atomic::AtomicU64, u64, fetch_add fetch_sub fetch_and fetch_or);
arithmetic!(atomic::AtomicUsize, usize, fetch_add fetch_sub fetch_max);

/// A sequentially consistent load.
#[track_caller]
pub(crate) fn load_sc(word: &AtomicU64) -> u64 {
    match is_in(Rendering::Looks) {
        true => word.fetch_add(0, Acquire),
        false => word.load(SeqCst),
    }
}

/// A sequentially consistent store.
#[track_caller]
pub(crate) fn store_sc(word: &AtomicU64, value: u64) {
    store_in_order(word, value, SeqCst);
}

/// A release store.
#[track_caller]
pub(crate) fn store_release(word: &AtomicU64, value: u64) {
    store_in_order(word, value, Release);
}

/// A store after all others, where loom could move a plain one before them.
#[track_caller]
fn store_in_order(word: &AtomicU64, value: u64, order: Ordering) {
    match is_in(Rendering::Looks) {
        true => drop(word.swap(value, Release)),
        false => word.store(value, order),
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
