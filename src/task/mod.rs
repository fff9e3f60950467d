//! A task and its future: one block of memory, the node. Used by everything that submits, runs, waits or observes.
//!
//! * [`state`]: the state word, the heart of every protocol on a node
//! * [`node`]: the node's layout and the transitions; [`outcome`], [`listen`], [`references`]: what else is done with a node
//! * [`handle`]: owned references
//! * [`observer`]: who wants to hear of the end
//! * [`extra`]: the rarely used: drop hooks, name, what a failed task reported
//! * [`payload`]: room for a value of the submitter's beside the node
//! * [`pool`] and [`bundle`], [`depot`], [`chunk`]: recycled memory, one by one and many at once

pub(crate) mod bundle;
pub(crate) mod chunk;
pub(crate) mod depot;
pub(crate) mod extra;
pub(crate) mod handle;
pub(crate) mod listen;
pub(crate) mod node;
pub(crate) mod observer;
pub(crate) mod outcome;
pub(crate) mod payload;
pub(crate) mod pool;
mod references;
pub(crate) mod state;

pub use extra::ErrorRecord;
pub use handle::Future;
pub use node::Node;
pub use state::State;

use std::ffi::{c_char, c_void};

/// What a task runs; the shape of a pthread start routine. It must return. The ABI of this and the other functions lets unwinding
/// reach us, so that `current` can end the process; with `extern "C"` it would be undefined.
pub type TaskFn = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;
pub type DropFn = unsafe extern "C-unwind" fn(*mut c_void);
pub type DoneFn = unsafe extern "C-unwind" fn(*mut Node, *mut c_void);
pub type UnhandledFn = unsafe extern "C-unwind" fn(*const ErrorRecord, *mut c_void);

/// The full form of a submission.
#[derive(Clone, Copy)]
pub struct Task {
    pub func: TaskFn,
    pub arg: *mut c_void,
    /// Runs once for an accepted task: after `func` has returned, or when it never will be called.
    pub drop_arg: Option<DropFn>,
    /// Runs for a non-null result that nobody took, when the last reference goes.
    pub drop_result: Option<DropFn>,
    /// A C string, copied.
    pub name: Option<*const c_char>,
}
