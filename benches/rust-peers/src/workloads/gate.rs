//! A gate that holds every worker: what is submitted meanwhile stays pending.

use std::sync::{Condvar, Mutex};

use crate::Pool;

struct Semaphore {
    count: Mutex<usize>,
    posted: Condvar,
}

impl Semaphore {
    const fn new() -> Self {
        Self { count: Mutex::new(0), posted: Condvar::new() }
    }

    fn post(&self) {
        *self.count.lock().expect("the count") += 1;
        self.posted.notify_one();
    }

    fn wait(&self) {
        let count = self.count.lock().expect("the count");
        *self.posted.wait_while(count, |count| *count == 0).expect("the count") -= 1;
    }
}

static REACHED: Semaphore = Semaphore::new();
static OPEN: Semaphore = Semaphore::new();

/// Returns once `workers` tasks meet at the gate: all workers have started. The tasks block their threads, tokio's too.
pub fn hold_all_workers<P: Pool>(pool: &P, workers: usize) -> Vec<P::Future> {
    let pass_gate = || {
        REACHED.post();
        OPEN.wait();
        0
    };
    let held = (0..workers).map(|_| pool.submit(pass_gate)).collect();
    (0..workers).for_each(|_| REACHED.wait());
    held
}

pub fn release<P: Pool>(pool: &P, held: Vec<P::Future>) {
    held.iter().for_each(|_| OPEN.post());
    pool.collect(held.into_iter());
}
