//! P: workers and submitting.
#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

#[path = "../support/mod.rs"]
mod support;

mod demand;
mod idle;
mod meetings;
mod order;
mod submitting;
