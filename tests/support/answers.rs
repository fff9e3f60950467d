//! What comes out: of futures, waits, completion queues and maps.

use super::*;
use std::ffi::CStr;
use std::ops::Deref;
use std::ptr::NonNull;
use tpexec::completion_queue::CompletionQueue;
use tpexec::map::{Map, MapItem};
use tpexec::status::{Result, Status};
use tpexec::task::{Future, Node};
use tpexec::wait::{self, Timeout, WaitFor, WaitOutcome};

/// The status of a call that must fail.
#[track_caller]
pub fn refused<T>(answer: Result<T>) -> Status {
    answer.err().expect("a refusal").status
}

/// Asking futures.
pub trait Ask {
    fn node(&self) -> &Node;

    /// The result of a task that succeeds.
    #[track_caller]
    fn get(&self) -> usize {
        wait::result(self.node(), FOREVER).unwrap().addr()
    }

    /// How result ends when it does not succeed.
    #[track_caller]
    fn refusal(&self) -> Status {
        refused(wait::result(self.node(), FOREVER))
    }

    /// Either of the two.
    fn refusal_or_value(&self) -> std::result::Result<usize, Status> {
        wait::result(self.node(), FOREVER).map(|value| value.addr()).map_err(|error| error.status)
    }

    /// Calls `f` when the task is done.
    fn on_done<F: FnOnce(&Node) + Send + 'static>(&self, f: F) {
        unsafe extern "C-unwind" fn call<F: FnOnce(&Node)>(node: *mut Node, data: Ptr) {
            unsafe { Box::from_raw(data.cast::<F>())(&*node) }
        }
        unsafe { self.node().add_done_callback(call::<F>, Box::into_raw(Box::new(f)).cast()).unwrap() };
    }
}

impl Ask for Node {
    fn node(&self) -> &Node {
        self
    }
}

impl Ask for Future {
    fn node(&self) -> &Node {
        self
    }
}

pub fn nodes(futures: &[Future]) -> Vec<*const Node> {
    futures.iter().map(|future| std::ptr::from_ref::<Node>(future)).collect()
}

pub fn wait_for(futures: &[Future], timeout: Timeout, what: WaitFor) -> Result<WaitOutcome> {
    unsafe { wait::wait(&nodes(futures), timeout, what) }
}

#[track_caller]
pub fn wait_all(futures: &[Future]) {
    let outcome = wait_for(futures, FOREVER, WaitFor::AllCompleted).unwrap();
    assert_eq!(outcome, WaitOutcome { n_done: futures.len(), timed_out: false });
}

/// A completion queue that frees itself.
pub struct Queue(pub NonNull<CompletionQueue>);

unsafe impl Send for Queue {}
unsafe impl Sync for Queue {}

impl Queue {
    pub fn new() -> Queue {
        Queue(CompletionQueue::new().unwrap())
    }

    pub fn as_completed(futures: &[Future]) -> Queue {
        unsafe { Queue(CompletionQueue::filled(&nodes(futures)).unwrap()) }
    }

    /// The tag of the next one; `None` at the end.
    #[track_caller]
    pub fn tag(&self) -> Option<u64> {
        self.next(FOREVER).unwrap().map(|(_, tag)| tag)
    }
}

impl Deref for Queue {
    type Target = CompletionQueue;
    fn deref(&self) -> &CompletionQueue {
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        unsafe { CompletionQueue::free(self.0) };
    }
}

/// An ordered map that frees itself.
pub struct Mapping(pub NonNull<Map>);

unsafe impl Send for Mapping {}
unsafe impl Sync for Mapping {}

impl Deref for Mapping {
    type Target = Map;
    fn deref(&self) -> &Map {
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unsafe { Map::free(self.0) };
    }
}

/// What a map gave, in a form to compare.
#[derive(PartialEq, Eq, Debug)]
pub enum Given {
    Value(usize),
    /// The task ended in another way.
    Ended(Status),
    /// It could not be submitted.
    Refused(Status),
    /// Nothing came out.
    Failed(Status),
    End,
}

pub fn given(map: &Map, timeout: Timeout) -> Given {
    match map.next(timeout) {
        MapItem::Done(future) => match wait::result(&future, POLL) {
            Ok(value) => Given::Value(value.addr()),
            Err(error) => Given::Ended(error.status),
        },
        MapItem::Refused(error) => Given::Refused(error.status),
        MapItem::Failed(error) => Given::Failed(error.status),
        MapItem::End => Given::End,
    }
}

pub unsafe fn text<'a>(message: *const std::ffi::c_char) -> &'a str {
    unsafe { CStr::from_ptr(message) }.to_str().unwrap()
}
