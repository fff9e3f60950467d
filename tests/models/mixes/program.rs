//! One mix: what its producers, tasks and the thread that ends it do, as shuttle's random numbers have it.

use super::ledger::{add, argument, entry, Entry, Ledger};
use crate::config::Config;
use crate::executor::Executor;
use crate::status::{CANCELLED, SHUTDOWN, TIMEOUT};
use crate::sys::model::strike;
use crate::task::state::State;
use crate::task::{Future, Node, Task};
use crate::wait::{self, Timeout, WaitFor};
use crate::{completion_queue::CompletionQueue, current};
use shuttle::rand::{thread_rng, Rng};
use shuttle::thread;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

const PRODUCERS: usize = 3;
/// Tasks of each producer.
const TASKS: usize = 6;
const MAX_WORKERS: usize = 4;
/// Limits pass so often.
const STROKES: usize = 3;

/// An executor's handle, shared by the threads of a mix.
#[derive(Clone, Copy)]
struct Handle(NonNull<Executor>);
// SAFETY: Executor is Sync, and the handle is given up last.
unsafe impl Send for Handle {}

impl Handle {
    fn get(&self) -> &Executor {
        // SAFETY: not given up yet.
        unsafe { self.0.as_ref() }
    }
}

fn chance(n: u32) -> bool {
    thread_rng().gen_range(0..n) == 0
}

/// A task: counts itself.
unsafe extern "C-unwind" fn count(arg: *mut c_void) -> *mut c_void {
    add(&entry(arg).ran);
    arg
}

/// A task that submits another one to its executor and waits for it.
unsafe extern "C-unwind" fn parent(arg: *mut c_void) -> *mut c_void {
    add(&entry(arg).ran);
    // SAFETY: the executor of a running task.
    let executor = unsafe { &*current::executor() };
    // The parent's own callbacks and hooks tell of the parent; a child needs no entry to be waited for.
    match executor.submit(nothing, arg) {
        Ok(child) => match wait::result(&child, Timeout::Forever) {
            Ok(value) => assert_eq!(value, arg),
            Err(error) => assert_eq!(error, CANCELLED),
        },
        Err(error) => assert_eq!(error, SHUTDOWN),
    }
    arg
}

unsafe extern "C-unwind" fn nothing(arg: *mut c_void) -> *mut c_void {
    arg
}

unsafe extern "C-unwind" fn dropped(arg: *mut c_void) {
    add(&entry(arg).dropped);
}

unsafe extern "C-unwind" fn called(_: *mut Node, arg: *mut c_void) {
    add(&entry(arg).called);
}

/// Submits one task, in one of the ways there are; its future, if it has one and was accepted.
fn submit(executor: &Executor, ledger: &Ledger) -> Option<(Future, Arc<Entry>)> {
    let hooked = chance(3);
    let task = ledger.entry(hooked);
    let (func, arg) = (if chance(3) { parent } else { count }, argument(&task));
    let submitted = if hooked {
        executor.submit_task(&Task { func, arg, drop_arg: Some(dropped), drop_result: None, name: None }).map(Some)
    } else if chance(4) {
        executor.execute(func, arg).map(|()| None)
    } else {
        executor.submit(func, arg).map(Some)
    };
    match submitted {
        Ok(future) => {
            add(&task.accepted);
            future.map(|future| (future, task))
        }
        Err(error) => {
            assert_eq!(error, SHUTDOWN);
            None
        }
    }
}

/// Waits for everything, in one of the ways there are. Somebody will run or cancel it.
fn wait_for_all(futures: &[(Future, Arc<Entry>)]) {
    let nodes: Vec<*const Node> = futures.iter().map(|(future, _)| std::ptr::from_ref::<Node>(future)).collect();
    match thread_rng().gen_range(0..3) {
        0 => {
            // SAFETY: the futures are ours.
            let ended = unsafe { wait::wait(&nodes, Timeout::Forever, WaitFor::AllCompleted) }.unwrap();
            assert_eq!(ended.n_done, nodes.len());
        }
        1 => {
            // SAFETY: as above; the queue is freed once.
            unsafe {
                let queue = CompletionQueue::filled(&nodes).unwrap();
                let mut seen = 0;
                while queue.as_ref().next(Timeout::Forever).unwrap().is_some() {
                    seen += 1;
                }
                assert_eq!(seen, nodes.len());
                CompletionQueue::free(queue);
            }
        }
        _ => {
            for (future, _) in futures {
                assert!(matches!(wait::result(future, Timeout::Forever), Ok(_) | Err(CANCELLED)));
            }
        }
    }
    for (future, entry) in futures {
        let end = match future.state() {
            State::Finished => 1,
            State::Cancelled => 2,
            state => panic!("waited for, and {state:?}"),
        };
        entry.end.store(end, Relaxed);
    }
}

fn produce(executor: &Executor, ledger: &Ledger) {
    let mut futures = Vec::new();
    for _ in 0..TASKS {
        let Some((future, task)) = submit(executor, ledger) else { continue };
        if chance(3) {
            add(&task.callbacks);
            // SAFETY: the ledger outlives the executor.
            unsafe { future.add_done_callback(called, argument(&task)) }.unwrap();
        }
        match thread_rng().gen_range(0..5) {
            0 => drop(future.cancel()),
            1 => {
                let waited = wait::result(&future, Timeout::from_ns(1));
                assert!(matches!(waited, Ok(_) | Err(CANCELLED | TIMEOUT)), "{waited:?}");
            }
            // Given up at once: it runs all the same.
            2 => continue,
            _ => {}
        }
        futures.extend([(future, task)]);
    }
    wait_for_all(&futures);
}

/// The mix.
pub(super) fn mix() {
    let max_workers = thread_rng().gen_range(1..=MAX_WORKERS);
    let idle_timeout_ns = i64::from(chance(2));
    let executor = Executor::new(&Config { max_workers, idle_timeout_ns, ..Config::default() }).unwrap();
    let (executor, ledger) = (Handle(executor), Ledger::default());
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            let ledger = ledger.clone();
            thread::spawn(move || produce(executor.get(), &ledger))
        })
        .collect();
    let clock = thread::spawn(|| (0..STROKES).for_each(|_| strike()));
    // Shut down in their midst, or when they are done; it may be said more than once.
    for _ in 0..thread_rng().gen_range(0..3) {
        let (wait, cancel_futures) = (chance(2), chance(2));
        assert_eq!(executor.get().shutdown(wait, cancel_futures), Ok(()));
    }
    for producer in producers {
        producer.join().unwrap();
    }
    clock.join().unwrap();
    // SAFETY: nobody else uses the handle any more.
    unsafe { Executor::free(executor.0) };
    ledger.settle();
}
