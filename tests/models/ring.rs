//! A worker's ring: push, take from the front, take back, thieves (`src/queue/local.rs`).

use super::{pointer, NOTHING};
use crate::queue::local::Ring;
use crate::queue::{Entry, Job};
use loom::sync::Arc;
use loom::thread;

fn entry(n: usize) -> Entry {
    Entry::call(NOTHING, pointer(n))
}

fn number(entry: Entry) -> usize {
    match entry.job() {
        Job::Call(_, arg) => arg.addr(),
        Job::Node(_) => panic!("not a number"),
    }
}

/// The owner takes the newest back while a thief takes from the front: each entry goes to exactly one. Two threads, three
/// preemptions, in every rendering.
#[test]
fn n01_taking_back_and_stealing_exclude_each_other() {
    super::in_every_rendering(|| {
        super::bounded(3, || {
            let ring = Arc::new(Ring::new());
            ring.push(&[entry(1)]);
            ring.push(&[entry(2)]);
            let other = ring.clone();
            let thief = thread::spawn(move || {
                let first = other.take_front().map(number);
                [first, other.take_front().map(number)]
            });
            let back = ring.take_back(|newest| number(newest) == 2);
            let mut mine: Vec<usize> = std::iter::from_fn(|| ring.take_front().map(number)).collect();
            if back {
                mine.extend([2]);
            }
            let mut all: Vec<usize> = thief.join().unwrap().into_iter().flatten().chain(mine).collect();
            all.extend(std::iter::from_fn(|| ring.take_front().map(number)));
            all.sort_unstable();
            assert_eq!(all, [1, 2]);
        })
    });
}

/// The last entry: the owner takes it back, or one of two thieves has it. Three threads, three preemptions, in every rendering.
#[test]
fn n01_the_last_entry_goes_to_one() {
    super::in_every_rendering(|| {
        super::bounded(3, || {
            let ring = Arc::new(Ring::new());
            ring.push(&[entry(1)]);
            let thieves: Vec<_> = (0..2)
                .map(|_| {
                    let ring = ring.clone();
                    thread::spawn(move || ring.take_front().is_some())
                })
                .collect();
            let back = ring.take_back(|_| true);
            let stolen = thieves.into_iter().map(|thief| thief.join().unwrap()).filter(|won| *won).count();
            assert_eq!(stolen + usize::from(back), 1);
            assert!(ring.take_front().is_none());
            // Whoever had it, the next one has its place.
            ring.push(&[entry(2)]);
            assert_eq!(ring.take_front().map(number), Some(2));
        })
    });
}

/// The ring goes round: a slot is overwritten only when its entry has been taken. Two threads, three preemptions.
#[test]
fn p03_a_reused_slot_never_yields_an_old_entry() {
    super::bounded(3, || {
        let ring = Arc::new(Ring::new());
        ring.push(&[entry(1), entry(2)]);
        ring.push(&[entry(3), entry(4)]);
        let other = ring.clone();
        let thief = thread::spawn(move || other.take_front().map(number));
        let mut got = Vec::from_iter(ring.take_front().map(number));
        got.extend(ring.take_front().map(number));
        ring.push(&[entry(5), entry(6)]);
        got.extend(thief.join().unwrap());
        got.extend(std::iter::from_fn(|| ring.take_front().map(number)));
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3, 4, 5, 6]);
    });
}

/// An owner's push and a last look cannot miss each other (as for the shared queue). Two threads, exhaustive, in every
/// rendering.
#[test]
fn p02_an_own_push_and_a_last_look_cannot_miss_each_other() {
    super::in_every_rendering(|| {
        loom::model(|| {
            let ring = Arc::new(Ring::new());
            let asleep = Arc::new(crate::sync::AtomicU64::new(0));
            let (other, flag) = (ring.clone(), asleep.clone());
            let sleeper = thread::spawn(move || {
                flag.fetch_add(1, crate::sync::Ordering::SeqCst);
                !other.has_work()
            });
            ring.push(&[entry(1)]);
            let saw_nobody = crate::sync::load_sc(&asleep) == 0;
            let saw_nothing = sleeper.join().unwrap();
            assert!(!(saw_nothing && saw_nobody), "the task would be stranded");
        })
    });
}
