//! Loom models of the core's own source: every interleaving (and every reordering that the memory orderings allow) of a
//! small number of threads, one claim a model. Run by `make test`:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test --release --locked --lib models
//! ```
//!
//! The structures are scaled down under loom (segments of 2, rings of 4, batches of 2), so that their edges are reached. A lost
//! wake-up shows as a deadlock, which loom reports; a data race on plain memory is reported too. Where a model says "bounded",
//! loom stops at that many preemptions per execution; the others are exhaustive.

mod completion;
mod completion_queue;
mod deadlock;
mod depot;
mod executor;
mod fifo;
mod launch;
mod nodes;
mod orders;
mod pool;
mod registry;
mod retirement;
mod ring;
mod shutdown;
mod waiting;
mod wake;

use crate::sync::weak::{rendered, Rendering};
use crate::task::TaskFn;
use std::ffi::c_void;

/// Explores the model in two renderings of sequential consistency (`sync::weak`): a *write* that is not sequentially consistent
/// fails in the second.
fn in_both_renderings(explore: impl Fn()) {
    rendered(Rendering::Looks, &explore);
    rendered(Rendering::Writes, &explore);
}

/// The same in all three: a *load* that is not sequentially consistent fails in the last.
fn in_every_rendering(explore: impl Fn()) {
    in_both_renderings(&explore);
    rendered(Rendering::Loads, &explore);
}

/// Explores with at most `preemptions` involuntary switches per execution.
fn bounded(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    // Waiting for a lock bit takes steps; the default of 1,000 is for models without any.
    builder.max_branches = 10_000;
    builder.check(model);
}

/// What a model does before it comes to its point: one way, instead of every way.
fn in_one_way<R>(prepare: impl FnOnce() -> R) -> R {
    loom::stop_exploring();
    let prepared = prepare();
    loom::explore();
    prepared
}

/// A task function that models never call.
const NOTHING: TaskFn = nothing;

unsafe extern "C-unwind" fn nothing(arg: *mut c_void) -> *mut c_void {
    arg
}

/// A number as a pointer that nobody follows.
fn pointer(n: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(n)
}
