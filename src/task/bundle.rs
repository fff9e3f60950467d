//! Memory for many nodes at once. Called by `submit`, for `submit_many`: nothing may fail any more once the first of its tasks
//! is in the queue, so all of the memory is there before, taken chain by chain rather than node by node.

use super::node::Node;
use crate::status::Result;
use std::ptr::NonNull;

#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
pub(crate) use plain::Bundle;
#[cfg(not(any(loom, shuttle, feature = "plain-malloc")))]
pub(crate) use recycled::Bundle;

#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
mod plain {
    use super::*;
    use crate::status::NO_MEMORY;
    use std::mem::MaybeUninit;

    /// Memory for nodes that nobody knows yet; what is left is freed.
    pub(crate) struct Bundle(Vec<NonNull<Node>>);

    impl Bundle {
        /// Memory for `n` nodes.
        pub(crate) fn new(n: usize) -> Result<Bundle> {
            let mut bundle = Bundle(Vec::new());
            bundle.0.try_reserve_exact(n).map_err(|_| NO_MEMORY)?;
            for _ in 0..n {
                let memory = crate::alloc::try_box(MaybeUninit::<Node>::uninit())?;
                bundle.0.extend([NonNull::from(Box::leak(memory)).cast()]);
            }
            Ok(bundle)
        }

        /// The next node.
        pub(crate) fn make(&mut self, node: Node) -> NonNull<Node> {
            let memory = self.0.pop().expect("as many as were asked for");
            // SAFETY: ours, of a Node's layout.
            unsafe { memory.write(node) };
            memory
        }
    }

    impl Drop for Bundle {
        fn drop(&mut self) {
            for memory in self.0.drain(..) {
                // SAFETY: never handed out; a node without content has nothing to drop.
                drop(unsafe { Box::from_raw(memory.as_ptr().cast::<MaybeUninit<Node>>()) });
            }
        }
    }
}

#[cfg(not(any(loom, shuttle, feature = "plain-malloc")))]
mod recycled {
    use super::super::depot::Free;
    use super::super::pool::{give_back, withdraw};
    use super::*;
    use crate::sys::cache::prefetch_for_writing;
    use std::ptr::null_mut;

    /// Memory for nodes that nobody knows yet: a list in use, and chains; what is left goes back to the thread's cache.
    pub(crate) struct Bundle {
        current: *mut Free,
        /// Blocks in `current`'s list.
        len: usize,
        /// The chains behind it, linked as in a depot, and the last of them.
        rest: *mut Free,
        last: *mut Free,
    }

    impl Bundle {
        /// Memory for at least `n` nodes.
        pub(crate) fn new(n: usize) -> Result<Bundle> {
            let mut bundle = Bundle { current: null_mut(), len: 0, rest: null_mut(), last: null_mut() };
            withdraw(n, |chain, len| bundle.add(chain, len))?;
            Ok(bundle)
        }

        /// Appends a chain.
        fn add(&mut self, chain: *mut Free, len: usize) {
            // SAFETY: both chains are ours.
            unsafe {
                ((*chain).next_chain, (*chain).len) = (null_mut(), len);
                match self.last.is_null() {
                    true => self.rest = chain,
                    false => (*self.last).next_chain = chain,
                }
            }
            self.last = chain;
        }

        /// The next chain becomes the list in use. There must be one.
        fn open(&mut self) {
            self.current = self.rest;
            // SAFETY: ours; what its first block says of a chain is as `add` wrote it.
            unsafe { (self.rest, self.len) = ((*self.current).next_chain, (*self.current).len) };
        }

        /// The next node; there must be one.
        #[inline]
        pub(crate) fn make(&mut self, node: Node) -> NonNull<Node> {
            if self.current.is_null() {
                self.open();
            }
            let block = self.current;
            // SAFETY: a free block of ours, large and aligned enough for a Node.
            unsafe {
                self.current = (*block).next;
                self.len -= 1;
                // Another processor may have freed it.
                prefetch_for_writing(self.current);
                let memory = NonNull::new_unchecked(block.cast::<Node>());
                memory.write(node);
                memory
            }
        }
    }

    impl Drop for Bundle {
        fn drop(&mut self) {
            loop {
                if !self.current.is_null() {
                    // SAFETY: what is left of a chain, that long.
                    unsafe { give_back(self.current, self.len) };
                }
                if self.rest.is_null() {
                    return;
                }
                self.open();
            }
        }
    }
}
