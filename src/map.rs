//! The ordered map: `f` of each argument, results in input order, with bounded lookahead. Called by `ffi`.
//! `concurrent.futures.Executor.map` with a `buffersize`.

use crate::alloc::{try_box, try_zeroed_slice};
use crate::executor::Executor;
use crate::registry::ExecutorRef;
use crate::status::{Error, Result, Status, FORKED};
use crate::sync::{AtomicU32, Ordering::*, UnsafeCell};
use crate::task::{DropFn, Future, Node, Task, TaskFn};
use crate::wait::{until_done, Timeout};
use std::ffi::c_void;
use std::ptr::NonNull;

/// See the module. C sees a `tp_map*`.
pub struct Map {
    executor: ExecutorRef,
    func: TaskFn,
    args: *const *mut c_void,
    n: usize,
    drop_result: Option<DropFn>,
    /// 1 while a thread is inside `next`.
    busy: AtomicU32,
    window: UnsafeCell<Window>,
}

// SAFETY: `window` belongs to whoever set `busy`; the user's pointers are the user's to share.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

/// The items between "submitted" and "handed out": a ring of as many as may be submitted at once.
struct Window {
    items: Box<[Item]>,
    /// The item to be handed out next, and the one to be submitted next; both count from the first argument.
    next: usize,
    submit: usize,
}

/// A submitted item: a future that the map has a reference to, or why it could not be submitted.
#[derive(Clone, Copy)]
struct Item {
    /// Null: refused.
    future: *mut Node,
    refusal: MaybeError,
}

/// An error, or nothing that is looked at; zeroed memory is valid.
type MaybeError = std::mem::MaybeUninit<Error>;

/// What `next` found.
pub enum MapItem {
    /// The next future, done.
    Done(Future),
    /// The next item could not be submitted; it is used up.
    Refused(Error),
    /// Not now; nothing has changed.
    Failed(Error),
    End,
}

impl Map {
    /// Submits the first `lookahead` items (0: all).
    ///
    /// # Safety
    /// `args` has `n` entries, which stay until the end of the iteration.
    pub unsafe fn new(
        executor: &Executor,
        func: TaskFn,
        args: *const *mut c_void,
        n: usize,
        lookahead: usize,
        drop_result: Option<DropFn>,
    ) -> Result<NonNull<Map>> {
        if executor.is_foreign() {
            return Err(FORKED);
        }
        let ahead = if lookahead == 0 { n } else { lookahead.min(n) };
        // The awaited item, and what is ahead of it.
        let room = ahead.saturating_add(1).min(n);
        // SAFETY: zero is a null future without a reason.
        let items = unsafe { try_zeroed_slice(room) }?;
        let map = try_box(Map {
            executor: ExecutorRef::new(executor),
            func,
            args,
            n,
            drop_result,
            busy: AtomicU32::new(0),
            window: UnsafeCell::new(Window { items, next: 0, submit: 0 }),
        })?;
        // SAFETY: nobody else knows the map yet.
        map.window.with_mut(|window| unsafe { map.refill(&mut *window, ahead) });
        Ok(NonNull::from(Box::leak(map)))
    }

    /// The next item in order, when it is done.
    pub fn next(&self, timeout: Timeout) -> MapItem {
        if self.executor.is_foreign() && self.busy.load(Relaxed) != 0 {
            // A thread of the parent was in here at the fork: what it left is not whole.
            return MapItem::Failed(FORKED);
        }
        // Acquire/Release on `busy`: one thread after the other may use the map.
        if self.busy.swap(1, Acquire) != 0 {
            return MapItem::Failed(Error::new(Status::InvalidState, "another thread is inside tp_map_next"));
        }
        // SAFETY: `busy` is ours.
        let item = self.window.with_mut(|window| unsafe { self.next_alone(&mut *window, timeout) });
        self.busy.store(0, Release);
        item
    }

    fn next_alone(&self, window: &mut Window, timeout: Timeout) -> MapItem {
        if window.next == self.n {
            return MapItem::End;
        }
        if !self.executor.is_foreign() {
            // The awaited one and what is ahead of it, whatever the timeout: as much as ever fits the window.
            self.refill(window, window.next.saturating_add(window.items.len()).min(self.n));
        } else if window.next == window.submit {
            return MapItem::Failed(FORKED);
        }
        let item = *window.item(window.next);
        if item.future.is_null() {
            window.next += 1;
            // SAFETY: a null future has its reason beside it.
            return MapItem::Refused(unsafe { item.refusal.assume_init() });
        }
        // SAFETY: the map's reference keeps it.
        if let Err(error) = until_done(unsafe { &*item.future }, timeout) {
            return MapItem::Failed(error);
        }
        window.next += 1;
        // SAFETY: the map's reference becomes the caller's.
        MapItem::Done(unsafe { Future::from_raw(item.future) })
    }

    /// Submits in order up to item `end`.
    fn refill(&self, window: &mut Window, end: usize) {
        while window.submit < end {
            // SAFETY: below n; the caller keeps the array.
            let arg = unsafe { *self.args.add(window.submit) };
            let task = Task { func: self.func, arg, drop_arg: None, drop_result: self.drop_result, name: None };
            let item = match self.executor.submit_task(&task) {
                Ok(future) => Item { future: future.into_raw(), refusal: MaybeError::uninit() },
                Err(error) => Item { future: std::ptr::null_mut(), refusal: MaybeError::new(error) },
            };
            *window.item(window.submit) = item;
            window.submit += 1;
        }
    }

    /// Cancels what is pending and does not wait for what runs.
    ///
    /// # Safety
    /// The map is the caller's and is not used again.
    pub unsafe fn free(map: NonNull<Map>) {
        // SAFETY: this function's contract.
        let map = unsafe { Box::from_raw(map.as_ptr()) };
        if map.executor.is_foreign() {
            std::mem::forget(map);
            return;
        }
        map.window.with_mut(|window| {
            // SAFETY: nobody else uses the map.
            let window = unsafe { &mut *window };
            // The last first: what a worker could start next is cancelled last, so little starts in the meantime.
            for i in (window.next..window.submit).rev() {
                let future = window.item(i).future;
                if !future.is_null() {
                    // SAFETY: the map's reference is ours to give.
                    unsafe { Future::from_raw(future) }.cancel();
                }
            }
        });
    }
}

impl Window {
    fn item(&mut self, i: usize) -> &mut Item {
        let room = self.items.len();
        &mut self.items[i % room]
    }
}
