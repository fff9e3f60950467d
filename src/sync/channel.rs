//! What models have instead of crossbeam's channel, of which the core uses little: one token that is put and taken without
//! waiting. Called by `completion_queue`.

use super::{AtomicU32, Ordering::*};
use std::sync::Arc;

pub(crate) struct Sender<T>(Arc<Slot<T>>);
pub(crate) struct Receiver<T>(Arc<Slot<T>>);

/// 1 when the token is there.
struct Slot<T>(AtomicU32, std::marker::PhantomData<fn(T)>);

/// A channel for one token.
pub(crate) fn bounded<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    assert_eq!((room, std::mem::size_of::<T>()), (1, 0), "a channel for one token");
    let slot = Arc::from(Slot(AtomicU32::new(0), std::marker::PhantomData));
    (Sender(slot.clone()), Receiver(slot))
}

impl<T> Sender<T> {
    /// An error if the token is there already.
    pub(crate) fn try_send(&self, _: T) -> Result<(), ()> {
        match (self.0).0.swap(1, AcqRel) {
            0 => Ok(()),
            _ => Err(()),
        }
    }
}

impl<T> Receiver<T> {
    /// An error if there is no token.
    pub(crate) fn try_recv(&self) -> Result<(), ()> {
        match (self.0).0.swap(0, AcqRel) {
            0 => Err(()),
            _ => Ok(()),
        }
    }
}
