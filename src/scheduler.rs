//! Who looks for work, who sleeps, who has to be woken or started. Called by `executor` (after each publication), `worker`
//! (as it stops finding work) and `lifecycle` (start, shutdown).
//!
//! The aim: as few system calls as possible, no task left waiting while a worker is idle or could be started, no
//! processor time burnt when there is nothing to do.
//!
//! # The control word
//!
//! ```text
//! 63     62..56  55        42 41      28 27       14 13        0
//! [SHUT][  0   ][ preparing  ][ spawned  ][ sleeping ][ searching ]
//! ```
//!
//! * *spawned*: workers that exist, whatever they do. The others are parts of it.
//! * *searching*: awake without a task, and bound to look everywhere before they sleep or leave.
//! * *sleeping*: announced their sleep. `sleeping + permits` is the number of threads inside [`Scheduler::sleep`].
//! * *preparing*: run their initializer. Each will take one task when it is done, so it counts against one pending task.
//!
//! # The protocol
//!
//! * A publisher makes its entry visible, then reads the control word: *someone searches*: nothing to do. *Someone sleeps*:
//!   turns one sleeper into a searcher (a permit, a wake-up). *A worker can be started* (and there are more entries than
//!   preparing workers): starts one, which begins as a searcher. *All are at work*: nothing to do.
//! * A searcher that found a task leaves the searchers. The last one to leave looks everywhere, and if there is more work
//!   does what a publisher does: so one wake-up leads to the next, for as many workers as there is work (P2, P9).
//! * A searcher that found nothing turns into a sleeper by one RMW, looks everywhere once more, and only then sleeps.
//! * A worker that ends leaves searchers and spawned by one RMW, and then looks everywhere like a last searcher.
//!
//! # Proof sketch: no wake-up is lost
//!
//! Publications, RMWs on the control word, and the looks of `has_work` are sequentially consistent, so they have one order
//! S. (But for the RMW of a sleeper that retires, which has looked already.) Let P publish entry e, then read the control word; suppose P wakes and starts nobody. Then P read
//!
//! (a) *searching > 0.* Take the searchers counted there. None of them stops counting but by an RMW that comes after P's
//!     read in S, hence after e's publication. Those that become sleepers or end look everywhere after that RMW. Of those
//!     that leave with a task, the last looks everywhere, too. So either somebody sees e, or e was taken before. Whoever
//!     becomes a searcher in the meantime inherits the duty, since then the leaver was not the last.
//! (b) *searching = 0, sleeping = 0, nobody can be started.* Every worker is busy, and before it sleeps or ends it does an RMW
//!     that is later than P's read, and looks everywhere after it.
//!     One that has left may still have its place in the executor's table (it runs its finalizer), so that nobody can be
//!     started for it: it looks everywhere once more after it has given the place up (`lifecycle::worker_ended`).
//! (c) *preparing ≥ entries.* Each preparing worker becomes a searcher by an RMW later than P's read: case (a).
//!
//! A permit is taken by one thread inside `sleep`, and that thread is a searcher already, so a wake-up never evaporates: if
//! the woken one was leaving by itself, it takes the permit or another sleeper does. The SHUT bit of the permit word is part
//! of the word that sleepers sleep on, so none sleeps on after a shutdown (architecture's pitfall 3).
//!
//! has_work may answer yes wrongly while somebody is in the middle of a push or take; that costs a look, no more.

use crate::sync::{load_sc, AtomicU32, AtomicU64, Backoff, Ordering::*, Padded};
use crate::sys::clock::Deadline;
use crate::sys::futex;

const FIELD: u64 = (1 << 14) - 1;
const SEARCHING: u64 = 1;
const SLEEPING: u64 = 1 << 14;
const SPAWNED: u64 = 1 << 28;
const PREPARING: u64 = 1 << 42;
const SHUT: u64 = 1 << 63;

/// The most workers that the fields can count.
pub(crate) const MAX_WORKERS: usize = FIELD as usize;

/// In the permit word: no sleeper sleeps any more.
const PERMITS_SHUT: u32 = 1 << 31;

const fn field(control: u64, one: u64) -> usize {
    ((control / one) & FIELD) as usize
}

/// What the scheduler asks of the executor.
pub(crate) trait Env {
    /// See [`crate::queue::Queue::has_work`].
    fn has_work(&self) -> bool;
    /// Entries anywhere.
    fn entries(&self) -> usize;
    /// Starts a worker if one is still needed; it begins as a searcher. Calls [`Scheduler::reserve`].
    fn start_worker(&self);
}

/// What a publisher has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    Nothing,
    Wake,
    Start,
}

/// How a sleep ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rest {
    /// The caller is a searcher again.
    Search,
    /// The caller is a searcher again, and the executor has been shut down.
    Shut,
    /// The caller slept for the idle timeout and is no longer counted: it must end.
    Retired,
}

pub(crate) struct Scheduler {
    control: Padded<AtomicU64>,
    permits: Padded<AtomicU32>,
    max_workers: usize,
}

impl Scheduler {
    pub(crate) fn new(max_workers: usize) -> Scheduler {
        Scheduler { control: Padded(AtomicU64::new(0)), permits: Padded(AtomicU32::new(0)), max_workers }
    }

    /// The publisher's duty. The caller has just published, sequentially consistently.
    #[inline]
    pub(crate) fn published(&self, env: &impl Env) {
        let control = load_sc(&self.control);
        if field(control, SEARCHING) != 0 {
            return;
        }
        if field(control, SLEEPING) == 0 && field(control, SPAWNED) >= self.max_workers {
            return;
        }
        self.find_worker(env);
    }

    /// The same for `n` entries: wakes as many sleepers at once.
    pub(crate) fn published_many(&self, n: usize, env: &impl Env) {
        let mut control = load_sc(&self.control);
        loop {
            let missing = n.saturating_sub(field(control, SEARCHING));
            let wake = field(control, SLEEPING).min(missing);
            if wake == 0 {
                break;
            }
            let woken = control - SLEEPING * wake as u64 + SEARCHING * wake as u64;
            match self.control.compare_exchange_weak(control, woken, SeqCst, SeqCst) {
                Ok(_) => return self.post(wake as u32),
                Err(now) => control = now,
            }
        }
        self.published(env);
    }

    #[cold]
    fn find_worker(&self, env: &impl Env) {
        loop {
            let control = load_sc(&self.control);
            match self.need(control, env) {
                Need::Nothing => return,
                Need::Start => return env.start_worker(),
                Need::Wake => {
                    if self.wake_one(control) {
                        return;
                    }
                }
            }
        }
    }

    fn need(&self, control: u64, env: &impl Env) -> Need {
        if field(control, SEARCHING) != 0 {
            return Need::Nothing;
        }
        if field(control, SLEEPING) != 0 {
            return Need::Wake;
        }
        let preparing = field(control, PREPARING);
        if field(control, SPAWNED) >= self.max_workers || (preparing != 0 && env.entries() <= preparing) {
            return Need::Nothing;
        }
        Need::Start
    }

    /// Turns one sleeper into a searcher, if the control word is still what it was.
    fn wake_one(&self, control: u64) -> bool {
        let woken = control - SLEEPING + SEARCHING;
        let won = self.control.compare_exchange(control, woken, SeqCst, Relaxed).is_ok();
        if won {
            self.post(1);
        }
        won
    }

    fn post(&self, n: u32) {
        // Release: the woken one sees what was published (it looks with acquiring loads anyway).
        self.permits.fetch_add(n, Release);
        futex::wake(&self.permits, n);
    }

    /// Counts a worker that is about to be started: as spawned and searching. Under the executor's lock for starting, which
    /// makes the answer [`Need::Start`] hold until it is acted upon. `first`: regardless of need.
    pub(crate) fn reserve(&self, first: bool, env: &impl Env) -> Need {
        let mut control = load_sc(&self.control);
        loop {
            let need = if first { Need::Start } else { self.need(control, env) };
            if need != Need::Start {
                return need;
            }
            match self.control.compare_exchange_weak(control, control + SPAWNED + SEARCHING, SeqCst, SeqCst) {
                Ok(_) => return Need::Start,
                Err(now) => control = now,
            }
        }
    }

    /// Takes a reservation back whose thread could not be started. Publishers may have relied on that searcher: those that
    /// sleep are woken if there is work; the others are busy and will look.
    pub(crate) fn unreserve(&self, env: &impl Env) {
        self.control.fetch_sub(SPAWNED + SEARCHING, SeqCst);
        while env.has_work() {
            let control = load_sc(&self.control);
            if field(control, SEARCHING) != 0 || field(control, SLEEPING) == 0 || self.wake_one(control) {
                return;
            }
        }
    }

    /// A worker without a task becomes a searcher.
    #[inline]
    pub(crate) fn start_searching(&self) {
        // SeqCst, here and below: see the proof.
        self.control.fetch_add(SEARCHING, SeqCst);
    }

    /// A searcher has a task (or another duty).
    #[inline]
    pub(crate) fn stop_searching(&self, env: &impl Env) {
        let before = self.control.fetch_sub(SEARCHING, SeqCst);
        self.after_leaving(before - SEARCHING, env);
    }

    /// What the last searcher owes: a look everywhere, and a successor if there is work.
    #[inline]
    fn after_leaving(&self, control: u64, env: &impl Env) {
        let nobody_idle = field(control, SLEEPING) == 0 && field(control, SPAWNED) >= self.max_workers;
        if field(control, SEARCHING) == 0 && !nobody_idle && env.has_work() {
            self.find_worker(env);
        }
    }

    /// A searcher goes to run its initializer.
    pub(crate) fn start_preparing(&self, env: &impl Env) {
        let before = self.control.fetch_add(PREPARING.wrapping_sub(SEARCHING), SeqCst);
        self.after_leaving(before.wrapping_add(PREPARING).wrapping_sub(SEARCHING), env);
    }

    /// The initializer has returned.
    pub(crate) fn stop_preparing(&self) {
        self.control.fetch_sub(PREPARING - SEARCHING, SeqCst);
    }

    /// Whether there are few enough searchers for another one to poll: with more, the newcomer goes to sleep at once.
    pub(crate) fn may_poll(&self) -> bool {
        // Relaxed: a matter of economy.
        field(self.control.load(Relaxed), SEARCHING) <= 2
    }

    /// A searcher that found nothing sleeps until it is needed, at most for `idle` (then, unless it is the last, it retires;
    /// `may_retire` is asked first and holds a lock for as long as its answer lives).
    pub(crate) fn sleep<L>(&self, env: &impl Env, idle: Option<u64>, may_retire: impl Fn() -> Option<L>) -> Rest {
        self.control.fetch_add(SLEEPING - SEARCHING, SeqCst);
        if env.has_work() {
            return self.wake_up();
        }
        let mut deadline = self.idle_deadline(idle);
        loop {
            // Acquire: pairs with `post`.
            let permits = self.permits.load(Acquire);
            if permits & PERMITS_SHUT != 0 {
                return self.wake_up();
            }
            if permits != 0 {
                if self.permits.compare_exchange(permits, permits - 1, Acquire, Relaxed).is_ok() {
                    return Rest::Search;
                }
                continue;
            }
            if futex::wait(&self.permits, 0, deadline) == futex::Woken::TimedOut {
                if let Some(_lock) = may_retire() {
                    if self.retire() {
                        return Rest::Retired;
                    }
                }
                deadline = self.idle_deadline(idle);
            }
        }
    }

    /// When a sleeper has been idle for long enough: never for the only worker, which does not retire. (Workers that come
    /// later and become idle retire themselves.)
    fn idle_deadline(&self, idle: Option<u64>) -> Option<Deadline> {
        idle.filter(|_| self.spawned() > 1).map(Deadline::after_ns)
    }

    /// A thread inside `sleep` stops by itself: as a sleeper that nobody has turned into a searcher, or with a permit.
    fn wake_up(&self) -> Rest {
        let mut backoff = Backoff::new();
        loop {
            let control = load_sc(&self.control);
            let answer = if control & SHUT != 0 { Rest::Shut } else { Rest::Search };
            if field(control, SLEEPING) != 0 {
                let searching = control - SLEEPING + SEARCHING;
                if self.control.compare_exchange(control, searching, SeqCst, Relaxed).is_ok() {
                    return answer;
                }
                continue;
            }
            // Every thread in here has been turned into a searcher; our permit is posted or about to be.
            let permits = self.permits.load(Acquire);
            let taken = permits & !PERMITS_SHUT != 0
                && self.permits.compare_exchange(permits, permits - 1, Acquire, Relaxed).is_ok();
            if taken {
                return answer;
            }
            backoff.pause();
        }
    }

    /// A sleeper leaves for good, unless it is the only worker or has been called in the meantime.
    fn retire(&self) -> bool {
        let mut control = load_sc(&self.control);
        while field(control, SLEEPING) != 0 && field(control, SPAWNED) > 1 {
            // Relaxed: what this worker did it released when it announced its sleep, and it owes no look. A publisher that has
            // read an earlier value counts on a sleeper only once it has turned it into a searcher, by a CAS.
            match self.control.compare_exchange_weak(control, control - SLEEPING - SPAWNED, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => control = now,
            }
        }
        false
    }

    /// A searcher ends. Afterwards it looks everywhere like a last searcher, since a publisher may have counted on it.
    pub(crate) fn leave(&self, env: &impl Env) {
        let before = self.control.fetch_sub(SEARCHING + SPAWNED, SeqCst);
        self.after_leaving(before - SEARCHING - SPAWNED, env);
    }

    /// No sleeper sleeps on, and none sleeps again. The queue has been closed before.
    pub(crate) fn shut(&self) {
        self.control.fetch_or(SHUT, SeqCst);
        self.permits.fetch_or(PERMITS_SHUT, SeqCst);
        futex::wake(&self.permits, u32::MAX);
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.control.load(SeqCst) & SHUT != 0
    }

    pub(crate) fn spawned(&self) -> usize {
        // Acquire: who sees a worker gone sees what it did.
        field(self.control.load(Acquire), SPAWNED)
    }

    #[cfg(all(test, loom))]
    pub(crate) fn idle(&self) -> usize {
        let control = load_sc(&self.control);
        field(control, SEARCHING) + field(control, SLEEPING)
    }
}
