//! A pool for models: the real queue and scheduler, with workers that do what `worker::work` does, but for the polling, and threads
//! that may fail to start.

use super::{pointer, NOTHING};
use crate::queue::local::Ring;
use crate::queue::shared::{Refused, Taken};
use crate::queue::{Batch, Entry, Job, Queue, Rings};
use crate::scheduler::{Env, Need, Rest, Scheduler};
use crate::sync::Backoff;
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// What a task does, by its number.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Does {
    /// Counts itself.
    Count,
    /// Counts itself, then waits until `n` tasks have.
    Meet(usize),
}

pub(super) struct Inner {
    pub(super) queue: Queue,
    rings: [Ring; 3],
    pub(super) scheduler: Scheduler,
    does: Does,
    /// Workers retire when the clock has struck.
    retiring: bool,
    /// Threads that cannot be started, of the next ones.
    refused: AtomicUsize,
    /// Tasks that have started, with a bell for those who wait for them.
    pub(super) started: Mutex<usize>,
    bell: Condvar,
    /// Threads ever started.
    pub(super) born: AtomicUsize,
    /// Those to be joined; also the lock under which threads are started.
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

#[derive(Clone)]
pub(super) struct Pool(pub(super) Arc<Inner>);

impl Rings for Pool {
    fn ring(&self, index: usize) -> Option<&Ring> {
        self.0.rings.get(index)
    }

    fn count(&self) -> usize {
        self.0.rings.len()
    }
}

impl Env for Pool {
    fn has_work(&self) -> bool {
        self.0.queue.has_work(self)
    }

    fn entries(&self) -> usize {
        self.0.queue.entries(self)
    }

    fn start_worker(&self) {
        let mut threads = self.0.threads.lock().unwrap();
        if !self.has_work() {
            return;
        }
        match self.0.scheduler.reserve(false, self) {
            Need::Start if self.0.refused.load(Acquire) > 0 => {
                self.0.refused.fetch_sub(1, AcqRel);
                self.0.scheduler.unreserve(self);
            }
            Need::Start => self.start(&mut threads),
            Need::Nothing => {}
            Need::Wake => {
                drop(threads);
                self.0.scheduler.published(self);
            }
        }
    }
}

impl Pool {
    pub(super) fn new(max_workers: usize, does: Does) -> Pool {
        Pool::with(max_workers, does, 0)
    }

    /// The next `refused` threads that are asked for on demand cannot be started.
    pub(super) fn with(max_workers: usize, does: Does, refused: usize) -> Pool {
        Pool(Arc::new(Inner {
            queue: Queue::new().unwrap(),
            rings: [Ring::new(), Ring::new(), Ring::new()],
            scheduler: Scheduler::new(max_workers),
            does,
            retiring: false,
            refused: AtomicUsize::new(refused),
            started: Mutex::new(0),
            bell: Condvar::new(),
            born: AtomicUsize::new(0),
            threads: Mutex::new(Vec::new()),
        }))
    }

    /// One whose workers retire, and for which no thread can be started on demand.
    pub(super) fn retiring(max_workers: usize, does: Does) -> Pool {
        let mut pool = Pool::with(max_workers, does, usize::MAX);
        Arc::get_mut(&mut pool.0).unwrap().retiring = true;
        pool
    }

    fn start(&self, threads: &mut Vec<thread::JoinHandle<()>>) {
        let index = self.0.born.fetch_add(1, AcqRel);
        let pool = self.clone();
        threads.extend([thread::spawn(move || pool.work(index))]);
    }

    /// As `Executor::start_first`.
    pub(super) fn start_first(&self) {
        let mut threads = self.0.threads.lock().unwrap();
        self.0.scheduler.reserve(true, self);
        self.start(&mut threads);
    }

    pub(super) fn submit(&self, n: usize) -> Result<(), Refused> {
        self.0.queue.shared.push(Entry::call(NOTHING, pointer(n)))?;
        self.0.scheduler.published(self);
        Ok(())
    }

    pub(super) fn shut(&self) {
        self.0.queue.shared.close(false);
        self.0.scheduler.shut();
    }

    /// Every thread has ended, also those that others start meanwhile.
    pub(super) fn join(&self) {
        loop {
            let thread = self.0.threads.lock().unwrap().pop();
            match thread {
                Some(thread) => thread.join().unwrap(),
                None => return,
            }
        }
    }

    pub(super) fn wait_for(&self, n: usize) {
        let mut started = self.0.started.lock().unwrap();
        while *started < n {
            started = self.0.bell.wait(started).unwrap();
        }
    }

    /// As a task that starts.
    pub(super) fn count(&self) {
        *self.0.started.lock().unwrap() += 1;
        self.0.bell.notify_all();
    }

    fn run(&self, entry: Entry) {
        let Job::Call(..) = entry.job() else { panic!("not a number") };
        self.count();
        if let Does::Meet(n) = self.0.does {
            self.wait_for(n);
        }
    }

    /// As `Worker::take_batch` and `look`.
    fn take(&self, index: usize, searching: &mut bool) -> Option<Entry> {
        if let Some(own) = self.0.rings[index].take_front() {
            return Some(own);
        }
        let mut batch = Batch::new();
        match self.0.queue.shared.take(&mut batch, 1) {
            Taken::Some { n, .. } => {
                if n > 1 {
                    self.0.rings[index].push(&batch[1..]);
                    self.stop_searching(searching);
                    self.0.scheduler.published(self);
                }
                Some(batch[0])
            }
            _ => self.0.queue.steal(self, index),
        }
    }

    fn stop_searching(&self, searching: &mut bool) {
        if std::mem::take(searching) {
            self.0.scheduler.stop_searching(self);
        }
    }

    /// As `Worker::work`, without the polling: every search is one look.
    fn work(&self, index: usize) {
        let scheduler = &self.0.scheduler;
        let mut searching = true;
        let mut backoff = Backoff::new();
        loop {
            if let Some(entry) = self.take(index, &mut searching) {
                backoff = Backoff::new();
                self.stop_searching(&mut searching);
                self.run(entry);
                continue;
            }
            if !std::mem::replace(&mut searching, true) {
                scheduler.start_searching();
            }
            let idle = self.0.retiring.then_some(1);
            match scheduler.sleep(self, idle, || self.0.threads.try_lock().ok()) {
                // Somebody may be in the middle of a push or take: let them go on, as polling does.
                Rest::Search => backoff.pause(),
                Rest::Retired => break,
                Rest::Shut => {
                    if !self.has_work() {
                        scheduler.leave(self);
                        break;
                    }
                    backoff.pause();
                }
            }
        }
    }
}
