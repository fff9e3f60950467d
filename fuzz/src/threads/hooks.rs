//! The functions that a run hands to the library. They keep the accounts; tasks and callbacks then run their scripts.
//!
//! Pointers are ids, with the kind in the lowest bits; only payloads are memory, which holds the task's id.

use super::accounts::{count, get, set};
use super::run::{world, Place, World};
use super::steps::perform;
use crate::pointers::{id, is_memory, pointer, Kind};
use crate::report::give_up;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Arc;
use tpexec::ffi::callbacks::tp_error;
use tpexec::ffi::future::{tp_future, tp_future_done};
use tpexec::ffi::task::{tp_future_current, tp_task_stop_requested};

/// In every payload, beside the task's id.
const MARK: usize = 0x7061_796c_6f61_6400;
/// The least that a payload is long.
pub const PAYLOAD: usize = 8;

thread_local! {
    /// Tasks that this thread is inside of.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// # Safety
/// The payload is the caller's, and as long as PAYLOAD.
pub unsafe fn make_payload(payload: *mut c_void, task: usize) {
    // SAFETY: this function's contract; it may lie anywhere.
    unsafe { payload.cast::<usize>().write_unaligned(MARK + task) };
}

/// The task that an argument belongs to.
fn owner(arg: *mut c_void) -> usize {
    if !is_memory(arg) {
        return id(Kind::Argument, arg);
    }
    // SAFETY: the payload of a task that runs, or is being dropped.
    let mark = unsafe { arg.cast::<usize>().read_unaligned() };
    match mark.wrapping_sub(MARK) {
        task @ 0..super::accounts::MAX => task,
        _ => give_up(&format!("the payload at {arg:?} has changed")),
    }
}

fn enter(world: &World, task: usize) -> usize {
    let account = &world.accounts.tasks[task];
    if count(&account.entered) > 1 {
        give_up(&format!("task {task} ran twice"));
    }
    let executor = world.executor_of(task);
    let it = &world.accounts.executors[executor];
    if get(&it.over) != 0 {
        give_up(&format!("task {task} ran after its executor's end"));
    }
    if DEPTH.get() == 0 && count(&it.running) > it.workers as u32 {
        give_up(&format!("executor {executor} runs more than {} tasks at a time", it.workers));
    }
    DEPTH.set(DEPTH.get() + 1);
    executor
}

pub unsafe extern "C-unwind" fn run_task(arg: *mut c_void) -> *mut c_void {
    let (world, task) = (world(), owner(arg));
    let executor = enter(&world, task);
    let (script, depth) = world.script_of(task);
    for step in &world.program.scripts[script] {
        perform(&world, Place::Task { executor, task, depth }, *step);
    }
    let _ = tp_task_stop_requested();
    DEPTH.set(DEPTH.get() - 1);
    let account = &world.accounts.tasks[task];
    if DEPTH.get() == 0 {
        world.accounts.executors[executor].running.fetch_sub(1, SeqCst);
    }
    count(&account.returned);
    pointer(Kind::Result, task)
}

/// The task that runs now, on this thread, must not be taken for one's own in a hook (K8).
fn outside_task() -> Arc<World> {
    if !tp_future_current().is_null() {
        give_up("a hook finds itself inside of a task");
    }
    world()
}

pub unsafe extern "C-unwind" fn drop_arg(arg: *mut c_void) {
    count(&outside_task().accounts.tasks[id(Kind::Argument, arg)].drop_arg);
}

pub unsafe extern "C-unwind" fn drop_result(result: *mut c_void) {
    count(&outside_task().accounts.tasks[id(Kind::Result, result)].drop_result);
}

pub unsafe extern "C-unwind" fn drop_payload(payload: *mut c_void) {
    let task = owner(payload);
    // SAFETY: ours for this call. Who reads it later finds something else.
    unsafe { payload.cast::<usize>().write_unaligned(0) };
    count(&outside_task().accounts.tasks[task].drop_payload);
}

pub unsafe extern "C-unwind" fn drop_failure(payload: *mut c_void) {
    count(&outside_task().accounts.tasks[id(Kind::Failure, payload)].drop_failure);
}

pub unsafe extern "C-unwind" fn done(future: *mut tp_future, user_data: *mut c_void) {
    let (world, callback) = (outside_task(), id(Kind::Callback, user_data));
    // SAFETY: lent for the call.
    if !unsafe { tp_future_done(future) } {
        give_up(&format!("callback {callback} was called before its future was done"));
    }
    count(&world.accounts.callbacks[callback].called);
    let (script, depth) = world.callback_script(callback);
    for step in &world.program.scripts[script] {
        perform(&world, Place::Callback { depth }, *step);
    }
}

pub unsafe extern "C-unwind" fn initialize(user_data: *mut c_void) -> c_int {
    let (world, executor) = (outside_task(), id(Kind::UserData, user_data));
    let it = &world.accounts.executors[executor];
    if it.fragile && get(&it.initialized) > 0 {
        set(&it.broken);
        return 1;
    }
    count(&it.initialized);
    0
}

pub unsafe extern "C-unwind" fn finalize(user_data: *mut c_void) {
    let executor = id(Kind::UserData, user_data);
    let it = &outside_task().accounts.executors[executor];
    if count(&it.finalized) > get(&it.initialized) {
        give_up(&format!("executor {executor}: a finalizer ran once too often"));
    }
}

pub unsafe extern "C-unwind" fn drop_user_data(user_data: *mut c_void) {
    count(&outside_task().accounts.executors[id(Kind::UserData, user_data)].user_data_dropped);
}

pub unsafe extern "C-unwind" fn unhandled(error: *const tp_error, user_data: *mut c_void) {
    // SAFETY: lent for the call.
    let task = unsafe { (*error).code } as usize;
    let world = outside_task();
    if world.executor_of(task) != id(Kind::UserData, user_data) {
        give_up(&format!("the failure of task {task} was reported to another executor"));
    }
    count(&world.accounts.tasks[task].unhandled);
}
