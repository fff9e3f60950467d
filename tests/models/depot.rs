//! Recycled memory of nodes: from one thread's free list to another's, by chains of two, through the depot and by the ends of
//! threads; chunks that are emptied, and used again (`src/task/pool.rs`, `depot.rs`, `chunk.rs`).

use super::{pointer, NOTHING};
use crate::task::node::Node;
use crate::task::pool::{free_nodes, recycled};
use crate::task::state::REF;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::collections::BTreeSet;
use std::ptr::NonNull;

/// Who has which node. A mark is plain memory that each user of the node writes when it gets the node and when it gives it
/// back: so two users at a time, or two that nothing has ordered, are a data race. Looking a mark up orders nothing.
#[derive(Clone, Default)]
struct Ledger(std::sync::Arc<std::sync::Mutex<Vec<Mark>>>);

/// A node's address, and whether it has a user.
type Mark = (usize, Arc<UnsafeCell<bool>>);

struct Taken(NonNull<Node>);
unsafe impl Send for Taken {}

impl Ledger {
    fn mark(&self, node: NonNull<Node>, from: bool, to: bool) {
        let mut marks = self.0.lock().unwrap();
        let address = node.addr().get();
        if !marks.iter().any(|mark| mark.0 == address) {
            marks.extend([(address, Arc::new(UnsafeCell::new(false)))]);
        }
        let mark = marks.iter().find(|mark| mark.0 == address).unwrap().1.clone();
        drop(marks);
        mark.with_mut(|mark| assert_eq!(unsafe { mark.replace(to) }, from, "a node has two users"));
    }

    fn alloc(&self) -> Taken {
        let node = recycled::alloc(Node::new(0, NOTHING, None, pointer(1), REF)).unwrap();
        self.mark(node, false, true);
        Taken(node)
    }

    fn free(&self, taken: Taken) {
        self.mark(taken.0, true, false);
        unsafe { recycled::free(taken.0) };
    }

    fn alloc_many(&self, n: usize) -> Vec<Taken> {
        (0..n).map(|_| self.alloc()).collect()
    }

    fn free_all(&self, taken: Vec<Taken>) {
        taken.into_iter().for_each(|taken| self.free(taken));
    }
}

/// Once the threads have ended: every node is in the depot, once.
fn nothing_is_lost() {
    let (free, all) = free_nodes();
    assert_eq!(free.len(), all, "nodes were lost");
    assert_eq!(BTreeSet::from_iter(free).len(), all, "a node is in two places");
}

/// Nodes that one thread allocates and another frees, while the first goes on allocating: none has two users, the former user's writes
/// come before the next one's, none is lost. Two threads, exhaustive.
#[test]
fn a_node_freed_by_another_thread_has_one_user() {
    loom::model(|| {
        let ledger = Ledger::default();
        let first = ledger.clone();
        let producer = thread::spawn(move || {
            let taken = first.alloc_many(5);
            let ledger = first.clone();
            let consumer = thread::spawn(move || {
                ledger.free_all(taken);
                recycled::end_thread();
            });
            for n in [3, 5] {
                let more = first.alloc_many(n);
                first.free_all(more);
            }
            recycled::end_thread();
            consumer.join().unwrap();
        });
        producer.join().unwrap();
        nothing_is_lost();
    });
}

/// Two threads that both allocate and free, more than they keep, with what an ended thread has left. Two threads, exhaustive.
#[test]
fn a_node_that_an_ended_thread_left_has_one_user() {
    loom::model(|| {
        let ledger = Ledger::default();
        let user = |ledger: Ledger| {
            thread::spawn(move || {
                ledger.free_all(ledger.alloc_many(5));
                recycled::end_thread();
            })
        };
        user(ledger.clone()).join().unwrap();
        let users = [user(ledger.clone()), user(ledger)];
        users.into_iter().for_each(|user| user.join().unwrap());
        nothing_is_lost();
    });
}
