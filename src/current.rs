//! What the calling thread is doing: the thread-local "who am I". Written by `worker` and by everything that calls a hook;
//! read by submissions (am I a worker?), waits (may I run it inline? whom does my sleep block?) and `tp_task_fail`.
//!
//! A thread has a stack of frames, one per user function of ours that it is inside of: tasks, one inside the other when
//! run inline, and hooks (callbacks, drop functions, `unhandled_error`), in which there is no current task (K8).
//!
//! A fork inside a user function leaves the child with a thread that is no worker: the fork handler clears this page, and
//! when the function returns to a worker's code the child ends (E2).
//!
//! User functions come back by returning. Where one does not, the process ends here, since its books are wrong from then on: a
//! stack that is unwound meets a guard, and a `longjmp` is noticed by the frame that it leaves behind.

use crate::executor::Executor;
use crate::status::{Error, Result, Status, NO_MEMORY};
use crate::sync::{per_thread, MODEL};
use crate::sys::thread;
use crate::sys::tls::{self, Word};
use crate::task::extra::Failure;
use crate::task::node::Failed;
use crate::task::state::{ANONYMOUS, STOP};
use crate::task::{DropFn, Node};
use crate::worker::Worker;
use std::cell::Cell;
use std::ffi::{c_char, c_void, CStr};
use std::ptr::NonNull;

/// One user function that this thread is inside of. Four words, since every task writes them.
pub(crate) struct Frame {
    /// The task's node; null for a task without one, [`HOOK`] for a hook.
    what: *const Node,
    outer: *const Frame,
    /// What the task has said of its failure so far: null, a record, or [`BARE`] when there was no memory for a record.
    failure: Cell<*mut Failure>,
    /// The code of a BARE failure.
    code: Cell<i32>,
}

/// No node and no record lives at these addresses.
const HOOK: *const Node = std::ptr::without_provenance(1);
const BARE: *mut Failure = std::ptr::without_provenance_mut(1);

/// What a task that failed has said of it.
#[derive(Clone, Copy)]
pub(crate) struct Reported {
    record: NonNull<Failure>,
    code: i32,
}

impl Reported {
    /// With what the function returned: what the task left behind. `hooked`: whether the failure keeps the executor's hooks.
    pub(crate) fn failed(self, value: *mut c_void, hooked: bool) -> Failed {
        Failed { value, record: Some(self.record).filter(|record| record.as_ptr() != BARE), code: self.code, hooked }
    }
}

pub(crate) struct Here {
    worker: Cell<*const Worker>,
    /// The id of the executor whose thread this is, until the thread ends; 0: nobody's.
    home: Cell<u32>,
    frame: Cell<*const Frame>,
    /// Waits in a row that ended while spinning; see `wait`.
    pub(crate) short_waits: Cell<u32>,
    /// Waits since this thread last submitted a task; see `wait`.
    pub(crate) collected: Cell<u32>,
}

per_thread! {
    static HERE: Here = Here {
        worker: Cell::new(std::ptr::null()),
        home: Cell::new(0),
        frame: Cell::new(std::ptr::null()),
        short_waits: Cell::new(0),
        collected: Cell::new(0),
    };
}

/// The calling thread's page.
#[inline(always)]
pub(crate) fn here<R>(look: impl FnOnce(&Here) -> R) -> R {
    #[cfg(any(loom, shuttle))] // Whose threads share one OS thread, and with it its words.
    return HERE.with(look);
    #[cfg(not(any(loom, shuttle)))]
    look(page())
}

/// The calling thread's page, which is there until the thread is gone: it has no destructor.
#[cfg(not(any(loom, shuttle)))]
#[inline(always)]
fn page<'a>() -> &'a Here {
    let mut page = tls::get::<Here>(Word::Here);
    if page.is_null() {
        page = first_look();
    }
    // SAFETY: a page that `first_look` noted down.
    unsafe { &*page }
}

#[cfg(not(any(loom, shuttle)))]
#[cold]
fn first_look() -> *const Here {
    let page = HERE.with(std::ptr::from_ref);
    tls::set(Word::Here, page);
    page
}

impl Here {
    /// The worker that this thread is, if it is one.
    #[inline]
    pub(crate) fn worker(&self) -> Option<&Worker> {
        // SAFETY: a worker lives on its thread's stack for as long as it is entered here.
        unsafe { self.worker.get().as_ref() }
    }

    #[inline]
    pub(crate) fn is_worker(&self) -> bool {
        !self.worker.get().is_null()
    }

    /// Enters the worker that this thread is from now on.
    pub(crate) fn set_worker(&self, worker: &Worker) {
        self.worker.set(worker);
        self.home.set(worker.executor().slot().id());
    }

    /// The worker's life is over; its thread stays the executor's, which must not wait for it on it.
    pub(crate) fn clear_worker(&self) {
        self.worker.set(std::ptr::null());
    }

    /// Whether this thread is one of that executor's, though it may have left its worker's life behind.
    #[inline]
    pub(crate) fn is_at_home(&self, id: u32) -> bool {
        self.home.get() == id
    }

    /// Runs a task's function, on a worker: returns what it returned, and what it reported if it failed.
    #[inline(always)]
    pub(crate) fn run_task(
        &self,
        node: *const Node,
        call: impl FnOnce() -> *mut c_void,
    ) -> (*mut c_void, Option<Reported>) {
        let (value, frame) = self.enter(node, true, call);
        let record = NonNull::new(frame.failure.get());
        (value, record.map(|record| Reported { record, code: frame.code.get() }))
    }

    /// For models: this thread is inside of that task.
    #[cfg(all(test, any(loom, shuttle)))]
    pub(crate) fn inside<R>(&self, node: *const Node, call: impl FnOnce() -> R) -> R {
        self.enter(node, false, call).0
    }

    /// Calls a hook.
    fn run_hook<R>(&self, call: impl FnOnce() -> R) -> R {
        self.enter(HOOK, self.is_worker(), call).0
    }

    /// Calls a function of the user's as the innermost one; gives what it returned, and its frame, which is over.
    #[inline(always)]
    fn enter<R>(&self, what: *const Node, on_worker: bool, call: impl FnOnce() -> R) -> (R, Frame) {
        let outer = self.frame.get();
        let frame = Frame { what, outer, failure: Cell::new(std::ptr::null_mut()), code: Cell::new(0) };
        self.frame.set(&frame);
        let answer = must_return(call);
        if !std::ptr::eq(self.frame.get(), &frame) {
            self.came_back_elsewhere(on_worker);
        }
        self.frame.set(outer);
        (answer, frame)
    }

    /// A function has returned and the innermost frame is not its own.
    #[cold]
    fn came_back_elsewhere(&self, on_worker: bool) {
        if self.frame.get().is_null() {
            // It forked and this is the child: a worker no more, with nowhere to return to.
            if on_worker {
                thread::exit_now();
            }
            return;
        }
        // The innermost frame is that of a function inside of this one, which was to return first: its task would run for ever.
        thread::abort_saying(c"libtpexec: longjmp() has left a function of the program's");
    }

    /// The nodes of the tasks that this thread is inside of, innermost first.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = *const Node> + '_ {
        // SAFETY: frames are on this thread's stack, below the caller.
        let frames = std::iter::successors(unsafe { self.frame.get().as_ref() }, |f| unsafe { f.outer.as_ref() });
        frames.map(|frame| frame.what).filter(|&node| !node.is_null() && node != HOOK)
    }

    /// The innermost function's frame, if that is a task.
    fn task(&self) -> Option<(&Frame, *const Node)> {
        // SAFETY: as in `tasks`.
        let frame = unsafe { self.frame.get().as_ref() }?;
        (frame.what != HOOK).then_some((frame, frame.what))
    }
}

/// Calls a function of the user's. It must come back by returning: below it are frames that nothing may unwind. A C++ exception
/// for which there is a handler further down, or pthread_exit(), finds the process's end here.
#[inline(always)]
fn must_return<R>(call: impl FnOnce() -> R) -> R {
    let unwound = AbortIfUnwound;
    let answer = call();
    std::mem::forget(unwound);
    answer
}

/// Dropped only where the stack is unwound.
struct AbortIfUnwound;

impl Drop for AbortIfUnwound {
    fn drop(&mut self) {
        if MODEL {
            // A model that fails is unwound, and says why.
            return;
        }
        // Which of them it was destructors are not told.
        thread::abort_saying(
            c"libtpexec: an exception, pthread_exit() or thread cancellation has left a function of the program's",
        );
    }
}

/// Calls a hook of the user's: while it runs there is no current task.
pub(crate) fn outside_task<R>(call: impl FnOnce() -> R) -> R {
    here(|here| here.run_hook(call))
}

/// In a forked child: the thread is no worker and in no task.
pub(crate) fn forget_worker() {
    here(|here| {
        here.worker.set(std::ptr::null());
        here.home.set(0);
        here.frame.set(std::ptr::null());
    });
}

/// The calling task ends as failed, whatever it returns. The last call wins.
pub fn fail(code: i32, message: Option<&CStr>, payload: *mut c_void, drop: Option<DropFn>) -> Result<()> {
    here(|here| {
        let (frame, _) = here.task().ok_or(Error::new(Status::InvalidState, "not called from inside a task"))?;
        let record = Failure::new(code, message.unwrap_or(c""), payload, drop);
        frame.code.set(code);
        let former = frame.failure.replace(record.as_ref().map_or(BARE, |record| record.as_ptr()));
        if let Some(former) = NonNull::new(former).filter(|former| former.as_ptr() != BARE) {
            // SAFETY: made by `fail`, replaced just now.
            unsafe { Failure::free(former) };
        }
        record.map(drop_record).map_err(|_| NO_MEMORY)
    })
}

fn drop_record(_: NonNull<Failure>) {}

/// Whether the running task has been asked to stop, or its executor was shut down with its futures cancelled.
pub fn stop_requested() -> bool {
    here(|here| match here.task() {
        None => false,
        Some((_, node)) => {
            // SAFETY: a running task's node is referred to by its runner.
            let asked = unsafe { node.as_ref() }.is_some_and(|node| node.word() & STOP != 0);
            asked || here.worker().is_some_and(|worker| worker.executor().cancels())
        }
    })
}

/// The innermost running task's future, borrowed; null if there is none.
pub fn future() -> *mut Node {
    here(|here| match here.task() {
        // SAFETY: a running task's node is referred to by its runner.
        Some((_, node)) => match unsafe { node.as_ref() } {
            Some(task) if task.word() & ANONYMOUS == 0 => node.cast_mut(),
            _ => std::ptr::null_mut(),
        },
        None => std::ptr::null_mut(),
    })
}

/// The executor whose worker this thread is, borrowed; null if it is none.
pub fn executor() -> *const Executor {
    here(|here| here.worker().map_or(std::ptr::null(), |worker| worker.executor()))
}

/// The name of the worker that this thread is; null if it is none.
pub fn worker_name() -> *const c_char {
    here(|here| here.worker().map_or(std::ptr::null(), |worker| worker.name()))
}
