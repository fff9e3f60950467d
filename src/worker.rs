//! A worker's life: initializer, then take → run → idle until shutdown, then finalizer. Started by `lifecycle`. How it comes
//! by its tasks is in `worker::search`, how it runs them in `worker::run`.

mod run;
mod search;

pub(crate) use run::Doom;

use crate::current::{here, outside_task};
use crate::executor::Executor;
use crate::queue::local::Ring;
use crate::queue::QUOTA;
use crate::registry;
use crate::scheduler::Rest;
use crate::sys::{stack, thread};
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;

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
    thread::disable_cancellation();
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
        // A model's panic is a finding of its own, and unwinds through here.
        if !crate::sync::MODEL {
            std::process::abort();
        }
    }
}

/// Half of the stack stays free for what an inline task calls.
fn stack_floor(asked: usize) -> usize {
    let (base, size) = stack::of_this_thread(asked);
    base + size / 2
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
        self.stack_floor.set(stack_floor(settings.stack_size));
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

    /// Whether a task that waits for another one of the own executor could not even be helped by another worker.
    pub(crate) fn is_alone(&self) -> bool {
        self.executor.max_workers() == 1
    }
}

pub(crate) fn spin(hints: u32) {
    for _ in 0..hints {
        std::hint::spin_loop();
    }
}
