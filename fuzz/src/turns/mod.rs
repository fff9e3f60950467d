//! The `turns` target: a program of single calls, made by several threads and from inside of tasks and callbacks, one
//! at a time; so that the model can say exactly what each of them answers and what happens next.
//!
//! `program` (bytes) → `choose` (a call that makes sense now, with `safe`) → `model` (what must happen) → `perform` on the
//! thread whose turn it is (`stage`) → what that thread and all others report (`hooks`) → `model` again, until nothing
//! more happens by itself.

mod choose;
mod hooks;
mod perform;
pub mod program;
mod refusals;
mod run;
mod safe;
mod stage;
mod submit;

pub use run::run;
