//! Recycled node memory. Called by `executor` (a node for a submission) and `task::handle` (a node's end).
//!
//! A task's memory is allocated on one thread and freed on another, the case in which general allocators are slowest.
//! Nodes are all alike, so here they travel in chains of 128: each thread has a free list of its own and one full chain in
//! reserve; what is too much goes to the depot, what is missing comes from there, one lock for 128 nodes.
//!
//! Memory comes from the system in chunks of 2 MiB, aligned, asked to be huge pages (page faults otherwise cost a
//! submission 16 to 33 ns) but for the first, so that a program with few tasks touches few pages. It goes back when the
//! depot holds more than 64 MiB: chunks of which every node is in the depot lose their pages (`MADV_DONTNEED`), down to
//! 32 MiB. Their addresses stay mapped and are used again first: a late futex wake-up may still name one.
//!
//! With the feature `plain-malloc` every node comes from malloc, for tools that watch malloc; likewise under loom.

use super::node::Node;
use crate::status::Result;
use std::ptr::NonNull;

#[cfg(any(loom, feature = "plain-malloc"))]
pub(crate) use plain::{alloc, free};
#[cfg(not(any(loom, feature = "plain-malloc")))]
pub(crate) use recycled::{alloc, free};
pub(crate) use recycled::{lock_for_fork, unlock_after_fork};

#[cfg(any(loom, feature = "plain-malloc"))]
mod plain {
    use super::*;

    pub(crate) fn alloc(node: Node) -> Result<NonNull<Node>> {
        crate::alloc::try_box(node).map(|node| NonNull::from(Box::leak(node)))
    }

    /// # Safety
    /// From `alloc`, not used again.
    pub(crate) unsafe fn free(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        drop(unsafe { Box::from_raw(node.as_ptr()) });
    }
}

#[cfg_attr(any(loom, feature = "plain-malloc"), allow(dead_code))]
mod recycled {
    use super::super::chunk::{Chunks, NODES_KEPT};
    use super::*;
    use crate::sys::fork_lock::ForkLock;
    use crate::sys::tls::{self, Word};
    use std::cell::Cell;

    /// Nodes in a chain.
    pub(in super::super) const CHAIN: usize = 128;

    /// A node's memory while nobody uses it.
    pub(in super::super) struct Free {
        pub(in super::super) next: *mut Free,
        /// Of a chain's first node, in the depot: the next chain.
        pub(in super::super) next_chain: *mut Free,
    }

    /// What a thread keeps: at most two chains' worth.
    struct Cache {
        head: Cell<*mut Free>,
        /// Nodes in `head`'s list, at most CHAIN.
        len: Cell<usize>,
        /// A full chain, or null.
        spare: Cell<*mut Free>,
        /// The thread's end will bring the nodes to the depot.
        registered: Cell<bool>,
    }

    thread_local! {
        static CACHE: Cache = const {
            Cache {
                head: Cell::new(std::ptr::null_mut()),
                len: Cell::new(0),
                spare: Cell::new(std::ptr::null_mut()),
                registered: Cell::new(false),
            }
        };
    }

    struct Depot {
        /// Full chains, and what ending threads left (shorter ones, counted exactly).
        chains: *mut Free,
        nodes: usize,
        chunks: Chunks,
        /// Trim when `nodes` exceeds this; grows when a trim found too little, so that trimming stays cheap per node.
        trim_above: usize,
        /// A pthread key whose destructor brings a thread's nodes back; `None` until the first thread needs it.
        key: Option<libc::pthread_key_t>,
    }

    // SAFETY: the pointers are to free memory that the depot's lock guards.
    unsafe impl Send for Depot {}

    static DEPOT: ForkLock<Depot> = ForkLock::new(Depot {
        chains: std::ptr::null_mut(),
        nodes: 0,
        chunks: Chunks::new(),
        trim_above: NODES_KEPT * 2,
        key: None,
    });

    /// The calling thread's cache.
    #[inline(always)]
    fn cache<R>(look: impl FnOnce(&Cache) -> R) -> R {
        let mut cache = tls::get::<Cache>(Word::Nodes);
        if cache.is_null() {
            cache = first_look();
        }
        // SAFETY: the calling thread's cache, which is there until the thread is gone: it has no destructor.
        look(unsafe { &*cache })
    }

    #[cold]
    fn first_look() -> *const Cache {
        let cache = CACHE.with(std::ptr::from_ref);
        tls::set(Word::Nodes, cache);
        cache
    }

    /// Memory for `node`, filled with it.
    #[inline]
    pub(crate) fn alloc(node: Node) -> Result<NonNull<Node>> {
        cache(|cache| {
            let mut block = cache.head.get();
            if block.is_null() {
                block = cache.refill()?;
            }
            // SAFETY: `block` is a free node of ours, large and aligned enough for a Node.
            unsafe {
                cache.head.set((*block).next);
                cache.len.set(cache.len.get() - 1);
                let memory = block.cast::<Node>();
                memory.write(node);
                Ok(NonNull::new_unchecked(memory))
            }
        })
    }

    /// Takes a node's memory back.
    ///
    /// # Safety
    /// From `alloc`, not used again.
    #[inline(always)]
    pub(crate) unsafe fn free(node: NonNull<Node>) {
        cache(|cache| {
            let block = node.as_ptr().cast::<Free>();
            // SAFETY: the memory is ours from here on.
            unsafe { (*block).next = cache.head.get() };
            cache.head.set(block);
            cache.len.set(cache.len.get() + 1);
            if cache.len.get() == CHAIN {
                cache.put_aside();
            } else if !cache.registered.get() {
                cache.register(&mut DEPOT.lock());
            }
        })
    }

    impl Cache {
        /// A new list for an empty one: the spare chain, one of the depot's, or fresh memory. Returns its head.
        #[cold]
        fn refill(&self) -> Result<*mut Free> {
            let mut chain = self.spare.replace(std::ptr::null_mut());
            let mut len = CHAIN;
            if chain.is_null() {
                let mut depot = DEPOT.lock();
                self.register(&mut depot);
                (chain, len) = depot.take()?;
            }
            self.head.set(chain);
            self.len.set(len);
            Ok(chain)
        }

        /// A full list becomes the spare chain; the former one goes to the depot.
        #[cold]
        fn put_aside(&self) {
            let former = self.spare.replace(self.head.replace(std::ptr::null_mut()));
            self.len.set(0);
            let mut depot = DEPOT.lock();
            self.register(&mut depot);
            if !former.is_null() {
                depot.put(former, CHAIN);
            }
        }

        /// Sees to it that the thread's end empties the cache. Where the system has no key or memory for that, the nodes
        /// of this thread are lost when it ends: at most 256.
        fn register(&self, depot: &mut Depot) {
            if self.registered.get() {
                return;
            }
            if depot.key.is_none() {
                let mut key = 0;
                // SAFETY: the destructor is a function of this library, which is never unloaded.
                if unsafe { libc::pthread_key_create(&mut key, Some(flush)) } == 0 {
                    depot.key = Some(key);
                }
            }
            if let Some(key) = depot.key {
                // SAFETY: the key exists; the value is only tested for null by the system.
                let rc = unsafe { libc::pthread_setspecific(key, std::ptr::from_ref(self).cast()) };
                self.registered.set(rc == 0);
            }
        }
    }

    /// The end of a thread that has nodes. Later hooks of the same thread may use the cache again; then this runs again.
    unsafe extern "C" fn flush(_: *mut std::ffi::c_void) {
        cache(|cache| {
            let mut depot = DEPOT.lock();
            let spare = cache.spare.replace(std::ptr::null_mut());
            if !spare.is_null() {
                depot.put(spare, CHAIN);
            }
            let rest = cache.head.replace(std::ptr::null_mut());
            if !rest.is_null() {
                depot.put(rest, cache.len.get());
            }
            cache.len.set(0);
            cache.registered.set(false);
        });
    }

    impl Depot {
        /// A chain with its length.
        fn take(&mut self) -> Result<(*mut Free, usize)> {
            if self.chains.is_null() {
                return self.chunks.carve();
            }
            let chain = self.chains;
            // SAFETY: chains in the depot are well-formed lists of free nodes.
            unsafe {
                self.chains = (*chain).next_chain;
                let len = length(chain);
                self.nodes -= len;
                Ok((chain, len))
            }
        }

        fn put(&mut self, chain: *mut Free, len: usize) {
            // SAFETY: the chain is the caller's to give.
            unsafe { (*chain).next_chain = self.chains };
            self.chains = chain;
            self.nodes += len;
            if self.nodes > self.trim_above {
                self.trim();
            }
        }

        #[cold]
        fn trim(&mut self) {
            // SAFETY: all chains are lists of free nodes from our chunks.
            (self.chains, self.nodes) = unsafe { self.chunks.give_back(self.chains, self.nodes) };
            self.trim_above = (self.nodes * 2).max(NODES_KEPT * 2);
        }
    }

    /// # Safety
    /// A well-formed list of at most CHAIN nodes.
    unsafe fn length(mut chain: *mut Free) -> usize {
        let mut n = 0;
        while !chain.is_null() {
            n += 1;
            // SAFETY: this function's contract.
            chain = unsafe { (*chain).next };
        }
        n
    }

    pub(crate) fn lock_for_fork() {
        DEPOT.lock_for_fork();
    }

    pub(crate) fn unlock_after_fork() {
        DEPOT.unlock_after_fork();
    }
}

pub(super) use recycled::{Free, CHAIN};
