//! The records of a completion queue, in doubly linked lists. Called by `completion_queue`, under its lock.

use super::CompletionQueue;
use crate::task::observer::Observer;
use crate::task::Future;

/// A future on its way through the queue.
#[repr(C)]
pub(super) struct Record {
    pub(super) observer: Observer,
    pub(super) queue: *const CompletionQueue,
    pub(super) future: Future,
    pub(super) tag: u64,
    pub(super) previous: *mut Record,
    pub(super) next: *mut Record,
}

/// A doubly linked list of records.
pub(super) struct List {
    pub(super) first: *mut Record,
    last: *mut Record,
}

impl List {
    pub(super) const EMPTY: List = List { first: std::ptr::null_mut(), last: std::ptr::null_mut() };

    /// # Safety
    /// `record` is in no list and alive while it is in this one.
    pub(super) unsafe fn append(&mut self, record: *mut Record) {
        // SAFETY: this function's contract.
        unsafe {
            (*record).previous = self.last;
            (*record).next = std::ptr::null_mut();
            match self.last.is_null() {
                true => self.first = record,
                false => (*self.last).next = record,
            }
        }
        self.last = record;
    }

    /// # Safety
    /// `record` is in this list.
    pub(super) unsafe fn remove(&mut self, record: *mut Record) {
        // SAFETY: this function's contract.
        unsafe {
            let (previous, next) = ((*record).previous, (*record).next);
            match previous.is_null() {
                true => self.first = next,
                false => (*previous).next = next,
            }
            match next.is_null() {
                true => self.last = previous,
                false => (*next).previous = previous,
            }
        }
    }

    /// # Safety
    /// The records are the caller's to take.
    pub(super) unsafe fn take_first(&mut self) -> Option<Box<Record>> {
        let first = self.first;
        if first.is_null() {
            return None;
        }
        // SAFETY: this function's contract.
        unsafe {
            self.remove(first);
            Some(Box::from_raw(first))
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Future> {
        // SAFETY: records are alive while they are in the list.
        let records = std::iter::successors(unsafe { self.first.as_ref() }, |r| unsafe { r.next.as_ref() });
        records.map(|record| &record.future)
    }
}
