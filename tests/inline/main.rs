//! N: waiting inside of a worker.
#![cfg(not(loom))]
#![allow(clippy::type_complexity, clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

#[path = "../support/mod.rs"]
mod support;

mod cycles;
mod running;
