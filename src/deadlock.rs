//! Who waits for whom. Called by `wait`, when a task is about to sleep without limit.
//!
//! Of tasks that wait for each other in a circle, none would ever wake. So before a thread that is inside of tasks sleeps
//! without limit, it enters the graph: every task on its stack waits for what the thread waits for. If that closes a circle,
//! the wait is refused instead (N3). Only this slow path takes the lock.
//!
//! # Why never a false alarm, and never a miss
//!
//! A node of a task on a sleeping thread's stack is marked BLOCKED and points to the thread's record (`task::node`), under
//! the lock. An edge counts only if its target is not done when looked at under the lock; a RUNNING target that is BLOCKED
//! cannot finish before its thread leaves the graph, which takes the lock. So a circle that is found is real: each thread
//! in it sleeps, without limit, for something that another thread in it would have to finish. And a circle is not missed: its
//! last member enters under the lock when all others are in.
//!
//! Waits with a limit, waits for the first of several, completion queues and joins are no edges: they may end by themselves.

use crate::current::Here;
use crate::status::{Result, DEADLOCK};
use crate::sync::global;
use crate::sys::fork_lock::ForkLock;
use crate::task::state::is_done;
use crate::task::Node;

/// A thread that sleeps inside of tasks; on its stack.
struct Record {
    /// What it waits for: all of them.
    targets: *const *const Node,
    n: usize,
    /// The walk that last came by.
    visited: u64,
    /// The walk's list of records to follow.
    next: *mut Record,
}

global! {
    /// Walks so far. The lock is the graph's.
    static WALKS: ForkLock<u64> = ForkLock::new(0);
}

/// Sleeps as somebody who waits for all of `targets`: in the graph, if this thread is inside of tasks.
pub(crate) fn sleeping<R>(here: &Here, targets: &[*const Node], sleep: impl FnOnce() -> Result<R>) -> Result<R> {
    if here.tasks().next().is_none() {
        // Nobody waits for what this thread does.
        return sleep();
    }
    let mut record = Record { targets: targets.as_ptr(), n: targets.len(), visited: 0, next: std::ptr::null_mut() };
    enter(here, &raw mut record)?;
    let answer = sleep();
    let _lock = WALKS.lock();
    leave(here);
    answer
}

/// Enters the graph, unless that closes a circle. The record stays where it is until `leave`.
fn enter(here: &Here, record: *mut Record) -> Result<()> {
    let mut walks = WALKS.lock();
    *walks += 1;
    // SAFETY: the tasks are this thread's, and the lock is held; the record outlives its being entered.
    unsafe {
        here.tasks().for_each(|task| (*task).set_blocked(record.cast()));
        if closes_circle(record, *walks) {
            leave(here);
            return Err(DEADLOCK);
        }
    }
    Ok(())
}

/// Under the lock.
fn leave(here: &Here) {
    // SAFETY: as in `enter`.
    here.tasks().for_each(|task| unsafe { (*task).set_blocked(std::ptr::null_mut()) });
}

/// Whether following "waits for" from `mine` leads back to it.
///
/// # Safety
/// The lock is held; records that nodes point to are alive while they do.
unsafe fn closes_circle(mine: *mut Record, walk: u64) -> bool {
    let mut todo = mine;
    while !todo.is_null() {
        // SAFETY: this function's contract; a thread's targets are referred to while it waits for them.
        unsafe {
            let record = todo;
            todo = (*record).next;
            (*record).next = std::ptr::null_mut();
            for &target in std::slice::from_raw_parts((*record).targets, (*record).n) {
                if is_done((*target).word()) {
                    continue;
                }
                let next = (*target).blocked_record().cast::<Record>();
                if next == mine {
                    return true;
                }
                if !next.is_null() && (*next).visited != walk {
                    (*next).visited = walk;
                    (*next).next = todo;
                    todo = next;
                }
            }
        }
    }
    false
}

pub(crate) fn lock_for_fork() {
    WALKS.lock_for_fork();
}

pub(crate) fn unlock_after_fork() {
    WALKS.unlock_after_fork();
}
