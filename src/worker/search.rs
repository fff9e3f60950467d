//! How a worker comes by its next task, and where it puts those that it submits. Called by `worker` and, for own pushes, by
//! `executor`. The order that results is argued in `queue`, the counting of searchers in `scheduler`.

use super::{spin, Worker};
use crate::queue::shared::Taken;
use crate::queue::{Batch, Entry, Job, QUOTA};
use crate::sync::{Backoff, MODEL};
use crate::sys::cache::prefetch_for_writing;
use crate::sys::clock::Deadline;
use crate::sys::cpus;

/// How long a searcher polls before it sleeps: about the cost of a wake-up.
const POLL_NS: u64 = 10_000;
/// The longest pause between two looks, in spin hints.
const PAUSE_MAX: u32 = 32;
/// Two takes in a row with fewer entries than this behind them: the worker is chasing the producer.
const CHASE_BELOW: usize = 8;
/// What a chaser waits before it takes again, in spin hints (about 0.8 µs): in the meantime the producer fills a batch
/// without losing its cache line to us at every entry.
const CHASE_PAUSE: u32 = 24;

impl Worker {
    /// The next entry: the own ring's oldest, or what is oldest elsewhere.
    #[inline]
    pub(super) fn next(&self) -> Option<Entry> {
        self.ring().take_front().or_else(|| self.take_elsewhere())
    }

    /// What has been overtaken long enough, else a batch from the shared queue.
    fn take_elsewhere(&self) -> Option<Entry> {
        self.executor.queue().rescue(&*self.executor, self.index, self.mark.get()).or_else(|| self.take_batch())
    }

    /// Takes from the shared queue; all but the first go into the own ring, for everyone to see before the first runs.
    fn take_batch(&self) -> Option<Entry> {
        let executor = &*self.executor;
        let mut batch = Batch::new();
        let found = executor.queue().shared.take(&mut batch, executor.max_workers().min(4));
        let Taken::Some { n, behind, index } = found else { return None };
        self.mark.set(index);
        self.ring().set_stamp(index);
        if n == behind {
            self.quota.set(QUOTA);
        }
        self.chasing.set(if behind < CHASE_BELOW { self.chasing.get() + 1 } else { 0 });
        batch.iter().for_each(prefetch);
        if n > 1 {
            self.ring().push(&batch[1..]);
            // A publication like any other: whoever found the shared queue empty meanwhile has to hear of the ring.
            self.stop_searching();
            executor.scheduler().published(executor);
        }
        Some(batch[0])
    }

    /// A searcher looks around for a while.
    pub(super) fn poll(&self) -> Option<Entry> {
        let executor = &*self.executor;
        if MODEL {
            // Somebody may be in the middle of a push or take, and has to get on: the checker takes this for the polling.
            Backoff::new().pause();
        }
        if cpus::cached() > 1 && executor.scheduler().may_poll() {
            if self.chasing.get() >= 2 {
                spin(CHASE_PAUSE);
            }
            let until = Deadline::after_ns(POLL_NS);
            let mut pause = 2;
            loop {
                if let Some(entry) = self.look() {
                    return Some(entry);
                }
                spin(pause);
                pause = (pause * 2).min(PAUSE_MAX);
                if until.passed() {
                    break;
                }
                if pause == PAUSE_MAX {
                    // Whoever would submit may be waiting for this very processor.
                    std::thread::yield_now();
                }
            }
            self.chasing.set(0);
        }
        self.look()
    }

    /// The shared queue and the others' rings.
    fn look(&self) -> Option<Entry> {
        self.take_elsewhere().or_else(|| self.executor.queue().steal(&*self.executor, self.index))
    }

    #[inline]
    pub(super) fn start_searching(&self) {
        if !self.searching.replace(true) {
            self.executor.scheduler().start_searching();
        }
    }

    #[inline]
    pub(super) fn stop_searching(&self) {
        if self.searching.replace(false) {
            self.executor.scheduler().stop_searching(&*self.executor);
        }
    }

    /// Puts a task into the own ring, if that is how this executor and the quota have it.
    #[inline]
    pub(crate) fn push_own(&self, entry: Entry) -> bool {
        if !self.pushes.get() || (self.quota.get() == 0 && !self.more_quota()) {
            return false;
        }
        self.quota.set(self.quota.get() - 1);
        self.ring().push(&[entry]);
        true
    }

    /// More pushes to the own ring, if nothing that is older than the last look around still waits, and most of what was
    /// pushed has been taken: so the ring never holds more than a batch or a quota, and another quota.
    #[cold]
    fn more_quota(&self) -> bool {
        let queue = self.executor.queue();
        if self.ring().len() > QUOTA {
            return false;
        }
        if !queue.shared.seems_empty() || queue.overdue(&*self.executor, self.index, self.mark.get()).is_some() {
            return false;
        }
        self.mark.set(queue.shared.index() + 1);
        self.quota.set(QUOTA);
        true
    }
}

/// Asks for a node's cache line before its turn comes.
#[inline]
fn prefetch(entry: &Entry) {
    if let Job::Node(node) = entry.job() {
        prefetch_for_writing(node.as_ptr());
    }
}
