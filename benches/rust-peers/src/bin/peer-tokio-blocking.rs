//! tokio's other pool: `spawn_blocking`, with as many blocking threads as workers.
//!
//! The runtime is the one that has no worker threads of its own, so that the blocking threads are the only ones.

use std::process::ExitCode;

use rust_peers::blocking::needs_another_worker;
use rust_peers::tokio_runtime::{sum, TokioRuntime};
use rust_peers::{driver, Pool, Unsupported};
use tokio::runtime::{Builder, Handle};
use tokio::task::{spawn_blocking, JoinHandle};

struct TokioBlocking(TokioRuntime);

impl Pool for TokioBlocking {
    const CRATE: &'static str = "tokio";
    const PART: &'static str = "spawn_blocking";

    type Future = JoinHandle<u64>;
    type Kept = Option<JoinHandle<u64>>;

    fn new(workers: usize) -> Self {
        Self(TokioRuntime::new(Builder::new_current_thread().max_blocking_threads(workers)))
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> JoinHandle<u64> {
        self.0.runtime.spawn_blocking(task)
    }

    fn result(&self, future: JoinHandle<u64>) -> u64 {
        self.0.result(future)
    }

    fn collect(&self, futures: impl Iterator<Item = JoinHandle<u64>>) -> u64 {
        self.0.collect(futures)
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.tracker.spawn_blocking_on(task, self.0.runtime.handle());
    }

    fn close(self) {
        self.0.close();
    }

    fn inside(&self, workers: usize, mut children: Vec<Option<JoinHandle<u64>>>) -> Result<u64, Unsupported> {
        needs_another_worker(workers)?;
        Ok(self.0.result(self.submit(move || {
            for (i, child) in (0..).zip(&mut children) {
                *child = Some(spawn_blocking(move || i));
            }
            Handle::current().block_on(sum(children.into_iter().flatten()))
        })))
    }

    fn execute_inside(&self, tasks: usize, task: fn()) {
        let tracker = self.0.tracker.clone();
        self.0.result(self.submit(move || {
            for _ in 0..tasks {
                tracker.spawn_blocking(task);
            }
            0
        }));
    }
}

fn main() -> ExitCode {
    driver::main::<TokioBlocking>()
}
