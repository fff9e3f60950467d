//! Depots: where the threads' caches of free blocks bring what is too much and fetch what is missing, one depot for each
//! size of block. Called by `task::pool`.

use super::chunk::Chunks;
use super::node::Node;
use crate::status::Result;
use crate::sync::{global, MutexGuard, MODEL};
use crate::sys::fork_lock::ForkLock;
use std::mem::size_of;

/// Blocks in a chain.
pub(super) const CHAIN: usize = if MODEL { 2 } else { 128 };

/// The sizes of block that are recycled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Size {
    /// A plain node: half a cache line.
    Node,
    /// A node with a payload, in two cache lines.
    Small,
    /// The same in four.
    Large,
}

impl Size {
    pub(super) const ALL: [Size; 3] = [Size::Node, Size::Small, Size::Large];

    pub(super) const fn bytes(self) -> usize {
        match self {
            Size::Node => size_of::<Node>(),
            Size::Small => 4 * size_of::<Node>(),
            Size::Large => 8 * size_of::<Node>(),
        }
    }
}

/// A block's memory while nobody uses it.
pub(super) struct Free {
    pub(super) next: *mut Free,
    /// Of a chain's first block, in the depot: the next chain, and the length of this one. (To count would be to fetch
    /// every block from the processor that freed it.)
    pub(super) next_chain: *mut Free,
    pub(super) len: usize,
}

pub(super) struct Depot {
    /// Full chains, and what ending threads left (shorter ones, counted exactly).
    chains: *mut Free,
    blocks: usize,
    chunks: Chunks,
    /// Trim only when `blocks` exceeds this; grows when a trim found too little, so that trimming stays cheap per block.
    trim_above: usize,
    /// A pthread key whose destructor brings a thread's blocks back; `None` until the first thread needs it.
    pub(super) key: Option<libc::pthread_key_t>,
}

// SAFETY: the pointers are to free memory that the depot's lock guards.
unsafe impl Send for Depot {}

global! {
    static DEPOTS: [ForkLock<Depot>; Size::ALL.len()] = [
        ForkLock::new(Depot::new(Size::Node)),
        ForkLock::new(Depot::new(Size::Small)),
        ForkLock::new(Depot::new(Size::Large)),
    ];
}

/// The depot of a size, locked.
pub(super) fn lock(size: Size) -> MutexGuard<'static, Depot> {
    DEPOTS[size as usize].lock()
}

impl Depot {
    const fn new(size: Size) -> Depot {
        let chunks = Chunks::new(size.bytes());
        let trim_above = chunks.kept() * 2;
        Depot { chains: std::ptr::null_mut(), blocks: 0, chunks, trim_above, key: None }
    }

    /// A chain with its length.
    pub(super) fn take(&mut self) -> Result<(*mut Free, usize)> {
        if self.chains.is_null() {
            return self.chunks.carve();
        }
        let chain = self.chains;
        // SAFETY: chains in the depot are well-formed lists of free blocks.
        unsafe {
            self.chains = (*chain).next_chain;
            self.blocks -= (*chain).len;
            Ok((chain, (*chain).len))
        }
    }

    pub(super) fn put(&mut self, chain: *mut Free, len: usize) {
        // SAFETY: the chain is the caller's to give.
        unsafe { ((*chain).next_chain, (*chain).len) = (self.chains, len) };
        self.chains = chain;
        self.blocks += len;
        // A trim looks at every free block, so it waits until half of all blocks are free: then each block is looked at once
        // or twice on the way from a spike down, however high that was.
        if self.blocks > self.trim_above && self.blocks > self.chunks.carved() / 2 {
            self.trim();
        }
    }

    #[cold]
    fn trim(&mut self) {
        // SAFETY: all chains are lists of free blocks from our chunks.
        (self.chains, self.blocks) = unsafe { self.chunks.give_back(self.chains, self.blocks) };
        self.trim_above = (self.blocks * 2).max(self.chunks.kept() * 2);
    }
}

/// The addresses of the nodes in the depot, and how many there are anywhere. Called by models.
#[cfg(all(test, loom))]
pub(crate) fn free_nodes() -> (Vec<usize>, usize) {
    let depot = lock(Size::Node);
    let mut free = Vec::new();
    // SAFETY: chains in the depot are well-formed.
    unsafe { super::chunk::each_block(depot.chains, |block| free.extend([block.addr()])) };
    assert_eq!(free.len(), depot.blocks);
    (free, depot.chunks.carved())
}

pub(crate) fn lock_for_fork() {
    DEPOTS.iter().for_each(ForkLock::lock_for_fork);
}

pub(crate) fn unlock_after_fork() {
    DEPOTS.iter().for_each(ForkLock::unlock_after_fork);
}
