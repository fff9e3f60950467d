//! The shared queue: push, take, close, sweep (`src/queue/shared.rs` and its two ends).

use super::{pointer, NOTHING};
use crate::queue::shared::{Refused, Shared, Taken};
use crate::queue::{release, Batch, Entry, Job};
use crate::task::state::{CANCELLED, REF};
use crate::task::{node::Node, pool};
use loom::sync::atomic::AtomicBool;
use loom::sync::Arc;
use loom::thread;
use std::ptr::NonNull;

fn entry(n: usize) -> Entry {
    Entry::call(NOTHING, pointer(n))
}

fn number(entry: Entry) -> usize {
    match entry.job() {
        Job::Call(_, arg) => arg.addr(),
        Job::Node(_) => panic!("not a number"),
    }
}

/// Takes whatever is there, by batches of up to two.
fn take(queue: &Shared, into: &mut Vec<usize>) -> bool {
    let mut batch = Batch::new();
    match queue.take(&mut batch, 1) {
        Taken::Some { .. } => {
            into.extend(batch.iter().map(|e| number(*e)));
            true
        }
        Taken::Nothing => false,
        Taken::Contended => {
            thread::yield_now();
            true
        }
    }
}

/// P3, P4: two producers over the edge of a segment: nothing lost, nothing twice, each producer's entries in its order. Two
/// threads, three preemptions.
#[test]
fn p03_two_producers_keep_their_order() {
    super::bounded(3, || {
        let queue = Arc::new(Shared::new().unwrap());
        let other = queue.clone();
        let producer = thread::spawn(move || {
            other.push(entry(11)).unwrap();
            other.push(entry(12)).unwrap();
        });
        queue.push(entry(21)).unwrap();
        let mut out = Vec::new();
        take(&queue, &mut out);
        producer.join().unwrap();
        while take(&queue, &mut out) {}
        assert_eq!(out.iter().filter(|n| **n > 20).count(), 1);
        assert_eq!(out.iter().filter(|n| **n < 20).collect::<Vec<_>>(), [&11, &12]);
    });
}

/// P3: two takers share what a producer pushes; each sees its part in order, and segments are reused. Two threads, two
/// preemptions.
#[test]
fn p03_two_takers_lose_and_repeat_nothing() {
    super::bounded(2, || {
        let queue = Arc::new(Shared::new().unwrap());
        queue.push(entry(1)).unwrap();
        queue.push(entry(2)).unwrap();
        let other = queue.clone();
        let taker = thread::spawn(move || {
            let mut out = Vec::new();
            take(&other, &mut out);
            out
        });
        queue.push(entry(3)).unwrap();
        queue.push(entry(4)).unwrap();
        queue.push(entry(5)).unwrap();
        let mut mine = Vec::new();
        take(&queue, &mut mine);
        let theirs = taker.join().unwrap();
        while take(&queue, &mut mine) {}
        assert!(mine.is_sorted() && theirs.is_sorted());
        let mut all = [mine, theirs].concat();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4, 5]);
    });
}

/// P3: a segment that its reader has left is filled again by a producer that never reads. Two threads, two preemptions.
#[test]
fn p03_a_segment_is_filled_again_only_when_its_reader_has_left_it() {
    super::bounded(2, || {
        let queue = Arc::new(Shared::new().unwrap());
        let other = queue.clone();
        let producer = thread::spawn(move || (1..=7).for_each(|n| other.push(entry(n)).unwrap()));
        let mut out = Vec::new();
        for _ in 0..3 {
            take(&queue, &mut out);
        }
        producer.join().unwrap();
        while take(&queue, &mut out) {}
        assert_eq!(out, [1, 2, 3, 4, 5, 6, 7]);
    });
}

/// D1, P4: a push is accepted before the close, and then found after it, or refused. Two threads, exhaustive.
#[test]
fn d01_a_push_is_before_the_close_or_refused() {
    loom::model(|| {
        let queue = Arc::new(Shared::new().unwrap());
        let other = queue.clone();
        let producer = thread::spawn(move || other.push(entry(1)));
        queue.close(false);
        let mut found = Vec::new();
        while take(&queue, &mut found) {}
        match producer.join().unwrap() {
            Ok(()) => assert_eq!(found, [1]),
            Err(refused) => {
                assert_eq!(refused, Refused::Closed);
                assert!(found.is_empty());
            }
        }
        assert_eq!(queue.push(entry(2)), Err(Refused::Closed));
    });
}

/// P9: many at once: all or none, in order, over the edge of segments. Two threads, exhaustive.
#[test]
fn p09_many_entries_are_one_operation() {
    loom::model(|| {
        let queue = Arc::new(Shared::new().unwrap());
        let other = queue.clone();
        let producer = thread::spawn(move || other.push_many(3, |i| entry(10 + i)));
        queue.push(entry(1)).unwrap();
        producer.join().unwrap().unwrap();
        let mut out = Vec::new();
        while take(&queue, &mut out) {}
        assert!(out == [1, 10, 11, 12] || out == [10, 11, 12, 1], "{out:?}");
    });
}

/// The producer's fence (pitfall 2): a producer that publishes and then finds nobody asleep, and a worker that announces its
/// sleep and then finds no work, cannot both be right. Two threads, exhaustive, in every rendering.
#[test]
fn p02_a_push_and_a_last_look_cannot_miss_each_other() {
    super::in_every_rendering(|| {
        loom::model(|| {
            let queue = Arc::new(Shared::new().unwrap());
            let asleep = Arc::new(crate::sync::AtomicU64::new(0));
            let (other, flag) = (queue.clone(), asleep.clone());
            let producer = thread::spawn(move || {
                other.push(entry(1)).unwrap();
                crate::sync::load_sc(&flag) == 0
            });
            asleep.fetch_add(1, crate::sync::Ordering::SeqCst);
            let saw_nothing = !queue.has_work();
            let saw_nobody = producer.join().unwrap();
            assert!(!(saw_nothing && saw_nobody), "the task would be stranded");
        })
    });
}

/// C8: a sweep beside a producer: the dead are gone, the living keep their order. Two threads, exhaustive.
#[test]
fn c08_a_sweep_keeps_the_living_in_order() {
    loom::model(|| {
        let queue = Arc::new(Shared::new().unwrap());
        let dead: Vec<NonNull<Node>> = (0..2).map(|_| dead_node()).collect();
        queue.push(entry(1)).unwrap();
        queue.push(Entry::node(dead[0])).unwrap();
        queue.push(entry(2)).unwrap();
        queue.push(Entry::node(dead[1])).unwrap();
        let other = queue.clone();
        let producer = thread::spawn(move || other.push(entry(3)).unwrap());
        queue.sweep();
        let mut out = Batch::new();
        queue.take_dead(&mut out, 2);
        assert_eq!(out.len(), 2);
        for entry in out.iter() {
            let Job::Node(node) = entry.job() else { panic!("a living entry was dropped") };
            unsafe { release(node) };
        }
        producer.join().unwrap();
        let mut living = Vec::new();
        while take(&queue, &mut living) {}
        assert_eq!(living, [1, 2, 3]);
    });
}

fn dead_node() -> NonNull<Node> {
    let node = pool::alloc(Node::new(0, NOTHING, None, pointer(1), REF)).unwrap();
    assert!(unsafe { node.as_ref() }.end_pending(CANCELLED).is_some());
    node
}

/// A taker that finds the head locked is told so, rather than that there is nothing. Two threads, exhaustive.
#[test]
fn p02_a_contended_queue_is_not_called_empty() {
    loom::model(|| {
        let queue = Arc::new(Shared::new().unwrap());
        queue.push(entry(1)).unwrap();
        let other = queue.clone();
        let got = Arc::new(AtomicBool::new(false));
        let seen = got.clone();
        let taker = thread::spawn(move || {
            let mut batch = Batch::new();
            if matches!(other.take(&mut batch, 1), Taken::Some { .. }) {
                seen.store(true, loom::sync::atomic::Ordering::Release);
            }
        });
        let mut batch = Batch::new();
        let mine = match queue.take(&mut batch, 1) {
            Taken::Some { n, .. } => n == 1,
            Taken::Contended => false,
            // Then the other one has taken it already, and its index is what we saw.
            Taken::Nothing => false,
        };
        taker.join().unwrap();
        assert!(mine != got.load(loom::sync::atomic::Ordering::Acquire));
    });
}
