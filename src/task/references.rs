//! Counting references to a node, in the high half of its state word. Called by `task::handle` (everyone's), `worker` and
//! `queue` (the entry's).

use super::extra;
use super::node::Node;
use super::state::*;
use crate::sync::Ordering::*;

impl Node {
    /// One more reference.
    #[inline]
    pub(crate) fn add_reference(&self) {
        // Relaxed: whoever adds has one already, so the node cannot go; the new holder is told by other means.
        self.state.fetch_add(REF, Relaxed);
    }

    /// Gives a reference up. True: it was the last, the node is the caller's to destroy.
    #[inline]
    pub(crate) fn drop_reference(&self) -> bool {
        // Acquire: see below.
        let seen = self.state.load(Acquire);
        if seen & TOMBSTONE != 0 {
            return self.drop_reference_beside_entry();
        }
        // If ours is the only one, nobody can add to it: no need to write.
        if references(seen) == 1 {
            return true;
        }
        // Release: what this holder did happens before the node's end. Acquire: whoever is the last sees what the others did
        // (on the operation itself and not by a fence after it, which race detectors do not see).
        references(self.state.fetch_sub(REF, AcqRel)) == 1
    }

    /// The same while the entry of a task that was run inline is still queued. If but for the entry's the caller's reference
    /// is the last one, the hooks run now; the taker of the entry may come at any time, counts itself out and, if it is the
    /// last then, frees the memory, in which no hook is left.
    #[cold]
    fn drop_reference_beside_entry(&self) -> bool {
        // Acquire: what the other holders did happens before the hooks, or before the node's end.
        let mut seen = self.state.load(Acquire);
        loop {
            // SAFETY: nobody but the taker of the entry has a reference, and it does not look at these fields.
            if seen & TOMBSTONE != 0 && references(seen) == 2 && unsafe { self.has_hooks(seen) } {
                // SAFETY: as above.
                unsafe {
                    if seen & (EXTRA | FAILED) != 0 {
                        extra::release(self, seen, self.func.with(|f| *f), self.value.with(|v| *v));
                    }
                    self.end_payload();
                }
                // Release: for the taker, with the reference that we give up next.
                seen = self.state.fetch_and(!(EXTRA | FAILED), AcqRel) & !(EXTRA | FAILED);
                continue;
            }
            // A CAS: two who give up at once must not both miss that the other was the last but one. AcqRel as in
            // `drop_reference`.
            match self.state.compare_exchange_weak(seen, seen - REF, AcqRel, Acquire) {
                Ok(_) => return references(seen) == 1,
                Err(now) => seen = now,
            }
        }
    }

    /// Gives up the reference of the queue's entry of a task that is not pending. True as for `drop_reference`.
    pub(crate) fn drop_entry(&self) -> bool {
        if self.state.load(Acquire) & TOMBSTONE == 0 {
            return self.drop_reference();
        }
        // Orderings as in `drop_reference`. TOMBSTONE is set, and nobody else clears it.
        references(self.state.fetch_sub(REF + TOMBSTONE, AcqRel)) == 1
    }
}
