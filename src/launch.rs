//! Submitting in two steps: a task is prepared, its submitter makes a value in the task's own memory, and launches it. Called
//! by `ffi`. Layout and protocol are in `task::payload`.

use crate::executor::Executor;
use crate::queue::Entry;
use crate::registry::{self, is_foreign};
use crate::status::{Error, Result, Status, FORKED, SHUTDOWN};
use crate::task::payload::{self, Kept};
use crate::task::{DropFn, Future, Node, TaskFn};
use std::ffi::c_void;
use std::ptr::NonNull;

const NOT_PREPARED: Error = Error::new(Status::InvalidState, "the task has been launched, or was not prepared");
const NOT_ALONE: Error =
    Error::new(Status::InvalidState, "the task has been launched, or its future has other holders");

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
        // SAFETY: this function's contract.
        unsafe { self.submit_prepared(func, drop, Kept::Future) }?;
        self.end_launch();
        Ok(())
    }

    /// The same without a future: the caller's reference, the only one, becomes the task's, unless it is refused.
    ///
    /// # Safety
    /// As for `launch`; and nobody else uses the node during the call, nor the caller afterwards, unless it is refused.
    #[inline]
    pub unsafe fn execute(&self, func: TaskFn, drop: Option<DropFn>) -> Result<()> {
        // SAFETY: this function's contract.
        unsafe { self.submit_prepared(func, drop, Kept::Nothing) }
    }

    /// # Safety
    /// As for `launch`, or `execute`. `launch` is ended by the caller.
    #[inline]
    unsafe fn submit_prepared(&self, func: TaskFn, drop: Option<DropFn>, kept: Kept) -> Result<()> {
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
        if !unsafe { self.begin_launch(func, drop, kept) } {
            return Err(if kept == Kept::Nothing { NOT_ALONE } else { NOT_PREPARED });
        }
        executor.publish(Entry::node(NonNull::from(self))).map_err(|refused| {
            // SAFETY: we began the launch, and the queue did not take the entry.
            unsafe { self.take_back_launch(kept) };
            refused.into()
        })
    }
}
