//! O: who owns arguments, results and errors, and when their hooks run.
#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod unseen;
