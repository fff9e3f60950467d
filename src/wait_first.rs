//! Waiting for the first of several futures: to be done, or to fail. Called by `wait`.
//!
//! The wait registers a record with each future that is not done, all in one block; the block outlives the wait as long as
//! a completion that has begun may still touch it, so a wait that gives up does not wait for a slow callback.

use crate::alloc::{try_box, try_zeroed_slice};
use crate::current::here;
use crate::status::{Result, TIMEOUT};
use crate::sync::{AtomicU32, AtomicUsize, Ordering::*};
use crate::sys::futex;
use crate::task::listen::Added;
use crate::task::observer::{Class, Kind, Observer};
use crate::task::outcome::Outcome;
use crate::task::state::is_done;
use crate::task::Node;
use crate::wait::{help, own_pending, Timeout, WaitFor};
use std::mem::MaybeUninit;

/// One future's registration.
#[repr(C)]
struct Record {
    observer: Observer,
    block: *const Block,
}

struct Block {
    what: WaitFor,
    /// 1 when the wait is over; the waiter sleeps on it.
    over: AtomicU32,
    /// Registered futures that are not done yet.
    left: AtomicUsize,
    /// The waiter, and each record that is registered.
    references: AtomicUsize,
    records: Box<[MaybeUninit<Record>]>,
}

/// # Safety
/// Each entry points to a node that the caller has a reference to.
pub(crate) unsafe fn wait(futures: &[*const Node], timeout: Timeout, what: WaitFor) -> Result<()> {
    // SAFETY: this function's contract, here and below.
    let nodes = || futures.iter().map(|&node| unsafe { &*node });
    let left = nodes().filter(|node| !is_done(node.word())).count();
    if left == 0 || nodes().any(|node| ends(what, node)) {
        return Ok(());
    }
    nodes().try_for_each(Node::check_awaitable)?;
    if timeout == Timeout::Poll {
        return Err(TIMEOUT);
    }
    // SAFETY: `MaybeUninit` may hold anything, zeroes too.
    let records = unsafe { try_zeroed_slice(futures.len()) }?;
    let block = Box::into_raw(try_box(Block {
        what,
        over: AtomicU32::new(0),
        left: AtomicUsize::new(futures.len()),
        references: AtomicUsize::new(1 + futures.len()),
        records,
    })?);
    // SAFETY: the waiter's reference keeps the block; records are written before they are registered.
    unsafe {
        for (i, node) in nodes().enumerate() {
            let record = (&raw mut (*block).records[i]).cast::<Record>();
            record.write(Record { observer: Observer::new(&Class { kind: Kind::Waiter, notify }), block });
            if node.add_observer(record.cast()) == Added::AlreadyDone {
                notify(record.cast(), node);
            }
        }
        let ended = sleep(&*block, futures, timeout);
        for (i, node) in nodes().enumerate() {
            let record = (&raw mut (*block).records[i]).cast::<Observer>();
            if node.remove_observer(record) {
                Block::release(block);
            }
        }
        Block::release(block);
        ended
    }
}

/// Whether that future ends the wait.
fn ends(what: WaitFor, node: &Node) -> bool {
    match node.outcome() {
        None => false,
        Some(Outcome::Failed | Outcome::Broken) => true,
        Some(_) => what == WaitFor::FirstCompleted,
    }
}

/// Helps with the pending ones, in order, then sleeps.
fn sleep(block: &Block, futures: &[*const Node], timeout: Timeout) -> Result<()> {
    // Acquire: the futures that ended the wait are seen as done.
    let over = || block.over.load(Acquire) != 0;
    here(|here| {
        for &node in futures {
            // SAFETY: `wait`'s contract.
            let node = unsafe { &*node };
            if over() {
                return Ok(());
            }
            if own_pending(here, node).is_some() {
                if timeout.is_up() {
                    return Err(TIMEOUT);
                }
                help(here, node);
            }
        }
        while !over() {
            if timeout.is_up() {
                return Err(TIMEOUT);
            }
            futex::wait(&block.over, 0, timeout.deadline());
        }
        Ok(())
    })
}

/// A future is done.
unsafe fn notify(observer: *mut Observer, node: &Node) {
    // SAFETY: the record's reference keeps the block; it is given up at the end.
    unsafe {
        let block = (*observer.cast::<Record>()).block;
        // AcqRel: whoever counts down to 0 has seen all the others.
        let last = (*block).left.fetch_sub(1, AcqRel) == 1;
        if last || ends((*block).what, node) {
            (*block).over.store(1, Release);
            futex::wake(&(*block).over, 1);
        }
        Block::release(block);
    }
}

impl Block {
    /// # Safety
    /// The reference is the caller's.
    unsafe fn release(block: *const Block) {
        // SAFETY: this function's contract. AcqRel: all use happens before the end.
        unsafe {
            if (*block).references.fetch_sub(1, AcqRel) == 1 {
                drop(Box::from_raw(block.cast_mut()));
            }
        }
    }
}
