//! The crate threadpool: `execute`, with a oneshot channel per task where a result is wanted.

use std::process::ExitCode;

use rust_peers::oneshot_result::{split, wait, Receiver};
use rust_peers::{blocking, driver, Pool, Unsupported};

#[derive(Clone)]
struct ThreadPool(threadpool::ThreadPool);

impl Pool for ThreadPool {
    const CRATE: &'static str = "threadpool";

    type Future = Receiver<u64>;
    type Kept = Option<Receiver<u64>>;

    fn new(workers: usize) -> Self {
        Self(threadpool::ThreadPool::new(workers))
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Receiver<u64> {
        let (run, result) = split(task);
        self.0.execute(run);
        result
    }

    fn result(&self, future: Receiver<u64>) -> u64 {
        wait(future)
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.execute(task);
    }

    /// Waits for the tasks; the crate has no way to wait for its threads.
    fn close(self) {
        self.0.join();
    }

    fn inside(&self, workers: usize, kept: Vec<Option<Receiver<u64>>>) -> Result<u64, Unsupported> {
        blocking::inside(self, workers, kept)
    }

    fn execute_inside(&self, tasks: usize, task: fn()) {
        blocking::execute_inside(self, tasks, task);
    }
}

fn main() -> ExitCode {
    driver::main::<ThreadPool>()
}
