//! Executors that free themselves, and what is submitted to them.

use super::*;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tpexec::config::Config;
use tpexec::executor::Executor;
use tpexec::map::Map;
use tpexec::status::Result;
use tpexec::task::{DropFn, Future, Node, Task, TaskFn};

/// An executor that is freed with the test: shut down and waited for.
pub struct Pool(NonNull<Executor>);

// SAFETY: Executor is Sync.
unsafe impl Send for Pool {}
unsafe impl Sync for Pool {}

impl Deref for Pool {
    type Target = Executor;
    fn deref(&self) -> &Executor {
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Tasks of a test that has failed may wait for gates that nobody will open.
        if !std::thread::panicking() {
            unsafe { Executor::free(self.0) };
        }
    }
}

impl Pool {
    pub fn new(max_workers: usize) -> Pool {
        Pool::with(&Config { max_workers, ..Config::default() })
    }

    pub fn with(config: &Config) -> Pool {
        watch();
        Pool(Executor::new(config).unwrap())
    }

    /// Free or detach as the test has it, instead.
    pub fn into_handle(self) -> NonNull<Executor> {
        let handle = self.0;
        std::mem::forget(self);
        handle
    }

    /// For closures: the executor outlives every task of the test.
    pub fn shared(&self) -> &'static Executor {
        unsafe { &*self.0.as_ptr() }
    }

    /// Occupies one worker: returns when the task runs.
    pub fn block(&self) -> Blocker {
        let (entered, gate) = (Gate::new(), Gate::new());
        let future = self.go(move || {
            entered.open();
            gate.pass();
            0
        });
        entered.pass();
        Blocker { gate, future }
    }

    /// Waits until no worker is busy any more with anything submitted before, for one-worker executors.
    pub fn flush(&self) {
        assert_eq!(self.max_workers(), 1);
        self.go(|| 0).get();
    }
}

/// Submitting closures.
pub trait Go {
    fn executor(&self) -> &Executor;

    fn try_go(&self, f: impl FnOnce() -> usize + Send + 'static) -> Result<Future> {
        let (func, arg) = closure(f);
        // A closure that never runs is leaked.
        self.executor().submit(func, arg)
    }

    fn go(&self, f: impl FnOnce() -> usize + Send + 'static) -> Future {
        self.try_go(f).unwrap()
    }

    fn task(&self, task: Task) -> Future {
        self.executor().submit_task(&task).unwrap()
    }

    /// As one operation; the argument of each is what `args` says.
    fn many(&self, func: TaskFn, args: &[Ptr]) -> Vec<Future> {
        let mut futures = vec![std::ptr::null_mut::<Node>(); args.len()];
        unsafe {
            self.executor().submit_many(func, args.as_ptr(), args.len(), futures.as_mut_ptr()).unwrap();
            futures.into_iter().map(|node| Future::from_raw(node)).collect()
        }
    }

    fn map(&self, func: TaskFn, args: &'static [Ptr], lookahead: usize) -> Mapping {
        unsafe { Mapping(Map::new(self.executor(), func, args.as_ptr(), args.len(), lookahead, None).unwrap()) }
    }
}

impl Go for Executor {
    fn executor(&self) -> &Executor {
        self
    }
}

impl Go for Pool {
    fn executor(&self) -> &Executor {
        self
    }
}

/// A closure as a task function with its argument; to be called once.
pub fn closure<F: FnOnce() -> usize + Send + 'static>(f: F) -> (TaskFn, Ptr) {
    unsafe extern "C-unwind" fn call<F: FnOnce() -> usize>(arg: Ptr) -> Ptr {
        ptr(unsafe { Box::from_raw(arg.cast::<F>()) }())
    }
    (call::<F>, Box::into_raw(Box::new(f)).cast())
}

/// Hooks and names with a plain task.
pub fn task(func: TaskFn, arg: Ptr) -> Task {
    Task { func, arg, drop_arg: None, drop_result: None, name: None }
}

/// A task function: its result is its argument.
pub unsafe extern "C-unwind" fn same(arg: Ptr) -> Ptr {
    arg
}

/// As a task function and as a hook: counts itself in the counter that is its argument.
pub unsafe extern "C-unwind" fn bump(count: Ptr) -> Ptr {
    unsafe { (*count.cast::<AtomicUsize>()).fetch_add(1, SeqCst) };
    count
}

pub unsafe extern "C-unwind" fn drop_bump(count: Ptr) {
    unsafe { bump(count) };
}

pub const DROP_BUMP: Option<DropFn> = Some(drop_bump);

pub fn address<T>(shared: &'static T) -> Ptr {
    std::ptr::from_ref(shared).cast_mut().cast()
}

/// A busy worker; it goes on when this is dropped.
pub struct Blocker {
    gate: &'static Gate,
    pub future: Future,
}

impl Blocker {
    pub fn release(self) {}
}

impl Drop for Blocker {
    fn drop(&mut self) {
        self.gate.open();
    }
}

/// An initializer that fails, once the gate that is its user data opens: so that what is submitted meanwhile is accepted.
pub unsafe extern "C-unwind" fn fail_to_initialize(gate: Ptr) -> i32 {
    unsafe { &*gate.cast::<Gate>() }.pass();
    1
}

/// 0, 1, 2 …, as arguments.
pub fn numbers(n: usize) -> &'static [Ptr] {
    leak((0..n).map(ptr).collect::<Vec<_>>())
}

/// Ends the task that calls it as failed.
pub fn fail(code: i32) -> usize {
    tpexec::current::fail(code, Some(c"failed as the test wants it"), NULL, None).unwrap();
    0
}

/// An executor whose workers' initializer fails when the gate opens.
pub fn to_be_broken(max_workers: usize) -> (Pool, &'static Gate) {
    let gate = Gate::new();
    let initializer = Some(fail_to_initialize as tpexec::config::InitFn);
    (Pool::with(&Config { max_workers, initializer, user_data: address(gate), ..Config::default() }), gate)
}
