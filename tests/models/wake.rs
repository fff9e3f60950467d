//! Wake-ups, starts on demand and shutdown: the real queue and scheduler, with workers that do what `worker::work` does
//! (`src/scheduler.rs`). A lost wake-up leaves main waiting for a task for ever, which loom reports as a deadlock.

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
enum Does {
    /// Counts itself.
    Count,
    /// Counts itself, then waits until `n` tasks have.
    Meet(usize),
}

struct Inner {
    queue: Queue,
    rings: [Ring; 2],
    scheduler: Scheduler,
    does: Does,
    /// Tasks that have started, with a bell for those who wait for them.
    started: Mutex<usize>,
    bell: Condvar,
    /// Threads ever started.
    born: AtomicUsize,
    /// Those to be joined; also the lock under which threads are started.
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

#[derive(Clone)]
struct Pool(Arc<Inner>);

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
    fn new(max_workers: usize, does: Does) -> Pool {
        Pool(Arc::new(Inner {
            queue: Queue::new().unwrap(),
            rings: [Ring::new(), Ring::new()],
            scheduler: Scheduler::new(max_workers),
            does,
            started: Mutex::new(0),
            bell: Condvar::new(),
            born: AtomicUsize::new(0),
            threads: Mutex::new(Vec::new()),
        }))
    }

    fn start(&self, threads: &mut Vec<thread::JoinHandle<()>>) {
        let index = self.0.born.fetch_add(1, AcqRel);
        let pool = self.clone();
        threads.extend([thread::spawn(move || pool.work(index))]);
    }

    /// As `Executor::start_first`.
    fn start_first(&self) {
        let mut threads = self.0.threads.lock().unwrap();
        self.0.scheduler.reserve(true, self);
        self.start(&mut threads);
    }

    fn submit(&self, n: usize) -> Result<(), Refused> {
        self.0.queue.shared.push(Entry::call(NOTHING, pointer(n)))?;
        self.0.scheduler.published(self);
        Ok(())
    }

    fn shut(&self) {
        self.0.queue.shared.close(false);
        self.0.scheduler.shut();
    }

    /// Every thread has ended, also those that others start meanwhile.
    fn join(&self) {
        loop {
            let thread = self.0.threads.lock().unwrap().pop();
            match thread {
                Some(thread) => thread.join().unwrap(),
                None => return,
            }
        }
    }

    fn wait_for(&self, n: usize) {
        let mut started = self.0.started.lock().unwrap();
        while *started < n {
            started = self.0.bell.wait(started).unwrap();
        }
    }

    fn run(&self, entry: Entry) {
        let Job::Call(..) = entry.job() else { panic!("not a number") };
        *self.0.started.lock().unwrap() += 1;
        self.0.bell.notify_all();
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
            match scheduler.sleep(self, None, || Some(())) {
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

/// P2, P8: a worker that goes to sleep as a task is submitted is woken, or sees the task.
#[test]
fn p02_no_wake_up_is_lost_with_one_worker() {
    super::in_both_renderings(|| {
        super::bounded(3, || {
            let pool = Pool::new(1, Does::Count);
            pool.start_first();
            pool.submit(1).unwrap();
            pool.wait_for(1);
            pool.submit(2).unwrap();
            pool.wait_for(2);
            pool.shut();
            pool.join();
        })
    });
}

/// The same with two producers at once.
#[test]
fn p02_no_wake_up_is_lost_with_two_producers() {
    super::bounded(2, || {
        let pool = Pool::new(1, Does::Count);
        pool.start_first();
        let other = pool.clone();
        let producer = thread::spawn(move || other.submit(1).unwrap());
        pool.submit(2).unwrap();
        pool.wait_for(2);
        producer.join().unwrap();
        pool.shut();
        pool.join();
    });
}

/// P2, the hard guarantee: two tasks that wait for each other both get a thread, though nobody but the first submission
/// starts one: batches, searchers and the chain of wake-ups included (pitfall 1).
#[test]
fn p02_two_tasks_that_need_two_threads_get_them() {
    super::in_both_renderings(|| {
        super::bounded(1, || {
            let pool = Pool::new(2, Does::Meet(2));
            pool.start_first();
            pool.submit(1).unwrap();
            pool.submit(2).unwrap();
            pool.wait_for(2);
            assert_eq!(pool.0.born.load(Acquire), 2);
            pool.shut();
            pool.join();
        })
    });
}

/// The same when both come at once, as one operation.
#[test]
fn p09_many_tasks_at_once_spread() {
    super::bounded(1, || {
        let pool = Pool::new(2, Does::Meet(2));
        pool.start_first();
        pool.0.queue.shared.push_many(2, |i| Entry::call(NOTHING, pointer(i + 1))).unwrap();
        pool.0.scheduler.published_many(2, &pool);
        pool.wait_for(2);
        pool.shut();
        pool.join();
    });
}

/// P2: never more threads than max_workers, and none for a task that an idle worker takes.
#[test]
fn p02_an_idle_worker_takes_the_next_task() {
    super::bounded(2, || {
        let pool = Pool::new(2, Does::Count);
        pool.start_first();
        pool.submit(1).unwrap();
        pool.wait_for(1);
        let mut backoff = Backoff::new();
        while pool.0.scheduler.idle() == 0 {
            backoff.pause();
        }
        pool.submit(2).unwrap();
        pool.wait_for(2);
        assert_eq!(pool.0.born.load(Acquire), 1);
        pool.shut();
        pool.join();
    });
}

/// D3, pitfall 3: a worker that goes to sleep as the executor is shut down ends, having run what was accepted.
#[test]
fn d03_shutdown_wakes_every_sleeper_and_loses_no_task() {
    super::in_both_renderings(|| {
        super::bounded(3, || {
            let pool = Pool::new(1, Does::Count);
            pool.start_first();
            let other = pool.clone();
            let producer = thread::spawn(move || other.submit(1));
            pool.shut();
            let accepted = producer.join().unwrap().is_ok();
            if accepted {
                pool.wait_for(1);
            }
            pool.join();
            assert_eq!(*pool.0.started.lock().unwrap(), usize::from(accepted));
        })
    });
}

/// D4: two tasks accepted before the shutdown both run, with the second worker started after it if need be.
#[test]
fn d04_tasks_accepted_before_shutdown_get_their_threads() {
    super::bounded(1, || {
        let pool = Pool::new(2, Does::Meet(2));
        pool.start_first();
        pool.submit(1).unwrap();
        pool.submit(2).unwrap();
        pool.shut();
        pool.wait_for(2);
        pool.join();
    });
}
