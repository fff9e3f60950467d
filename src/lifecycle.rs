//! How an executor's workers and the executor itself begin and end: start on demand, breakage, shutdown, join, free.
//! Called by `executor` (a worker is needed), `worker` (I am leaving, I have ended) and `ffi`.
//!
//! # Proof sketch: shutdown against submit
//!
//! * *Accepted or refused.* The shared queue is closed under its tail's lock, so each outside submission is before the close
//!   (and its entry will be found) or refused. A worker's push to its own ring looks at the gate instead; one that slips
//!   past it is found by that worker itself, or by the one it starts: it is counted as spawned, so nobody has joined yet.
//! * *No task runs after shutdown(WAIT), no thread starts after it* (pitfall 4: a submitter has published, and everything has
//!   been run and joined before it gets to see whether a worker is needed). Workers start under the lock of `life`, and
//!   only if there is work; the end is declared under the same lock, only if no worker lives and there is no work. After
//!   that there never is: the queue is closed and nobody who could push to a ring lives.
//! * *Nobody is left alone.* A worker leaves by `Scheduler::leave`, which looks everywhere afterwards; and if no other worker
//!   is left while there is work, it stays (`try_leave`).

use crate::alloc::{try_box, try_zeroed_slice};
use crate::completion::end_pending;
use crate::current::here;
use crate::executor::{check_open, Executor, BREAKS, CANCELS, CLOSED, STARTED};
use crate::queue::{release, Entry, Job};
use crate::registry::{drop_raw, ExecutorRef};
use crate::scheduler::{Env, Need};
use crate::status::{Error, Result, Status, DEADLOCK, FORKED, TIMEOUT};
use crate::sync::{MutexGuard, Ordering::*};
use crate::sys::clock::Timeout;
use crate::sys::futex;
use crate::sys::thread::Thread;
use crate::task::Node;
use crate::worker::{self, Birth, Doom};
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::ptr::NonNull;

/// The threads of an executor.
pub(crate) struct Life {
    seats: Box<[Seat]>,
    /// No seat below it is free.
    first_free: usize,
    /// Threads that have not called `worker_ended` yet.
    alive: usize,
    /// Nobody will join: threads are detached.
    detached: bool,
    /// The end has been declared.
    ended: bool,
}

/// A worker's place; its index is the worker's.
struct Seat {
    state: u8,
    thread: MaybeUninit<Thread>,
}

// What a seat's `state` may be. Zero comes first: seats begin as zeroed memory.
/// Nobody sits here.
const FREE: u8 = 0;
/// A worker lives here.
const TAKEN: u8 = 1;
/// The worker has ended; its thread is still to be joined.
const ENDED: u8 = 2;

const NO_SEAT: Error = Error::new(Status::System, "no place for another worker");

impl Life {
    pub(crate) fn new(workers: usize) -> Result<Life> {
        // SAFETY: zero is FREE and an uninitialised thread.
        let seats = unsafe { try_zeroed_slice(workers) }?;
        Ok(Life { seats, first_free: 0, alive: 0, detached: false, ended: false })
    }

    fn find_seat(&mut self) -> Option<usize> {
        let free = (self.first_free..self.seats.len()).find(|&i| self.seats[i].state != TAKEN)?;
        self.first_free = free;
        Some(free)
    }

    /// The thread of a worker that has ended, for the caller to join, outside of the lock: it may still run destructors of
    /// the user's.
    fn next_ended(&mut self) -> Option<Thread> {
        self.seats.iter_mut().find_map(Seat::take_ended)
    }
}

impl Seat {
    fn take_ended(&mut self) -> Option<Thread> {
        if self.state != ENDED {
            return None;
        }
        self.state = FREE;
        // SAFETY: ENDED means initialised, and neither joined nor detached.
        Some(unsafe { self.thread.assume_init() })
    }
}

impl Executor {
    /// Starts the first worker, before the first task is published.
    pub(crate) fn start_first(&self) -> Result<()> {
        let mut life = self.life.lock();
        // Relaxed: these bits change under this lock, or matter only by the queue's own closed bit.
        let gate = self.gate.load(Relaxed);
        check_open(gate)?;
        if gate & STARTED != 0 {
            return Ok(());
        }
        let index = life.find_seat().ok_or(NO_SEAT)?;
        self.scheduler().reserve(true, self);
        self.start_thread(&mut life, index).inspect_err(|_| self.scheduler().unreserve(self))?;
        // Release: whoever sees it may rely on the worker.
        self.gate.fetch_or(STARTED, Release);
        Ok(())
    }

    /// Starts one more worker if there is work for it and nobody else. A refusal of the system is no failure here: there
    /// are workers, and later submissions try again (P4).
    pub(crate) fn start_another(&self) {
        let mut life = self.life.lock();
        // The place first: a reservation that fails for want of one would be a searcher that others rely on, when the worker
        // that is about to leave its place looks whether anybody is needed.
        let Some(index) = life.find_seat() else { return };
        if life.ended || !self.has_work() {
            return;
        }
        match self.scheduler().reserve(false, self) {
            Need::Nothing => {}
            Need::Start => {
                // Under the lock, like the reservation: a worker that ends looks whether it is needed after it has had the lock,
                // and must not count on a searcher that will never be.
                if self.start_thread(&mut life, index).is_err() {
                    self.scheduler().unreserve(self);
                }
            }
            Need::Wake => {
                drop(life);
                self.scheduler().published(self);
            }
        }
    }

    fn start_thread(&self, life: &mut Life, index: usize) -> Result<()> {
        self.make_ring(index)?;
        let name = self.settings().worker_name(index)?;
        let birth = Birth { executor: ExecutorRef::new(self), index, name, predecessor: None };
        let mut birth = try_box(birth)?;
        birth.predecessor = life.seats[index].take_ended();
        let birth = Box::into_raw(birth);
        // SAFETY: the routine takes a boxed Birth.
        match unsafe { Thread::start(worker::main, birth.cast(), self.settings().stack_size) } {
            Ok(thread) => {
                life.alive += 1;
                life.seats[index] = Seat { state: TAKEN, thread: MaybeUninit::new(thread) };
                if life.detached {
                    // SAFETY: just started, neither joined nor detached.
                    unsafe { thread.detach() };
                }
                Ok(())
            }
            Err(error) => {
                // SAFETY: no thread has it.
                let birth = unsafe { Box::from_raw(birth) };
                if let Some(thread) = birth.predecessor {
                    life.seats[index] = Seat { state: ENDED, thread: MaybeUninit::new(thread) };
                }
                Err(error)
            }
        }
    }

    /// The lock under which a worker may retire; `None` while somebody is starting one.
    pub(crate) fn starting(&self) -> Option<MutexGuard<'_, Life>> {
        self.life.try_lock()
    }

    /// A searcher ends, unless that would leave work with no worker at all.
    pub(crate) fn try_leave(&self) -> bool {
        self.scheduler().leave(self);
        if self.scheduler().spawned() != 0 || !self.has_work() {
            return true;
        }
        let _life = self.life.lock();
        self.scheduler().reserve(true, self);
        false
    }

    /// The last thing a worker does with its executor.
    pub(crate) fn worker_ended(&self, index: usize) {
        let mut life = self.life.lock();
        life.alive -= 1;
        life.first_free = life.first_free.min(index);
        life.seats[index].state = if life.detached { FREE } else { ENDED };
        drop(life);
        // Somebody may have needed a worker and found no seat, while this one was at its finalizer.
        if self.has_work() {
            self.scheduler().published(self);
        }
        self.declare_end(true);
    }

    /// After shutdown, with no worker alive and no work left: the end.
    fn declare_end(&self, on_worker: bool) {
        let mut life = self.life.lock();
        if life.ended || life.alive != 0 || !self.scheduler().is_shut() || self.has_work() {
            return;
        }
        life.ended = true;
        drop(life);
        // Who has waited for the end finds the user data dropped. drop_user_data may itself ask to wait for the end: on a
        // worker that is refused; elsewhere, where no worker ever lived, it finds the end declared.
        if on_worker {
            self.slot().release_hooks();
        }
        // Release: joiners see all that workers did.
        self.ended.store(1, Release);
        futex::wake(&self.ended, u32::MAX);
        if !on_worker {
            self.slot().release_hooks();
        }
    }

    /// An initializer failed: nothing is taken any more, and what is pending ends with TP_ERR_BROKEN.
    pub(crate) fn break_down(&self) {
        // Release, as in `shutdown`.
        self.gate.fetch_or(BREAKS, Release);
        self.queue().shared.close(true);
        self.drain(Doom::Broken);
    }

    fn drain(&self, doom: Doom) {
        self.queue().drain(self, |entry: Entry| {
            if let Job::Node(node) = entry.job() {
                // SAFETY: the entry's reference is ours.
                unsafe { self.end_taken(node, doom) };
            }
            match self.is_foreign() {
                // A hook forked, and this is the child: what is pending is the parent's, and so may be the queue's locks.
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
    }

    /// Ends the task of an entry that was taken, instead of running it. The entry is in the caller's hands, so there is no
    /// tombstone to count.
    ///
    /// # Safety
    /// The entry's reference is the caller's to give.
    pub(crate) unsafe fn end_taken(&self, node: NonNull<Node>, doom: Doom) {
        // SAFETY: this function's contract.
        unsafe {
            match end_pending(node.as_ref(), doom.flags(), || ()) {
                true => release(node),
                false => self.queue().drop_dead(node),
            }
        }
    }

    /// No new tasks. `cancel_futures`: what is pending is cancelled. `wait`: until every worker has ended.
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<()> {
        if self.is_foreign() {
            return Err(FORKED);
        }
        // A callback of what is cancelled may free the handle.
        let _keep = ExecutorRef::new(self);
        // Release: who is refused comes after what was done before the shutdown.
        self.gate.fetch_or(if cancel_futures { CLOSED | CANCELS } else { CLOSED }, Release);
        self.queue().shared.close(false);
        if cancel_futures {
            self.drain(Doom::Cancelled);
            if self.is_foreign() {
                return Err(FORKED);
            }
        }
        self.scheduler().shut();
        // Where no worker ever lived, nobody else would.
        self.declare_end(false);
        if wait {
            self.join(Timeout::Forever)
        } else {
            Ok(())
        }
    }

    /// After shutdown: until every worker has ended. Once it has, its thread is joined, whatever the limit: all that may
    /// still run there is destructors of the user's thread-locals.
    pub fn join(&self, timeout: Timeout) -> Result<()> {
        if self.is_foreign() {
            return Err(FORKED);
        }
        if self.gate.load(Acquire) & CLOSED == 0 {
            return Err(Error::new(Status::InvalidState, "the executor has not been shut down"));
        }
        if self.is_own_worker() {
            return Err(DEADLOCK);
        }
        // Acquire: pairs with `declare_end`.
        while self.ended.load(Acquire) == 0 {
            if timeout.is_up() {
                return Err(TIMEOUT);
            }
            futex::wait(&self.ended, 0, timeout.deadline());
        }
        // All who wait find every thread ended: the second waits for the first to have joined them.
        let _one = self.joining.lock();
        loop {
            let thread = self.life.lock().next_ended();
            match thread {
                // SAFETY: taken from its seat, so nobody else joins it; not the caller's, see above.
                Some(thread) => unsafe { thread.join() },
                None => return Ok(()),
            }
        }
    }

    pub(crate) fn was_detached(&self) -> bool {
        self.life.lock().detached
    }

    fn is_own_worker(&self) -> bool {
        here(|here| here.is_at_home(self.slot().id()))
    }

    /// Shuts down, waits (not on an own worker), and gives the handle's reference up.
    ///
    /// # Safety
    /// The handle is the caller's and is not used again, but by the executor's own tasks and callbacks.
    pub unsafe fn free(handle: NonNull<Executor>) {
        // SAFETY: this function's contract.
        unsafe {
            let executor = handle.as_ref();
            if executor.is_foreign() {
                return;
            }
            if executor.is_own_worker() {
                return Executor::detach(handle);
            }
            executor.slot().withdraw_handle();
            let _ = executor.shutdown(true, false);
            drop_raw(handle.as_ptr());
        }
    }

    /// The same without waiting: the threads end by themselves.
    ///
    /// # Safety
    /// As for `free`.
    pub unsafe fn detach(handle: NonNull<Executor>) {
        // SAFETY: this function's contract; seats that are not FREE hold a thread that nobody has joined.
        unsafe {
            let executor = handle.as_ref();
            if executor.is_foreign() {
                return;
            }
            executor.slot().withdraw_handle();
            {
                let mut life = executor.life.lock();
                life.detached = true;
                for seat in life.seats.iter_mut().filter(|seat| seat.state != FREE) {
                    seat.thread.assume_init().detach();
                    seat.state = if seat.state == ENDED { FREE } else { TAKEN };
                }
            }
            let _ = executor.shutdown(false, false);
            drop_raw(handle.as_ptr());
        }
    }
}
