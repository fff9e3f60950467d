//! The functions that a run hands to the library. Each reports that it runs; tasks and callbacks then do what they are
//! told.
//!
//! Their pointers are ids (`pointers`). Only payloads are memory: the library's.

use super::perform::perform;
use super::stage::STAGE;
use crate::answer::{Event, Report, Status};
use crate::call::{Call, TaskId};
use crate::pointers::{id, is_memory, pointer, Kind};
use crate::report::give_up;
use std::ffi::{c_int, c_void, CStr};
use tpexec::ffi::callbacks::tp_error;
use tpexec::ffi::future::{tp_future, tp_future_done};
use tpexec::ffi::task::{tp_executor_current, tp_future_current, tp_task_fail, tp_task_stop_requested};

/// Calls what comes, until the function is to return.
pub fn act() -> bool {
    loop {
        match STAGE.turn() {
            Call::Return { value } => return value,
            call => {
                let answer = perform(&call);
                STAGE.report(Event::Answered(answer));
            }
        }
    }
}

/// What hooks have in common: there is no current task in them (K8).
fn report(event: Event) {
    // SAFETY: a text that ends with NUL.
    let status = unsafe { tp_task_fail(1, c"in a hook".as_ptr()) } as i32;
    if status != Status::INVALID_STATE.0 || tp_task_stop_requested() || !tp_future_current().is_null() {
        give_up(&format!("{event:?} finds itself inside of a task"));
    }
    STAGE.report(event);
}

/// The payload's bytes, from its task's id: what is written when it is made, and must be there when the task runs and
/// at its end.
fn pattern(task: TaskId) -> u8 {
    (task as u8).wrapping_mul(37) | 1
}

/// # Safety
/// The payload is that long, and nobody else uses it.
pub unsafe fn fill_payload(payload: *mut u8, size: usize, task: TaskId) {
    // SAFETY: this function's contract.
    unsafe { payload.write_bytes(pattern(task), size) };
}

/// The task that an argument belongs to. A payload must be as it was made.
fn owner(arg: *mut c_void) -> TaskId {
    if !is_memory(arg) {
        return id(Kind::Argument, arg);
    }
    let Some((task, size)) = STAGE.with(|handles| handles.payloads.get(&arg.addr()).copied()) else {
        give_up(&format!("{arg:?} is no payload"));
    };
    // SAFETY: the payload of a task that runs, or is being dropped, is there and has this size.
    let bytes = unsafe { std::slice::from_raw_parts(arg.cast::<u8>(), size) };
    if bytes.iter().any(|&byte| byte != pattern(task)) {
        give_up(&format!("the payload of task {task} has changed"));
    }
    task
}

pub unsafe extern "C-unwind" fn run_task(arg: *mut c_void) -> *mut c_void {
    let task = owner(arg);
    let home = STAGE.with(|handles| handles.executor_of(tp_executor_current()));
    STAGE.report(Event::Entered { task, home });
    match act() {
        true => pointer(Kind::Result, task),
        false => std::ptr::null_mut(),
    }
}

pub unsafe extern "C-unwind" fn drop_arg(arg: *mut c_void) {
    report(Event::DropArg(id(Kind::Argument, arg)));
}

pub unsafe extern "C-unwind" fn drop_result(result: *mut c_void) {
    report(Event::DropResult(id(Kind::Result, result)));
}

pub unsafe extern "C-unwind" fn drop_payload(payload: *mut c_void) {
    let task = owner(payload);
    let size = STAGE.with(|handles| handles.payloads.remove(&payload.addr())).map_or(0, |(_, size)| size);
    // SAFETY: it is ours for this call. Who reads it later finds something else.
    unsafe { payload.cast::<u8>().write_bytes(0, size) };
    report(Event::DropPayload(task));
}

pub unsafe extern "C-unwind" fn drop_failure(payload: *mut c_void) {
    report(Event::DropFailure(id(Kind::Failure, payload)));
}

pub unsafe extern "C-unwind" fn done(future: *mut tp_future, user_data: *mut c_void) {
    let callback = id(Kind::Callback, user_data);
    // SAFETY: lent for the call.
    let is_done = unsafe { tp_future_done(future) };
    if !is_done || STAGE.with(|handles| handles.callbacks[callback].0 != future) {
        give_up(&format!("callback {callback} was called too early, or with another's future"));
    }
    report(Event::Callback(callback));
    act();
}

pub unsafe extern "C-unwind" fn initialize(user_data: *mut c_void) -> c_int {
    let executor = id(Kind::UserData, user_data);
    let failed = STAGE.with(|handles| {
        let (failing, runs) = &mut handles.initializers[executor];
        *runs += 1;
        *runs == *failing
    });
    report(Event::Initialize { executor, failed });
    c_int::from(failed)
}

pub unsafe extern "C-unwind" fn finalize(user_data: *mut c_void) {
    report(Event::Finalize(id(Kind::UserData, user_data)));
}

pub unsafe extern "C-unwind" fn drop_user_data(user_data: *mut c_void) {
    report(Event::DropUserData(id(Kind::UserData, user_data)));
}

pub unsafe extern "C-unwind" fn unhandled(error: *const tp_error, user_data: *mut c_void) {
    // SAFETY: lent for the call.
    let report_of = read_report(unsafe { &*error });
    report(Event::Unhandled { executor: id(Kind::UserData, user_data), report: report_of });
}

/// What failing tasks say.
pub const MESSAGE: &CStr = c"it failed";

pub fn read_report(error: &tp_error) -> Report {
    // SAFETY: never NULL, and it ends with NUL.
    let message = unsafe { CStr::from_ptr(error.message) };
    if error.reserved != 0 || (message != MESSAGE && !message.is_empty()) {
        give_up(&format!("a report says {message:?}"));
    }
    let payload = (!error.payload.is_null()).then(|| id(Kind::Failure, error.payload));
    Report { code: error.code, message: message == MESSAGE, payload }
}
