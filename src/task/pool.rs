//! Recycled memory of nodes, of blocks that begin with a node, and of records no larger than one. Called by `executor` (a node
//! for a submission), `task::payload` (a block), `completion` (a done callback) and `task::handle` (a node's end).
//!
//! A task's memory is allocated on one thread and freed on another, the case in which general allocators are slowest.
//! There are few sizes of block, so here those of one size travel in chains of 128: each thread has a free list of its own
//! and one full chain in reserve; what is too much goes to the depot, what is missing comes from there, one lock for 128
//! blocks.
//!
//! Memory comes from the system in chunks of 2 MiB, aligned, asked to be huge pages (page faults otherwise cost a
//! submission 16 to 33 ns) but for the first, so that a program with few tasks touches few pages. It goes back when the
//! depot of a size holds more than 64 MiB, and half of all there is of that size: chunks of which every block is in the
//! depot lose their pages (`MADV_DONTNEED`), down to 32 MiB. Their addresses stay mapped and are used again first: a late
//! futex wake-up may still name one.
//!
//! With the feature `plain-malloc` every node comes from malloc, for tools that watch malloc; likewise in models.

use super::depot::Size;
use super::node::Node;
use crate::status::Result;
use std::ptr::NonNull;

pub(crate) use super::depot::{lock_for_fork, unlock_after_fork};
#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
pub(crate) use plain::{alloc, free};
#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
pub(super) use plain::{alloc_block, free_block};
#[cfg(not(any(loom, shuttle, feature = "plain-malloc")))]
pub(crate) use recycled::{alloc, free};
#[cfg(not(any(loom, shuttle, feature = "plain-malloc")))]
pub(super) use recycled::{alloc_block, free_block, give_back, withdraw};

/// Memory for a record that is no larger than a node, filled with it.
pub(crate) fn alloc_record<T>(record: T) -> Result<NonNull<T>> {
    const { assert!(size_of::<T>() <= size_of::<Node>() && align_of::<T>() <= align_of::<Node>()) };
    let memory = alloc_block(Size::Node)?.cast::<T>();
    // SAFETY: a free block of ours, large and aligned enough.
    unsafe { memory.write(record) };
    Ok(memory)
}

/// Takes a record's memory back.
///
/// # Safety
/// From `alloc_record`, not used again.
pub(crate) unsafe fn free_record<T>(record: NonNull<T>) {
    // SAFETY: this function's contract.
    unsafe { free_block(record.cast(), Size::Node) };
}

#[cfg(any(loom, shuttle, feature = "plain-malloc"))]
mod plain {
    use super::*;
    use crate::alloc::{free_raw, try_raw};
    use std::alloc::Layout;

    pub(crate) fn alloc(node: Node) -> Result<NonNull<Node>> {
        crate::alloc::try_box(node).map(|node| NonNull::from(Box::leak(node)))
    }

    pub(in super::super) fn alloc_block(size: Size) -> Result<NonNull<u8>> {
        try_raw(layout(size))
    }

    /// # Safety
    /// From `alloc_block` of that size, not used again.
    pub(in super::super) unsafe fn free_block(block: NonNull<u8>, size: Size) {
        // SAFETY: this function's contract.
        unsafe { free_raw(block, layout(size)) };
    }

    fn layout(size: Size) -> Layout {
        // SAFETY: a power of two, and not too large.
        unsafe { Layout::from_size_align_unchecked(size.bytes(), align_of::<Node>()) }
    }

    /// # Safety
    /// From `alloc`, not used again.
    pub(crate) unsafe fn free(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        unsafe {
            // loom does not watch memory that goes, but a write: whoever may still read the node races with this one.
            #[cfg(loom)]
            node.as_ref().value.with_mut(|value| *value = std::ptr::null_mut());
            drop(Box::from_raw(node.as_ptr()));
        }
    }
}

#[cfg_attr(any(loom, shuttle, feature = "plain-malloc"), allow(dead_code))]
mod recycled {
    use super::super::depot::{self, Depot, Free, CHAIN};
    use super::*;
    use crate::sys::tls::{self, Word};
    use std::cell::Cell;

    /// Every free goes the long way.
    const UNREGISTERED: usize = 0;

    /// What a thread keeps of one size: at most two chains' worth.
    struct Cache {
        size: Size,
        head: Cell<*mut Free>,
        /// Blocks in `head`'s list, at most CHAIN.
        len: Cell<usize>,
        /// A full chain, or null.
        spare: Cell<*mut Free>,
        /// How many blocks `head`'s list may have until a free goes the long way: CHAIN, or [`UNREGISTERED`] until it is seen to
        /// that the thread's end brings the blocks to the depot.
        limit: Cell<usize>,
    }

    thread_local! {
        static CACHES: [Cache; Size::ALL.len()] =
            const { [Cache::new(Size::Node), Cache::new(Size::Small), Cache::new(Size::Large)] };
    }

    /// The calling thread's cache of a size.
    #[inline(always)]
    fn cache<R>(size: Size, look: impl FnOnce(&Cache) -> R) -> R {
        let mut caches = tls::get::<[Cache; Size::ALL.len()]>(Word::Nodes);
        if caches.is_null() {
            caches = first_look();
        }
        // SAFETY: the calling thread's caches, which are there until the thread is gone: they have no destructor.
        look(unsafe { &(&*caches)[size as usize] })
    }

    #[cold]
    fn first_look() -> *const [Cache; Size::ALL.len()] {
        let caches = CACHES.with(std::ptr::from_ref);
        tls::set(Word::Nodes, caches);
        caches
    }

    /// Memory for `node`, filled with it.
    #[inline]
    pub(crate) fn alloc(node: Node) -> Result<NonNull<Node>> {
        let memory = alloc_block(Size::Node)?.cast::<Node>();
        // SAFETY: a free block of ours, large and aligned enough for a Node.
        unsafe { memory.write(node) };
        Ok(memory)
    }

    /// A block of that size, and aligned to it.
    #[inline(always)]
    pub(in super::super) fn alloc_block(size: Size) -> Result<NonNull<u8>> {
        cache(size, |cache| {
            let mut block = cache.head.get();
            if block.is_null() {
                block = cache.refill()?;
            }
            // SAFETY: `block` is a free block of ours.
            unsafe {
                cache.head.set((*block).next);
                cache.len.set(cache.len.get() - 1);
                Ok(NonNull::new_unchecked(block.cast()))
            }
        })
    }

    /// Takes a node's memory back.
    ///
    /// # Safety
    /// From `alloc`, not used again.
    #[inline(always)]
    pub(crate) unsafe fn free(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        unsafe { free_block(node.cast(), Size::Node) };
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// From `alloc_block` of that size, not used again.
    #[inline(always)]
    pub(in super::super) unsafe fn free_block(block: NonNull<u8>, size: Size) {
        cache(size, |cache| {
            if cache.len.get() >= cache.limit.get() {
                cache.make_room();
            }
            let block = block.as_ptr().cast::<Free>();
            // SAFETY: the memory is ours from here on.
            unsafe { (*block).next = cache.head.get() };
            cache.head.set(block);
            cache.len.set(cache.len.get() + 1);
        })
    }

    /// Hands over chains of free nodes, at least `n` in all: the calling thread's own first, then the depot's. What was
    /// handed over before a failure stays handed over.
    pub(in super::super) fn withdraw(n: usize, mut take: impl FnMut(*mut Free, usize)) -> Result<()> {
        cache(Size::Node, |cache| {
            let mut got = 0;
            while got < n {
                let (chain, len) = cache.chain()?;
                take(chain, len);
                got += len;
            }
            Ok(())
        })
    }

    /// Takes back what is left of the chains that [`withdraw`] handed over: a list of free nodes, at most a chain.
    ///
    /// # Safety
    /// The list is well-formed and `len` long, and not used again.
    pub(in super::super) unsafe fn give_back(list: *mut Free, len: usize) {
        cache(Size::Node, |cache| {
            if cache.head.get().is_null() {
                cache.head.set(list);
                cache.len.set(len);
                return;
            }
            let mut block = NonNull::new(list.cast::<u8>());
            while let Some(free) = block {
                // SAFETY: this function's contract; the link is read before the block changes hands.
                unsafe {
                    block = NonNull::new((*free.as_ptr().cast::<Free>()).next.cast());
                    free_block(free, Size::Node);
                }
            }
        });
    }

    impl Cache {
        const fn new(size: Size) -> Cache {
            const NONE: *mut Free = std::ptr::null_mut();
            Cache {
                size,
                head: Cell::new(NONE),
                len: Cell::new(0),
                spare: Cell::new(NONE),
                limit: Cell::new(UNREGISTERED),
            }
        }

        /// A new list for an empty one. Returns its head.
        #[cold]
        fn refill(&self) -> Result<*mut Free> {
            let (chain, len) = self.chain()?;
            self.head.set(chain);
            self.len.set(len);
            Ok(chain)
        }

        /// A chain with its length: what is left of the list, the spare chain, one of the depot's, or fresh memory.
        fn chain(&self) -> Result<(*mut Free, usize)> {
            let list = self.head.replace(std::ptr::null_mut());
            if !list.is_null() {
                return Ok((list, self.len.replace(0)));
            }
            let spare = self.spare.replace(std::ptr::null_mut());
            if !spare.is_null() {
                return Ok((spare, CHAIN));
            }
            let mut depot = depot::lock(self.size);
            self.register(&mut depot);
            depot.take()
        }

        /// A full list becomes the spare chain; the former one goes to the depot. A list is put aside when it would overflow,
        /// not when it is full: so a thread that frees and allocates by turns comes to the depot's lock once in CHAIN
        /// blocks at most, wherever it stands.
        #[cold]
        fn make_room(&self) {
            let mut former = std::ptr::null_mut();
            if self.len.get() == CHAIN {
                former = self.spare.replace(self.head.replace(std::ptr::null_mut()));
                self.len.set(0);
            }
            if self.limit.get() == UNREGISTERED || !former.is_null() {
                let mut depot = depot::lock(self.size);
                self.register(&mut depot);
                if !former.is_null() {
                    depot.put(former, CHAIN);
                }
            }
        }

        /// Sees to it that the thread's end empties the cache. Where the system has no key or memory for that, the blocks
        /// of this thread are lost when it ends: at most 256 of each size.
        #[inline(never)]
        fn register(&self, depot: &mut Depot) {
            if self.limit.get() != UNREGISTERED {
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
                // SAFETY: the key exists; the value is for `flush`.
                let rc = unsafe { libc::pthread_setspecific(key, std::ptr::from_ref(self).cast()) };
                self.limit.set(if rc == 0 { CHAIN } else { UNREGISTERED });
            }
        }
    }

    /// The end of a thread that has blocks of a size. Later hooks of the same thread may use the cache again; then this runs
    /// again.
    unsafe extern "C" fn flush(cache: *mut std::ffi::c_void) {
        // SAFETY: `register` gave the cache of the thread that ends, which is there until the thread is gone.
        let cache = unsafe { &*cache.cast::<Cache>() };
        let mut depot = depot::lock(cache.size);
        let spare = cache.spare.replace(std::ptr::null_mut());
        if !spare.is_null() {
            depot.put(spare, CHAIN);
        }
        let rest = cache.head.replace(std::ptr::null_mut());
        if !rest.is_null() {
            depot.put(rest, cache.len.get());
        }
        cache.len.set(0);
        cache.limit.set(UNREGISTERED);
    }
}
