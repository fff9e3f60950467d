//! Runs a program of the `threads` target: its threads, then the end of everything, then the accounts.

use super::accounts::*;
use super::hooks;
use super::program::{decode, Program, SCRIPTS};
use super::steps;
use crate::answer::Status;
use crate::canary;
use crate::pointers::{pointer, Kind};
use crate::report::{begin, give_up, note};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{mpsc, Arc, Mutex, PoisonError};
use std::time::Duration;
use tpexec::ffi::completion_queue::*;
use tpexec::ffi::executor::*;
use tpexec::ffi::future::*;
use tpexec::ffi::status::tp_status;

/// No run takes so long, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A handle of the library's, which any thread may use.
pub struct Shared<T>(pub *mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        *self
    }
}

impl<T> Copy for Shared<T> {}

// SAFETY: the library lets any thread use any handle.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

/// Futures that all threads may use; each has a reference of its own.
pub type Slots = Vec<(usize, Shared<tp_future>)>;

pub struct World {
    pub program: Program,
    pub accounts: Accounts,
    pub executors: Vec<Shared<tp_executor>>,
    pub slots: Mutex<Slots>,
    /// A queue that everybody adds to and takes from; how often each was done.
    pub queue: Shared<tp_completion_queue>,
    pub added: std::sync::atomic::AtomicU32,
    pub taken: std::sync::atomic::AtomicU32,
}

/// Where a step is made.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Thread,
    Task { executor: usize, task: usize, depth: u32 },
    Callback { depth: u32 },
}

static WORLD: Mutex<Option<Arc<World>>> = Mutex::new(None);

pub fn world() -> Arc<World> {
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    world.clone().unwrap_or_else(|| give_up("a hook ran when all was over"))
}

pub fn of(status: tp_status) -> Status {
    Status(status as i32)
}

impl World {
    pub fn executor_of(&self, task: usize) -> usize {
        get(&self.accounts.tasks[task].executor) as usize
    }

    pub fn script_of(&self, task: usize) -> (usize, u32) {
        let it = &self.accounts.tasks[task];
        (get(&it.script) as usize % SCRIPTS, get(&it.depth))
    }

    pub fn callback_script(&self, callback: usize) -> (usize, u32) {
        let it = &self.accounts.callbacks[callback];
        (get(&it.script) as usize % SCRIPTS, get(&it.depth))
    }

    pub fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of the futures, with a reference for the caller.
    pub fn borrow(&self, which: u8) -> Option<(usize, *mut tp_future)> {
        let slots = self.slots();
        let &(task, future) = slots.get(usize::from(which) % slots.len().max(1))?;
        // SAFETY: the slot's reference keeps it while the slots are locked.
        Some((task, unsafe { tp_future_retain(future.0) }))
    }
}

fn new_executor(
    id: usize,
    (workers, retires, fragile, hears): (usize, bool, bool, bool),
) -> (Executor, Shared<tp_executor>) {
    // SAFETY: all zero means the default.
    let mut config: tp_executor_config = unsafe { std::mem::zeroed() };
    config.size = size_of_val(&config);
    config.max_workers = workers;
    config.initializer = Some(hooks::initialize);
    config.finalizer = Some(hooks::finalize);
    config.unhandled_error = hears.then_some(hooks::unhandled as _);
    config.user_data = pointer(Kind::UserData, id);
    config.drop_user_data = Some(hooks::drop_user_data);
    config.idle_timeout_ns = i64::from(retires);
    // SAFETY: the struct is filled.
    let handle = unsafe { tp_executor_new(&config) };
    if handle.is_null() {
        give_up("no executor");
    }
    (Executor { workers, fragile, hears_failures: hears, ..Executor::default() }, Shared(handle))
}

/// Runs the program that the bytes mean. Ends the process if the library does other than it should.
pub fn run(bytes: &[u8]) {
    begin();
    let program = decode(bytes);
    note(|| format!("executors (workers, retire, fragile, hear of failures): {:?}", program.executors));
    for (id, thread) in program.threads.iter().enumerate() {
        note(|| format!("thread {id}: {thread:?}"));
    }
    for (id, script) in program.scripts.iter().enumerate() {
        note(|| format!("script {id}: {script:?}"));
    }
    let executors = program.executors.iter().enumerate().map(|(id, &config)| new_executor(id, config));
    let (accounts, executors) = executors.unzip();
    let world = Arc::new(World {
        program,
        accounts: Accounts::new(accounts),
        executors,
        slots: Mutex::new(Vec::new()),
        queue: Shared(tp_completion_queue_new()),
        added: 0.into(),
        taken: 0.into(),
    });
    *WORLD.lock().unwrap_or_else(PoisonError::into_inner) = Some(world.clone());

    let (over, is_over) = mpsc::channel();
    let whole = world.clone();
    let all = std::thread::spawn(move || {
        run_threads(&whole);
        finish(&whole);
        let _ = over.send(());
    });
    if is_over.recv_timeout(PATIENCE).is_err() {
        give_up("it hangs");
    }
    let _ = all.join();
    if canary::is("model") {
        count(&world.accounts.executors[0].user_data_dropped);
    }
    world.accounts.settle();
    *WORLD.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn run_threads(world: &Arc<World>) {
    std::thread::scope(|scope| {
        for steps in &world.program.threads {
            scope.spawn(move || {
                for &step in steps {
                    steps::perform(world, Place::Thread, step);
                }
            });
        }
    });
}

/// Asks every future for its outcome, and gives everything back.
fn finish(world: &Arc<World>) {
    for (id, executor) in world.executors.iter().enumerate() {
        // Its tasks may still submit, until it has been shut down and they are over; then all that there will be is
        // there.
        set(&world.accounts.executors[id].shut);
        // SAFETY: the handle is live.
        let status = of(unsafe { tp_executor_shutdown(executor.0, TP_SHUTDOWN_WAIT) });
        if status != Status::OK {
            give_up(&format!("tp_executor_shutdown gave {status:?}"));
        }
    }
    for id in 0..world.executors.len() {
        set(&world.accounts.executors[id].over);
    }
    let slots = std::mem::take(&mut *world.slots());
    for &(task, future) in &slots {
        set(&world.accounts.tasks[task].has_future);
        // SAFETY: the slot's reference. Done is certain now, so this does not wait.
        let status = of(unsafe { tp_future_result(future.0, 0, std::ptr::null_mut()) });
        steps::note_outcome(world, task, status);
        // SAFETY: the slot's reference goes.
        unsafe { tp_future_release(future.0) };
    }
    empty_queue(world);
    for (id, executor) in world.executors.iter().enumerate() {
        // SAFETY: nobody else uses the handle any more.
        unsafe {
            match id {
                0 => tp_executor_free(executor.0),
                _ => tp_executor_detach(executor.0),
            }
        }
    }
}

/// What was added and has not been taken comes out; then the end.
fn empty_queue(world: &World) {
    // SAFETY: the queue is live, nobody else uses it any more, and what comes out is ours.
    unsafe {
        tp_completion_queue_close(world.queue.0);
        let mut future = std::ptr::null_mut();
        loop {
            match of(tp_completion_queue_next(world.queue.0, 0, &mut future, std::ptr::null_mut())) {
                Status::OK => {
                    world.taken.fetch_add(1, SeqCst);
                    tp_future_release(future);
                }
                Status::END => break,
                other => give_up(&format!("the queue gave {other:?}, and everything is done")),
            }
        }
        tp_completion_queue_free(world.queue.0);
    }
    if get(&world.added) != get(&world.taken) {
        give_up(&format!("{} were added to the queue, {} came out", get(&world.added), get(&world.taken)));
    }
}
