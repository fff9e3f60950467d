//! Circles of tasks that wait for each other (`src/deadlock.rs`): exactly one is refused, the others go on; never a false alarm.

use super::nodes::{finish_claimed, node, Shared};
use crate::current::here;
use crate::status::{Result, DEADLOCK};
use crate::wait::{until_done, Timeout};
use loom::thread;

/// A task that runs, with that many references.
fn running(references: u64) -> Shared {
    let task = node(references);
    assert!(task.get().claim_inline());
    task
}

/// On the thread that runs `task`: waits inside of it until `target` is done, then ends it. Whatever became of the wait, nobody
/// finds this thread in the graph any more.
fn wait_and_finish(task: Shared, target: Shared) -> Result<()> {
    let waited = here(|here| here.inside(task.0.as_ptr(), || until_done(target.get(), Timeout::Forever)));
    assert!(unsafe { task.get().blocked_record() }.is_null());
    target.release();
    finish_claimed(task);
    waited
}

/// Of those who waited in a circle exactly one was refused.
fn one_is_refused(waited: &[Result<()>]) {
    assert!(waited.iter().all(|waited| matches!(waited, Ok(()) | Err(DEADLOCK))));
    assert_eq!(waited.iter().filter(|waited| waited.is_err()).count(), 1, "{waited:?}");
}

/// N3: two tasks that close a circle at once. Two threads, two preemptions.
#[test]
fn n03_of_two_tasks_in_a_circle_one_is_refused() {
    super::bounded(2, || {
        let (a, b) = (running(2), running(2));
        let other = thread::spawn(move || wait_and_finish(b, a));
        let waited = wait_and_finish(a, b);
        one_is_refused(&[waited, other.join().unwrap()]);
    });
}

/// N3: three tasks that close a circle at once. Three threads, switched where one sleeps, yields or ends.
#[test]
fn n03_of_three_tasks_in_a_circle_one_is_refused() {
    super::bounded(0, || {
        let (a, b, c) = (running(2), running(2), running(2));
        let second = thread::spawn(move || wait_and_finish(b, c));
        let third = thread::spawn(move || wait_and_finish(c, a));
        let waited = wait_and_finish(a, b);
        one_is_refused(&[waited, second.join().unwrap(), third.join().unwrap()]);
    });
}

/// N3: what looks like a circle, but that its target is done by then. `a` waits for `b`, whose thread ends it and then, inside of
/// `c`, waits for `a`. Nobody is refused. Two threads, one preemption.
#[test]
fn n03_a_target_that_is_done_closes_no_circle() {
    super::bounded(1, || {
        let (a, b, c) = (running(2), running(2), running(1));
        let other = thread::spawn(move || {
            finish_claimed(b);
            wait_and_finish(c, a)
        });
        assert_eq!(wait_and_finish(a, b), Ok(()));
        assert_eq!(other.join().unwrap(), Ok(()));
    });
}

/// N3: a chain is no circle. `a` waits for `b`, which waits for `c`, which ends. Three threads, one preemption.
#[test]
fn n03_a_chain_is_no_circle() {
    super::bounded(1, || {
        let (a, b, c) = (running(1), running(2), running(2));
        let second = thread::spawn(move || wait_and_finish(b, c));
        let third = thread::spawn(move || finish_claimed(c));
        assert_eq!(wait_and_finish(a, b), Ok(()));
        assert_eq!(second.join().unwrap(), Ok(()));
        third.join().unwrap();
    });
}
