//! Makes the calls that fill structs or give out several handles: new executors and submissions. Called by `perform`.

use super::hooks;
use super::perform::{add_future, argument, of, of_handle, untouched, written, RUN};
use super::stage::{Handle, STAGE};
use crate::answer::{Status, Value};
use crate::call::{Config, ExecutorId, Hooks, TaskId};
use crate::pointers::{pointer, Kind};
use std::ffi::{c_void, CStr};
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use tpexec::ffi::executor::*;
use tpexec::ffi::future::tp_future;
use tpexec::ffi::launch::tp_task_prepare;
use tpexec::ffi::submit::*;

const PREFIX: &CStr = c"turns";

pub unsafe fn new_executor(id: ExecutorId, config: Config) -> (Status, Value) {
    STAGE.with(|handles| handles.initializers.push((config.failing_initializer, 0)));
    // SAFETY: all zero means the default.
    let mut given: tp_executor_config = unsafe { zeroed() };
    given.size = size_of_val(&given);
    given.max_workers = config.max_workers;
    given.thread_name_prefix = if config.prefix { PREFIX.as_ptr() } else { null() };
    given.initializer = config.initializer.then_some(hooks::initialize as _);
    given.finalizer = config.finalizer.then_some(hooks::finalize as _);
    given.unhandled_error = config.unhandled_error.then_some(hooks::unhandled as _);
    given.user_data = pointer(Kind::UserData, id);
    given.drop_user_data = Some(hooks::drop_user_data);
    given.stack_size = config.stack_size;
    given.idle_timeout_ns = config.idle_timeout_ns;
    // SAFETY: the struct is filled.
    let executor = unsafe { tp_executor_new(&given) };
    STAGE.with(|handles| handles.executors.push(Handle(executor)));
    (of_handle(executor), Value::Yes(!executor.is_null()))
}

pub unsafe fn submit_many(executor: *mut tp_executor, first: TaskId, n: usize, wanted: bool) -> (Status, Value) {
    let args: Vec<*mut c_void> = (first..first + n).map(argument).collect();
    let mut futures = vec![untouched::<tp_future>(); n];
    let output = if wanted { futures.as_mut_ptr() } else { null_mut() };
    // SAFETY: n arguments, and room for as many futures.
    let status = unsafe { tp_submit_many(executor, RUN, args.as_ptr(), n, output) };
    for (i, future) in futures.into_iter().enumerate().filter(|_| wanted) {
        if let Some(future) = written(status, future) {
            add_future(first + i, future);
        }
    }
    (of(status), Value::Nothing)
}

pub unsafe fn submit_task(executor: *mut tp_executor, task: TaskId, hooks: Hooks, wanted: bool) -> (Status, Value) {
    // SAFETY: all zero means the default.
    let mut given: tp_task = unsafe { zeroed() };
    given.size = size_of_val(&given);
    given.r#fn = RUN;
    given.arg = argument(task);
    given.drop_arg = hooks.drop_arg.then_some(hooks::drop_arg as _);
    given.drop_result = hooks.drop_result.then_some(hooks::drop_result as _);
    given.name = if hooks.name { PREFIX.as_ptr() } else { null() };
    let mut future = untouched();
    // SAFETY: the struct is filled.
    let status = unsafe { tp_submit_task(executor, &given, if wanted { &mut future } else { null_mut() }) };
    if let (Some(future), true) = (written(status, future), wanted) {
        add_future(task, future);
    }
    (of(status), Value::Nothing)
}

pub unsafe fn prepare(executor: *mut tp_executor, task: TaskId, size: usize, align: usize) -> (Status, Value) {
    let (mut future, mut payload) = (untouched(), untouched());
    // SAFETY: room for both.
    let status = unsafe { tp_task_prepare(executor, size, align, &mut future, &mut payload) };
    if let (Some(future), Some(payload)) = (written(status, future), written(status, payload)) {
        if payload.addr() % align != 0 {
            crate::report::give_up("a payload is not aligned");
        }
        add_future(task, future);
        // SAFETY: ours to make.
        unsafe { hooks::fill_payload(payload.cast(), size, task) };
        STAGE.with(|handles| handles.payloads.insert(payload.addr(), (task, size)));
    }
    (of(status), Value::Nothing)
}
