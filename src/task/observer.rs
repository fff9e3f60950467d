//! Observers: records that hang on a node until its task is done, and are then notified once, each.
//! Registered by `completion_queue`, `wait` and done callbacks; notified by `completion`.
//!
//! A record is the first member of whatever its owner needs with it, made when it is registered: completing a task never
//! allocates (A6). The list is last-in first-out, which makes adding one store; the end of the task turns it around.

use super::node::Node;

/// What kind of notification a record wants; waiters hear before callbacks run (K5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Our own code: quick, takes at most a leaf lock, calls no user code.
    Waiter,
    /// User code.
    Callback,
}

/// What all records of an owner have in common; apart, so that a done callback with its data is no larger than a node.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) kind: Kind,
    /// Takes the record back: after this call the list does not know it any more.
    pub(crate) notify: unsafe fn(*mut Observer, &Node),
}

#[repr(C)]
#[derive(Debug)]
pub(crate) struct Observer {
    next: *mut Observer,
    class: &'static Class,
}

impl Observer {
    pub(crate) const fn new(class: &'static Class) -> Observer {
        Observer { next: std::ptr::null_mut(), class }
    }
}

/// The records of one node, newest first while the task is not done.
#[derive(Debug)]
pub(crate) struct List(*mut Observer);

impl List {
    pub(crate) const EMPTY: List = List(std::ptr::null_mut());

    pub(crate) fn from_raw(newest: *mut Observer) -> List {
        List(newest)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// # Safety
    /// `record` is valid and in no list.
    pub(crate) unsafe fn push(head: &mut *mut Observer, record: *mut Observer) {
        // SAFETY: this function's contract; the caller owns the list by its lock bit.
        unsafe { (*record).next = *head };
        *head = record;
    }

    /// Takes `record` out, if it is there.
    ///
    /// # Safety
    /// The caller owns the list by its lock bit.
    pub(crate) unsafe fn unlink(head: &mut *mut Observer, record: *mut Observer) -> bool {
        let mut link: *mut *mut Observer = head;
        // SAFETY: every record in a list is valid until it is taken out or notified.
        unsafe {
            while !(*link).is_null() {
                if *link == record {
                    *link = (*record).next;
                    return true;
                }
                link = &raw mut (**link).next;
            }
        }
        false
    }

    /// Splits into waiters and callbacks, each oldest first.
    pub(crate) fn in_order(self) -> (List, List) {
        let (mut waiters, mut callbacks) = (List::EMPTY, List::EMPTY);
        let mut record = self.0;
        while !record.is_null() {
            // SAFETY: the task is done, so the list is ours alone; its records are valid until notified.
            unsafe {
                let next = (*record).next;
                let list = match (*record).class.kind {
                    Kind::Waiter => &mut waiters,
                    Kind::Callback => &mut callbacks,
                };
                List::push(&mut list.0, record);
                record = next;
            }
        }
        (waiters, callbacks)
    }

    /// Notifies each record, in list order.
    pub(crate) fn notify(self, node: &Node) {
        let mut record = self.0;
        while !record.is_null() {
            // SAFETY: as in `in_order`. `next` is read first, since the record is gone after its notification.
            unsafe {
                let next = (*record).next;
                ((*record).class.notify)(record, node);
                record = next;
            }
        }
    }
}
