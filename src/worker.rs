//! A worker's life: initializer, then take → run → idle until shutdown, then finalizer. Started by `lifecycle`; `wait` asks
//! it to run an awaited task inline. How it comes by its tasks is in `worker::search`.

mod search;

use crate::completion::{deliver, end_pending};
use crate::current::{here, outside_task};
use crate::executor::Executor;
use crate::queue::local::Ring;
use crate::queue::{Entry, Job, QUOTA};
use crate::registry;
use crate::scheduler::Rest;
use crate::sys::thread;
use crate::task::handle::destroy;
use crate::task::node::{Held, Reference};
use crate::task::state::{references, BROKEN, CANCELLED, FINISHED, HOOKS};
use crate::task::{Node, TaskFn};
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;
use std::ptr::NonNull;

/// What a starting thread is given.
pub(crate) struct Birth {
    pub(crate) executor: registry::ExecutorRef,
    pub(crate) index: usize,
    pub(crate) name: Box<[u8]>,
    /// The thread that had this place before and has retired: to be joined by this one, at its own end.
    pub(crate) predecessor: Option<thread::Thread>,
}

/// Lives on its thread's stack.
pub(crate) struct Worker {
    executor: registry::ExecutorRef,
    index: usize,
    name: Box<[u8]>,
    ring: *const Ring,
    /// Pushes to the own ring that are left; see `queue` for when there are more.
    quota: Cell<usize>,
    /// Batches taken before this index of the shared queue are older than this worker's last look around.
    mark: Cell<u64>,
    /// Counted as a searcher.
    searching: Cell<bool>,
    /// The initializer has succeeded: tasks may run here.
    ready: Cell<bool>,
    /// Takes in a row with little behind them.
    chasing: Cell<u32>,
    /// Below this address the stack is too full for another inline task.
    stack_floor: usize,
}

/// A worker thread's start routine.
pub(crate) extern "C" fn main(birth: *mut c_void) -> *mut c_void {
    // SAFETY: the starter boxed it for us.
    let Birth { executor, index, name, predecessor } = *unsafe { Box::from_raw(birth.cast::<Birth>()) };
    thread::set_name(std::ffi::CStr::from_bytes_until_nul(&executor.settings().os_name(index)).unwrap_or_default());
    let ring = executor.ring_of(index);
    let worker = Worker {
        executor,
        index,
        name,
        ring,
        quota: Cell::new(QUOTA),
        mark: Cell::new(0),
        searching: Cell::new(true),
        ready: Cell::new(false),
        chasing: Cell::new(0),
        stack_floor: stack_floor(),
    };
    let bomb = AbortIfPanic;
    here(|here| here.set_worker(&worker));
    worker.live();
    if let Some(thread) = predecessor {
        // SAFETY: given to this worker alone.
        unsafe { thread.join() };
    }
    worker.executor.worker_ended(worker.index);
    here(|here| here.clear_worker());
    std::mem::forget(bomb); // Normal termination: nothing to abort.
    std::ptr::null_mut()
}

/// A panic in a worker's own code would leave counts wrong and waiters asleep: better no process than a stuck one.
struct AbortIfPanic;

impl Drop for AbortIfPanic {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// Half of the stack stays free for what an inline task calls; where the stack's place is not known, nothing runs inline.
fn stack_floor() -> usize {
    thread::stack().map_or(usize::MAX, |(base, size)| base + size / 2)
}

impl Worker {
    pub(crate) fn executor(&self) -> &Executor {
        &self.executor
    }

    pub(crate) fn name(&self) -> *const c_char {
        self.name.as_ptr().cast()
    }

    fn ring(&self) -> &Ring {
        // SAFETY: rings live as long as the executor.
        unsafe { &*self.ring }
    }

    fn live(&self) {
        if !self.prepare() {
            return;
        }
        self.work();
        // Not counted any more, so whoever submits now does not rely on this worker; but shutdown still waits for it.
        self.searching.set(false);
        self.ready.set(false);
        if let Some(finalizer) = self.executor.settings().finalizer {
            // SAFETY: the user's function with the user's data.
            outside_task(|| unsafe { finalizer(self.executor.settings().user_data) });
        }
    }

    /// Runs the initializer; false if it failed, and then this worker has left.
    fn prepare(&self) -> bool {
        let settings = self.executor.settings();
        if let Some(initializer) = settings.initializer {
            let scheduler = self.executor.scheduler();
            self.searching.set(false);
            scheduler.start_preparing(&*self.executor);
            // SAFETY: the user's function with the user's data.
            let failed = outside_task(|| unsafe { initializer(settings.user_data) }) != 0;
            if failed {
                self.executor.break_down();
            }
            scheduler.stop_preparing();
            self.searching.set(true);
            if failed {
                while !self.executor.try_leave() {
                    self.empty_queue();
                }
                return false;
            }
        }
        self.ready.set(true);
        true
    }

    /// A broken executor's last worker cannot leave work behind: what slipped in is ended, not run.
    fn empty_queue(&self) {
        let executor = &*self.executor;
        executor.queue().drain(executor, |entry| {
            self.run(entry);
            ControlFlow::Continue(())
        });
    }

    /// Take → run → idle, until shutdown or retirement; the worker has left when this returns.
    fn work(&self) {
        let executor = &*self.executor;
        loop {
            if let Some(entry) = self.next() {
                self.stop_searching();
                self.run(entry);
                continue;
            }
            self.start_searching();
            if let Some(entry) = self.poll() {
                self.stop_searching();
                self.run(entry);
                continue;
            }
            match executor.scheduler().sleep(executor, executor.settings().idle_timeout, || executor.starting()) {
                Rest::Search => {}
                Rest::Retired => return,
                Rest::Shut => {
                    if !executor.queue().has_work(executor) && executor.try_leave() {
                        return;
                    }
                }
            }
        }
    }

    /// Runs what was taken, or ends it if the executor is doomed.
    fn run(&self, entry: Entry) {
        match entry.job() {
            Job::Call(func, arg) => {
                if self.executor.doomed().is_none() {
                    self.run_call(func, arg);
                }
            }
            Job::Node(node) => self.run_node(node),
        }
    }

    /// A task without a node. Its result is dropped; a failure is reported here and now.
    fn run_call(&self, func: TaskFn, arg: *mut c_void) {
        let executor = &*self.executor;
        // SAFETY: the user's function with the user's argument, once.
        let product = here(|here| here.run_task(std::ptr::null(), || unsafe { func(arg) }, || false));
        // SAFETY: the product of a task that had no node has no other owner.
        unsafe { executor.drop_product(product) };
    }

    /// An entry's node: runs it, or buries it if somebody was faster.
    fn run_node(&self, node: NonNull<Node>) {
        // SAFETY: the entry's reference is ours.
        let task = unsafe { node.as_ref() };
        if let Some(end) = self.executor.doomed() {
            // SAFETY: as above.
            unsafe { self.executor.end_taken(node, end) };
        } else if task.claim() {
            self.run_claimed(node);
        } else {
            // SAFETY: as above.
            unsafe { self.executor.queue().drop_dead(node) };
        }
    }

    /// A claimed task, from its call to its end. Consumes one reference of the caller's.
    fn run_claimed(&self, node: NonNull<Node>) {
        // SAFETY: the reference keeps the node until `finish` gives it up; we claimed it, so function and argument are ours.
        let (product, may_be_awaited) = unsafe {
            let task = node.as_ref();
            let (func, arg, drop_arg) = task.call();
            let hooked = || self.executor.hook_failure();
            let product = here(|here| here.run_task(node.as_ptr(), || func(arg), hooked));
            if let Some(drop) = drop_arg {
                outside_task(|| drop(arg));
            }
            (product, references(task.word()) > 1)
        };
        if may_be_awaited && self.about_to_idle() {
            // Whoever sees this task done may submit the next at once, and is to find an idle worker (P2): so we count as
            // a searcher before the task is done rather than after.
            self.start_searching();
        }
        // SAFETY: claimed; the reference is ours to give.
        let ended = unsafe { node.as_ref().finish(product, Reference::GiveUp) };
        match ended.reference {
            Held::NoMore => {}
            Held::Last => self.destroy(node),
            Held::Still => {
                // SAFETY: the reference is still ours.
                let task = unsafe { node.as_ref() };
                deliver(task, ended.observers, || self.stop_searching());
                if task.drop_reference() {
                    self.destroy(node);
                }
            }
        }
    }

    fn destroy(&self, node: NonNull<Node>) {
        // SAFETY: the caller held the last reference.
        if unsafe { node.as_ref() }.word() & HOOKS != 0 {
            // Hooks may run: no searcher does that.
            self.stop_searching();
        }
        // SAFETY: the caller held the last reference.
        unsafe { destroy(node) };
    }

    /// At the bottom of its stack with nothing in sight.
    #[inline]
    fn about_to_idle(&self) -> bool {
        self.ring().is_empty() && self.executor.queue().shared.seems_empty() && here(|here| here.is_outside())
    }

    /// Runs a pending task of the own executor on top of the one that waits for it. False: it is not pending any more, or
    /// there is not enough stack for it.
    pub(crate) fn run_inline(&self, task: &Node) -> bool {
        let marker = 0u8;
        if !self.ready.get() || std::ptr::from_ref(&marker).addr() < self.stack_floor {
            return false;
        }
        let node = NonNull::from(task);
        if self.ring().take_back(|entry| matches!(entry.job(), Job::Node(newest) if newest == node)) {
            // It overtook nobody: its waiter would have waited.
            self.quota.set(QUOTA.min(self.quota.get() + 1));
            self.run_node(node);
            return true;
        }
        if !task.is_launched() {
            return false;
        }
        let executor = &*self.executor;
        if let Some(end) = executor.doomed() {
            return end_pending(task, end.flags(), || executor.queue().bury());
        }
        if !task.claim_inline() {
            return false;
        }
        task.add_reference();
        executor.queue().bury();
        self.run_claimed(node);
        true
    }

    /// Whether a task that waits for another one of the own executor could not even be helped by another worker.
    pub(crate) fn is_alone(&self) -> bool {
        self.executor.max_workers() == 1
    }
}

/// How a doomed executor ends what is taken from its queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doom {
    Cancelled,
    Broken,
}

impl Doom {
    pub(crate) fn flags(self) -> u64 {
        match self {
            Doom::Cancelled => CANCELLED,
            Doom::Broken => FINISHED | BROKEN,
        }
    }
}

pub(crate) fn spin(hints: u32) {
    for _ in 0..hints {
        std::hint::spin_loop();
    }
}
