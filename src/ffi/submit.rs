//! Section "submitting" of the header, first part: one task, many tasks, and a task with everything that can be said about it.

use super::callbacks::{tp_drop_fn, tp_task_fn};
use super::check::{array, borrow, function, invalid, number, put, require, unsupported};
use super::executor::tp_executor;
use super::future::tp_future;
use super::guard;
use super::sized::{Given, SizedStruct};
use super::status::tp_status;
use crate::executor::Executor;
use crate::status::Result;
use crate::task::Task;
use core::ffi::{c_char, c_void};
use core::mem::{offset_of, MaybeUninit};

/// For later versions: a group of tasks that is waited for and cancelled as one.
pub struct tp_group {
    _private: [u8; 0],
}

/// The order in which pending tasks start. For later versions: this one knows only TP_PRIORITY_NORMAL, the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum tp_priority {
    /// After all that are high, before all that are low.
    TP_PRIORITY_NORMAL = 0,
    /// Before all others.
    TP_PRIORITY_HIGH = 1,
    /// When there is nothing else to run.
    TP_PRIORITY_LOW = 2,
}

/// A task with all its options, for tp_submit_task(). Everything but `size` and `fn` may be zero, which means the
/// default: TP_TASK(.fn = f, .arg = a, .drop_arg = free) gives a pointer to one filled so; in C++ start from
/// `tp_task task = {sizeof(tp_task)};`. It is only read during the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tp_task {
    /// sizeof(tp_task).
    pub size: usize,
    /// What to run. Not NULL.
    pub r#fn: tp_task_fn,
    /// Given to fn; may be NULL.
    pub arg: *mut c_void,
    /// Disposes of arg, exactly once for an accepted task: on the worker when fn has returned and before the future is
    /// done; or in the call that cancels it, or where else it is settled that fn will never run. NULL: nothing to do.
    pub drop_arg: tp_drop_fn,
    /// Disposes of what fn returned, unless that is NULL or was taken with tp_future_take(): exactly once, when the last
    /// reference to the future goes. NULL: nothing to do.
    pub drop_result: tp_drop_fn,
    /// A name for traces and diagnostics. Copied; may be NULL.
    pub name: *const c_char,
    /// For later versions: the group it belongs to. NULL: none.
    pub group: *mut tp_group,
    /// For later versions: nanoseconds from submission before which it does not start.
    pub delay_ns: i64,
    /// For later versions: nanoseconds after which it runs again. 0: it runs once.
    pub period_ns: i64,
    /// For later versions: which pending tasks it goes before. 0: TP_PRIORITY_NORMAL.
    pub priority: MaybeUninit<tp_priority>,
    /// 0: there are no flags yet.
    pub flags: u32,
}

// SAFETY: repr(C), `size` first, only integers, pointers, nullable functions and a MaybeUninit; tests/header.rs has
// the compiler look for padding.
unsafe impl SizedStruct for tp_task {
    const FIRST_SIZE: usize = offset_of!(tp_task, flags) + size_of::<u32>();
    const TOO_SMALL: &'static str = "task->size is smaller than any version of tp_task";
    const TOO_LARGE: &'static str = "task->size is too large to be a tp_task";
    const UNKNOWN: &'static str = "task has members that this version does not know, and they are not zero";
}

impl tp_task {
    /// The checks whose failure is TP_ERR_INVALID_ARGUMENT, and what is then known to be a function.
    fn check_values(&self) -> Result<unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void> {
        let run = function(self.r#fn, "task->fn is NULL")?;
        require(self.delay_ns >= 0, invalid("task->delay_ns is negative"))?;
        require(self.period_ns >= 0, invalid("task->period_ns is negative"))?;
        require(
            number(&self.priority) <= tp_priority::TP_PRIORITY_LOW as u32,
            invalid("task->priority is no tp_priority"),
        )?;
        require(self.flags == 0, invalid("task->flags has unknown bits"))?;
        Ok(run)
    }

    /// The checks whose failure is TP_ERR_UNSUPPORTED: what only later versions do.
    fn check_support(&self) -> Result<()> {
        require(self.group.is_null(), unsupported("task->group is not supported by this version"))?;
        require(self.delay_ns == 0, unsupported("task->delay_ns is not supported by this version"))?;
        require(self.period_ns == 0, unsupported("task->period_ns is not supported by this version"))?;
        require(number(&self.priority) == 0, unsupported("task->priority is not supported by this version"))
    }
}

/// Submits the task fn(arg): a worker will run it. Tasks start in the order in which they were submitted; with one
/// worker strictly so, while among several workers one may get a little ahead of another. When the future is not
/// wanted, tp_execute() costs less.
///
/// @param executor  borrowed.
/// @param fn        what to run. Not NULL.
/// @param arg       given to fn; may be NULL. It must stay valid until fn has returned; the library does not look at
///                  it. To hand over its ownership use tp_submit_task() and drop_arg.
/// @return the task's future, owned by the caller, who gives it back with tp_future_release(). NULL on failure, when
/// fn will not run; tp_last_error() is then TP_ERR_INVALID_ARGUMENT (executor or fn is NULL), TP_ERR_FORKED,
/// TP_ERR_BROKEN, TP_ERR_SHUTDOWN, TP_ERR_SYSTEM (there is no thread and none can be started), or TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: Executor.submit(fn, arg).
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn tp_submit(executor: *mut tp_executor, r#fn: tp_task_fn, arg: *mut c_void) -> *mut tp_future {
    guard("tp_submit", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        let run = function(r#fn, "fn is NULL")?;
        Ok(executor.submit(run, arg)?.into_raw().cast())
    })
}

/// Submits the task fn(arg) without making a future: it cannot be waited for or cancelled alone, what it returns is
/// ignored, and a failure goes to the executor's unhandled_error. The cheapest way to run something.
///
/// @param executor  borrowed.
/// @param fn        what to run. Not NULL.
/// @param arg       given to fn; may be NULL. It must stay valid until fn has returned. If the executor is shut down with
///                  TP_SHUTDOWN_CANCEL_FUTURES, or broken, before its turn comes, fn does not run and arg is forgotten.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor or fn is NULL; TP_ERR_FORKED; TP_ERR_BROKEN; TP_ERR_SHUTDOWN;
/// TP_ERR_SYSTEM: there is no thread and none can be started; TP_ERR_NO_MEMORY. On any failure fn will not run.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_execute(executor: *mut tp_executor, r#fn: tp_task_fn, arg: *mut c_void) -> tp_status {
    guard("tp_execute", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        let run = function(r#fn, "fn is NULL")?;
        executor.execute(run, arg)?;
        Ok(tp_status::TP_OK)
    })
}

/// Submits the n tasks `fn(args[0])`, `fn(args[1])` and so on in that order, in one operation: all are accepted or
/// none. It costs less than n calls of tp_submit().
///
/// @param executor  borrowed.
/// @param fn        what to run. Not NULL.
/// @param args      the n arguments, borrowed for the call; what they point at as for tp_submit(). May be NULL if n
///                  is 0.
/// @param n         how many tasks; 0 is fine.
/// @param futures   room for n futures, in the order of args, each owned by the caller; written only on TP_OK. NULL:
///                  the tasks get no futures, as with tp_execute().
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor, fn, or args with n > 0, is NULL, or n is impossible;
/// TP_ERR_FORKED; TP_ERR_BROKEN; TP_ERR_SHUTDOWN; TP_ERR_SYSTEM: there is no thread and none can be started;
/// TP_ERR_NO_MEMORY. On any failure no task will run.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_submit_many(
    executor: *mut tp_executor,
    r#fn: tp_task_fn,
    args: *const *mut c_void,
    n: usize,
    futures: *mut *mut tp_future,
) -> tp_status {
    guard("tp_submit_many", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        let run = function(r#fn, "fn is NULL")?;
        array(args, n, "args is NULL")?;
        // SAFETY: `args` has n entries, and `futures` room for as many unless it is NULL.
        unsafe { executor.submit_many(run, args, n, futures.cast()) }?;
        Ok(tp_status::TP_OK)
    })
}

/// Submits a task with options: owners for its argument and result, and a name.
///
/// @param executor  borrowed.
/// @param task      what to run and how; borrowed for the call. On success task->arg belongs to the task if drop_arg is
///                  given; on failure it stays the caller's, and drop_arg does not run.
/// @param future    receives the task's future, owned by the caller; written only on TP_OK. NULL: there is none, as
///                  with tp_execute(), and drop_result runs when the task has ended.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor, task or task->fn is NULL, task->size is wrong, a time is negative,
/// the priority or a flag unknown; TP_ERR_UNSUPPORTED: a member for later versions is not zero; TP_ERR_FORKED;
/// TP_ERR_BROKEN; TP_ERR_SHUTDOWN; TP_ERR_SYSTEM: there is no thread and none can be started; TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: Executor.submit().
#[no_mangle]
pub unsafe extern "C" fn tp_submit_task(
    executor: *mut tp_executor,
    task: *const tp_task,
    future: *mut *mut tp_future,
) -> tp_status {
    guard("tp_submit_task", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        require(!task.is_null(), invalid("task is NULL"))?;
        // SAFETY: not NULL, and callers fill a struct that begins with its size.
        let given = unsafe { Given::read(task) }?;
        let func = given.value.check_values()?;
        given.value.check_support()?;
        given.check_tail()?;

        let tp_task { arg, drop_arg, drop_result, name, .. } = given.value;
        let task = Task { func, arg, drop_arg, drop_result, name: (!name.is_null()).then_some(name) };
        if future.is_null() {
            executor.execute_task(&task)?;
        } else {
            let accepted = executor.submit_task(&task)?;
            // SAFETY: the caller has room for a handle there.
            unsafe { put(future, accepted.into_raw().cast()) };
        }
        Ok(tp_status::TP_OK)
    })
}
