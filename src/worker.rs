//! A worker's life: initializer, then take → run → idle until shutdown, then finalizer. Started by `lifecycle`; `wait` asks
//! it to run an awaited task inline. How it comes by its tasks is in `worker::search`.

mod search;

use crate::completion::{deliver, end_pending};
use crate::current::{here, outside_task, Reported};
use crate::executor::Executor;
use crate::queue::local::Ring;
use crate::queue::{Entry, Job, QUOTA};
use crate::registry;
use crate::scheduler::Rest;
use crate::sys::thread;
use crate::task::handle::destroy;
use crate::task::node::{Ended, Held, Reference};
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
    /// Tasks that it submits may go into its own ring: not while a hook of the worker's runs, and not with one worker only, when
    /// the order is exact.
    pushes: Cell<bool>,
    /// Takes in a row with little behind them.
    chasing: Cell<u32>,
    /// Below this address the stack is too full for another inline task; above every address while a hook of the worker's
    /// runs, on top of which nothing does.
    stack_floor: Cell<usize>,
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
        pushes: Cell::new(false),
        chasing: Cell::new(0),
        stack_floor: Cell::new(usize::MAX),
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
        self.pushes.set(false);
        self.stack_floor.set(usize::MAX);
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
        self.pushes.set(self.executor.max_workers() > 1);
        self.stack_floor.set(stack_floor());
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
            while let Some(entry) = self.next() {
                self.stop_searching();
                self.run(entry);
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
    #[inline(never)]
    fn run(&self, entry: Entry) {
        match entry.job() {
            Job::Call(func, arg) => {
                if self.executor.doomed().is_none() {
                    self.run_call(func, arg);
                }
            }
            Job::Node(node) => self.run_node(node, Floor::Bottom),
        }
    }

    /// A task without a node. Its result is dropped; a failure is reported here and now.
    fn run_call(&self, func: TaskFn, arg: *mut c_void) {
        let executor = &*self.executor;
        // SAFETY: the user's function with the user's argument, once.
        let (value, reported) = here(|here| here.run_task(std::ptr::null(), || unsafe { func(arg) }));
        if let Some(reported) = reported {
            // SAFETY: the failure of a task that had no node has no other owner.
            unsafe { executor.report(reported.failed(value, false)) };
        }
    }

    /// An entry's node: runs it, or buries it if somebody was faster.
    #[inline(always)]
    fn run_node(&self, node: NonNull<Node>, floor: Floor) {
        // SAFETY: the entry's reference is ours.
        let task = unsafe { node.as_ref() };
        if let Some(end) = self.executor.doomed() {
            // SAFETY: as above.
            unsafe { self.executor.end_taken(node, end) };
        } else if task.claim() {
            self.run_claimed(node, floor, Reference::GiveUp);
        } else {
            // SAFETY: as above.
            unsafe { self.executor.queue().drop_dead(node) };
        }
    }

    /// A claimed task, from its call to its end. The caller has a reference, and says what becomes of it.
    #[inline(always)]
    fn run_claimed(&self, node: NonNull<Node>, floor: Floor, reference: Reference) {
        // SAFETY: the reference keeps the node at least until `finish`; we claimed it, so function and argument are ours.
        let (func, arg, drop_arg) = unsafe { node.as_ref().call() };
        // SAFETY: the user's function with the user's argument, once.
        let (value, reported) = here(|here| here.run_task(node.as_ptr(), || unsafe { func(arg) }));
        if let Some(drop) = drop_arg {
            // SAFETY: the user's hook, with the user's argument, once.
            outside_task(|| unsafe { drop(arg) });
        }
        if floor == Floor::Bottom {
            // SAFETY: the reference is still ours.
            self.announce_idleness(unsafe { node.as_ref() });
        }
        let ended = match reported {
            // SAFETY: claimed; the reference is ours, and ours to give if we give it.
            None => unsafe { node.as_ref().succeed(value, reference) },
            Some(reported) => self.fail(node, value, reported, reference),
        };
        if ended.reference != Held::NoMore {
            self.follow_up(node, ended, reference);
        }
    }

    /// Ends a claimed task that failed.
    #[cold]
    fn fail(&self, node: NonNull<Node>, value: *mut c_void, reported: Reported, reference: Reference) -> Ended {
        let failed = reported.failed(value, self.executor.hook_failure());
        // SAFETY: our caller claimed the task, and has the reference.
        unsafe { node.as_ref().fail(failed, reference) }
    }

    /// Whoever sees this task done may submit the next at once, and is to find an idle worker (P2): so a worker with nothing
    /// in sight counts as a searcher before the task is done rather than after.
    #[inline]
    fn announce_idleness(&self, task: &Node) {
        if references(task.word()) > 1 && self.ring().is_empty() && self.executor.queue().shared.seems_empty() {
            self.start_searching();
        }
    }

    /// A task has ended and our reference did not go with the transition: observers hear of it, or it was the last one.
    #[inline(never)]
    fn follow_up(&self, node: NonNull<Node>, ended: Ended, reference: Reference) {
        if ended.reference == Held::Still {
            // SAFETY: the reference is still ours.
            let task = unsafe { node.as_ref() };
            deliver(task, ended.observers, || self.stop_searching());
            if reference == Reference::Keep || !task.drop_reference() {
                return;
            }
        }
        self.destroy(node);
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

    /// Runs a pending task of the own executor on top of the one that waits for it. False: it is not pending any more, or
    /// there is not enough stack for it.
    #[inline(never)]
    pub(crate) fn run_inline(&self, task: &Node) -> bool {
        let marker = 0u8;
        if std::ptr::from_ref(&marker).addr() < self.stack_floor.get() {
            return false;
        }
        let node = NonNull::from(task);
        if !self.ring().take_back(|entry| entry.is_node(node)) {
            return self.run_elsewhere(node);
        }
        // It overtook nobody: its waiter would have waited.
        self.quota.set(QUOTA.min(self.quota.get() + 1));
        self.run_node(node, Floor::Inline);
        true
    }

    /// The same for a task whose entry is somewhere in the queue, and stays there with its reference. The waiter's own
    /// reference keeps the node meanwhile.
    #[inline(never)]
    fn run_elsewhere(&self, node: NonNull<Node>) -> bool {
        // SAFETY: our caller borrows the node.
        let task = unsafe { node.as_ref() };
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
        executor.queue().bury();
        self.run_claimed(node, Floor::Inline, Reference::Keep);
        true
    }

    /// Whether a task that waits for another one of the own executor could not even be helped by another worker.
    pub(crate) fn is_alone(&self) -> bool {
        self.executor.max_workers() == 1
    }
}

/// What a task is run on top of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Floor {
    /// The worker's own loop.
    Bottom,
    /// A task or hook that waits for it.
    Inline,
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
