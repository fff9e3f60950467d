//! rusty_pool: `evaluate` for a result, `execute` without; as many core threads as workers and none beyond.

use std::process::ExitCode;
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Arc, Mutex};

use rust_peers::{blocking, driver, Pool, Unsupported};
use rusty_pool::JoinHandle;

#[derive(Clone)]
struct RustyPool {
    pool: rusty_pool::ThreadPool,
    /// Disconnected once the pool and its last worker are gone.
    stops: Arc<Mutex<Receiver<()>>>,
}

impl Pool for RustyPool {
    const CRATE: &'static str = "rusty_pool";

    type Future = JoinHandle<u64>;
    type Kept = Option<JoinHandle<u64>>;

    fn new(workers: usize) -> Self {
        let (stop, stops) = channel();
        let on_stop = move || {
            // Fails only when nobody waits for the end.
            let _ = stop.send(());
        };
        let pool = rusty_pool::Builder::new().core_size(workers).max_size(workers).on_worker_stop(on_stop).build();
        Self { pool, stops: Arc::new(Mutex::new(stops)) }
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> JoinHandle<u64> {
        self.pool.evaluate(task)
    }

    fn result(&self, future: JoinHandle<u64>) -> u64 {
        future.await_complete()
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.pool.execute(task);
    }

    /// `shutdown_join` is not enough: it returns while a worker has taken the last task and not yet said that it is
    /// busy.
    fn close(self) {
        self.pool.shutdown();
        self.stops.lock().expect("the stops").iter().for_each(drop);
    }

    fn inside(&self, workers: usize, kept: Vec<Option<JoinHandle<u64>>>) -> Result<u64, Unsupported> {
        blocking::inside(self, workers, kept)
    }

    fn execute_inside(&self, tasks: usize, task: fn()) {
        blocking::execute_inside(self, tasks, task);
    }
}

fn main() -> ExitCode {
    driver::main::<RustyPool>()
}
