//! The steps of a program of the `threads` target. Tasks wait without limit only for tasks that they have submitted to
//! their own executor, and callbacks not at all, so that no program hangs by its own fault.

use super::accounts::*;
use super::hooks;
use super::program::{Action, Step};
use super::run::{of, Place, World};
use crate::answer::Status;
use crate::pointers::{id, pointer, Kind};
use crate::report::give_up;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering::SeqCst;
use tpexec::ffi::callbacks::{tp_error, tp_task_fn};
use tpexec::ffi::executor::*;
use tpexec::ffi::future::*;
use tpexec::ffi::task::tp_task_fail_with;

pub const RUN: tp_task_fn = Some(hooks::run_task);
pub const FOREVER: i64 = i64::MAX;
/// Long enough that something may happen meanwhile.
pub const SHORT: i64 = 50_000;
/// Tasks that submit tasks that submit tasks: no deeper.
const MAX_DEPTH: u32 = 2;

pub fn perform(world: &World, place: Place, step: Step) {
    let maker = Maker { world, place, a: step.a, b: step.b };
    // SAFETY: handles are live (slots hold references, executors are freed when all threads have ended), and hooks fit
    // their pointers.
    unsafe { maker.make(step.action) }
}

/// A launched task has given this answer: checks it, and notes what it tells.
pub fn note_outcome(world: &World, task: usize, status: Status) {
    if status == Status::TASK {
        set(&world.accounts.tasks[task].seen);
    }
    world.accounts.outcome(task, status);
}

pub struct Maker<'a> {
    pub world: &'a World,
    pub place: Place,
    pub a: u8,
    pub b: u8,
}

impl Maker<'_> {
    unsafe fn make(&self, action: Action) {
        let (world, a, b) = (self.world, self.a, self.b);
        let executor = usize::from(b) % world.executors.len();
        let handle = world.executors[executor].0;
        // SAFETY: `perform`.
        unsafe {
            match action {
                Action::Submit
                | Action::Execute
                | Action::SubmitMany
                | Action::SubmitTask
                | Action::Prepare
                | Action::Map => {
                    if self.depth() <= MAX_DEPTH {
                        self.submit(action, executor);
                    }
                }
                Action::Cancel => self.with_future(|task, future| {
                    if tp_future_cancel(future) {
                        world.accounts.outcome(task, Status::CANCELLED);
                    }
                }),
                Action::RequestStop => self.with_future(|_, future| tp_future_request_stop(future)),
                Action::Result => self.with_future(|task, future| self.ask(task, future, self.limit())),
                Action::Poll => self.with_future(|task, future| self.ask(task, future, 0)),
                Action::Take => self.with_future(|task, future| self.take(task, future)),
                Action::Error => self.with_future(|task, future| self.error(task, future)),
                Action::AddCallback => self.with_future(|task, future| self.add_callback(task, future)),
                Action::Wait => self.wait(),
                Action::Collect => self.collect(),
                Action::Share => self.share(),
                Action::Fail => self.fail(),
                Action::Shutdown if b & 14 == 0 => self.shutdown(executor, handle),
                Action::Join => self.join(executor, handle),
                Action::Release => {
                    let mut slots = world.slots();
                    if !slots.is_empty() {
                        let at = usize::from(a) % slots.len();
                        let (_, future) = slots.swap_remove(at);
                        drop(slots);
                        tp_future_release(future.0);
                    }
                }
                Action::Shutdown | Action::Pause => std::thread::yield_now(),
            }
        }
    }

    pub fn depth(&self) -> u32 {
        match self.place {
            Place::Thread => 0,
            Place::Task { depth, .. } | Place::Callback { depth } => depth + 1,
        }
    }

    /// How long this place may wait for any future.
    pub fn limit(&self) -> i64 {
        match self.place {
            Place::Thread => FOREVER,
            Place::Task { .. } => SHORT,
            Place::Callback { .. } => 0,
        }
    }

    pub unsafe fn with_future(&self, act: impl FnOnce(usize, *mut tp_future)) {
        if let Some((task, future)) = self.world.borrow(self.a) {
            act(task, future);
            // SAFETY: borrowed with a reference.
            unsafe { tp_future_release(future) };
        }
    }

    pub unsafe fn ask(&self, task: usize, future: *mut tp_future, limit: i64) {
        let mut result = null_mut();
        // SAFETY: `perform`.
        let status = of(unsafe { tp_future_result(future, limit, &mut result) });
        if status == Status::TIMEOUT && limit != FOREVER {
            return;
        }
        if status == Status::OK && id(Kind::Result, result) != task {
            give_up(&format!("task {task} has the result of another"));
        }
        note_outcome(self.world, task, status);
    }

    unsafe fn take(&self, task: usize, future: *mut tp_future) {
        let mut result = null_mut();
        // SAFETY: `perform`.
        let status = of(unsafe { tp_future_take(future, 0, &mut result) });
        if status == Status::TIMEOUT {
            return;
        }
        if status == Status::OK && count(&self.world.accounts.tasks[task].taken) > 1 {
            give_up(&format!("the result of task {task} was taken twice"));
        }
        note_outcome(self.world, task, status);
    }

    unsafe fn error(&self, task: usize, future: *mut tp_future) {
        let mut error: *const tp_error = null();
        // SAFETY: `perform`.
        let status = of(unsafe { tp_future_error(future, self.limit(), &mut error) });
        // SAFETY: the future's, which we hold.
        match (status, unsafe { error.as_ref() }) {
            (Status::TIMEOUT, _) if self.limit() != FOREVER => {}
            (Status::OK, Some(error)) if error.code as usize == task => note_outcome(self.world, task, Status::TASK),
            (Status::OK, Some(_)) => give_up(&format!("task {task} has the failure of another")),
            (status, _) => note_outcome(self.world, task, status),
        }
    }

    unsafe fn add_callback(&self, task: usize, future: *mut tp_future) {
        let Some(callback) = self.world.accounts.new_callback().filter(|_| self.depth() <= MAX_DEPTH) else { return };
        let it = &self.world.accounts.callbacks[callback];
        it.task.store(task as u32, SeqCst);
        it.script.store(u32::from(self.b), SeqCst);
        it.depth.store(self.depth(), SeqCst);
        count(&it.added);
        // SAFETY: `perform`.
        let status =
            of(unsafe { tp_future_add_done_callback(future, Some(hooks::done), pointer(Kind::Callback, callback)) });
        if status != Status::OK {
            give_up(&format!("a callback was refused with {status:?}"));
        }
    }

    fn fail(&self) {
        let Place::Task { task, .. } = self.place else { return };
        let it = &self.world.accounts.tasks[task];
        set(&it.failed);
        count(&it.payloads);
        // SAFETY: a text that ends with NUL; the hook fits the payload.
        let status = unsafe {
            tp_task_fail_with(
                task as i32,
                c"it failed".as_ptr(),
                pointer(Kind::Failure, task),
                Some(hooks::drop_failure),
            )
        };
        if of(status) != Status::OK {
            give_up(&format!("tp_task_fail_with gave {:?}", of(status)));
        }
    }

    unsafe fn shutdown(&self, executor: usize, handle: *mut tp_executor) {
        let it = &self.world.accounts.executors[executor];
        let (wait, cancel) = (self.a & 1 != 0 && matches!(self.place, Place::Thread), self.a & 2 != 0);
        set(&it.shut);
        let flags = if wait { TP_SHUTDOWN_WAIT } else { 0 } | if cancel { TP_SHUTDOWN_CANCEL_FUTURES } else { 0 };
        // SAFETY: `perform`.
        let status = of(unsafe { tp_executor_shutdown(handle, flags) });
        if status != Status::OK {
            give_up(&format!("tp_executor_shutdown gave {status:?}"));
        }
        set(&it.closed);
        if wait {
            set(&it.over);
        }
    }

    unsafe fn join(&self, executor: usize, handle: *mut tp_executor) {
        let it = &self.world.accounts.executors[executor];
        let closed = get(&it.closed) != 0;
        let limit = if matches!(self.place, Place::Thread) { SHORT } else { 0 };
        // SAFETY: `perform`.
        match of(unsafe { tp_executor_join(handle, limit) }) {
            Status::OK if get(&it.shut) != 0 => set(&it.over),
            Status::TIMEOUT | Status::DEADLOCK if get(&it.shut) != 0 => {}
            Status::INVALID_STATE if !closed => {}
            other => give_up(&format!("tp_executor_join gave {other:?}")),
        }
    }
}
