//! What the calling thread is doing: the thread-local "who am I". Written by `worker` and by everything that calls a hook;
//! read by submissions (am I a worker?), waits (may I run it inline? whom does my sleep block?) and `tp_task_fail`.
//!
//! A thread has a stack of frames, one per user function of ours that it is inside of: tasks, one inside the other when
//! run inline, and hooks (callbacks, drop functions, `unhandled_error`), in which there is no current task (K8).
//!
//! A fork inside a user function leaves the child with a thread that is no worker: the fork handler clears this page, and
//! when the function returns to a worker's code the child ends (E2).

use crate::executor::Executor;
use crate::status::{Error, Result, Status, NO_MEMORY};
use crate::sys::thread;
use crate::sys::tls::{self, Word};
use crate::task::extra::Failure;
use crate::task::node::Product;
use crate::task::state::{ANONYMOUS, STOP};
use crate::task::{DropFn, Node};
use crate::worker::Worker;
use std::cell::Cell;
use std::ffi::{c_char, c_void, CStr};
use std::ptr::NonNull;

/// One user function that this thread is inside of.
pub(crate) struct Frame {
    what: What,
    /// The thread was a worker when the function was called.
    on_worker: bool,
    failure: Cell<Reported>,
    outer: *const Frame,
}

#[derive(Clone, Copy)]
enum What {
    /// A task; its node, or null for one without.
    Task(*const Node),
    Hook,
}

/// What the task has said of its failure so far.
#[derive(Clone, Copy)]
enum Reported {
    Nothing,
    Record(NonNull<Failure>),
    /// There was no memory for a record.
    Bare(i32),
}

pub(crate) struct Here {
    worker: Cell<*const Worker>,
    /// The id of the executor whose thread this is, until the thread ends; 0: nobody's.
    home: Cell<u32>,
    frame: Cell<*const Frame>,
    /// Waits in a row that ended while spinning; see `wait`.
    pub(crate) short_waits: Cell<u32>,
}

thread_local! {
    static HERE: Here = const {
        Here {
            worker: Cell::new(std::ptr::null()),
            home: Cell::new(0),
            frame: Cell::new(std::ptr::null()),
            short_waits: Cell::new(0),
        }
    };
}

/// The calling thread's page.
#[inline(always)]
pub(crate) fn here<R>(look: impl FnOnce(&Here) -> R) -> R {
    let mut page = tls::get::<Here>(Word::Here);
    if page.is_null() {
        page = first_look();
    }
    // SAFETY: the calling thread's page, which is there until the thread is gone: it has no destructor.
    look(unsafe { &*page })
}

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
    pub(crate) fn is_at_home(&self, id: u32) -> bool {
        self.home.get() == id
    }

    /// Runs a task's function: returns what it returned and what it reported.
    #[inline]
    pub(crate) fn run_task(
        &self,
        node: *const Node,
        call: impl FnOnce() -> *mut c_void,
        hooked: impl FnOnce() -> bool,
    ) -> Product {
        let (value, reported) = self.inside(What::Task(node), call);
        match reported {
            Reported::Nothing => Product::Value(value),
            Reported::Record(record) => Product::Failure { value, record, hooked: hooked() },
            Reported::Bare(code) => Product::BareFailure { value, code, hooked: hooked() },
        }
    }

    #[inline]
    fn inside<R>(&self, what: What, call: impl FnOnce() -> R) -> (R, Reported) {
        let outer = self.frame.get();
        let on_worker = !self.worker.get().is_null();
        let frame = Frame { what, on_worker, failure: Cell::new(Reported::Nothing), outer };
        self.frame.set(&frame);
        let answer = call();
        if frame.on_worker && self.worker.get().is_null() {
            // The function forked and this is the child: a worker no more, with nowhere to return to.
            thread::exit_now();
        }
        self.frame.set(outer);
        (answer, frame.failure.get())
    }

    /// The nodes of the tasks that this thread is inside of, innermost first.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = *const Node> + '_ {
        // SAFETY: frames are on this thread's stack, below the caller.
        let frames = std::iter::successors(unsafe { self.frame.get().as_ref() }, |f| unsafe { f.outer.as_ref() });
        frames.filter_map(|frame| match frame.what {
            What::Task(node) if !node.is_null() => Some(node),
            _ => None,
        })
    }

    /// Whether the thread is inside of no user function that we called.
    #[inline]
    pub(crate) fn is_outside(&self) -> bool {
        self.frame.get().is_null()
    }

    /// The innermost function's frame, if that is a task.
    fn task(&self) -> Option<(&Frame, *const Node)> {
        // SAFETY: as in `tasks`.
        let frame = unsafe { self.frame.get().as_ref() }?;
        match frame.what {
            What::Task(node) => Some((frame, node)),
            What::Hook => None,
        }
    }
}

/// Calls a hook of the user's: while it runs there is no current task.
pub(crate) fn outside_task<R>(call: impl FnOnce() -> R) -> R {
    #[cfg(loom)] // loom's threads share one OS thread, and with it this page.
    return call();
    #[cfg(not(loom))]
    here(|here| here.inside(What::Hook, call).0)
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
        let reported = record.map_or(Reported::Bare(code), Reported::Record);
        if let Reported::Record(former) = frame.failure.replace(reported) {
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
