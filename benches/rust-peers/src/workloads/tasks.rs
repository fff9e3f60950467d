//! What the tasks do: count, or work for a microsecond.

use std::cell::OnceCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::Instant;

/// A counter on cache lines of its own: a counter that workers share would cost more than the task.
#[repr(align(128))]
struct Counter(AtomicUsize);

static COUNTERS: Mutex<Vec<&'static Counter>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: OnceCell<&'static Counter> = const { OnceCell::new() };
}

pub fn count() {
    MINE.with(|mine| {
        let Counter(count) = mine.get_or_init(new_counter);
        // Only this thread writes it: a plain load and store, no locked instruction.
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    });
}

/// Lives on after its thread, until the process ends.
fn new_counter() -> &'static Counter {
    let counter: &'static Counter = Box::leak(Box::new(Counter(AtomicUsize::new(0))));
    COUNTERS.lock().expect("the counters").push(counter);
    counter
}

pub fn counted() -> usize {
    // Acquire would add nothing: the pool has been closed, which ordered all the tasks before this.
    COUNTERS.lock().expect("the counters").iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum()
}

static WORK_ROUNDS: AtomicU64 = AtomicU64::new(1 << 22);

/// A chain of dependent multiplications: the same work on every call, whatever else the machine does. Gives its
/// argument back.
pub fn work(argument: u64) -> u64 {
    let mut x = argument | 1;
    for _ in 0..WORK_ROUNDS.load(Ordering::Relaxed) {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    }
    black_box(x);
    argument
}

/// From now on `work` takes a microsecond on this machine.
pub fn calibrate_work() {
    let rounds = WORK_ROUNDS.load(Ordering::Relaxed);
    let timed = |_| {
        let start = Instant::now();
        work(0);
        start.elapsed().as_secs_f64() * 1e6
    };
    let best_us = (0..3).map(timed).fold(f64::INFINITY, f64::min);
    WORK_ROUNDS.store((rounds as f64 / best_us) as u64, Ordering::Relaxed);
}
