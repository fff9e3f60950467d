//! The executor: a queue, a scheduler and workers behind one handle. Made and asked by `ffi`; `submit` takes tasks in,
//! `lifecycle` starts and ends workers and the executor itself.

use crate::alloc;
use crate::config::{Config, Settings};
use crate::lifecycle::Life;
use crate::queue::local::Ring;
use crate::queue::{Queue, Rings};
use crate::registry::{self, Slot};
use crate::scheduler::{Env, Scheduler};
use crate::status::{Result, BROKEN, SHUTDOWN};
use crate::sync::{null_pointers, AtomicPtr, AtomicU32, AtomicUsize, Mutex, Ordering::*};
use crate::task::extra::{ErrorRecord, Failure};
use crate::task::node::Failed;
use crate::worker::Doom;
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
            rings: null_pointers(workers)?,
            rings_used: AtomicUsize::new(0),
            life: Mutex::new(Life::new(workers)?),
            joining: Mutex::new(()),
            ended: AtomicU32::new(0),
            settings,
        })
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

    #[inline]
    pub(crate) fn id(&self) -> u32 {
        self.id
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
        // Relaxed: who comes here after the shutdown has returned, as whatever orders the two has it, sees its bits. Anybody
        // else may as well have come here before it, as far as can be told, and run the task (D5). So a worker that has pushed
        // to its ring may miss the change of the gate though the look at the rings has missed its push.
        match self.gate.load(Relaxed) {
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

impl Drop for Executor {
    fn drop(&mut self) {
        // loom does not watch memory that goes, but a write: whoever may still look at the queue races with this one.
        #[cfg(loom)]
        self.rings_used.with_mut(|_| ());
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
