//! Nodes that the threads of a model share, and their ends as `worker::run` brings them about.

use super::{pointer, NOTHING};
use crate::queue::release;
use crate::task::node::{Ended, Held, Node, Reference};
use crate::task::pool;
use crate::task::state::REF;
use std::ptr::NonNull;

/// A node with `references` references.
pub(super) fn node(references: u64) -> Shared {
    Shared(pool::alloc(Node::new(0, NOTHING, None, pointer(1), references * REF)).unwrap())
}

/// What each thread of a model gets: it vouches for a reference of its own.
#[derive(Clone, Copy)]
pub(super) struct Shared(pub(super) NonNull<Node>);
unsafe impl Send for Shared {}

impl Shared {
    pub(super) fn get(&self) -> &Node {
        unsafe { self.0.as_ref() }
    }

    pub(super) fn release(self) {
        unsafe { release(self.0) }
    }
}

/// Runs the task: claims it, and ends it with 42. Gives a reference up.
pub(super) fn finish(node: Shared) {
    assert!(node.get().claim());
    finish_claimed(node);
}

/// As `worker::run_claimed` does it.
pub(super) fn finish_claimed(node: Shared) {
    let ended = unsafe { node.get().succeed(pointer(42), Reference::GiveUp) };
    follow(node, ended);
}

/// What the author of an end does next.
pub(super) fn follow(node: Shared, ended: Ended) {
    match ended.reference {
        Held::NoMore => {}
        Held::Last => unsafe { crate::task::handle::destroy(node.0) },
        Held::Still => {
            crate::completion::deliver(node.get(), ended.observers, || ());
            node.release();
        }
    }
}
