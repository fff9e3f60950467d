//! tokio: `spawn` on the multi-threaded runtime; the outside thread waits in `block_on`, tasks wait by `.await`.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use rust_peers::tokio_runtime::{sum, TokioRuntime};
use rust_peers::{driver, Pool, Unsupported};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

struct Tokio(TokioRuntime);

impl Pool for Tokio {
    const CRATE: &'static str = "tokio";
    const PART: &'static str = "spawn";
    /// An async task must not sleep in a blocking call, and one that sleeps in `.await` occupies no worker.
    const BLOCKING_IS_FOR_ANOTHER_POOL: bool = true;

    type Future = JoinHandle<u64>;
    type Kept = Option<JoinHandle<u64>>;

    fn new(workers: usize) -> Self {
        Self(TokioRuntime::new(Builder::new_multi_thread().worker_threads(workers)))
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> JoinHandle<u64> {
        self.0.runtime.spawn(async move { task() })
    }

    fn result(&self, future: JoinHandle<u64>) -> u64 {
        self.0.result(future)
    }

    fn collect(&self, futures: impl Iterator<Item = JoinHandle<u64>>) -> u64 {
        self.0.collect(futures)
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.0.tracker.spawn_on(async move { task() }, self.0.runtime.handle());
    }

    fn close(self) {
        self.0.close();
    }

    fn inside(&self, _workers: usize, mut children: Vec<Option<JoinHandle<u64>>>) -> Result<u64, Unsupported> {
        let root = self.0.runtime.spawn(async move {
            for (i, child) in (0..).zip(&mut children) {
                *child = Some(tokio::spawn(async move { i }));
            }
            sum(children.into_iter().flatten()).await
        });
        Ok(self.0.result(root))
    }

    fn execute_inside(&self, tasks: usize, task: fn()) {
        let tracker = self.0.tracker.clone();
        let root = self.0.runtime.spawn(async move {
            for _ in 0..tasks {
                tracker.spawn(async move { task() });
            }
            0
        });
        self.0.result(root);
    }

    fn fib(&self, n: u64) -> Result<u64, Unsupported> {
        Ok(self.0.result(self.0.runtime.spawn(fib(n))))
    }
}

/// Boxed, since an async function that calls itself would contain itself.
fn fib(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let child = tokio::spawn(fib(n - 1));
        let here = fib(n - 2).await;
        here + child.await.expect("the child failed")
    })
}

fn main() -> ExitCode {
    driver::main::<Tokio>()
}
