//! Chunks: where the memory of nodes and blocks comes from and goes back to. Called by `task::depot`, under a depot's lock.

use super::depot::{Free, CHAIN};
use super::node::Node;
use crate::status::Result;
use crate::sync::MODEL;
use std::mem::size_of;

/// A power of two. In a model there is room for few nodes: the chunks that are no node's are not used there.
const CHUNK: usize = if MODEL { 2 * size_of::<Node>().next_power_of_two() } else { 2 << 20 };
/// Bytes of free blocks of one size that trimming leaves with the process.
const KEPT: usize = if MODEL { 0 } else { 32 << 20 };

/// The beginning of a chunk.
struct Header {
    /// All chunks, newest first.
    next: *mut Header,
    /// Chunks without pages, to be carved again.
    next_empty: *mut Header,
    /// While trimming: how many of its blocks are in the depot.
    free: usize,
}

/// The chunks of one size of block.
pub(super) struct Chunks {
    /// Bytes of a block: a power of two, and room for a [`Free`].
    bytes: usize,
    all: *mut Header,
    empty: *mut Header,
    /// What is left to carve of the current chunk.
    next: *mut u8,
    left: usize,
    /// Blocks of chunks that have their pages.
    carved: usize,
}

impl Chunks {
    pub(super) const fn new(bytes: usize) -> Chunks {
        const NONE: *mut Header = std::ptr::null_mut();
        Chunks { bytes, all: NONE, empty: NONE, next: std::ptr::null_mut(), left: 0, carved: 0 }
    }

    /// Blocks' worth of memory at the beginning of a chunk that its header takes.
    const fn header_blocks(&self) -> usize {
        size_of::<Header>().div_ceil(self.bytes)
    }

    /// Blocks in a chunk.
    const fn per_chunk(&self) -> usize {
        CHUNK / self.bytes - self.header_blocks()
    }

    /// Free blocks that trimming leaves with the process.
    pub(super) const fn kept(&self) -> usize {
        KEPT / self.bytes
    }

    /// Blocks that there are, free or not.
    pub(super) const fn carved(&self) -> usize {
        self.carved
    }

    /// A chain of fresh blocks, with its length.
    pub(super) fn carve(&mut self) -> Result<(*mut Free, usize)> {
        if self.left == 0 {
            let chunk = self.chunk()?;
            self.next = chunk.cast::<u8>().wrapping_add(self.header_blocks() * self.bytes);
            self.left = self.per_chunk();
        }
        let len = self.left.min(CHAIN);
        let first = self.next.cast::<Free>();
        for i in 0..len {
            let block = self.next.cast::<Free>();
            self.next = self.next.wrapping_add(self.bytes);
            let next = if i + 1 < len { self.next.cast() } else { std::ptr::null_mut() };
            // SAFETY: inside the chunk, not handed out.
            unsafe { (*block).next = next };
        }
        self.left -= len;
        self.carved += len;
        Ok((first, len))
    }

    /// A chunk of which every block is to be carved.
    fn chunk(&mut self) -> Result<*mut Header> {
        if !self.empty.is_null() {
            let chunk = self.empty;
            // SAFETY: headers keep their pages.
            self.empty = unsafe { (*chunk).next_empty };
            return Ok(chunk);
        }
        let chunk = system::map_aligned()?.cast::<Header>();
        // SAFETY: the mapping is fresh and CHUNK bytes long.
        unsafe {
            system::advise(chunk.cast(), self.all.is_null());
            chunk.write(Header { next: self.all, next_empty: std::ptr::null_mut(), free: 0 });
        }
        self.all = chunk;
        Ok(chunk)
    }

    /// Drops the pages of chunks that are wholly in the depot, but for as many as are kept; returns the chains that stay.
    ///
    /// # Safety
    /// `chains` are lists of free blocks of these chunks, `blocks` of them.
    pub(super) unsafe fn give_back(&mut self, chains: *mut Free, blocks: usize) -> (*mut Free, usize) {
        let (all, kept) = (self.per_chunk(), self.kept());
        // SAFETY: this function's contract; headers are valid for the process's life.
        unsafe {
            self.each_chunk(|chunk| (*chunk).free = 0);
            each_block(chains, |block| (*header(block)).free += 1);
            let mut left = blocks;
            let mut empty = self.empty;
            self.each_chunk(|chunk| {
                // The chunk that is being carved never counts all, since its rest was not in any list.
                if (*chunk).free == all && left.saturating_sub(all) >= kept {
                    left -= all;
                    (*chunk).next_empty = empty;
                    empty = chunk;
                } else {
                    (*chunk).free = 0;
                }
            });
            let kept = rebuild(chains);
            let mut chunk = empty;
            while chunk != self.empty {
                system::drop_pages(chunk.cast());
                (*chunk).free = 0;
                chunk = (*chunk).next_empty;
            }
            self.empty = empty;
            self.carved -= blocks - left;
            (kept, left)
        }
    }

    /// # Safety
    /// Headers are valid.
    unsafe fn each_chunk(&self, mut visit: impl FnMut(*mut Header)) {
        let mut chunk = self.all;
        while !chunk.is_null() {
            visit(chunk);
            // SAFETY: this function's contract.
            chunk = unsafe { (*chunk).next };
        }
    }
}

fn header(block: *mut Free) -> *mut Header {
    block.map_addr(|address| address & !(CHUNK - 1)).cast()
}

/// Visits every block of every chain; the visitor may overwrite it.
///
/// # Safety
/// Well-formed chains.
pub(super) unsafe fn each_block(mut chain: *mut Free, mut visit: impl FnMut(*mut Free)) {
    while !chain.is_null() {
        // SAFETY: this function's contract; links are read before the visit.
        unsafe {
            let next_chain = (*chain).next_chain;
            let mut block = chain;
            while !block.is_null() {
                let next = (*block).next;
                visit(block);
                block = next;
            }
            chain = next_chain;
        }
    }
}

/// New chains of the blocks whose chunk is not marked to go (`free` is 0 in those that stay).
///
/// # Safety
/// Well-formed chains.
unsafe fn rebuild(chains: *mut Free) -> *mut Free {
    let (mut done, mut current, mut len) = (std::ptr::null_mut::<Free>(), std::ptr::null_mut::<Free>(), 0);
    // SAFETY: blocks are free memory that this function alone links.
    unsafe {
        each_block(chains, |block| {
            if (*header(block)).free != 0 {
                return;
            }
            (*block).next = current;
            current = block;
            len += 1;
            if len == CHAIN {
                ((*current).next_chain, (*current).len) = (done, len);
                (done, current, len) = (current, std::ptr::null_mut(), 0);
            }
        });
        if !current.is_null() {
            ((*current).next_chain, (*current).len) = (done, len);
            done = current;
        }
    }
    done
}

/// Memory as the system gives it.
#[cfg(not(any(loom, shuttle)))]
mod system {
    use super::CHUNK;
    use crate::status::{Result, NO_MEMORY};

    /// Huge pages, but for the `first` chunk.
    ///
    /// # Safety
    /// From `map_aligned`.
    pub(super) unsafe fn advise(chunk: *mut u8, first: bool) {
        let advice = if first { libc::MADV_NOHUGEPAGE } else { libc::MADV_HUGEPAGE };
        // SAFETY: this function's contract; advice may be refused without harm.
        unsafe { libc::madvise(chunk.cast(), CHUNK, advice) };
    }

    /// The header's page stays. DONTNEED keeps the mapping: these addresses remain ours.
    ///
    /// # Safety
    /// From `map_aligned`; nobody needs what is behind the header.
    pub(super) unsafe fn drop_pages(chunk: *mut u8) {
        const PAGE: usize = 4096;
        // SAFETY: this function's contract.
        unsafe { libc::madvise(chunk.add(PAGE).cast(), CHUNK - PAGE, libc::MADV_DONTNEED) };
    }

    /// CHUNK bytes at a multiple of CHUNK.
    pub(super) fn map_aligned() -> Result<*mut u8> {
        // SAFETY: an anonymous mapping of twice the size, of which the ends are given back; nobody knows these addresses yet.
        unsafe {
            let start = libc::mmap(
                std::ptr::null_mut(),
                2 * CHUNK,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            );
            if start == libc::MAP_FAILED {
                return Err(NO_MEMORY);
            }
            let aligned = start.map_addr(|address| address.next_multiple_of(CHUNK));
            let before = aligned.addr() - start.addr();
            if before != 0 {
                libc::munmap(start, before);
            }
            libc::munmap(aligned.cast::<u8>().add(CHUNK).cast(), CHUNK - before);
            Ok(aligned.cast())
        }
    }
}

/// The same in models: from malloc, and given back at the end of an execution.
#[cfg(any(loom, shuttle))]
mod system {
    use super::{Chunks, Header, CHUNK};
    use crate::alloc::{free_raw, try_raw};
    use crate::status::Result;
    use std::alloc::Layout;
    use std::ptr::NonNull;

    pub(super) unsafe fn advise(_: *mut u8, _: bool) {}

    pub(super) unsafe fn drop_pages(chunk: *mut u8) {
        // SAFETY: the caller's contract.
        unsafe { chunk.add(size_of::<Header>()).write_bytes(0, CHUNK - size_of::<Header>()) };
    }

    pub(super) fn map_aligned() -> Result<*mut u8> {
        try_raw(layout()).map(NonNull::as_ptr)
    }

    fn layout() -> Layout {
        Layout::from_size_align(CHUNK, CHUNK).expect("a power of two")
    }

    impl Drop for Chunks {
        fn drop(&mut self) {
            while let Some(chunk) = NonNull::new(self.all) {
                // SAFETY: from `map_aligned`; nobody is left who uses it.
                unsafe {
                    self.all = (*chunk.as_ptr()).next;
                    free_raw(chunk.cast(), layout());
                }
            }
        }
    }
}
