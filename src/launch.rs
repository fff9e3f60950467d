//! Submitting in two steps: a task is prepared, its submitter makes a value in the task's own memory, and launches it. Called
//! by `ffi`. Layout and protocol are in `task::payload`.

use crate::executor::Executor;
use crate::queue::Entry;
use crate::registry::{self, is_foreign};
use crate::status::{Error, Result, Status, FORKED, SHUTDOWN};
use crate::task::{payload, DropFn, Future, Node, TaskFn};
use std::ffi::c_void;
use std::ptr::NonNull;

const NOT_PREPARED: Error = Error::new(Status::InvalidState, "the task has been launched, or was not prepared");

impl Executor {
    /// A task to be launched, and room for its payload: `size` bytes at a multiple of `align`, a power of two.
    #[inline]
    pub fn prepare(&self, size: usize, align: usize) -> Result<(Future, *mut c_void)> {
        self.would_accept()?;
        let (node, payload) = payload::prepare(self.slot().id(), self.number(), size, align)?;
        // SAFETY: the node's one reference is the caller's.
        Ok((unsafe { Future::from_raw(node.as_ptr()) }, payload))
    }
}

impl Node {
    /// Submits a prepared task: `func` of its payload, which `drop` then drops. A refused one is prepared as before.
    ///
    /// # Safety
    /// `func` and `drop` may be called with the payload, on another thread. The executor's handle is not given up during the
    /// call, unless the caller is one of the executor's tasks.
    #[inline]
    pub unsafe fn launch(&self, func: TaskFn, drop: Option<DropFn>) -> Result<()> {
        let id = self.executor_id();
        if is_foreign(id) {
            return Err(FORKED);
        }
        let number = self.prepared_for().ok_or(NOT_PREPARED)?;
        // An executor whose handle is gone has been shut down.
        let executor = registry::by_handle(id, number).ok_or(SHUTDOWN)?;
        // SAFETY: this function's contract.
        let executor = unsafe { executor.as_ref() };
        executor.accepts()?;
        // SAFETY: the caller borrows the node, so somebody has a reference.
        if !unsafe { self.begin_launch(func, drop) } {
            return Err(NOT_PREPARED);
        }
        match executor.publish(Entry::node(NonNull::from(self))) {
            Ok(()) => {
                self.end_launch();
                Ok(())
            }
            Err(refused) => {
                // SAFETY: we began the launch, and the queue did not take the entry.
                unsafe { self.take_back_launch() };
                Err(refused.into())
            }
        }
    }
}
