//! Section "executor" of the header: making one, shutting it down, and asking it for numbers.

use super::callbacks::{self, tp_drop_fn, tp_finalizer_fn, tp_initializer_fn, tp_unhandled_error_fn};
use super::check::{borrow, invalid, number, require, unsupported};
use super::guard;
use super::sized::{Given, SizedStruct};
use super::status::tp_status;
use crate::config::Config;
use crate::executor::Executor;
use crate::status::Result;
use crate::wait::Timeout;
use core::ffi::{c_char, c_void};
use core::mem::{offset_of, MaybeUninit};
use core::ptr::NonNull;

/// A pool of worker threads that run tasks. Made by tp_executor_new(); ended by tp_executor_free() or
/// tp_executor_detach().
pub struct tp_executor {
    _private: [u8; 0],
}

/// What submitting does while a bounded queue is full. For later versions: this one has unbounded queues and knows
/// only TP_FULL_BLOCK, the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum tp_full_policy {
    /// Wait for room; on a worker of the same executor the task is accepted at once.
    TP_FULL_BLOCK = 0,
    /// Fail with TP_ERR_QUEUE_FULL.
    TP_FULL_REJECT = 1,
    /// Run the task in the call that submits it.
    TP_FULL_CALLER_RUNS = 2,
    /// Cancel the oldest pending task of the lowest priority to make room.
    TP_FULL_DROP_OLDEST = 3,
}

/// How tp_executor_new() makes an executor. Everything but `size` may be zero, which means the default:
/// TP_EXECUTOR_CONFIG(.max_workers = 4) gives a pointer to one filled so; in C++ start from
/// `tp_executor_config config = {sizeof(tp_executor_config)};`. It is only read during the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct tp_executor_config {
    /// sizeof(tp_executor_config).
    pub size: usize,
    /// Threads at most, up to TP_MAX_WORKERS. 0: min(32, usable CPUs + 4), where the CPU affinity of the process and
    /// its cgroup's quota say what is usable.
    pub max_workers: usize,
    /// How the names of the workers begin; "_" and a number follow, counting from 0, so "io" gives "io_0". Copied. NULL:
    /// "tpexec-" and a number that counts executors.
    pub thread_name_prefix: *const c_char,
    /// Runs first on each new worker; not 0 breaks the executor (TP_ERR_BROKEN). NULL: nothing to run.
    pub initializer: tp_initializer_fn,
    /// Runs last on each worker whose initializer succeeded or that had none. NULL: nothing to run.
    pub finalizer: tp_finalizer_fn,
    /// Hears of failures that nobody looked at; on the thread that released the future, or on the worker for a task
    /// without a future. NULL: such failures pass in silence.
    pub unhandled_error: tp_unhandled_error_fn,
    /// Given to the three functions above. Owned by the executor once tp_executor_new() has succeeded.
    pub user_data: *mut c_void,
    /// Disposes of user_data, once, when neither a worker nor a future can need it any more; that may be after
    /// tp_executor_free(). NULL: nothing to do.
    pub drop_user_data: tp_drop_fn,
    /// Bytes of stack per worker, at least PTHREAD_STACK_MIN. 0: the system's default for threads.
    pub stack_size: usize,
    /// Nanoseconds after which an idle worker ends, all but one; they come back on demand. 0: workers stay.
    pub idle_timeout_ns: i64,
    /// For later versions: pending tasks at most. 0: no bound.
    pub queue_capacity: usize,
    /// For later versions: extra workers while others are blocked in waits. 0: none.
    pub max_stand_ins: usize,
    /// For later versions: what submitting does while the queue is full. 0: TP_FULL_BLOCK.
    pub full_policy: MaybeUninit<tp_full_policy>,
    /// For later versions: TP_EXECUTOR_TIMES. 0: no flags.
    pub flags: u32,
}

// What the header's macros of these names say (they are in cbindgen.toml, as C writes them; tests/header.rs compares).

/// cbindgen:ignore
pub const TP_MAX_WORKERS: usize = crate::scheduler::MAX_WORKERS;
/// cbindgen:ignore
pub const TP_EXECUTOR_TIMES: u32 = 1;
/// cbindgen:ignore
pub const TP_SHUTDOWN_WAIT: u32 = 1;
/// cbindgen:ignore
pub const TP_SHUTDOWN_CANCEL_FUTURES: u32 = 2;

// SAFETY: repr(C), `size` first, only integers, pointers, nullable functions and a MaybeUninit; tests/header.rs has
// the compiler look for padding.
unsafe impl SizedStruct for tp_executor_config {
    const FIRST_SIZE: usize = offset_of!(tp_executor_config, flags) + size_of::<u32>();
    const TOO_SMALL: &'static str = "config->size is smaller than any version of tp_executor_config";
    const TOO_LARGE: &'static str = "config->size is too large to be a tp_executor_config";
    const UNKNOWN: &'static str = "config has members that this version does not know, and they are not zero";
}

impl tp_executor_config {
    /// The checks whose failure is TP_ERR_INVALID_ARGUMENT, and what the core makes of the rest.
    fn check_values(&self) -> Result<Config> {
        let config = Config {
            max_workers: self.max_workers,
            thread_name_prefix: (!self.thread_name_prefix.is_null()).then_some(self.thread_name_prefix),
            initializer: self.initializer,
            finalizer: self.finalizer,
            unhandled_error: self.unhandled_error.map(callbacks::unhandled),
            user_data: self.user_data,
            drop_user_data: self.drop_user_data,
            stack_size: self.stack_size,
            idle_timeout_ns: self.idle_timeout_ns,
        };
        config.check()?;
        require(
            number(&self.full_policy) <= tp_full_policy::TP_FULL_DROP_OLDEST as u32,
            invalid("config->full_policy is no tp_full_policy"),
        )?;
        require(self.flags & !TP_EXECUTOR_TIMES == 0, invalid("config->flags has unknown bits"))?;
        Ok(config)
    }

    /// The checks whose failure is TP_ERR_UNSUPPORTED: what only later versions do.
    fn check_support(&self) -> Result<()> {
        require(self.queue_capacity == 0, unsupported("config->queue_capacity is not supported by this version"))?;
        require(self.max_stand_ins == 0, unsupported("config->max_stand_ins is not supported by this version"))?;
        require(number(&self.full_policy) == 0, unsupported("config->full_policy is not supported by this version"))?;
        require(self.flags == 0, unsupported("config->flags: TP_EXECUTOR_TIMES is not supported by this version"))
    }
}

/// Makes an executor. It starts its threads when tasks need them.
///
/// @param config  how; borrowed for the call. NULL: every default.
/// @return the executor, owned by the caller, who ends it with tp_executor_free() or tp_executor_detach(). NULL on
/// failure, when config->user_data stays the caller's; tp_last_error() is then TP_ERR_INVALID_ARGUMENT (a wrong size,
/// unknown enum value or flag, a number out of its range), TP_ERR_UNSUPPORTED (a member for later versions is not
/// zero), TP_ERR_SYSTEM, or TP_ERR_NO_MEMORY.
///
/// Any thread, tasks and callbacks included. Does not block.
/// Python: ThreadPoolExecutor(max_workers, thread_name_prefix, initializer, initargs).
#[no_mangle]
#[must_use]
pub unsafe extern "C" fn tp_executor_new(config: *const tp_executor_config) -> *mut tp_executor {
    guard("tp_executor_new", || {
        let config = if config.is_null() {
            Config::default()
        } else {
            // SAFETY: not NULL, and callers fill a struct that begins with its size.
            let given = unsafe { Given::read(config) }?;
            let config = given.value.check_values()?;
            given.value.check_support()?;
            given.check_tail()?;
            config
        };
        Ok(Executor::new(&config)?.as_ptr().cast())
    })
}

/// Stops an executor from accepting tasks. What is pending still runs, unless TP_SHUTDOWN_CANCEL_FUTURES is given;
/// workers end when there is nothing left to run. It may be called again, by several threads, and with more flags.
///
/// The handle stays valid: tp_executor_free() is still needed.
///
/// @param executor  borrowed.
/// @param flags     any of TP_SHUTDOWN_WAIT: return only when all tasks, their callbacks and all workers have ended;
///                  and TP_SHUTDOWN_CANCEL_FUTURES: cancel what is pending, and let running tasks see
///                  tp_task_stop_requested(). Done callbacks and drop functions of what it cancels run in this call.
/// @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor is NULL or flags has unknown bits; TP_ERR_FORKED;
/// TP_ERR_DEADLOCK: TP_SHUTDOWN_WAIT on a worker of this executor, which cannot wait for itself: everything but the
/// waiting has been done.
///
/// Any thread, tasks and callbacks included. Blocks only with TP_SHUTDOWN_WAIT.
/// Python: Executor.shutdown(wait, cancel_futures).
#[no_mangle]
pub unsafe extern "C" fn tp_executor_shutdown(executor: *mut tp_executor, flags: u32) -> tp_status {
    guard("tp_executor_shutdown", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        require(flags & !(TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES) == 0, invalid("flags has unknown bits"))?;
        executor.shutdown(flags & TP_SHUTDOWN_WAIT != 0, flags & TP_SHUTDOWN_CANCEL_FUTURES != 0)?;
        Ok(tp_status::TP_OK)
    })
}

/// Waits, with a limit, for an executor that was shut down: until all its tasks, callbacks and workers have ended.
///
/// @param executor    borrowed.
/// @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
/// @return TP_OK; TP_ERR_TIMEOUT: something still runs; TP_ERR_INVALID_ARGUMENT: executor is NULL; TP_ERR_FORKED;
/// TP_ERR_INVALID_STATE: it was not shut down; TP_ERR_DEADLOCK: called on a worker of this executor.
///
/// Any thread, tasks and callbacks included. Blocks.
#[no_mangle]
pub unsafe extern "C" fn tp_executor_join(executor: *mut tp_executor, timeout_ns: i64) -> tp_status {
    guard("tp_executor_join", || {
        // SAFETY: a handle that is not NULL is live.
        let executor: &Executor = unsafe { borrow(executor, "executor is NULL") }?;
        executor.join(Timeout::from_ns(timeout_ns))?;
        Ok(tp_status::TP_OK)
    })
}

/// Shuts an executor down, waits for the end of its tasks and workers, and gives the handle back. On a worker of this
/// executor it does not wait, and is tp_executor_detach(). Futures outlive their executor.
///
/// From the call on, the handle may be used only by the executor's own tasks and callbacks, for as long as they run
/// (submitting gives TP_ERR_SHUTDOWN): no other call on it may be under way or begin. Where other threads may still
/// submit, shut the executor down, join those threads, then free it.
///
/// In a child made by fork() an executor of the parent is only forgotten: nothing is waited for, and no hook runs.
///
/// @param executor  taken. NULL does nothing.
///
/// Any thread, tasks and callbacks included. Blocks, except on an own worker.
/// Python: leaving a "with ThreadPoolExecutor()" block.
#[no_mangle]
pub unsafe extern "C" fn tp_executor_free(executor: *mut tp_executor) {
    guard("tp_executor_free", || {
        if let Some(executor) = NonNull::new(executor.cast::<Executor>()) {
            // SAFETY: a handle that is not NULL is live, and the caller gives it up.
            unsafe { Executor::free(executor) };
        }
        Ok(())
    })
}

/// Shuts an executor down and gives the handle back without waiting: what is pending still runs, then the threads end
/// by themselves. For the use of the handle afterwards the rules of tp_executor_free() hold.
///
/// @param executor  taken. NULL does nothing.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_executor_detach(executor: *mut tp_executor) {
    guard("tp_executor_detach", || {
        if let Some(executor) = NonNull::new(executor.cast::<Executor>()) {
            // SAFETY: a handle that is not NULL is live, and the caller gives it up.
            unsafe { Executor::detach(executor) };
        }
        Ok(())
    })
}

/// Gives the number of threads an executor may have.
///
/// @param executor  borrowed.
/// @return at least 1, the default resolved; 0 for NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_executor_max_workers(executor: *const tp_executor) -> usize {
    // SAFETY: a handle that is not NULL is live.
    guard("tp_executor_max_workers", || Ok(unsafe { count(executor, Executor::max_workers) }))
}

/// Gives the number of threads an executor has at this moment. They start on demand, so it begins with 0.
///
/// @param executor  borrowed.
/// @return a snapshot; 0 for NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_executor_worker_count(executor: *const tp_executor) -> usize {
    // SAFETY: a handle that is not NULL is live.
    guard("tp_executor_worker_count", || Ok(unsafe { count(executor, Executor::worker_count) }))
}

/// Gives the number of tasks that an executor has accepted and that have neither started nor been cancelled.
///
/// @param executor  borrowed.
/// @return a snapshot; 0 for NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub unsafe extern "C" fn tp_executor_pending_count(executor: *const tp_executor) -> usize {
    // SAFETY: a handle that is not NULL is live.
    guard("tp_executor_pending_count", || Ok(unsafe { count(executor, Executor::pending_count) }))
}

/// What `ask` says of an executor, 0 of none.
///
/// # Safety
/// A handle that is not NULL is live.
unsafe fn count(executor: *const tp_executor, ask: impl FnOnce(&Executor) -> usize) -> usize {
    // SAFETY: this function's contract.
    unsafe { executor.cast::<Executor>().as_ref() }.map_or(0, ask)
}
