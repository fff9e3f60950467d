//! rayon: `ThreadPool::spawn` from outside, `scope` and `join` inside.
//!
//! rayon has no future: outside, each task answers through a oneshot channel. Inside, a task that waits on a channel
//! would block its worker, so the documented forms are used: a scope, which waits for all it spawned, and `join`.
//! Neither makes a future per call; the JSON says so.

use std::io;
use std::process::ExitCode;
use std::thread::{Builder, JoinHandle};

use rust_peers::oneshot_result::{split, wait, Receiver};
use rust_peers::{driver, Pool, Unsupported};

struct Rayon {
    pool: rayon::ThreadPool,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for Rayon {
    const CRATE: &'static str = "rayon";
    const NESTS_WITH_FUTURES: bool = false;

    type Future = Receiver<u64>;
    type Kept = u64;

    /// Starts the threads itself, by the documented hook, to be able to join them: dropping a `ThreadPool` only asks
    /// them to end.
    fn new(workers: usize) -> Self {
        let mut threads = Vec::new();
        let start = |thread: rayon::ThreadBuilder| -> io::Result<()> {
            threads.push(Builder::new().spawn(|| thread.run())?);
            Ok(())
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).spawn_handler(start).build();
        Self { pool: pool.expect("the pool"), threads }
    }

    fn submit(&self, task: impl FnOnce() -> u64 + Send + 'static) -> Receiver<u64> {
        let (run, result) = split(task);
        self.pool.spawn(run);
        result
    }

    fn result(&self, future: Receiver<u64>) -> u64 {
        wait(future)
    }

    fn execute(&self, task: impl FnOnce() + Send + 'static) {
        self.pool.spawn(task);
    }

    fn close(self) {
        drop(self.pool);
        self.threads.into_iter().for_each(|thread| thread.join().expect("a worker panicked"));
    }

    fn inside(&self, _workers: usize, mut results: Vec<u64>) -> Result<u64, Unsupported> {
        Ok(self.pool.install(|| {
            rayon::scope(|scope| {
                for (i, result) in (0..).zip(&mut results) {
                    scope.spawn(move |_| *result = i);
                }
            });
            results.iter().fold(0, |sum: u64, result| sum.wrapping_add(*result))
        }))
    }

    fn execute_inside(&self, tasks: usize, task: fn()) {
        self.pool.install(|| (0..tasks).for_each(|_| rayon::spawn(task)));
    }

    fn fib(&self, n: u64) -> Result<u64, Unsupported> {
        Ok(self.pool.install(|| fib(n)))
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (child, here) = rayon::join(|| fib(n - 1), || fib(n - 2));
    child + here
}

fn main() -> ExitCode {
    driver::main::<Rayon>()
}
