//! What the workloads measure with: the record of a run, clocks, resident memory, the CPU time of other threads.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use nix::time::{clock_gettime, ClockId};

/// What a workload is given, and what it reports.
#[derive(Default)]
pub struct Run {
    pub workers: usize,
    /// In: how many; out: how many there were, where the workload decides.
    pub tasks: usize,
    /// Seconds to watch, for workloads that watch.
    pub window: f64,
    pub wall_ns: f64,
    /// Of the whole process, during the timed part.
    pub cpu_ns: f64,
    /// The workload's figure, in its unit; where that is ns per task the driver fills it in.
    pub value: f64,
    pub p50_ns: f64,
    pub p99_ns: f64,
    pub wakeups: f64,
}

/// Runs from before the pool is made until it is closed.
pub struct Clock {
    cpu_ns: f64,
    wall: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self { cpu_ns: process_cpu_ns(), wall: Instant::now() }
    }

    pub fn stop(self, run: &mut Run) {
        run.wall_ns = self.wall.elapsed().as_secs_f64() * 1e9;
        run.cpu_ns = process_cpu_ns() - self.cpu_ns;
    }
}

fn process_cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the CPU clock");
    time.tv_sec() as f64 * 1e9 + time.tv_nsec() as f64
}

/// A pool that loses tasks must not win.
pub fn check(right: bool, what: &str) {
    if !right {
        eprintln!("wrong result: {what}");
        std::process::exit(1);
    }
}

/// `n` places whose memory is resident: the driver's own page faults are not the pool's. The first `black_box` keeps
/// the compiler from asking for zeroed memory instead, which would not be.
pub fn places<T: Default>(n: usize) -> Vec<T> {
    let mut places = black_box(Vec::with_capacity(n));
    places.resize_with(n, T::default);
    places
}

pub fn resident_bytes() -> f64 {
    // smaps_rollup walks the page tables: exact, unlike the batched counters in statm.
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("/proc/self/smaps_rollup");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).expect("an Rss line");
    let kib: f64 = line.trim_end_matches("kB").trim().parse().expect("a number of kB");
    kib * 1024.0
}

/// Every thread but the main one, which calls: CPU time in ns, and times given a CPU. From the scheduler's own books,
/// exact to the ns: a thread that slept through the window adds nothing at all.
pub fn usage_of_others() -> (f64, f64) {
    let main = std::process::id().to_string();
    let (mut cpu_ns, mut runs) = (0.0, 0.0);
    for thread in fs::read_dir("/proc/self/task").expect("/proc/self/task") {
        let thread = thread.expect("a thread");
        if thread.file_name() == main.as_str() {
            continue;
        }
        let text = fs::read_to_string(thread.path().join("schedstat")).expect("schedstat");
        let fields: Vec<f64> = text.split_whitespace().map(|field| field.parse().expect("a number")).collect();
        // Time on a CPU, time waiting for one, times given one.
        cpu_ns += fields[0];
        runs += fields[2];
    }
    (cpu_ns, runs)
}
