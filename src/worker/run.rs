//! How a worker runs a task: claim → call → end → what follows. Called by the worker's loop with what it took from the
//! queue, and by `wait` for a task that the worker waits for.
//!
//! The straight line through here (no observer, no failure, somebody still holds the future) is what every task costs; the
//! rest is kept out of line.

use super::Worker;
use crate::completion::{deliver, end_pending};
use crate::current::{here, outside_task, Reported};
use crate::queue::{Entry, Job, QUOTA};
use crate::task::handle::destroy;
use crate::task::node::{Ended, Held, Reference};
use crate::task::state::{references, BROKEN, CANCELLED, FINISHED, HOOKS};
use crate::task::{Node, TaskFn};
use std::ffi::c_void;
use std::ptr::NonNull;

impl Worker {
    /// Runs what was taken, or ends it if the executor is doomed.
    #[inline(never)]
    pub(super) fn run(&self, entry: Entry) {
        match entry.job() {
            Job::Call(func, arg) => {
                if self.executor.doomed().is_none() {
                    self.run_call(func, arg);
                }
            }
            Job::Node(node) => self.run_node(node, Floor::Bottom),
        }
    }

    /// A task without a node. Its result is dropped; a failure is reported here and now.
    fn run_call(&self, func: TaskFn, arg: *mut c_void) {
        let executor = &*self.executor;
        // SAFETY: the user's function with the user's argument, once.
        let (value, reported) = here(|here| here.run_task(std::ptr::null(), || unsafe { func(arg) }));
        if let Some(reported) = reported {
            // SAFETY: the failure of a task that had no node has no other owner.
            unsafe { executor.report(reported.failed(value, false)) };
        }
    }

    /// An entry's node: runs it, or buries it if somebody was faster.
    #[inline(always)]
    fn run_node(&self, node: NonNull<Node>, floor: Floor) {
        // SAFETY: the entry's reference is ours.
        let task = unsafe { node.as_ref() };
        if let Some(end) = self.executor.doomed() {
            // SAFETY: as above.
            unsafe { self.executor.end_taken(node, end) };
        } else if task.claim() {
            self.run_claimed(node, floor, Reference::GiveUp);
        } else {
            // SAFETY: as above.
            unsafe { self.executor.queue().drop_dead(node) };
        }
    }

    /// A claimed task, from its call to its end. The caller has a reference, and says what becomes of it.
    #[inline(always)]
    fn run_claimed(&self, node: NonNull<Node>, floor: Floor, reference: Reference) {
        // SAFETY: the reference keeps the node at least until its end; we claimed it, so function and argument are ours.
        let (func, arg, drop_arg) = unsafe { node.as_ref().call() };
        // SAFETY: the user's function with the user's argument, once.
        let (value, reported) = here(|here| here.run_task(node.as_ptr(), || unsafe { func(arg) }));
        if let Some(drop) = drop_arg {
            // SAFETY: the user's hook, with the user's argument, once.
            outside_task(|| unsafe { drop(arg) });
        }
        if floor == Floor::Bottom {
            // SAFETY: the reference is still ours.
            self.announce_idleness(unsafe { node.as_ref() });
        }
        let ended = match reported {
            // SAFETY: claimed; the reference is ours, and ours to give if we give it.
            None => unsafe { node.as_ref().succeed(value, reference) },
            Some(reported) => self.fail(node, value, reported, reference),
        };
        if ended.reference != Held::NoMore {
            self.follow_up(node, ended, reference);
        }
    }

    /// Ends a claimed task that failed.
    #[cold]
    fn fail(&self, node: NonNull<Node>, value: *mut c_void, reported: Reported, reference: Reference) -> Ended {
        let failed = reported.failed(value, self.executor.hook_failure());
        // SAFETY: our caller claimed the task, and has the reference.
        unsafe { node.as_ref().fail(failed, reference) }
    }

    /// Whoever sees this task done may submit the next at once, and is to find an idle worker (P2): so a worker with nothing
    /// in sight counts as a searcher before the task is done rather than after.
    #[inline]
    fn announce_idleness(&self, task: &Node) {
        if references(task.word()) > 1 && self.ring().is_empty() && self.executor.queue().shared.seems_empty() {
            self.start_searching();
        }
    }

    /// A task has ended and our reference did not go with the transition: observers hear of it, or it was the last one.
    #[inline(never)]
    fn follow_up(&self, node: NonNull<Node>, ended: Ended, reference: Reference) {
        if ended.reference == Held::Still {
            // SAFETY: the reference is still ours.
            let task = unsafe { node.as_ref() };
            deliver(task, ended.observers, || self.stop_searching());
            if reference == Reference::Keep || !task.drop_reference() {
                return;
            }
        }
        self.destroy(node);
    }

    fn destroy(&self, node: NonNull<Node>) {
        // SAFETY: the caller held the last reference.
        if unsafe { node.as_ref() }.word() & HOOKS != 0 {
            // Hooks may run: no searcher does that.
            self.stop_searching();
        }
        // SAFETY: the caller held the last reference.
        unsafe { destroy(node) };
    }

    /// Runs a pending task of the own executor on top of the one that waits for it. False: it is not pending any more, or
    /// there is not enough stack for it.
    #[inline(never)]
    pub(crate) fn run_inline(&self, task: &Node) -> bool {
        let marker = 0u8;
        if std::ptr::from_ref(&marker).addr() < self.stack_floor.get() {
            return false;
        }
        let node = NonNull::from(task);
        if !self.ring().take_back(|entry| entry.is_node(node)) {
            return self.run_elsewhere(node);
        }
        // It overtook nobody: its waiter would have waited.
        self.quota.set(QUOTA.min(self.quota.get() + 1));
        self.run_node(node, Floor::Inline);
        true
    }

    /// The same for a task whose entry is somewhere in the queue, and stays there with its reference. The waiter's own
    /// reference keeps the node meanwhile.
    #[inline(never)]
    fn run_elsewhere(&self, node: NonNull<Node>) -> bool {
        // SAFETY: our caller borrows the node.
        let task = unsafe { node.as_ref() };
        if !task.is_launched() {
            return false;
        }
        let executor = &*self.executor;
        if let Some(end) = executor.doomed() {
            return end_pending(task, end.flags(), || executor.queue().bury());
        }
        if !task.claim_inline() {
            return false;
        }
        executor.queue().bury();
        self.run_claimed(node, Floor::Inline, Reference::Keep);
        true
    }
}

/// What a task is run on top of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Floor {
    /// The worker's own loop.
    Bottom,
    /// A task or hook that waits for it.
    Inline,
}

/// How a doomed executor ends what is taken from its queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doom {
    Cancelled,
    Broken,
}

impl Doom {
    pub(crate) fn flags(self) -> u64 {
        match self {
            Doom::Cancelled => CANCELLED,
            Doom::Broken => FINISHED | BROKEN,
        }
    }
}
