//! Owned references to nodes, and what happens when the last one goes. Used by everyone who keeps a task beyond a call.

use super::node::Node;
use super::state::{EXTRA, FAILED, HOOKS, PAYLOAD};
use super::{extra, payload, pool};
use std::ffi::c_void;
use std::ops::Deref;
use std::ptr::NonNull;

/// One reference to a node. `Clone` adds one, `Drop` gives it up; giving up the last destroys the node, which may run the
/// user's drop hooks. Dropping never cancels.
#[derive(Debug)]
pub struct Future(NonNull<Node>);

// SAFETY: Node is Sync, and the reference count is atomic.
unsafe impl Send for Future {}
// SAFETY: as above.
unsafe impl Sync for Future {}

impl Future {
    /// Hands the reference over to C.
    pub fn into_raw(self) -> *mut Node {
        let node = self.0.as_ptr();
        std::mem::forget(self);
        node
    }

    /// Takes a reference over.
    ///
    /// # Safety
    /// `node` points to a node and a reference to it is the caller's to give.
    pub unsafe fn from_raw(node: *mut Node) -> Future {
        // SAFETY: not null by this function's contract.
        Future(unsafe { NonNull::new_unchecked(node) })
    }
}

impl Deref for Future {
    type Target = Node;
    fn deref(&self) -> &Node {
        // SAFETY: we hold a reference.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Future {
    fn clone(&self) -> Future {
        self.add_reference();
        Future(self.0)
    }
}

impl Drop for Future {
    fn drop(&mut self) {
        if self.drop_reference() {
            // SAFETY: that was the last reference.
            unsafe { destroy(self.0) };
        }
    }
}

impl Node {
    /// A reference of its own for whoever borrows this one.
    pub fn retain(&self) -> Future {
        self.add_reference();
        Future(NonNull::from(self))
    }
}

/// Ends a node: lets its hooks run, then recycles its memory.
///
/// # Safety
/// No reference is left, and `node` is not used again.
#[inline]
pub(crate) unsafe fn destroy(node: NonNull<Node>) {
    // SAFETY: this function's contract.
    unsafe {
        match node.as_ref().take_apart() {
            (word, ..) if word & HOOKS == 0 => pool::free(node),
            (word, func, value) => destroy_with_hooks(node, word, func, value),
        }
    }
}

/// # Safety
/// As for `destroy`; the rest is what `take_apart` gave.
#[inline(never)]
unsafe fn destroy_with_hooks(node: NonNull<Node>, word: u64, func: *mut (), value: *mut c_void) {
    // SAFETY: this function's contract.
    unsafe {
        if word & (EXTRA | FAILED) != 0 {
            extra::release(node.as_ref(), word, func, value);
        }
        if word & PAYLOAD == 0 {
            return pool::free(node);
        }
        // After the report of a failure, which may be about something in the payload.
        node.as_ref().end_payload();
        payload::free(node);
    }
}
