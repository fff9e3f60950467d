//! A: completion queues and as-completed.
#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

#[path = "../support/mod.rs"]
mod support;

mod memory;
mod order;
