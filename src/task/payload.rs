//! Payloads: room beside a node for a value of the submitter's, who makes it there before the task is launched. Called by
//! `launch`, `completion` (a cancel) and `task::handle` (a node's end).
//!
//! A small payload lies behind its node, in a block of recycled memory. A large one, or one aligned to more than a cache
//! line, has an allocation of its own, which goes as soon as the payload has been dropped: the node may have to stay for
//! longer, for its entry in a queue.
//!
//! # Proof sketch: launching against everything else
//!
//! * *One launcher.* `begin_launch` clears UNLAUNCHED by a CAS that expects it, and only the winner writes `func` and `drop`.
//! * *A refused launch leaves no trace.* Until the entry is in a queue the launch may be refused. Who does not hold the
//!   entry (waits, observers, cancels, inline runs) acts only if `is_launched`. That answers yes only when the entry has been
//!   published: `launched` is stored after that, and the state leaves PENDING only by who took the entry, or by somebody who
//!   has had the answer yes. So whoever takes a launch back finds the node as it was.
//! * *What the launcher wrote is seen*: through the queue by who takes the entry; by the others through `launched`, a Release
//!   store and an Acquire load.
//! * *A payload is dropped once.* It is ended by the author of the transition to CANCELLED, who has a reference, or by the
//!   holder of the last one; what the first did happens before the second by the counting of references.

use super::depot::Size;
use super::node::Node;
use super::pool::{alloc_block, free_block};
use super::state::*;
use super::{DropFn, TaskFn};
use crate::alloc::{free_raw, try_raw};
use crate::status::{Result, NO_MEMORY};
use crate::sync::{AtomicU32, AtomicU64, Ordering::*, UnsafeCell, MODEL};
use crate::{current, registry};
use std::alloc::Layout;
use std::ffi::c_void;
use std::mem::size_of;
use std::ptr::NonNull;

/// A node with a payload.
#[repr(C)]
struct Block {
    node: Node,
    /// Null once the payload has ended.
    payload: UnsafeCell<*mut c_void>,
    /// Written by the launcher.
    drop: UnsafeCell<Option<DropFn>>,
    /// The number of the executor that the task is for.
    executor: u64,
    /// 1 when the task's entry has been published.
    launched: AtomicU32,
    place: Place,
}

/// Where the payload is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind the node, in a block of that size.
    Behind(Size),
    /// In an allocation of its own; the node is the beginning of an [`Apart`].
    Apart,
}

/// What the launcher keeps of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// Its future: the entry gets a reference of its own.
    Future,
    /// Nothing: the launcher's reference, the only one, becomes the entry's. Once that is published the node may be gone.
    Nothing,
}

impl Kept {
    /// What a launch adds to the state word.
    fn gain(self) -> u64 {
        match self {
            Kept::Future => REF,
            Kept::Nothing => ANONYMOUS,
        }
    }
}

/// A node whose payload is elsewhere.
#[repr(C)]
struct Apart {
    block: Block,
    layout: Layout,
}

/// What a block begins with, and the alignment of what follows: a cache line.
const HEAD: usize = 2 * size_of::<Node>();

const _: () = assert!(size_of::<Apart>() <= Size::Small.bytes() && (MODEL || size_of::<Block>() == HEAD));

impl Place {
    /// With a block that malloc cannot tell from its neighbours a tool would miss what runs over the payload's end, so where
    /// nodes come from malloc the payload is always apart.
    #[inline]
    fn of(size: usize, align: usize) -> Place {
        if cfg!(any(loom, shuttle, feature = "plain-malloc")) || align > HEAD {
            return Place::Apart;
        }
        match size {
            _ if size <= Size::Small.bytes() - HEAD => Place::Behind(Size::Small),
            _ if size <= Size::Large.bytes() - HEAD => Place::Behind(Size::Large),
            _ => Place::Apart,
        }
    }

    /// The size of the block that begins with the node.
    fn block(self) -> Size {
        match self {
            Place::Behind(size) => size,
            Place::Apart => Size::Small,
        }
    }
}

impl Block {
    fn new(id: u32, executor: u64, payload: *mut c_void, place: Place) -> Block {
        Block {
            node: Node {
                state: AtomicU64::new(REF | PAYLOAD | UNLAUNCHED | (u64::from(id) << ID_SHIFT) | PENDING),
                func: UnsafeCell::new(std::ptr::null_mut()),
                value: UnsafeCell::new(payload),
                observers: UnsafeCell::new(std::ptr::null_mut()),
            },
            payload: UnsafeCell::new(payload),
            drop: UnsafeCell::new(None),
            executor,
            launched: AtomicU32::new(0),
            place,
        }
    }
}

/// A node that is to be launched, with one reference, and its payload: `size` bytes at a multiple of `align`, a power of two.
/// `id` and `executor` are the executor's id and number.
#[inline]
pub(crate) fn prepare(id: u32, executor: u64, size: usize, align: usize) -> Result<(NonNull<Node>, *mut c_void)> {
    let place = Place::of(size, align);
    if place == Place::Apart {
        return prepare_apart(id, executor, size, align);
    }
    let memory = alloc_block(place.block())?;
    // SAFETY: the block is ours and longer than HEAD, which is as long as a Block.
    unsafe {
        let payload = memory.add(HEAD).as_ptr().cast();
        memory.cast().write(Block::new(id, executor, payload, place));
        Ok((memory.cast(), payload))
    }
}

#[cold]
fn prepare_apart(id: u32, executor: u64, size: usize, align: usize) -> Result<(NonNull<Node>, *mut c_void)> {
    // Even a payload of no bytes has an address of its own.
    let layout = Layout::from_size_align(size.max(1), align).map_err(|_| NO_MEMORY)?;
    let payload = try_raw(layout)?;
    match alloc_block(Place::Apart.block()) {
        Ok(memory) => {
            let block = Block::new(id, executor, payload.as_ptr().cast(), Place::Apart);
            // SAFETY: the block is ours, and long enough (asserted above).
            unsafe { memory.cast().write(Apart { block, layout }) };
            Ok((memory.cast(), payload.as_ptr().cast()))
        }
        Err(error) => {
            // SAFETY: nobody has seen the payload.
            unsafe { free_raw(payload, layout) };
            Err(error)
        }
    }
}

/// Takes the memory of a node with a payload back.
///
/// # Safety
/// From `prepare`; the payload has ended; not used again.
pub(super) unsafe fn free(node: NonNull<Node>) {
    let block = node.cast::<Block>();
    // SAFETY: this function's contract.
    unsafe {
        let size = block.as_ref().place.block();
        block.drop_in_place();
        free_block(block.cast(), size);
    }
}

impl Node {
    /// The block of a node that has PAYLOAD.
    fn block(&self) -> &Block {
        // SAFETY: PAYLOAD, which never changes, says that this node is the beginning of a Block.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    /// The number of the executor that a prepared task is for; `None` for a task that was not prepared, or has been launched
    /// by now.
    pub(crate) fn prepared_for(&self) -> Option<u64> {
        // Relaxed: `begin_launch` looks again.
        (self.state.load(Relaxed) & UNLAUNCHED != 0).then(|| self.block().executor)
    }

    /// Makes the caller the task's launcher, and gives it the reference of the entry to be published. False: somebody else
    /// is or was, or has a reference where there must be no other.
    ///
    /// # Safety
    /// The caller has a reference. What it says next is `end_launch` or `take_back_launch`; if the task keeps no future and
    /// was published, nothing.
    pub(crate) unsafe fn begin_launch(&self, func: TaskFn, drop: Option<DropFn>, kept: Kept) -> bool {
        let mut seen = self.state.load(Relaxed);
        loop {
            if seen & UNLAUNCHED == 0 || (kept == Kept::Nothing && references(seen) != 1) {
                return false;
            }
            // Acquire: pairs with `take_back_launch`, whose author wrote the fields before us.
            match self.state.compare_exchange_weak(seen, seen - UNLAUNCHED + kept.gain(), Acquire, Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        // SAFETY: we are the launcher, and nobody reads these before they know that the task is launched.
        self.func.with_mut(|f| unsafe { *f = func as *mut () });
        // SAFETY: as above.
        self.block().drop.with_mut(|d| unsafe { *d = drop });
        true
    }

    /// The entry has been published.
    pub(crate) fn end_launch(&self) {
        // Release: whoever finds the task launched sees its function and hook.
        self.block().launched.store(1, Release);
    }

    /// The launch was refused: the task is to be launched as before.
    ///
    /// # Safety
    /// The caller began the launch, and has published nothing.
    pub(crate) unsafe fn take_back_launch(&self, kept: Kept) {
        // Release: for the next launcher. It is not the last reference: the caller has the one it came with.
        self.state.fetch_add(UNLAUNCHED.wrapping_sub(kept.gain()), Release);
    }

    /// Whether the task is or was in a queue, as all but prepared ones are from the start: then it may be waited for,
    /// cancelled, run.
    #[inline]
    pub(crate) fn is_launched(&self) -> bool {
        let word = self.word();
        // Acquire: pairs with `end_launch`.
        word & PAYLOAD == 0 || word & STATE != PENDING || self.block().launched.load(Acquire) != 0
    }

    /// Lets a payload go, if there is one and it is there still: drops it, unless it is still the submitter's or the parent
    /// process's, and frees its own memory.
    ///
    /// # Safety
    /// The caller cancelled the task and has a reference, or nobody but it uses the node.
    pub(crate) unsafe fn end_payload(&self) {
        let word = self.word();
        if word & PAYLOAD == 0 {
            return;
        }
        let block = self.block();
        // SAFETY: this function's contract; see the module's text for why it is us alone.
        let payload = block.payload.with_mut(|p| unsafe { p.replace(std::ptr::null_mut()) });
        let Some(payload) = NonNull::new(payload) else { return };
        if word & UNLAUNCHED == 0 && !registry::is_foreign(executor_id(word)) {
            // SAFETY: launched, so the hook has been written.
            if let Some(drop) = block.drop.with(|d| unsafe { *d }) {
                // SAFETY: the user's hook, with the user's value, once.
                current::outside_task(|| unsafe { drop(payload.as_ptr()) });
            }
        }
        if block.place == Place::Apart {
            // SAFETY: such a block is an Apart; nobody uses the payload any more.
            unsafe { free_raw(payload.cast(), (*std::ptr::from_ref(block).cast::<Apart>()).layout) };
        }
    }

    /// Whether the end of the node would make user code run, or other memory go.
    ///
    /// # Safety
    /// Nobody ends the payload at the same time.
    pub(super) unsafe fn has_hooks(&self, word: u64) -> bool {
        // SAFETY: this function's contract.
        word & (EXTRA | FAILED) != 0 || (word & PAYLOAD != 0 && !self.block().payload.with(|p| unsafe { *p }).is_null())
    }
}
