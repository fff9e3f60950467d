//! What the tests of the core share: executors that free themselves, tasks made of closures, gates and counters to make
//! states certain, a process of one's own.
//!
//! No test relies on time: threads meet at gates. Time limits are watchdogs, far beyond what any step takes.
//! Things that tasks and tests share are leaked, so that closures may simply copy the reference.

#![allow(dead_code)] // Each test file uses its own part of this.

mod answers;
mod meeting;
mod pool;

pub use answers::*;
pub use meeting::*;
pub use pool::*;
use std::ffi::c_void;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tpexec::wait::Timeout;

pub type Ptr = *mut c_void;

pub const NULL: Ptr = std::ptr::null_mut();
pub const POLL: Timeout = Timeout::Poll;
pub const FOREVER: Timeout = Timeout::Forever;

pub fn ms(n: i64) -> Timeout {
    Timeout::from_ns(n * 1_000_000)
}

/// A number as a task's argument or result, and back.
pub fn ptr(n: usize) -> Ptr {
    std::ptr::without_provenance_mut(n)
}

pub fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

pub fn counter() -> &'static AtomicUsize {
    leak(AtomicUsize::new(0))
}

pub fn inc(count: &AtomicUsize) {
    count.fetch_add(1, SeqCst);
}

/// A small generator of random numbers (xorshift): the same numbers in every run of a test.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % n as u64) as usize
    }
}

/// Runs the calling test, `name` (with its module), again in a process of its own, where no other test disturbs it; true in that process.
pub fn alone(name: &str) -> bool {
    const CHILD: &str = "TPEXEC_TEST_ALONE";
    if std::env::var(CHILD).as_deref() == Ok(name) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([name, "--exact", "--nocapture"]).env(CHILD, name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Resident memory of this process in bytes.
pub fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The calling thread's id.
pub fn thread_id() -> usize {
    unsafe { libc::syscall(libc::SYS_gettid) as usize }
}
