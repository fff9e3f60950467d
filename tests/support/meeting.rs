//! Where threads of a test meet: gates, counts, conditions; and the watchdog over all of them.

use super::*;
use std::sync::{Condvar, Mutex, Once};
use std::time::{Duration, Instant};

/// No step of any test takes as long.
const WATCHDOG: Duration = Duration::from_secs(300);

/// Ends the process if a test hangs: better a failure than a build that never ends.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::thread::spawn(|| {
            std::thread::sleep(WATCHDOG);
            eprintln!("a test has not ended within {WATCHDOG:?}");
            std::process::abort();
        });
    });
}

/// Waits until something becomes so that no gate tells of, such as the end of an idle thread.
#[track_caller]
pub fn until(mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < WATCHDOG, "does not come");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Closed until it is opened, once.
pub struct Gate(Count);

impl Gate {
    pub fn new() -> &'static Gate {
        leak(Gate(Count { value: Mutex::new(0), changed: Condvar::new() }))
    }

    pub fn open(&self) {
        self.0.add(1);
    }

    #[track_caller]
    pub fn pass(&self) {
        self.0.wait(1);
    }

    pub fn is_open(&self) -> bool {
        self.0.get() != 0
    }
}

/// A count that threads can wait for. As a meeting of k: every one of them calls `meet(k)`.
pub struct Count {
    value: Mutex<usize>,
    changed: Condvar,
}

impl Count {
    pub fn new() -> &'static Count {
        leak(Count { value: Mutex::new(0), changed: Condvar::new() })
    }

    pub fn add(&self, n: usize) -> usize {
        let mut value = self.value.lock().unwrap();
        *value += n;
        self.changed.notify_all();
        *value
    }

    pub fn get(&self) -> usize {
        *self.value.lock().unwrap()
    }

    /// Until the count is `n` or more.
    #[track_caller]
    pub fn wait(&self, n: usize) {
        let (value, _) = self.changed.wait_timeout_while(self.value.lock().unwrap(), WATCHDOG, |v| *v < n).unwrap();
        assert!(*value >= n, "only {} of {n} came", *value);
    }

    #[track_caller]
    pub fn meet(&self, k: usize) {
        self.add(1);
        self.wait(k);
    }
}
