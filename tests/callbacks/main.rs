//! K: done callbacks.
#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

#[path = "../support/mod.rs"]
mod support;

mod anything;
mod calling;
