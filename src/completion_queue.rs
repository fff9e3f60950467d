//! Completion queues: futures in the order in which they complete. Called by `ffi`; `as_completed` is a closed queue.
//!
//! A registration is one record, made when a future is added: it hangs on the node until the task is done, then on the
//! queue's ready list, then its reference to the future is handed out. So completing a task allocates nothing (A6).
//!
//! The doorbell is a crossbeam channel for one token. Whoever makes something ready rings; if the bell rings already, then
//! somebody has been called who has not looked yet, and no system call is needed. A taker that leaves something for others
//! behind rings again. So while there is something to take, a token is in the bell or a taker is awake that has not looked
//! yet. Sleeping itself is on a counter (a futex): the channel's own blocking allocates on each thread that uses it first.
//!
//! Takers that are workers are woken all: each may have to run what was just added, which only a worker of that executor can.
//!
//! In a forked child the parent's queues still give out what was ready, and refuse everything that would wait or change them.

mod list;

use crate::alloc::{try_box, try_zeroed_slice};
use crate::current::{here, Here};
use crate::reserve::with_reserve;
use crate::status::{Error, Result, Status, FORKED, TIMEOUT};
use crate::sync::{bounded, AtomicU32, AtomicUsize, Mutex, MutexGuard, Ordering::*, Receiver, Sender};
use crate::sys::{fork, futex};
use crate::task::listen::Added;
use crate::task::observer::{Class, Kind, Observer};
use crate::task::state::is_done;
use crate::task::{Future, Node};
use crate::wait::{help, own_pending, Timeout};
use list::{List, Record};
use std::ptr::NonNull;

struct Inner {
    /// Added, not done; in the order added.
    waiting: List,
    /// Done, not taken; in the order of completion.
    ready: List,
    closed: bool,
    /// Workers that sleep in `next`.
    sleeping_workers: usize,
    /// The handle is gone: completions that are on their way free their record.
    freed: bool,
}

/// See the module. C sees a `tp_completion_queue*`.
pub struct CompletionQueue {
    inner: Mutex<Inner>,
    ring: Sender<()>,
    bell: Receiver<()>,
    /// Counts calls; takers sleep on it.
    changes: AtomicU32,
    /// The handle, and each record that waits.
    references: AtomicUsize,
    /// The process that made it.
    generation: u32,
}

// SAFETY: the lists are guarded by `inner`'s lock.
unsafe impl Send for CompletionQueue {}
// SAFETY: as above.
unsafe impl Sync for CompletionQueue {}

/// What a look at the queue found.
enum Found {
    Ready(Box<Record>),
    End,
    Nothing,
}

impl Inner {
    /// Nothing more will become ready.
    fn is_over(&self) -> bool {
        self.closed && self.waiting.first.is_null()
    }

    /// A taker would not have to wait.
    fn has_news(&self) -> bool {
        !self.ready.first.is_null() || self.is_over()
    }
}

impl CompletionQueue {
    pub fn new() -> Result<NonNull<CompletionQueue>> {
        // The channel allocates by itself.
        let (ring, bell) = with_reserve(|| bounded(1))?;
        let inner =
            Inner { waiting: List::EMPTY, ready: List::EMPTY, closed: false, sleeping_workers: 0, freed: false };
        let generation = fork::generation();
        let (changes, references) = (AtomicU32::new(0), AtomicUsize::new(1));
        let queue = CompletionQueue { inner: Mutex::new(inner), ring, bell, changes, references, generation };
        Ok(NonNull::from(Box::leak(try_box(queue)?)))
    }

    /// A closed queue over these futures; the tag is the index.
    ///
    /// # Safety
    /// Each entry points to a node that the caller has a reference to.
    pub unsafe fn filled(futures: &[*const Node]) -> Result<NonNull<CompletionQueue>> {
        let queue = CompletionQueue::new()?;
        // SAFETY: the handle is ours; the futures are referred to.
        unsafe {
            match queue.as_ref().fill(futures).and_then(|()| queue.as_ref().close()) {
                Ok(()) => Ok(queue),
                Err(error) => {
                    CompletionQueue::free(queue);
                    Err(error)
                }
            }
        }
    }

    /// Adds them all: first those that are done, so that they come out first, also before those that become so meanwhile.
    ///
    /// # Safety
    /// As for `filled`.
    unsafe fn fill(&self, futures: &[*const Node]) -> Result<()> {
        // SAFETY: zero is a valid byte.
        let mut added = unsafe { try_zeroed_slice::<u8>(futures.len()) }?;
        for only_done in [true, false] {
            for (i, &node) in futures.iter().enumerate() {
                // SAFETY: this function's contract.
                let future = unsafe { &*node };
                if added[i] == 0 && (!only_done || is_done(future.word())) {
                    self.add(future, i as u64)?;
                    added[i] = 1;
                }
            }
        }
        Ok(())
    }

    /// Adds a future; it will come out once.
    pub fn add(&self, future: &Node, tag: u64) -> Result<()> {
        self.check_own()?;
        future.check_awaitable()?;
        let observer = Observer::new(&Class { kind: Kind::Waiter, notify });
        let (previous, next) = (std::ptr::null_mut(), std::ptr::null_mut());
        let record = try_box(Record { observer, queue: self, future: future.retain(), tag, previous, next })?;
        let (record, call_workers) = {
            let mut inner = self.inner.lock();
            if inner.closed {
                drop(inner);
                return Err(Error::new(Status::InvalidState, "the queue is closed"));
            }
            let record = Box::into_raw(record);
            // Relaxed: the handle's reference keeps the queue.
            self.references.fetch_add(1, Relaxed);
            // SAFETY: in no list.
            unsafe { inner.waiting.append(record) };
            (record, inner.sleeping_workers != 0)
        };
        // SAFETY: the record stays until it is notified or taken back under the lock.
        unsafe {
            if future.add_observer(record.cast()) == Added::AlreadyDone {
                notify(record.cast(), future);
            }
        }
        if call_workers {
            self.call(u32::MAX);
        }
        Ok(())
    }

    /// No more adds; takers that wait look again.
    pub fn close(&self) -> Result<()> {
        if self.check_own().is_err() {
            // Nothing changes if it was closed before the fork.
            return self.inner.try_lock().filter(|inner| inner.closed).map(drop).ok_or(FORKED);
        }
        let workers = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            inner.sleeping_workers
        };
        self.ring_bell(workers);
        Ok(())
    }

    /// The next completed future with its tag; `None` at the end.
    pub fn next(&self, timeout: Timeout) -> Result<Option<(Future, u64)>> {
        loop {
            match self.look()? {
                Found::Ready(record) => {
                    let Record { future, tag, .. } = *record;
                    return Ok(Some((future, tag)));
                }
                Found::End => return Ok(None),
                Found::Nothing => self.check_own()?,
            }
            if timeout.is_up() {
                return Err(TIMEOUT);
            }
            match here(Here::is_worker) {
                true => self.help_or_sleep(timeout),
                false => self.sleep(timeout),
            }
        }
    }

    fn look(&self) -> Result<Found> {
        let mut inner = match self.generation == fork::generation() {
            true => self.inner.lock(),
            // The parent may have held it at the fork; then what it guards is not whole.
            false => self.inner.try_lock().ok_or(FORKED)?,
        };
        // SAFETY: ready records are the queue's.
        let found = match unsafe { inner.ready.take_first() } {
            Some(record) => Found::Ready(record),
            None if inner.is_over() => Found::End,
            None => Found::Nothing,
        };
        // The end is there for every taker, also when it is the last record that this one has taken.
        let more = inner.has_news();
        let workers = inner.sleeping_workers;
        drop(inner);
        // In a child nobody sleeps on the parent's bell, which a thread of the parent may have had in its hands at the fork.
        if more && self.check_own().is_ok() {
            self.ring_bell(workers);
        }
        Ok(found)
    }

    /// On a worker: runs the first task of its own executor that is still pending, or sleeps until something changes.
    fn help_or_sleep(&self, timeout: Timeout) {
        here(|here| {
            let mut inner = self.inner.lock();
            let pending = inner.waiting.iter().find(|future| own_pending(here, future).is_some()).cloned();
            if let Some(future) = pending {
                drop(inner);
                // Done, or somebody else has it: look again. Still pending: the stack is too full to run it here.
                if help(here, &future) || own_pending(here, &future).is_none() {
                    return;
                }
                drop(future);
                inner = self.inner.lock();
            }
            // Under the lock: whatever changes from here on finds a sleeping worker.
            if inner.has_news() {
                return;
            }
            inner.sleeping_workers += 1;
            // Relaxed: the counter carries no data; looks happen under the lock.
            let seen = self.changes.load(Relaxed);
            drop(inner);
            futex::wait(&self.changes, seen, timeout.deadline());
            // The call may have been the bell's, and meant for one taker: who was called takes the token and looks, and if
            // it is not for him passes it on (`look`).
            let _ = self.bell.try_recv();
            self.inner.lock().sleeping_workers -= 1;
        });
    }

    /// Sleeps until the bell rings.
    fn sleep(&self, timeout: Timeout) {
        // The count first, then the token: whoever puts a token there after our look changes the count after this load.
        let seen = self.changes.load(Acquire);
        if self.bell.try_recv().is_err() {
            futex::wait(&self.changes, seen, timeout.deadline());
            let _ = self.bell.try_recv();
        }
    }

    /// Full means that it rings already, and somebody has been called. `sleeping_workers` are called in any case.
    fn ring_bell(&self, sleeping_workers: usize) {
        let rings_already = self.ring.try_send(()).is_err();
        match (sleeping_workers != 0, rings_already) {
            (true, _) => self.call(u32::MAX),
            (false, false) => self.call(1),
            (false, true) => {}
        }
    }

    fn call(&self, takers: u32) {
        // Release: pairs with the load in `sleep`; what is ready is guarded by the lock anyway.
        self.changes.fetch_add(1, Release);
        futex::wake(&self.changes, takers);
    }

    fn check_own(&self) -> Result<()> {
        match self.generation == fork::generation() {
            true => Ok(()),
            false => Err(FORKED),
        }
    }

    /// Unregisters everything, cancels nothing.
    ///
    /// # Safety
    /// The handle is the caller's, nobody is inside a call on the queue, and it is not used again.
    pub unsafe fn free(queue: NonNull<CompletionQueue>) {
        // SAFETY: this function's contract.
        let this = unsafe { queue.as_ref() };
        if this.check_own().is_err() {
            return;
        }
        let mut gone = List::EMPTY;
        {
            let mut inner: MutexGuard<'_, Inner> = this.inner.lock();
            inner.freed = true;
            let mut record = inner.waiting.first;
            while !record.is_null() {
                // SAFETY: records in `waiting` are alive while the lock is held. One whose completion has begun stays: its
                // notification takes it out.
                unsafe {
                    let next = (*record).next;
                    if (*record).future.remove_observer(record.cast()) {
                        inner.waiting.remove(record);
                        gone.append(record);
                        // Relaxed: not the last, since the handle's is still there.
                        this.references.fetch_sub(1, Relaxed);
                    }
                    record = next;
                }
            }
            // SAFETY: ready records are the queue's.
            while let Some(record) = unsafe { inner.ready.take_first() } {
                // SAFETY: in no list.
                unsafe { gone.append(Box::into_raw(record)) };
            }
        }
        // Outside of the lock, since hooks may run when a reference goes.
        // SAFETY: these records are ours alone.
        while unsafe { gone.take_first() }.is_some() {}
        if this.check_own().is_err() {
            // A hook forked, and this is the child: a thread of the parent may have been at the bell.
            return;
        }
        // SAFETY: the handle's reference.
        unsafe { CompletionQueue::release(queue.as_ptr()) };
    }

    /// # Safety
    /// The reference is the caller's.
    unsafe fn release(queue: *const CompletionQueue) {
        // SAFETY: this function's contract. AcqRel: all use happens before the end.
        unsafe {
            if (*queue).references.fetch_sub(1, AcqRel) == 1 {
                drop(Box::from_raw(queue.cast_mut()));
            }
        }
    }
}

/// A future is done: its record moves to the ready list.
unsafe fn notify(observer: *mut Observer, _: &Node) {
    let record = observer.cast::<Record>();
    // SAFETY: a record in `waiting` has a reference to the queue, which is given up at the end.
    unsafe {
        let queue = (*record).queue;
        let mut inner = (*queue).inner.lock();
        inner.waiting.remove(record);
        if inner.freed {
            drop(inner);
            drop(Box::from_raw(record));
        } else {
            inner.ready.append(record);
            let workers = inner.sleeping_workers;
            drop(inner);
            (*queue).ring_bell(workers);
        }
        CompletionQueue::release(queue);
    }
}
