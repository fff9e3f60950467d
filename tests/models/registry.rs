//! Slots of the table of executors, and the last reference to one (`src/registry.rs`).

use super::executor::{count, counter, Handle};
use super::pointer;
use crate::config::Config;
use crate::executor::Executor;
use crate::registry::{self, Hooks};
use crate::sys::model::join_detached;
use crate::task::ErrorRecord;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::ffi::c_void;
use std::ptr::NonNull;

/// The user data of an executor.
struct Data {
    /// Read by each report; written by the drop, as memory that goes.
    memory: UnsafeCell<usize>,
    reports: AtomicUsize,
    drops: Mutex<usize>,
    /// Rung by the drop.
    bell: Condvar,
}

unsafe extern "C-unwind" fn report(_: *const ErrorRecord, data: *mut c_void) {
    let data = unsafe { &*data.cast::<Data>() };
    data.memory.with(|memory| assert_eq!(unsafe { *memory }, 0, "dropped before"));
    data.reports.fetch_add(1, Relaxed);
}

unsafe extern "C-unwind" fn dropped(data: *mut c_void) {
    let data = unsafe { &*data.cast::<Data>() };
    data.memory.with_mut(|memory| unsafe { *memory += 1 });
    *data.drops.lock().unwrap() += 1;
    data.bell.notify_all();
}

impl Data {
    fn new() -> Arc<Data> {
        Arc::new(Data {
            memory: UnsafeCell::new(0),
            reports: AtomicUsize::new(0),
            drops: Mutex::new(0),
            bell: Condvar::new(),
        })
    }

    /// An executor with this user data.
    fn executor(data: &Arc<Data>) -> Handle {
        Handle::with(Config {
            max_workers: 1,
            unhandled_error: Some(report),
            user_data: Arc::as_ptr(data).cast_mut().cast(),
            drop_user_data: Some(dropped),
            ..Config::default()
        })
    }

    fn wait_for_drop(&self) {
        let mut drops = self.drops.lock().unwrap();
        while *drops == 0 {
            drops = self.bell.wait(drops).unwrap();
        }
    }

    fn drops(&self) -> usize {
        *self.drops.lock().unwrap()
    }
}

/// Every executor has ended, so each slot is free, once: of as many new executors each has a slot of its own, and no more than
/// `used` were ever needed.
fn every_slot_is_free(used: u32) {
    let none = Hooks { unhandled_error: None, user_data: pointer(0), drop_user_data: None };
    let slots: Vec<_> = (0..used).map(|_| registry::enter(none).unwrap().0).collect();
    let mut ids: Vec<u32> = slots.iter().map(|slot| slot.id()).collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(1..=used), "a slot was lost, or given out twice");
    slots.iter().for_each(|slot| slot.leave_unused());
}

/// A stale id, looked up as its executor ends and another one gets its slot, leads to nobody, or to one of the two, whole, which
/// stays for as long as it is held. Two threads, exhaustive.
#[test]
fn a_stale_id_leads_to_nobody_or_to_an_executor_that_stays() {
    loom::model(|| {
        let first = Handle::new(1);
        let id = first.get().id();
        let looker = thread::spawn(move || {
            let Some(found) = registry::acquire(id) else { return };
            assert_eq!(found.id(), id);
            assert!(found.number() < 2);
            assert_eq!((found.max_workers(), found.pending_count()), (1, 0));
        });
        first.free();
        let second = Handle::new(1);
        looker.join().unwrap();
        second.free();
    });
}

/// Of two who give the last references to an executor up at once, exactly one ends it: its user data is dropped once, its slot is
/// free once. Two threads, exhaustive.
#[test]
fn the_last_reference_to_an_executor_is_given_up_once() {
    loom::model(|| {
        let data = Data::new();
        let executor = Data::executor(&data);
        let id = executor.get().id();
        let other =
            thread::spawn(move || registry::acquire(id).map(|found| assert_eq!(found.pending_count(), 0)).is_some());
        executor.free();
        other.join().unwrap();
        assert_eq!(data.drops(), 1);
        assert!(registry::acquire(id).is_none());
        every_slot_is_free(1);
    });
}

/// The same with the executor's worker, which ends by itself once the handle has been given up while a task runs. Two threads,
/// three preemptions.
#[test]
fn a_detached_executor_ends_once_with_its_worker() {
    super::bounded(3, || {
        let data = Data::new();
        let (ran, arg) = counter();
        let executor = Data::executor(&data);
        executor.get().execute(count, arg).unwrap();
        executor.detach();
        join_detached();
        assert_eq!((ran.load(Acquire), data.drops()), (1, 1));
        every_slot_is_free(1);
    });
}

/// The same when the worker's task gives up the handle. Two threads, three preemptions.
#[test]
fn an_executor_that_its_own_task_frees_ends_once() {
    super::bounded(3, || {
        let data = Data::new();
        let executor = Data::executor(&data);
        executor.get().execute(free_it, executor.0.as_ptr().cast()).unwrap();
        data.wait_for_drop();
        join_detached();
        assert_eq!(data.drops(), 1);
        every_slot_is_free(1);
    });
}

/// The last step of a submission, the look whether a worker is needed, finds the executor's memory, though the last reference be given
/// up at the same time. Two threads, exhaustive.
#[test]
fn a_detached_executor_outlives_a_submissions_last_step() {
    loom::model(|| {
        let executor = Handle::new(1);
        let other = thread::spawn(move || executor.detach());
        executor.get().scheduler().published(executor.get());
        other.join().unwrap();
        every_slot_is_free(1);
    });
}

/// A task that frees the executor it runs on.
unsafe extern "C-unwind" fn free_it(executor: *mut c_void) -> *mut c_void {
    unsafe { Executor::free(NonNull::new_unchecked(executor.cast())) };
    executor
}

/// O3: a failure that nobody has seen keeps the user data beyond the executor's end, for its report; the next executor, in the
/// same slot or another, has its own. Two threads, exhaustive.
#[test]
fn o03_user_data_outlives_an_unseen_failure_and_goes_once() {
    loom::model(|| {
        let data = [Data::new(), Data::new()];
        let first = Data::executor(&data[0]);
        let id = first.get().id();
        // As a task that fails.
        assert!(first.get().hook_failure());
        let reporter = thread::spawn(move || unsafe { registry::report_unseen(id, &ErrorRecord::bare(7)) });
        first.free();
        let second = Data::executor(&data[1]);
        reporter.join().unwrap();
        assert_eq!((data[0].reports.load(Relaxed), data[0].drops()), (1, 1));
        assert_eq!((data[1].reports.load(Relaxed), data[1].drops()), (0, 0));
        second.free();
        assert_eq!(data[1].drops(), 1);
        every_slot_is_free(2);
    });
}

/// D1: a task that was prepared for an executor that is gone finds nobody, as another executor gets the slot. Two threads,
/// exhaustive.
#[test]
fn d01_a_number_never_leads_to_the_slots_next_executor() {
    loom::model(|| {
        let first = Handle::new(1);
        let (id, number) = (first.get().id(), first.get().number());
        assert_eq!(registry::by_handle(id, number), Some(first.0));
        first.free();
        let looker = thread::spawn(move || assert!(registry::by_handle(id, number).is_none()));
        let second = Handle::new(1);
        assert_eq!(second.get().id(), id);
        assert_eq!(registry::by_handle(id, second.get().number()), Some(second.0));
        looker.join().unwrap();
        second.free();
    });
}
