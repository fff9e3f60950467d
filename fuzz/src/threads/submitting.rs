//! The steps that submit tasks, in every form.

use super::accounts::{get, set};
use super::hooks::{self, PAYLOAD};
use super::program::Action;
use super::run::{of, Place, Shared};
use super::steps::{Maker, FOREVER, RUN};
use crate::answer::Status;
use crate::pointers::{pointer, Kind};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::SeqCst;
use tpexec::ffi::executor::tp_executor;
use tpexec::ffi::future::{tp_future, tp_future_release};
use tpexec::ffi::launch::*;
use tpexec::ffi::status::tp_last_error;
use tpexec::ffi::submit::*;

pub fn argument(task: usize) -> *mut c_void {
    pointer(Kind::Argument, task)
}

impl Maker<'_> {
    fn new_tasks(&self, n: usize, executor: usize) -> Option<usize> {
        let first = self.world.accounts.new_tasks(n)?;
        for task in first..first + n {
            let it = &self.world.accounts.tasks[task];
            it.executor.store(executor as u32, SeqCst);
            it.script.store(u32::from(self.a), SeqCst);
            it.depth.store(self.depth(), SeqCst);
        }
        Some(first)
    }

    pub fn add_slot(&self, task: usize, future: *mut tp_future) {
        self.world.slots().push((task, Shared(future)));
    }

    pub unsafe fn submit(&self, action: Action, executor: usize) {
        let (handle, n) = (self.world.executors[executor].0, usize::from(self.b >> 4) % 8);
        let several = matches!(action, Action::SubmitMany | Action::Map);
        let Some(first) = self.new_tasks(if several { n } else { 1 }, executor) else { return };
        let closed = get(&self.world.accounts.executors[executor].closed) != 0;
        let submitted =
            |n: usize, status: Status| self.world.accounts.submitted(executor, first..first + n, status, closed);
        let mut future = null_mut();
        // SAFETY: `perform`.
        unsafe {
            match action {
                Action::Submit => {
                    future = tp_submit(handle, RUN, argument(first));
                    submitted(1, if future.is_null() { of(tp_last_error()) } else { Status::OK });
                    self.wait_for_child(executor, first, future);
                }
                Action::Execute => submitted(1, of(tp_execute(handle, RUN, argument(first)))),
                Action::SubmitTask => {
                    let it = &self.world.accounts.tasks[first];
                    let mut task: tp_task = std::mem::zeroed();
                    (task.size, task.r#fn, task.arg) = (size_of_val(&task), RUN, argument(first));
                    task.drop_arg = Some(hooks::drop_arg);
                    task.drop_result = Some(hooks::drop_result);
                    set(&it.has_drop_arg);
                    set(&it.has_drop_result);
                    let output = if self.b & 8 != 0 { null_mut() } else { &raw mut future };
                    submitted(1, of(tp_submit_task(handle, &task, output)));
                }
                Action::SubmitMany => {
                    let args: Vec<*mut c_void> = (first..first + n).map(argument).collect();
                    let mut futures = vec![null_mut(); n];
                    let status = of(tp_submit_many(handle, RUN, args.as_ptr(), n, futures.as_mut_ptr()));
                    submitted(n, status);
                    let made = futures.into_iter().enumerate().filter(|(_, future)| !future.is_null());
                    made.for_each(|(i, future)| self.add_slot(first + i, future));
                }
                Action::Prepare => future = self.prepare(handle, first, submitted),
                _ => self.map(handle, first, n),
            }
        }
        if !future.is_null() {
            self.add_slot(first, future);
        }
    }

    /// Prepares and launches, in one of the forms; the future, if there is one to share.
    unsafe fn prepare(
        &self,
        handle: *mut tp_executor,
        task: usize,
        submitted: impl Fn(usize, Status),
    ) -> *mut tp_future {
        let (mut future, mut payload) = (null_mut(), null_mut());
        let size = PAYLOAD + usize::from(self.b >> 2) * 8;
        set(&self.world.accounts.tasks[task].has_drop_payload);
        // SAFETY: `perform`; the payload is ours until it is launched.
        unsafe {
            let status = of(tp_task_prepare(handle, size, 8, &mut future, &mut payload));
            if status != Status::OK {
                submitted(1, status);
                return null_mut();
            }
            hooks::make_payload(payload, task);
            if self.b & 2 != 0 {
                let status = of(tp_task_execute(future, RUN, Some(hooks::drop_payload)));
                submitted(1, status);
                if status != Status::OK {
                    tp_future_release(future);
                }
                return null_mut();
            }
            let status = of(tp_task_launch(future, RUN, Some(hooks::drop_payload)));
            submitted(1, status);
            if status != Status::OK {
                tp_future_release(future);
                return null_mut();
            }
        }
        future
    }

    /// A task may wait for its own child, without limit, in its own executor.
    unsafe fn wait_for_child(&self, executor: usize, child: usize, future: *mut tp_future) {
        if let (Place::Task { executor: own, .. }, false) = (self.place, future.is_null()) {
            if own == executor && self.b & 4 != 0 {
                // SAFETY: just submitted.
                unsafe { self.ask(child, future, FOREVER) };
            }
        }
    }
}
