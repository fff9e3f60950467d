//! The workloads, in the order and with the loops of the C drivers' `workloads.h`, which says what each is for.
//!
//! The clock runs from before the pool is made until it is closed; what the tasks computed is checked.

mod gate;
mod tasks;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::measure::{check, places, resident_bytes, usage_of_others, Clock, Run};
use crate::{Pool, Unsupported};
use tasks::{count, counted, work};

type Outcome = Result<(), Unsupported>;

/// The sum of 0 … n - 1; wraps as the checked sum does.
fn sum_below(n: usize) -> u64 {
    let n = n as u64;
    n.wrapping_mul(n.wrapping_sub(1)) / 2
}

/// Task i gives i, so that the collected sum shows that each task ran once with its own argument.
pub fn submit_each<P: Pool>(pool: &P, futures: &mut [Option<P::Future>]) {
    submit_all(pool, futures, |i| i);
}

fn submit_all<P: Pool>(pool: &P, futures: &mut [Option<P::Future>], task: impl Fn(u64) -> u64 + Copy + Send + 'static) {
    for (i, future) in (0..).zip(futures) {
        *future = Some(pool.submit(move || task(i)));
    }
}

fn collect_each<P: Pool>(pool: &P, futures: &mut [Option<P::Future>]) {
    let n = futures.len();
    let sum = pool.collect(futures.iter_mut().filter_map(Option::take));
    check(sum == sum_below(n), "the sum of the results");
}

/// Submit all, then collect all: every future is alive at once.
pub fn collect<P: Pool>(run: &mut Run) -> Outcome {
    submit_and_collect::<P>(run, |i| i);
    Ok(())
}

fn submit_and_collect<P: Pool>(run: &mut Run, task: impl Fn(u64) -> u64 + Copy + Send + 'static) {
    let mut futures = places(run.tasks);
    let clock = Clock::start();
    let pool = P::new(run.workers);
    submit_all(&pool, &mut futures, task);
    collect_each(&pool, &mut futures);
    pool.close();
    clock.stop(run);
}

const WINDOW: usize = 1000;

/// The same in windows.
pub fn windows<P: Pool>(run: &mut Run) -> Outcome {
    run.tasks -= run.tasks % WINDOW;
    let mut futures = places(WINDOW);
    let clock = Clock::start();
    let pool = P::new(run.workers);
    for _ in 0..run.tasks / WINDOW {
        submit_each(&pool, &mut futures);
        collect_each(&pool, &mut futures);
    }
    pool.close();
    clock.stop(run);
    Ok(())
}

/// No peer here has a call that submits many and gives a future each: one by one is what a user would write.
pub fn many<P: Pool>(run: &mut Run) -> Outcome {
    run.tasks -= run.tasks % WINDOW;
    collect::<P>(run)
}

/// Fire and forget, then drain.
pub fn execute<P: Pool>(run: &mut Run) -> Outcome {
    let clock = Clock::start();
    let pool = P::new(run.workers);
    (0..run.tasks).for_each(|_| pool.execute(count));
    pool.close();
    clock.stop(run);
    check(counted() == run.tasks, "the number of tasks that ran");
    Ok(())
}

/// One task at a time, each awaited before the next is submitted.
pub fn round_trip<P: Pool>(run: &mut Run) -> Outcome {
    let mut times: Vec<u64> = places(run.tasks);
    let mut sum = 0u64;
    let clock = Clock::start();
    let pool = P::new(run.workers);
    for (i, time) in (0..).zip(&mut times) {
        let start = Instant::now();
        sum = sum.wrapping_add(pool.result(pool.submit(move || i)));
        *time = start.elapsed().as_nanos() as u64;
    }
    pool.close();
    clock.stop(run);
    check(sum == sum_below(run.tasks), "the sum of the results");
    times.sort_unstable();
    run.p50_ns = times[run.tasks / 2] as f64;
    run.p99_ns = times[run.tasks - 1 - run.tasks / 100] as f64;
    Ok(())
}

/// Four threads that each submit a quarter and collect it.
pub fn producers<P: Pool>(run: &mut Run) -> Outcome {
    const PRODUCERS: usize = 4;
    let each = run.tasks / PRODUCERS;
    run.tasks = each * PRODUCERS;
    let mut futures: Vec<Option<P::Future>> = places(run.tasks);
    let start = Barrier::new(PRODUCERS);
    let clock = Clock::start();
    let pool = P::new(run.workers);
    thread::scope(|scope| {
        for futures in futures.chunks_mut(each.max(1)) {
            scope.spawn(|| {
                start.wait();
                submit_each(&pool, futures);
                collect_each(&pool, futures);
            });
        }
    });
    pool.close();
    clock.stop(run);
    Ok(())
}

/// Nested fork-join: fib(27). `tasks` is the number of children that this makes, and the root.
pub fn fib<P: Pool>(run: &mut Run) -> Outcome {
    const N: u64 = 27;
    // fib(N - 1) and fib(N) once the loop has ended.
    let (below, fib_n) = (1..N).fold((0, 1), |(below, this), _| (this, below + this));
    run.tasks = (fib_n + below) as usize;
    let clock = Clock::start();
    let pool = P::new(run.workers);
    let got = pool.fib(N)?;
    pool.close();
    clock.stop(run);
    check(got == fib_n, "the Fibonacci number");
    Ok(())
}

/// One task submits all the others and collects them.
pub fn inside<P: Pool>(run: &mut Run) -> Outcome {
    let kept = places(run.tasks);
    let clock = Clock::start();
    let pool = P::new(run.workers);
    let sum = pool.inside(run.workers, kept)?;
    pool.close();
    clock.stop(run);
    check(sum == sum_below(run.tasks), "the sum of the results");
    Ok(())
}

/// One task fires all the others and forgets them.
pub fn inside_execute<P: Pool>(run: &mut Run) -> Outcome {
    let clock = Clock::start();
    let pool = P::new(run.workers);
    pool.execute_inside(run.tasks, count);
    pool.close();
    clock.stop(run);
    check(counted() == run.tasks, "the number of tasks that ran");
    Ok(())
}

/// Tasks of 1 µs, submitted and collected: the wall time over the ideal one, which is the work alone, done one after
/// the other in this very process, shared out to as many workers as there are CPUs for.
pub fn one_us<P: Pool>(run: &mut Run) -> Outcome {
    tasks::calibrate_work();
    let start = Instant::now();
    (0..run.tasks as u64).for_each(|i| _ = work(i));
    let alone = start.elapsed().as_secs_f64() * 1e9;
    submit_and_collect::<P>(run, work);
    let cpus = thread::available_parallelism().map_or(run.workers, usize::from);
    run.value = run.wall_ns / (alone / cpus.min(run.workers) as f64);
    Ok(())
}

const NAP: Duration = Duration::from_millis(1);

/// Tasks that sleep: the wall time over that of as many plain threads, each of which sleeps its share.
pub fn sleepers<P: Pool>(run: &mut Run) -> Outcome {
    if P::BLOCKING_IS_FOR_ANOTHER_POOL {
        return Err(Unsupported("a task that blocks belongs in another of its pools, says its documentation"));
    }
    let start = Instant::now();
    thread::scope(|scope| {
        for i in 0..run.workers {
            let share = run.tasks / run.workers + usize::from(i < run.tasks % run.workers);
            scope.spawn(move || (0..share).for_each(|_| thread::sleep(NAP)));
        }
    });
    let plain = start.elapsed().as_secs_f64() * 1e9;
    submit_and_collect::<P>(run, |i| {
        thread::sleep(NAP);
        i
    });
    run.value = run.wall_ns / plain;
    Ok(())
}

/// Resident memory per pending task, behind workers that are all blocked. The places for the futures are the caller's
/// and not counted.
fn pending<P: Pool, T>(run: &mut Run, fill: impl FnOnce(&P) -> T, drain: impl FnOnce(&P, T)) {
    let clock = Clock::start();
    let pool = P::new(run.workers);
    let held = gate::hold_all_workers(&pool, run.workers);
    let before = resident_bytes();
    let filled = fill(&pool);
    run.value = (resident_bytes() - before) / run.tasks as f64;
    gate::release(&pool, held);
    drain(&pool, filled);
    pool.close();
    clock.stop(run);
}

pub fn memory<P: Pool>(run: &mut Run) -> Outcome {
    let mut futures = places(run.tasks);
    let fill = |pool: &P| {
        submit_each(pool, &mut futures);
        futures
    };
    pending(run, fill, |pool, mut futures| collect_each(pool, &mut futures));
    Ok(())
}

pub fn memory_execute<P: Pool>(run: &mut Run) -> Outcome {
    let tasks = run.tasks;
    pending(run, |pool: &P| (0..tasks).for_each(|_| pool.execute(count)), |_, ()| ());
    check(counted() == tasks, "the number of tasks that ran");
    Ok(())
}

/// CPU time and wake-ups of all workers together while the pool has nothing to do, per second.
pub fn idle<P: Pool>(run: &mut Run) -> Outcome {
    let pool = P::new(run.workers);
    let held = gate::hold_all_workers(&pool, run.workers);
    gate::release(&pool, held);
    // Let them look around for work, give up and fall asleep.
    thread::sleep(Duration::from_millis(200));

    let clock = Clock::start();
    let (cpu_before, runs_before) = usage_of_others();
    thread::sleep(Duration::from_secs_f64(run.window));
    let (cpu_after, runs_after) = usage_of_others();
    clock.stop(run);
    run.value = (cpu_after - cpu_before) / 1000.0 / run.window;
    run.wakeups = (runs_after - runs_before) / run.window;
    run.tasks = run.workers;
    pool.close();
    Ok(())
}
