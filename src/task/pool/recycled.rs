//! A thread's own free blocks, and their way to the depot and from it: what `pool` is in the library.

use super::super::depot::{self, Depot, Free, CHAIN};
use super::*;
use crate::sync::{per_thread, MODEL};
#[cfg(not(any(loom, shuttle)))]
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

per_thread! {
    static CACHES: [Cache; Size::ALL.len()] = [Cache::new(Size::Node), Cache::new(Size::Small), Cache::new(Size::Large)];
}

/// The calling thread's cache of a size.
#[inline(always)]
fn cache<R>(size: Size, look: impl FnOnce(&Cache) -> R) -> R {
    #[cfg(any(loom, shuttle))] // Whose threads share one OS thread, and with it its words.
    return CACHES.with(|caches| look(&caches[size as usize]));
    #[cfg(not(any(loom, shuttle)))]
    // SAFETY: the calling thread's caches, which are there until the thread is gone: they have no destructor.
    look(unsafe { &(&*caches())[size as usize] })
}

#[cfg(not(any(loom, shuttle)))]
#[inline(always)]
fn caches() -> *const [Cache; Size::ALL.len()] {
    let caches = tls::get::<[Cache; Size::ALL.len()]>(Word::Nodes);
    if caches.is_null() {
        return first_look();
    }
    caches
}

#[cfg(not(any(loom, shuttle)))]
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
        Cache { size, head: Cell::new(NONE), len: Cell::new(0), spare: Cell::new(NONE), limit: Cell::new(UNREGISTERED) }
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
        if MODEL {
            return self.limit.set(CHAIN);
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

/// The end of a model's thread, which has no keys. Called by models.
#[cfg(all(test, loom))]
pub(crate) fn end_thread() {
    for size in Size::ALL {
        cache(size, |cache| {
            if cache.limit.get() != UNREGISTERED {
                // SAFETY: the calling thread's own.
                unsafe { flush(std::ptr::from_ref(cache).cast_mut().cast()) };
            }
        });
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
