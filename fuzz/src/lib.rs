//! Fuzzing libtpexec through its C ABI: each target takes bytes for a program, runs it, and holds the library to a
//! model of what it promises. `scripts/fuzz.sh` builds and runs them; CONTRIBUTING.md says how to read what they find.
//!
//! * `turns`: one call at a time, against the exact specification in [`model`];
//! * `threads`: several threads at once, against exact accounts.

mod actions;
pub mod answer;
pub mod call;
pub mod canary;
pub mod model;
mod pointers;
mod report;
pub use report::VERBOSE;
pub mod threads;
pub mod turns;
