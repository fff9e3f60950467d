//! Submitting: one task, many, and a task with hooks. Called by `ffi`; `launch` is the form in two steps.
//!
//! Check the gate → make a node → publish it (own ring or shared queue) → see that somebody looks at it. With no worker yet,
//! the first is started before anything is published; the last one never retires. So a submission that was accepted never has
//! to be undone (P4).

use crate::current::here;
use crate::executor::{check_open, Executor, STARTED};
use crate::queue::shared::Refused;
use crate::queue::Entry;
use crate::registry;
use crate::status::{Result, FORKED};
use crate::sync::Ordering::*;
use crate::task::bundle::Bundle;
use crate::task::extra::Extra;
use crate::task::handle::Future;
use crate::task::state::{ANONYMOUS, REF};
use crate::task::{pool, Node, Task, TaskFn};
use std::ffi::c_void;
use std::ptr::NonNull;

impl Executor {
    /// Submits `func(arg)`: its future, with one reference.
    #[inline]
    pub fn submit(&self, func: TaskFn, arg: *mut c_void) -> Result<Future> {
        self.accepts()?;
        let node = pool::alloc(Node::new(self.id(), func, None, arg, 2 * REF))?;
        // SAFETY: a fresh node with two references, one for the queue and one for the caller.
        unsafe {
            match self.publish(Entry::node(node)) {
                Ok(()) => Ok(Future::from_raw(node.as_ptr())),
                Err(refused) => {
                    pool::free(node);
                    Err(refused.into())
                }
            }
        }
    }

    /// Runs `func(arg)` without a future.
    #[inline]
    pub fn execute(&self, func: TaskFn, arg: *mut c_void) -> Result<()> {
        self.accepts()?;
        Ok(self.publish(Entry::call(func, arg))?)
    }

    /// The full form, with a future.
    pub fn submit_task(&self, task: &Task) -> Result<Future> {
        let node = self.publish_task(task, 2 * REF)?;
        // SAFETY: one of the node's two references is the caller's.
        Ok(unsafe { Future::from_raw(node.as_ptr()) })
    }

    /// The full form, fire and forget.
    pub fn execute_task(&self, task: &Task) -> Result<()> {
        if task.drop_arg.is_none() && task.drop_result.is_none() && task.name.is_none() {
            return self.execute(task.func, task.arg);
        }
        self.publish_task(task, REF | ANONYMOUS).map(drop_copy)
    }

    fn publish_task(&self, task: &Task, word: u64) -> Result<NonNull<Node>> {
        self.accepts()?;
        let extra = Extra::new(task)?;
        let node = pool::alloc(Node::new(self.id(), task.func, extra, task.arg, word));
        let published = node.and_then(|node| match self.publish(Entry::node(node)) {
            Ok(()) => Ok(node),
            Err(refused) => {
                // SAFETY: nobody has seen the node.
                unsafe { pool::free(node) };
                Err(refused.into())
            }
        });
        if let (Err(_), Some(extra)) = (&published, extra) {
            // SAFETY: the refused node was its only user.
            unsafe { Extra::free(extra) };
        }
        published
    }

    /// `func` of each of `n` arguments, all or none. `futures` is null or has room for `n`.
    ///
    /// # Safety
    /// `args` and `futures` are what is said of them.
    pub unsafe fn submit_many(
        &self,
        func: TaskFn,
        args: *const *mut c_void,
        n: usize,
        futures: *mut *mut Node,
    ) -> Result<()> {
        if n == 0 && !self.is_foreign() {
            // No task, so no worker is started for it; a shut executor refuses even nothing.
            return self.queue().shared.closed().map_or(Ok(()), |refused| Err(refused.into()));
        }
        self.accepts()?;
        // SAFETY: below n; this function's contract.
        let arg = |i: usize| unsafe { *args.add(i) };
        if futures.is_null() {
            self.queue().shared.push_many(n, |i| Entry::call(func, arg(i)))?;
        } else {
            // `futures` may only be written when nothing can fail any more, so the nodes' memory is got first.
            let (mut bundle, id) = (Bundle::new(n)?, self.id());
            self.queue().shared.push_many(n, |i| {
                let node = bundle.make(Node::new(id, func, None, arg(i), 2 * REF));
                // SAFETY: room for n.
                unsafe { *futures.add(i) = node.as_ptr() };
                Entry::node(node)
            })?;
        }
        self.scheduler().published_many(n, self);
        Ok(())
    }

    /// Whether tasks are taken at all; starts the first worker.
    #[inline]
    pub(crate) fn accepts(&self) -> Result<()> {
        if registry::is_foreign(self.id()) {
            return Err(FORKED);
        }
        // Acquire: a worker of this executor that sees it open may push to its ring; after CLOSED it must not.
        match self.gate.load(Acquire) {
            STARTED => Ok(()),
            gate => self.accepts_slowly(gate),
        }
    }

    #[cold]
    fn accepts_slowly(&self, gate: u32) -> Result<()> {
        check_open(gate)?;
        self.start_first()
    }

    /// Whether tasks would be taken now, for one that is yet to be submitted; starts nothing.
    pub(crate) fn would_accept(&self) -> Result<()> {
        match self.is_foreign() {
            true => Err(FORKED),
            // Relaxed: the submission looks again.
            false => check_open(self.gate.load(Relaxed)),
        }
    }

    /// Makes an entry visible and sees that somebody looks at it.
    #[inline(always)]
    pub(crate) fn publish(&self, entry: Entry) -> std::result::Result<(), Refused> {
        let own = here(|here| {
            here.collected.set(0);
            here.worker().is_some_and(|worker| std::ptr::eq(worker.executor(), self) && worker.push_own(entry))
        });
        if !own {
            self.queue().shared.push(entry)?;
        }
        self.scheduler().published(self);
        Ok(())
    }
}

fn drop_copy(_: NonNull<Node>) {}
