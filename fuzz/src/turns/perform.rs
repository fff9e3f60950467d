//! Makes a call: ids become pointers, and what comes back becomes an answer.

use super::hooks;
use super::refusals;
use super::stage::{Handle, STAGE};
use super::submit;
use crate::answer::*;
use crate::call::*;
use crate::pointers::{id, pointer, Kind};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::null;
use tpexec::ffi::callbacks::{tp_error, tp_task_fn};
use tpexec::ffi::completion_queue::*;
use tpexec::ffi::executor::*;
use tpexec::ffi::future::*;
use tpexec::ffi::launch::*;
use tpexec::ffi::many::*;
use tpexec::ffi::map::*;
use tpexec::ffi::status::{tp_last_error, tp_status};
use tpexec::ffi::submit::*;
use tpexec::ffi::task::*;

pub const RUN: tp_task_fn = Some(hooks::run_task);
/// What outputs hold before a call, and after one that failed.
const UNTOUCHED: usize = 0xA5A5;

pub fn perform(call: &Call) -> Answer {
    // SAFETY: the chooser of calls keeps to the contract: handles are live, and hooks fit their pointers.
    let (status, value) = unsafe { make(call) };
    Answer { status, value, last_error: of(tp_last_error()) }
}

pub fn of(status: tp_status) -> Status {
    Status(status as i32)
}

/// Of a call that gives NULL or a handle.
pub fn of_handle<T>(handle: *mut T) -> Status {
    if handle.is_null() {
        of(tp_last_error())
    } else {
        Status::OK
    }
}

fn limit(limit: Limit) -> i64 {
    match limit {
        Limit::Poll => 0,
        Limit::Short => 1_000_000,
        Limit::Long => 3_600_000_000_000,
        Limit::Forever => i64::MAX,
    }
}

fn executor(id: ExecutorId) -> *mut tp_executor {
    STAGE.with(|handles| handles.executor(id))
}

fn future(id: TaskId) -> *mut tp_future {
    STAGE.with(|handles| handles.future(id))
}

fn queue(id: QueueId) -> *mut tp_completion_queue {
    STAGE.with(|handles| handles.queues[id].0)
}

fn map(id: MapId) -> *mut tp_map {
    STAGE.with(|handles| handles.maps[id].0)
}

fn futures(tasks: &[TaskId]) -> Vec<*mut tp_future> {
    tasks.iter().map(|&task| future(task)).collect()
}

pub fn argument(task: TaskId) -> *mut c_void {
    pointer(Kind::Argument, task)
}

pub fn untouched<T>() -> *mut T {
    std::ptr::without_provenance_mut(UNTOUCHED)
}

/// An output that only TP_OK may have written.
pub fn written<T>(status: tp_status, output: *mut T) -> Option<*mut T> {
    if of(status) != Status::OK && output != untouched() {
        crate::report::give_up("a call that failed has written its output");
    }
    (of(status) == Status::OK).then_some(output)
}

pub fn add_future(task: TaskId, future: *mut tp_future) {
    STAGE.with(|handles| handles.add_future(task, future));
}

unsafe fn make(call: &Call) -> (Status, Value) {
    // SAFETY: this function's contract; nobody holds the stage during a call.
    unsafe {
        match *call {
            Call::New { executor, config } => submit::new_executor(executor, config),
            Call::NewOdd(odd) => refusals::new_odd(odd),
            Call::Shutdown { executor: id, wait, cancel } => {
                let cancel = if cancel { TP_SHUTDOWN_CANCEL_FUTURES } else { 0 };
                let flags = if wait { TP_SHUTDOWN_WAIT } else { 0 } | cancel;
                (of(tp_executor_shutdown(executor(id), flags)), Value::Nothing)
            }
            Call::Join { executor: id, limit: l } => (of(tp_executor_join(executor(id), limit(l))), Value::Nothing),
            Call::Free(id) => ((tp_executor_free(executor(id)), Status::OK).1, Value::Nothing),
            Call::Detach(id) => ((tp_executor_detach(executor(id)), Status::OK).1, Value::Nothing),
            Call::Counts(id) => {
                let (max_workers, workers) =
                    (tp_executor_max_workers(executor(id)), tp_executor_worker_count(executor(id)));
                let pending = tp_executor_pending_count(executor(id));
                (Status::OK, Value::Counts { max_workers, workers, pending })
            }
            Call::Submit { executor: id, task } => {
                let future = tp_submit(executor(id), RUN, argument(task));
                add_future(task, future);
                (of_handle(future), Value::Nothing)
            }
            Call::Execute { executor: id, task } => (of(tp_execute(executor(id), RUN, argument(task))), Value::Nothing),
            Call::SubmitMany { executor: id, first, n, futures: wanted } => {
                submit::submit_many(executor(id), first, n, wanted)
            }
            Call::SubmitTask { executor: id, task, hooks, future } => {
                submit::submit_task(executor(id), task, hooks, future)
            }
            Call::SubmitOdd { executor: id, odd } => refusals::submit_odd(executor(id), odd),
            Call::Prepare { executor: id, task, size, align } => submit::prepare(executor(id), task, size, align),
            Call::Launch { task, hook } => {
                (of(tp_task_launch(future(task), RUN, hook.then_some(hooks::drop_payload as _))), Value::Nothing)
            }
            Call::ExecutePrepared { task, hook } => {
                (of(tp_task_execute(future(task), RUN, hook.then_some(hooks::drop_payload as _))), Value::Nothing)
            }
            Call::Ask { ask, task, limit: l } => self::ask(ask, future(task), limit(l)),
            Call::Look(task) => {
                let future = future(task);
                let (done, running) = (tp_future_done(future), tp_future_running(future));
                let (state, cancelled) = (tp_future_state(future) as u32, tp_future_cancelled(future));
                (Status::OK, Value::State { state, done, running, cancelled })
            }
            Call::Cancel(task) => (Status::OK, Value::Yes(tp_future_cancel(future(task)))),
            Call::RequestStop(task) => ((tp_future_request_stop(future(task)), Status::OK).1, Value::Nothing),
            Call::AddCallback { task, callback } => {
                let future = future(task);
                STAGE.with(|handles| handles.callbacks.push(Handle(future)));
                let user_data = pointer(Kind::Callback, callback);
                (of(tp_future_add_done_callback(future, Some(hooks::done), user_data)), Value::Nothing)
            }
            Call::Retain(task) => (Status::OK, Value::Yes(tp_future_retain(future(task)) == future(task))),
            Call::Release(task) => ((tp_future_release(future(task)), Status::OK).1, Value::Nothing),
            Call::Fail { code, message, payload } => fail(code, message, payload),
            Call::Inside => (Status::OK, inside()),
            Call::Wait { ref tasks, until, limit: l } => wait(&futures(tasks), until, limit(l)),
            Call::QueueNew(_) => add_queue(tp_completion_queue_new()),
            Call::AsCompleted { ref tasks, .. } => {
                let futures = futures(tasks);
                add_queue(tp_as_completed(futures.as_ptr(), futures.len()))
            }
            Call::QueueAdd { queue: id, task, tag } => {
                (of(tp_completion_queue_add(queue(id), future(task), tag)), Value::Nothing)
            }
            Call::QueueClose(id) => (of(tp_completion_queue_close(queue(id))), Value::Nothing),
            Call::QueueNext { queue: id, limit: l } => queue_next(queue(id), limit(l)),
            Call::QueueFree(id) => ((tp_completion_queue_free(queue(id)), Status::OK).1, Value::Nothing),
            Call::MapNew { executor: id, first, n, lookahead, hook, .. } => {
                map_new(executor(id), first, n, lookahead, hook)
            }
            Call::MapNext { map: id, task, limit: l } => map_next(map(id), task, limit(l)),
            Call::MapFree(id) => ((tp_map_free(map(id)), Status::OK).1, Value::Nothing),
            Call::Refused(which) => (refusals::refused(which), Value::Nothing),
            Call::Return { .. } => unreachable!("functions return by themselves"),
        }
    }
}

unsafe fn ask(ask: Ask, future: *mut tp_future, limit: i64) -> (Status, Value) {
    let (mut result, mut error) = (untouched(), null::<tp_error>().wrapping_byte_add(UNTOUCHED));
    // SAFETY: a live future, and room for what it gives.
    let status = unsafe {
        match ask {
            Ask::Result => tp_future_result(future, limit, &mut result),
            Ask::Take => tp_future_take(future, limit, &mut result),
            Ask::Error => tp_future_error(future, limit, &mut error),
        }
    };
    let value = match (written(status, result), written(status, error.cast_mut())) {
        // SAFETY: the report is the future's, which somebody holds.
        (_, Some(error)) if ask == Ask::Error => Value::Report(unsafe { error.as_ref() }.map(hooks::read_report)),
        (Some(result), _) => Value::Result((!result.is_null()).then(|| id(Kind::Result, result))),
        _ => Value::Nothing,
    };
    (of(status), value)
}

unsafe fn fail(code: i32, message: bool, payload: Option<usize>) -> (Status, Value) {
    let message = if message { hooks::MESSAGE.as_ptr() } else { null() };
    // SAFETY: a text that ends with NUL; the hook fits the payload.
    let status = unsafe {
        match payload {
            Some(payload) => {
                tp_task_fail_with(code, message, pointer(Kind::Failure, payload), Some(hooks::drop_failure))
            }
            None => tp_task_fail(code, message),
        }
    };
    (of(status), Value::Nothing)
}

fn inside() -> Value {
    let current = tp_future_current();
    let current = match STAGE.with(|handles| handles.task_of(current)) {
        _ if current.is_null() => Current::Nothing,
        Some(task) => Current::Task(task),
        None => Current::Unknown,
    };
    let home = STAGE.with(|handles| handles.executor_of(tp_executor_current()));
    if tp_worker_name().is_null() != home.is_none() {
        crate::report::give_up("workers have names, and no other thread has");
    }
    Value::Inside { stop: tp_task_stop_requested(), current, home }
}

unsafe fn wait(futures: &[*mut tp_future], until: Until, limit: i64) -> (Status, Value) {
    let what = MaybeUninit::new(match until {
        Until::All => tp_wait_for::TP_WAIT_ALL_COMPLETED,
        Until::First => tp_wait_for::TP_WAIT_FIRST_COMPLETED,
        Until::FirstFailed => tp_wait_for::TP_WAIT_FIRST_FAILED,
    });
    let mut n_done = UNTOUCHED;
    // SAFETY: so many live futures.
    let status = unsafe { tp_wait(futures.as_ptr(), futures.len(), limit, what, &mut n_done) };
    (of(status), if n_done == UNTOUCHED { Value::Nothing } else { Value::Count(n_done) })
}

fn add_queue(queue: *mut tp_completion_queue) -> (Status, Value) {
    STAGE.with(|handles| handles.queues.push(Handle(queue)));
    (of_handle(queue), Value::Yes(!queue.is_null()))
}

unsafe fn queue_next(queue: *mut tp_completion_queue, limit: i64) -> (Status, Value) {
    let (mut future, mut tag) = (untouched(), 0);
    // SAFETY: room for both.
    let status = unsafe { tp_completion_queue_next(queue, limit, &mut future, &mut tag) };
    let value = match written(status, future).map(|future| STAGE.with(|handles| handles.task_of(future))) {
        Some(Some(task)) => Value::Tagged(task, tag),
        Some(None) => crate::report::give_up("a queue gave out a future that was not added"),
        None => Value::Nothing,
    };
    (of(status), value)
}

unsafe fn map_new(
    executor: *mut tp_executor,
    first: TaskId,
    n: usize,
    lookahead: usize,
    hook: bool,
) -> (Status, Value) {
    let args: Box<[usize]> = (first..first + n).map(|task| argument(task).addr()).collect();
    // The array stays until the run is over; a pointer is as large as its address.
    let place = args.as_ptr().cast();
    STAGE.with(|handles| handles.map_args.push(args));
    // SAFETY: n arguments.
    let map = unsafe { tp_map_new(executor, RUN, place, n, lookahead, hook.then_some(hooks::drop_result as _)) };
    STAGE.with(|handles| handles.maps.push(Handle(map)));
    (of_handle(map), Value::Yes(!map.is_null()))
}

unsafe fn map_next(map: *mut tp_map, task: Option<TaskId>, limit: i64) -> (Status, Value) {
    let mut future = untouched();
    // SAFETY: a live map, and room for a future.
    let status = unsafe { tp_map_next(map, limit, &mut future) };
    let value = match (of(status), task) {
        (Status::OK, Some(task)) => {
            add_future(task, future);
            Value::Handle(true)
        }
        _ if future.is_null() => Value::Handle(false),
        _ => Value::Nothing,
    };
    (of(status), value)
}
