//! libtpexec: what `concurrent.futures.ThreadPoolExecutor` is to Python, for C and C++ and every language that can call C.
//!
//! The product is the C ABI in [`ffi`], described by `include/tpexec.h`. Everything else is the core, in Rust, which knows
//! nothing of C but the shape of a task function. The tour, in the order in which a task flows:
//!
//! 1. an [`executor`] is the whole of it. [`submit`] takes a task in: a node from [`task`]'s recycled memory, published in the
//!    [`queue`]; [`launch`] does so in two steps, with a value that its submitter makes in the task's own memory;
//! 2. [`scheduler`] sees that somebody looks: wakes a worker or starts one ([`lifecycle`]);
//! 3. a [`worker`] takes it, calls the function, ends the node;
//! 4. [`completion`] tells those who wait, then runs the done callbacks;
//! 5. [`wait`] (with [`wait_first`] and [`deadlock`]), [`completion_queue`] and [`map`] are how results come out.
//!
//! Dependencies point down this list; underneath lie [`registry`] (from a node's id to its executor), [`current`] (what this
//! thread is doing), [`alloc`] and [`reserve`] (allocation that can fail), [`sys`] (the operating system) and [`sync`] (std or a model checker).
//!
//! `unsafe` is expected where memory is shared by protocol (`task`, `queue`, `registry`, `submit`, `launch`, the registrations of
//! `wait_first`, `completion_queue` and `map`), where user functions are called (`worker`, `completion`, `current`), in `sys`,
//! `alloc` and `ffi`. Each block says why it is sound; each protocol has its proof in prose where it is written down, and a
//! model in `tests/models`.

// Under a model checker some of the parts that models do without have no user.
#![cfg_attr(any(loom, shuttle), allow(dead_code, unused_imports))]

pub mod ffi;

pub mod completion_queue;
pub mod config;
pub mod current;
pub mod executor;
mod launch;
mod lifecycle;
pub mod map;
pub mod status;
mod submit;
pub mod task;
pub mod wait;
mod wait_first;

mod alloc;
mod completion;
mod deadlock;
mod queue;
mod registry;
mod reserve;
mod scheduler;
mod sync;
mod sys;
mod worker;

#[cfg(all(test, loom))]
#[path = "../tests/models/mod.rs"]
mod models;

#[cfg(all(test, shuttle))]
#[path = "../tests/models/mixes.rs"]
mod mixes;
