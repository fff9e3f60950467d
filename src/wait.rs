//! Blocking on one future, or on all of several. Called by `ffi` (result, take, error, wait) and `map`; waiting for the first of
//! several is in `wait_first`.
//!
//! A worker that waits for a pending task of its own executor runs that task itself (N1). Otherwise: a short spin, since
//! most waits are short; then sleep, after a look whether that sleep could ever end (`deadlock`).

use crate::current::{here, Here};
use crate::deadlock;
use crate::registry;
use crate::status::{Error, Result, Status, CANCELLED, DEADLOCK, TASK, TIMEOUT};
use crate::sys::clock::Deadline;
use crate::task::outcome::Outcome;
use crate::task::state::{executor_id, is_done, HOOKED, PENDING, SEEN, STATE};
use crate::task::{ErrorRecord, Node};
use crate::wait_first;
use crate::worker::{spin, Worker};
use std::ffi::c_void;

pub use crate::sys::clock::Timeout;

/// How long a waiter spins before it sleeps.
const SPIN_NS: u64 = 7_000;
/// What a waiter that has often waited shortly waits before it looks again, in spin hints for each such wait, and at most:
/// who collects results at the heels of the workers would otherwise take their cache lines away.
const PAUSE_STEP: u32 = 4;
const PAUSE_MAX: u32 = 16;

/// After so many waits with no submission in between the waiter is collecting, at the heels of workers that are slower than it is:
/// it offers its processor each time, in case there are fewer processors than workers and waiters. (Who submits and waits by
/// turns wants each result soon, and keeps its processor.)
const YIELD_FROM: u32 = 8;

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitFor {
    AllCompleted,
    FirstCompleted,
    FirstFailed,
}

/// How a wait for several ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitOutcome {
    /// Entries that are done now.
    pub n_done: usize,
    pub timed_out: bool,
}

/// The task's result, which stays the future's.
#[inline]
pub fn result(future: &Node, timeout: Timeout) -> Result<*mut c_void> {
    if let Some(value) = future.result() {
        return Ok(value);
    }
    until_done(future, timeout)?;
    future.result().ok_or_else(|| no_result(future))
}

#[cold]
fn no_result(future: &Node) -> Error {
    failure(future, future.outcome().expect("waited until done"))
}

/// The task's result, which becomes the caller's.
pub fn take(future: &Node, timeout: Timeout) -> Result<*mut c_void> {
    match outcome(future, timeout)? {
        Outcome::Value(value) if future.mark_taken() => Ok(value),
        Outcome::Value(_) => Err(failure(future, Outcome::Taken)),
        other => Err(failure(future, other)),
    }
}

/// What the task reported; `None` if it succeeded.
pub fn error(future: &Node, timeout: Timeout) -> Result<Option<*const ErrorRecord>> {
    match outcome(future, timeout)? {
        Outcome::Value(_) | Outcome::Taken => Ok(None),
        Outcome::Failed => {
            see(future);
            // SAFETY: the outcome says failed.
            Ok(Some(unsafe { future.error_record() }))
        }
        other => Err(failure(future, other)),
    }
}

fn outcome(future: &Node, timeout: Timeout) -> Result<Outcome> {
    if let Some(outcome) = future.outcome() {
        return Ok(outcome);
    }
    until_done(future, timeout)?;
    Ok(future.outcome().expect("waited until done"))
}

fn failure(future: &Node, outcome: Outcome) -> Error {
    match outcome {
        Outcome::Failed => {
            see(future);
            TASK
        }
        Outcome::Broken => crate::status::BROKEN,
        Outcome::Cancelled => CANCELLED,
        Outcome::Taken | Outcome::Value(_) => Error::new(Status::InvalidState, "the result has been taken"),
    }
}

/// Somebody has seen that the task failed: `unhandled_error` is not due any more.
fn see(future: &Node) {
    let before = future.mark_seen();
    if before & (HOOKED | SEEN) == HOOKED {
        registry::forget_seen(future.executor_id());
    }
}

/// Waits until one future is done.
#[inline]
pub(crate) fn until_done(future: &Node, timeout: Timeout) -> Result<()> {
    // A worker's own child first: fork-join is where waits are hot. (A child process has no workers of its parent's.)
    if timeout != Timeout::Poll && here(|here| help(here, future)) {
        return Ok(());
    }
    block(future, timeout)
}

#[cold]
fn block(future: &Node, timeout: Timeout) -> Result<()> {
    if is_done(future.word()) {
        return Ok(());
    }
    future.check_awaitable()?;
    if timeout == Timeout::Poll {
        return Err(TIMEOUT);
    }
    here(|here| {
        refuse_alone(here, future, timeout)?;
        if spin_until_done(here, future) {
            return Ok(());
        }
        let target = std::ptr::from_ref(future);
        match timeout {
            Timeout::Forever => deadlock::sleeping(here, std::slice::from_ref(&target), || sleep(future, timeout)),
            _ => sleep(future, timeout),
        }
    })
}

fn sleep(future: &Node, timeout: Timeout) -> Result<()> {
    match future.sleep_until_done(timeout.deadline()) {
        true => Ok(()),
        false => Err(TIMEOUT),
    }
}

/// The worker that this thread is, if the future's task is one of its own executor's and pending.
#[inline]
pub(crate) fn own_pending<'a>(here: &'a Here, future: &Node) -> Option<&'a Worker> {
    let word = future.word();
    // A thread keeps its home when its worker's life is over, hence both questions.
    here.worker().filter(|_| word & STATE == PENDING && here.is_at_home(executor_id(word)))
}

/// Runs a pending task of the own executor here and now. True: it is done.
#[inline]
pub(crate) fn help(here: &Here, future: &Node) -> bool {
    if let Some(worker) = own_pending(here, future) {
        worker.run_inline(future);
    }
    is_done(future.word())
}

/// With one worker, a pending task that this worker waits for without limit and cannot run itself, for want of stack,
/// would never run.
fn refuse_alone(here: &Here, future: &Node, timeout: Timeout) -> Result<()> {
    match own_pending(here, future) {
        Some(worker) if worker.is_alone() && timeout == Timeout::Forever => Err(DEADLOCK),
        _ => Ok(()),
    }
}

/// Watches for a while. True: done.
fn spin_until_done(here: &Here, future: &Node) -> bool {
    if crate::sys::cpus::cached() < 2 {
        return is_done(future.word());
    }
    let short = here.short_waits.get();
    let collected = here.collected.get();
    if collected >= YIELD_FROM {
        std::thread::yield_now();
    }
    here.collected.set(collected.saturating_add(1));
    spin((short * PAUSE_STEP).min(PAUSE_MAX));
    let until = Deadline::after_ns(SPIN_NS);
    loop {
        for _ in 0..16 {
            if is_done(future.word()) {
                here.short_waits.set((short + 1).min(PAUSE_MAX));
                return true;
            }
            spin(4);
        }
        if until.passed() {
            here.short_waits.set(0);
            return false;
        }
        // That was longer than it takes from thread to thread: the worker may be waiting for this very processor.
        std::thread::yield_now();
    }
}

/// Waits for several.
///
/// # Safety
/// Each entry points to a node that the caller has a reference to.
pub unsafe fn wait(futures: &[*const Node], timeout: Timeout, what: WaitFor) -> Result<WaitOutcome> {
    // SAFETY: this function's contract.
    let nodes = || futures.iter().map(|&node| unsafe { &*node });
    let ended = match what {
        WaitFor::AllCompleted => {
            let unfinished = nodes().filter(|node| !is_done(node.word()));
            unfinished.clone().try_for_each(Node::check_awaitable).and_then(|()| until_all_done(futures, timeout))
        }
        // SAFETY: this function's contract.
        _ => unsafe { wait_first::wait(futures, timeout, what) },
    };
    let timed_out = match ended {
        Ok(()) => false,
        Err(TIMEOUT) => true,
        Err(error) => return Err(error),
    };
    Ok(WaitOutcome { n_done: nodes().filter(|node| is_done(node.word())).count(), timed_out })
}

/// One after the other: the time limit is common, and all have to be done. Needs no memory and leaves nothing behind.
fn until_all_done(futures: &[*const Node], timeout: Timeout) -> Result<()> {
    // SAFETY: `wait`'s contract.
    let unfinished = || futures.iter().map(|&node| unsafe { &*node }).filter(|node| !is_done(node.word()));
    if unfinished().next().is_none() {
        return Ok(());
    }
    if timeout == Timeout::Poll {
        return Err(TIMEOUT);
    }
    here(|here| {
        for future in unfinished() {
            if own_pending(here, future).is_some() {
                if timeout.is_up() {
                    return Err(TIMEOUT);
                }
                help(here, future);
                refuse_alone(here, future, timeout)?;
            }
        }
        let sleep_on_all = || unfinished().try_for_each(|future| sleep(future, timeout));
        match timeout {
            _ if unfinished().all(|future| spin_until_done(here, future)) => Ok(()),
            // Waiting for all of them: a circle through any one is enough.
            Timeout::Forever => deadlock::sleeping(here, futures, sleep_on_all),
            _ => sleep_on_all(),
        }
    })
}
