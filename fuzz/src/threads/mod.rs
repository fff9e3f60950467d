//! The `threads` target: several threads, and tasks and callbacks, make calls at the same time. What each of them
//! answers depends on the others, so it is held to the answers that some order of events would give; but in the end the
//! accounts must be exact: every accepted task ran once or was cancelled once, and every hook ran once.
//!
//! `program` (bytes) → a script for each thread and for each task → `run`, `steps` (the calls) with `submitting` and
//! `several` → `accounts` (what happened, and whether it may).

mod accounts;
mod hooks;
pub mod program;
mod run;
mod several;
mod steps;
mod submitting;

pub use run::run;
