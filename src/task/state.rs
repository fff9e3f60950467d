//! The state word: one `AtomicU64` per node that says everything about a task that two threads may have to agree on.
//!
//! ```text
//! 63         34 33   32 31             16 15                                    2 1  0
//! [ references ][ flags ][ executor's id ][                 flags                 ][ st ]
//! ```
//!
//! The low half is also the word on which waiters sleep; counting references in the high half never disturbs them. The
//! two flags up there are those of which no waiter, and no quick test of several flags at once, needs to know.
//!
//! Legal transitions of the two state bits (a done state never changes):
//!
//! ```text
//! PENDING ──claim──► RUNNING ──finish──► FINISHED
//!    ├──────────────cancel─────────────► CANCELLED
//!    └───────────fail_pending──────────► FINISHED | BROKEN
//! ```
//!
//! * claim: by the worker that took the queue's entry, or by a worker that waits for the task and runs it inline.
//! * finish: by whoever claimed.
//! * cancel: by anyone who holds a reference; it races with claim, and exactly one CAS wins (C3).
//! * fail_pending: by the worker whose initializer failed, for what is still queued.

/// The two state bits.
pub(crate) const STATE: u64 = 0b11;
pub(crate) const PENDING: u64 = 0;
pub(crate) const RUNNING: u64 = 1;
pub(crate) const CANCELLED: u64 = 2;
pub(crate) const FINISHED: u64 = 3;
/// Set in both done states and in no other.
pub(crate) const DONE: u64 = 0b10;

/// A thread sleeps, or is about to, on the low half. Set by waiters while not done; cleared by the transition to done,
/// whose author then wakes them all. A waiter that gave up leaves it set: one wake-up too many, no harm.
pub(crate) const WAITERS: u64 = 1 << 2;
/// The list of observers may not be empty. Set with LOCKED by who adds; never cleared. While it is clear, the transition to
/// done need not look at the list.
pub(crate) const OBSERVERS: u64 = 1 << 3;
/// The list of observers is being changed: a lock bit, held for a few instructions, never over user code. Only while not
/// done: the transition to done waits for it, and from then on the list belongs to the author of that transition.
pub(crate) const LOCKED: u64 = 1 << 4;
/// The task reported an error. Set with FINISHED.
pub(crate) const FAILED: u64 = 1 << 5;
/// The executor broke before the task could run. Set with FINISHED.
pub(crate) const BROKEN: u64 = 1 << 6;
/// `func` holds an `Extra` rather than the function. Set when the node is made.
pub(crate) const EXTRA: u64 = 1 << 7;
/// The result has been handed out by take. Set once, by a CAS, while FINISHED.
pub(crate) const TAKEN: u64 = 1 << 8;
/// Somebody asked the running task to stop early. Set while RUNNING.
pub(crate) const STOP: u64 = 1 << 9;
/// Somebody has seen that the task failed, so nobody needs to be told by `unhandled_error`. Set while FAILED.
pub(crate) const SEEN: u64 = 1 << 10;
/// Room for a value of the submitter's belongs to the node, which is the first part of a [`super::payload`] block. Set
/// when the node is made.
pub(crate) const PAYLOAD: u64 = 1 << 11;
/// Nobody has a future for this task (fire and forget, with hooks or a payload). Set before it is published.
pub(crate) const ANONYMOUS: u64 = 1 << 12;
/// This unseen failure keeps the executor's hooks alive. Set with FAILED; ends with SEEN or with the node.
pub(crate) const HOOKED: u64 = 1 << 13;
/// There was no memory for the failure's record: it lies in the node's own fields. Set with FAILED.
pub(crate) const IN_PLACE: u64 = 1 << 14;

/// The task was run inline by a waiter while its entry stayed in the queue; one of the references is that entry's. Set with
/// RUNNING; cleared, with that reference, by whoever takes the entry. The entry's reference keeps the memory, but no hook
/// waits for it: when the other references are gone, the hooks run.
pub(crate) const TOMBSTONE: u64 = 1 << 15;

/// What may make user code run, or other memory go, when the node goes.
pub(crate) const HOOKS: u64 = EXTRA | FAILED | PAYLOAD;

pub(crate) const ID_SHIFT: u32 = 16;
pub(crate) const ID_BITS: u32 = 16;

/// The thread that runs this task is registered in the wait graph; `value` holds its record. Set and cleared by that
/// thread, under the graph's lock, while RUNNING.
pub(crate) const BLOCKED: u64 = 1 << 32;
/// The task has been prepared and nobody is launching it: there is no function, and no entry in a queue. Set when the node
/// is made, with PAYLOAD; cleared by who launches; set again if the launch is refused. Only while PENDING.
pub(crate) const UNLAUNCHED: u64 = 1 << 33;

const REF_SHIFT: u32 = 34;
/// One reference.
pub(crate) const REF: u64 = 1 << REF_SHIFT;

pub(crate) const fn references(word: u64) -> u64 {
    word >> REF_SHIFT
}

pub(crate) const fn executor_id(word: u64) -> u32 {
    (word as u32) >> ID_SHIFT
}

pub(crate) const fn is_done(word: u64) -> bool {
    word & DONE != 0
}

/// The state as the ABI names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Pending,
    Running,
    Cancelled,
    Finished,
}

impl State {
    pub(crate) const fn of(word: u64) -> State {
        match word & STATE {
            PENDING => State::Pending,
            RUNNING => State::Running,
            CANCELLED => State::Cancelled,
            _ => State::Finished,
        }
    }
}

/// The word, decoded: for people who debug.
pub(crate) struct Decoded(pub(crate) u64);

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const FLAGS: [(u64, &str); 16] = [
            (WAITERS, "WAITERS"),
            (OBSERVERS, "OBSERVERS"),
            (LOCKED, "LOCKED"),
            (FAILED, "FAILED"),
            (BROKEN, "BROKEN"),
            (EXTRA, "EXTRA"),
            (TAKEN, "TAKEN"),
            (STOP, "STOP"),
            (SEEN, "SEEN"),
            (PAYLOAD, "PAYLOAD"),
            (ANONYMOUS, "ANONYMOUS"),
            (HOOKED, "HOOKED"),
            (IN_PLACE, "IN_PLACE"),
            (TOMBSTONE, "TOMBSTONE"),
            (BLOCKED, "BLOCKED"),
            (UNLAUNCHED, "UNLAUNCHED"),
        ];
        write!(f, "{:?}", State::of(self.0))?;
        for (_, name) in FLAGS.iter().filter(|(bit, _)| self.0 & bit != 0) {
            write!(f, "|{name}")?;
        }
        write!(f, " executor {} references {}", executor_id(self.0), references(self.0))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn s03_done_is_finished_or_cancelled_and_nothing_else() {
        assert!(!is_done(PENDING) && !is_done(RUNNING));
        assert!(is_done(CANCELLED) && is_done(FINISHED));
    }

    #[test]
    fn the_fields_of_the_word_do_not_overlap() {
        let id = ((1u64 << ID_BITS) - 1) << ID_SHIFT;
        let flags = ((1u64 << ID_SHIFT) - 1) | BLOCKED | UNLAUNCHED;
        assert_eq!(id & flags, 0);
        assert_eq!(id | flags, REF - 1);
        let text = format!("{:?}", Decoded(FINISHED | FAILED | SEEN | (7 << ID_SHIFT) | (2 * REF)));
        assert_eq!(text, "Finished|FAILED|SEEN executor 7 references 2");
    }
}
