//! The loops of the benchmark for the thread pools of the Rust world.
//!
//! Each file in `bin/` maps one peer to the trait [`Pool`], as that peer's own documentation recommends, and hands over
//! to [`driver::main`]. `workloads` has the same loops as the C drivers' `workloads.h`, `measure` the same clocks.
//! Tasks are closures, as a Rust program would write them, so these peers pay for no crossing from C.

pub mod blocking;
pub mod driver;
mod measure;
pub mod oneshot_result;
pub mod tokio_runtime;
pub mod workloads;

/// Why a peer does not run a workload; the driver prints it and exits with status 3.
pub struct Unsupported(pub &'static str);

/// What the workloads call.
pub trait Pool: Sized + Sync {
    /// The crate as Cargo.lock names it.
    const CRATE: &'static str;
    /// Which of the crate's pools this is, where it has several.
    const PART: &'static str = "";
    /// Whether a task waits for its children through a future each, as libtpexec's does, in `fib` and `inside`.
    const NESTS_WITH_FUTURES: bool = true;

    /// Whether the documentation wants tasks that block their thread elsewhere.
    const BLOCKING_IS_FOR_ANOTHER_POOL: bool = false;

    type Future: Send;
    /// What the task in `inside` keeps of each child until it collects it: the child's future, or the place for its
    /// result.
    type Kept: Default + Send;

    fn new(workers: usize) -> Self;
    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Self::Future;
    fn result(&self, future: Self::Future) -> u64;
    fn execute(&self, task: impl FnOnce() + Send + 'static);
    /// Returns once everything that was submitted has run, and with the threads ended where the peer can say so.
    fn close(self);

    /// The sum of the results, in order.
    fn collect(&self, futures: impl Iterator<Item = Self::Future>) -> u64 {
        futures.fold(0, |sum, future| sum.wrapping_add(self.result(future)))
    }

    /// One task submits `kept.len()` tasks, the i-th of which gives i, and returns the sum of what it collects.
    fn inside(&self, workers: usize, kept: Vec<Self::Kept>) -> Result<u64, Unsupported>;

    /// One task executes `tasks` times `task`.
    fn execute_inside(&self, tasks: usize, task: fn());

    /// Nested fork-join: each call submits the computation of fib(n - 1), computes fib(n - 2) itself, and waits.
    fn fib(&self, _n: u64) -> Result<u64, Unsupported> {
        Err(blocking::WAITING_BLOCKS)
    }
}
