//! The executor: a queue, a scheduler and workers behind one handle. Called by `ffi`; this file takes tasks in, `lifecycle`
//! starts and ends workers and the executor itself.
//!
//! A submission: check the gate → make a node → publish it (own ring or shared queue) → see that somebody looks at it.
//! With no worker yet, the first is started before anything is published; the last one never retires. So a submission that
//! was accepted never has to be undone (P4).

use crate::alloc;
use crate::config::{Config, Settings};
use crate::current::here;
use crate::lifecycle::Life;
use crate::queue::local::Ring;
use crate::queue::shared::Refused;
use crate::queue::{Entry, Queue, Rings};
use crate::registry::{self, Slot};
use crate::scheduler::{Env, Scheduler};
use crate::status::{Error, Result, Status, BROKEN, FORKED, SHUTDOWN};
use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Mutex, Ordering::*};
use crate::task::extra::{ErrorRecord, Extra, Failure};
use crate::task::handle::Future;
use crate::task::node::Failed;
use crate::task::state::{ANONYMOUS, REF};
use crate::task::{pool, Node, Task, TaskFn};
use crate::worker::Doom;
use std::ffi::c_void;
use std::ptr::NonNull;

// The gate: bits of a word that is read by every submission and written a few times in an executor's life.

/// There is a worker, and there will be one until shutdown.
pub(crate) const STARTED: u32 = 1;
/// Shut down.
pub(crate) const CLOSED: u32 = 2;
/// Shut down with its futures cancelled: whoever takes an entry cancels it.
pub(crate) const CANCELS: u32 = 4;
/// An initializer failed: whoever takes an entry breaks it.
pub(crate) const BREAKS: u32 = 8;

/// See the module. C sees a `tp_executor*`.
pub struct Executor {
    slot: &'static Slot,
    /// The slot's, here since every submission asks.
    id: u32,
    /// Tells it from all other executors that this process ever has.
    number: u64,
    pub(crate) gate: AtomicU32,
    settings: Settings,
    queue: Queue,
    scheduler: Scheduler,
    /// One place per possible worker; a ring stays when its worker goes, for the next one.
    rings: Box<[AtomicPtr<Ring>]>,
    rings_used: AtomicUsize,
    /// Threads; also the lock under which workers are started and retire.
    pub(crate) life: Mutex<Life>,
    /// Held while threads are joined; outside of `life`, since threads on their way out may run destructors of the user's.
    pub(crate) joining: Mutex<()>,
    /// 1 when every worker has ended after a shutdown; joiners sleep on it.
    pub(crate) ended: AtomicU32,
}

// SAFETY: the user's pointers in `settings` are the user's to share; everything else is synchronised in its own module.
unsafe impl Send for Executor {}
// SAFETY: as above.
unsafe impl Sync for Executor {}

impl Executor {
    /// A new executor, with the reference that is its handle. No thread yet.
    pub fn new(config: &Config) -> Result<NonNull<Executor>> {
        config.check()?;
        let (slot, number) = registry::enter(config.hooks())?;
        let executor = Executor::build(config, slot, number).and_then(alloc::try_box);
        match executor {
            Ok(executor) => {
                let handle = NonNull::from(Box::leak(executor));
                slot.publish(handle.as_ptr(), number);
                Ok(handle)
            }
            Err(error) => {
                slot.leave_unused();
                Err(error)
            }
        }
    }

    fn build(config: &Config, slot: &'static Slot, number: u64) -> Result<Executor> {
        let settings = config.settings(number)?;
        let workers = settings.max_workers;
        Ok(Executor {
            slot,
            id: slot.id(),
            number,
            gate: AtomicU32::new(0),
            queue: Queue::new()?,
            scheduler: Scheduler::new(workers),
            // SAFETY: zero is a valid null pointer.
            rings: unsafe { alloc::try_zeroed_slice(workers) }?,
            rings_used: AtomicUsize::new(0),
            life: Mutex::new(Life::new(workers)?),
            joining: Mutex::new(()),
            ended: AtomicU32::new(0),
            settings,
        })
    }

    /// Submits `func(arg)`: its future, with one reference.
    #[inline]
    pub fn submit(&self, func: TaskFn, arg: *mut c_void) -> Result<Future> {
        self.accepts()?;
        let node = pool::alloc(Node::new(self.id, func, None, arg, 2 * REF))?;
        // SAFETY: a fresh node with two references, one for the queue and one for the caller.
        unsafe {
            match self.publish(Entry::node(node)) {
                Ok(()) => Ok(Future::from_raw(node.as_ptr())),
                Err(refused) => {
                    pool::free(node);
                    Err(refused.into())
                }
            }
        }
    }

    /// Runs `func(arg)` without a future.
    #[inline]
    pub fn execute(&self, func: TaskFn, arg: *mut c_void) -> Result<()> {
        self.accepts()?;
        Ok(self.publish(Entry::call(func, arg))?)
    }

    /// The full form, with a future.
    pub fn submit_task(&self, task: &Task) -> Result<Future> {
        let node = self.publish_task(task, 2 * REF)?;
        // SAFETY: one of the node's two references is the caller's.
        Ok(unsafe { Future::from_raw(node.as_ptr()) })
    }

    /// The full form, fire and forget.
    pub fn execute_task(&self, task: &Task) -> Result<()> {
        if task.drop_arg.is_none() && task.drop_result.is_none() && task.name.is_none() {
            return self.execute(task.func, task.arg);
        }
        self.publish_task(task, REF | ANONYMOUS).map(drop_copy)
    }

    fn publish_task(&self, task: &Task, word: u64) -> Result<NonNull<Node>> {
        self.accepts()?;
        let extra = Extra::new(task)?;
        let node = pool::alloc(Node::new(self.id, task.func, extra, task.arg, word));
        let published = node.and_then(|node| match self.publish(Entry::node(node)) {
            Ok(()) => Ok(node),
            Err(refused) => {
                // SAFETY: nobody has seen the node.
                unsafe { pool::free(node) };
                Err(refused.into())
            }
        });
        if let (Err(_), Some(extra)) = (&published, extra) {
            // SAFETY: the refused node was its only user.
            unsafe { Extra::free(extra) };
        }
        published
    }

    /// `func` of each of `n` arguments, all or none. `futures` is null or has room for `n`.
    ///
    /// # Safety
    /// `args` and `futures` are what is said of them.
    pub unsafe fn submit_many(
        &self,
        func: TaskFn,
        args: *const *mut c_void,
        n: usize,
        futures: *mut *mut Node,
    ) -> Result<()> {
        if n == 0 && !self.is_foreign() {
            // No task, so no worker is started for it; a shut executor refuses even nothing.
            return self.queue.shared.closed().map_or(Ok(()), |refused| Err(refused.into()));
        }
        self.accepts()?;
        // SAFETY: below n; this function's contract.
        let arg = |i: usize| unsafe { *args.add(i) };
        if futures.is_null() {
            self.queue.shared.push_many(n, |i| Entry::call(func, arg(i)))?;
        } else {
            // `futures` may only be written when nothing can fail any more, so the nodes wait in a chain.
            let mut chain = Chain::new(n, |i| Node::new(self.id, func, None, arg(i), 2 * REF))?;
            self.queue.shared.push_many(n, |i| {
                let node = chain.pop();
                // SAFETY: room for n.
                unsafe { *futures.add(i) = node.as_ptr() };
                Entry::node(node)
            })?;
        }
        self.scheduler.published_many(n, self);
        Ok(())
    }

    /// Whether tasks are taken at all; starts the first worker.
    #[inline]
    pub(crate) fn accepts(&self) -> Result<()> {
        if registry::is_foreign(self.id) {
            return Err(FORKED);
        }
        // Acquire: a worker of this executor that sees it open may push to its ring; after CLOSED it must not.
        match self.gate.load(Acquire) {
            STARTED => Ok(()),
            gate => self.accepts_slowly(gate),
        }
    }

    #[cold]
    fn accepts_slowly(&self, gate: u32) -> Result<()> {
        check_open(gate)?;
        self.start_first()
    }

    /// Whether tasks would be taken now, for one that is yet to be submitted; starts nothing.
    pub(crate) fn would_accept(&self) -> Result<()> {
        match self.is_foreign() {
            true => Err(FORKED),
            // Relaxed: the submission looks again.
            false => check_open(self.gate.load(Relaxed)),
        }
    }

    /// Makes an entry visible and sees that somebody looks at it.
    #[inline(always)]
    pub(crate) fn publish(&self, entry: Entry) -> std::result::Result<(), Refused> {
        let own = here(|here| here.worker().is_some_and(|w| std::ptr::eq(w.executor(), self) && w.push_own(entry)));
        if !own {
            self.queue.shared.push(entry)?;
        }
        self.scheduler.published(self);
        Ok(())
    }

    pub fn max_workers(&self) -> usize {
        self.settings.max_workers
    }

    /// Threads alive now.
    pub fn worker_count(&self) -> usize {
        self.scheduler.spawned()
    }

    /// Accepted, not started, not cancelled: a snapshot.
    pub fn pending_count(&self) -> usize {
        self.queue.pending(self)
    }

    pub(crate) fn slot(&self) -> &'static Slot {
        self.slot
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    pub(crate) fn is_foreign(&self) -> bool {
        registry::is_foreign(self.id)
    }

    /// What becomes of entries that are taken from now on, if they are not to run.
    #[inline]
    pub(crate) fn doomed(&self) -> Option<Doom> {
        // SeqCst, as are the changes of the gate: a worker publishes to its ring and then looks here; who changes the gate then
        // looks at the rings. One of the two sees the other (D5).
        match self.gate.load(SeqCst) {
            gate if gate & (CANCELS | BREAKS) == 0 => None,
            gate if gate & BREAKS != 0 => Some(Doom::Broken),
            _ => Some(Doom::Cancelled),
        }
    }

    /// Whether running tasks should stop early.
    pub(crate) fn cancels(&self) -> bool {
        self.gate.load(Relaxed) & CANCELS != 0
    }

    /// A task has failed: whether that keeps the hooks alive until somebody has seen it.
    pub(crate) fn hook_failure(&self) -> bool {
        if self.settings.hooked {
            self.slot.use_hooks();
        }
        self.settings.hooked
    }

    /// A task without a node has failed: that is reported at once, since nobody could ever ask.
    ///
    /// # Safety
    /// The failure is the caller's.
    pub(crate) unsafe fn report(&self, failed: Failed) {
        // SAFETY: this function's contract; the hooks are alive while a worker is.
        unsafe {
            match failed.record {
                Some(record) => {
                    self.slot.report(&raw const (*record.as_ptr()).record);
                    Failure::free(record);
                }
                None => self.slot.report(&ErrorRecord::bare(failed.code)),
            }
        }
    }

    /// The ring of a worker's place; it exists when the worker does.
    pub(crate) fn ring_of(&self, index: usize) -> *const Ring {
        self.rings[index].load(Acquire)
    }

    /// Sees to it that a place has a ring. Under the lock of `life`.
    pub(crate) fn make_ring(&self, index: usize) -> Result<()> {
        if self.rings[index].load(Relaxed).is_null() {
            let ring = alloc::try_box(Ring::new())?;
            // Release: whoever finds the ring finds it empty, not uninitialised.
            self.rings[index].store(Box::into_raw(ring), Release);
            self.rings_used.fetch_max(index + 1, AcqRel);
        }
        Ok(())
    }
}

/// What a gate that is closed says.
#[inline]
pub(crate) fn check_open(gate: u32) -> Result<()> {
    match gate & (BREAKS | CLOSED) {
        0 => Ok(()),
        CLOSED => Err(SHUTDOWN),
        _ => Err(BROKEN),
    }
}

fn drop_copy(_: NonNull<Node>) {}

impl Drop for Executor {
    fn drop(&mut self) {
        for ring in &self.rings {
            let ring = ring.load(Relaxed);
            if !ring.is_null() {
                // SAFETY: made by `make_ring`; the last reference to the executor is gone, so nobody looks at it.
                drop(unsafe { Box::from_raw(ring) });
            }
        }
    }
}

impl Rings for Executor {
    fn ring(&self, index: usize) -> Option<&Ring> {
        // SAFETY: rings live as long as the executor.
        unsafe { self.rings[index].load(Acquire).as_ref() }
    }

    fn count(&self) -> usize {
        self.rings_used.load(Acquire)
    }
}

impl Env for Executor {
    fn has_work(&self) -> bool {
        self.queue.has_work(self)
    }

    fn entries(&self) -> usize {
        self.queue.entries(self)
    }

    fn start_worker(&self) {
        self.start_another();
    }
}

/// Nodes that nobody knows yet, to be popped in the order in which they were made; what is left is freed.
struct Chain(Vec<NonNull<Node>>);

impl Chain {
    fn new(n: usize, mut make: impl FnMut(usize) -> Node) -> Result<Chain> {
        let mut chain = Chain(Vec::new());
        chain.0.try_reserve_exact(n).map_err(|_| Error::new(Status::NoMemory, "out of memory"))?;
        for i in (0..n).rev() {
            let node = pool::alloc(make(i))?;
            chain.0.extend([node]);
        }
        Ok(chain)
    }

    fn pop(&mut self) -> NonNull<Node> {
        self.0.pop().expect("as many as were made")
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        for node in self.0.drain(..) {
            // SAFETY: never published.
            unsafe { pool::free(node) };
        }
    }
}
