//! Large mixes under shuttle: the whole executor with several workers and producers, cancels, callbacks, waits inside and outside of
//! tasks, limits, shutdown in all its forms, under random schedules and under schedules with few, well-placed preemptions (PCT). At
//! the end everything is accounted for exactly. Run by `make test-deep`:
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --release --locked --lib mixes -- --nocapture
//! ```
//!
//! Each of the tests runs for TPEXEC_MIX_SECONDS (50 by default) and prints how many schedules that were. A failure prints its seed;
//! TPEXEC_MIX_SEED=N runs the schedules of that seed alone. Bounds: up to 4 workers, 3 producers of 6 tasks each, and what these
//! submit; the structures are scaled down as in the loom models. A lost wake-up shows as a deadlock, which shuttle reports.

#[path = "mixes/ledger.rs"]
mod ledger;
#[path = "mixes/program.rs"]
mod program;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};
use std::time::{Duration, Instant};

/// Schedules of one seed: PCT needs one to learn how long they are.
const PER_SEED: usize = 50;
/// Preemptions of a PCT schedule, and one.
const PCT_DEPTH: usize = 4;
/// The room that a thread of a mix needs on its stack.
const STACK: usize = 1 << 18;

/// Says which seed it was when a schedule fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("to see this again: TPEXEC_MIX_SEED={}", self.0);
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

/// Runs mixes with the schedulers that `scheduler` makes of seeds, until the time is up.
fn explore<S: Scheduler + 'static>(name: &str, scheduler: impl Fn(u64) -> S) {
    let mut config = Config::new();
    config.stack_size = STACK;
    // Statics that a mix leaves behind end with the process in the library.
    config.silence_warnings = true;
    let run = |seed| {
        let _told = Seed(seed);
        Runner::new(scheduler(seed), config.clone()).run(program::mix)
    };
    if let Some(seed) = variable("TPEXEC_MIX_SEED") {
        println!("{name}: {} schedules of seed {seed}", run(seed));
        return;
    }
    let until = Instant::now() + Duration::from_secs(variable("TPEXEC_MIX_SECONDS").unwrap_or(50));
    let (mut seed, mut schedules) = (std::process::id().into(), 0);
    while schedules == 0 || Instant::now() < until {
        schedules += run(seed);
        seed += 1;
    }
    println!("{name}: {schedules} schedules");
}

#[test]
fn every_task_is_accounted_for_under_random_schedules() {
    explore("random", |seed| RandomScheduler::new_from_seed(seed, PER_SEED));
}

#[test]
fn every_task_is_accounted_for_under_few_preemptions() {
    explore("pct", |seed| PctScheduler::new_from_seed(seed, PCT_DEPTH, PER_SEED));
}
