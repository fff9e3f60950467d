//! The executor as a whole, with the workers, threads and thread-locals that it has in the library: submitting, shutdown and
//! waits inside of tasks (`src/executor.rs`, `submit.rs`, `lifecycle.rs`, `worker.rs`, `wait.rs`).

use super::pointer;
use crate::config::Config;
use crate::executor::Executor;
use crate::status::{Status, SHUTDOWN};
use crate::task::state::State;
use crate::task::Future;
use crate::wait::{self, Timeout};
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use loom::sync::Arc;
use loom::thread;
use std::ffi::c_void;
use std::ptr::NonNull;

/// An executor's handle, shared by the threads of a model.
#[derive(Clone, Copy)]
pub(super) struct Handle(pub(super) NonNull<Executor>);
unsafe impl Send for Handle {}

impl Handle {
    pub(super) fn new(max_workers: usize) -> Handle {
        Handle::with(Config { max_workers, ..Config::default() })
    }

    pub(super) fn with(config: Config) -> Handle {
        Handle(Executor::new(&config).unwrap())
    }

    pub(super) fn get(&self) -> &Executor {
        unsafe { self.0.as_ref() }
    }

    /// As `tp_executor_free`.
    pub(super) fn free(self) {
        unsafe { Executor::free(self.0) };
    }

    /// As `tp_executor_detach`.
    pub(super) fn detach(self) {
        unsafe { Executor::detach(self.0) };
    }
}

/// A task: counts itself.
pub(super) unsafe extern "C-unwind" fn count(counter: *mut c_void) -> *mut c_void {
    unsafe { (*counter.cast::<AtomicUsize>()).fetch_add(1, AcqRel) };
    pointer(42)
}

pub(super) fn counter() -> (Arc<AtomicUsize>, *mut c_void) {
    let counter = Arc::new(AtomicUsize::new(0));
    let pointer = Arc::as_ptr(&counter).cast_mut().cast();
    (counter, pointer)
}

/// What a submission came to, and what has become of the task once the executor has ended.
pub(super) fn account(submitted: crate::status::Result<Future>, ran: usize) {
    match submitted {
        Err(refused) => {
            assert_eq!(refused, SHUTDOWN);
            assert_eq!(ran, 0, "a refused task ran");
        }
        Ok(future) => match future.state() {
            State::Finished => assert_eq!(ran, 1),
            State::Cancelled => assert_eq!(ran, 0, "a cancelled task ran"),
            state => panic!("left behind: {state:?}"),
        },
    }
}

/// D1, D3, D5: a task submitted while the executor is shut down with its futures cancelled is refused, or cancelled, or has run
/// when shutdown(WAIT) returns. One producer, one worker; two preemptions.
#[test]
fn d05_a_submission_at_shutdown_is_refused_cancelled_or_run() {
    super::bounded(2, || {
        let executor = Handle::new(1);
        let (ran, arg) = counter();
        let arg = arg.expose_provenance();
        let producer = thread::spawn(move || executor.get().submit(count, std::ptr::with_exposed_provenance_mut(arg)));
        executor.get().shutdown(true, true).unwrap();
        let submitted = producer.join().unwrap();
        account(submitted, ran.load(Acquire));
        executor.free();
    });
}

/// R5: submit, then wait without limit.
#[test]
fn r05_a_result_arrives() {
    super::bounded(2, || {
        let executor = Handle::new(1);
        let (ran, arg) = counter();
        let future = executor.get().submit(count, arg).unwrap();
        assert_eq!(wait::result(&future, Timeout::Forever), Ok(pointer(42)));
        assert_eq!(ran.load(Acquire), 1);
        drop(future);
        executor.free();
    });
}
