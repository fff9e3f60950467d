//! Workers that retire after their idle timeout (`Scheduler::sleep`, `Worker::work`, `Executor::worker_ended`), as tasks are
//! submitted.

use super::executor::Handle;
use super::pool::{Does, Pool};
use crate::config::Config;
use crate::sys::model::{limited_sleepers, refuse_threads, strike};
use crate::wait::{self, Timeout};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::ffi::c_void;

/// Where tasks meet: each counts itself and waits until as many have as were told.
struct Meeting {
    expected: usize,
    come: Mutex<usize>,
    bell: Condvar,
}

impl Meeting {
    fn new(expected: usize) -> Arc<Meeting> {
        Arc::new(Meeting { expected, come: Mutex::new(0), bell: Condvar::new() })
    }

    fn argument(meeting: &Arc<Meeting>) -> *mut c_void {
        Arc::as_ptr(meeting).cast_mut().cast()
    }
}

unsafe extern "C-unwind" fn meet(meeting: *mut c_void) -> *mut c_void {
    let meeting = unsafe { &*meeting.cast::<Meeting>() };
    let mut come = meeting.come.lock().unwrap();
    *come += 1;
    meeting.bell.notify_all();
    while *come < meeting.expected {
        come = meeting.bell.wait(come).unwrap();
    }
    std::ptr::null_mut()
}

/// An executor of two workers, both asleep for so long that they may retire.
fn two_idle_workers() -> Handle {
    let executor = Handle::with(Config { max_workers: 2, idle_timeout_ns: 1, ..Config::default() });
    meet_each_other(executor, 2);
    while limited_sleepers() < 2 {
        thread::yield_now();
    }
    strike();
    executor
}

/// `n` tasks that wait for each other end.
fn meet_each_other(executor: Handle, n: usize) {
    let meeting = Meeting::new(n);
    let futures = Vec::from_iter((0..n).map(|_| executor.get().submit(meet, Meeting::argument(&meeting)).unwrap()));
    futures.iter().for_each(|future| assert!(wait::result(future, Timeout::Forever).is_ok()));
}

/// P2: two tasks that wait for each other, submitted as one of two workers retires, get two workers all the same. Up to three
/// threads at once, one preemption, in both renderings.
#[test]
fn p02_two_tasks_submitted_as_a_worker_retires_meet() {
    super::in_both_renderings(|| {
        super::bounded(1, || {
            let executor = super::in_one_way(two_idle_workers);
            meet_each_other(executor, 2);
            loom::skip_branch();
            executor.free();
        })
    });
}

/// P4: a task submitted as one of two workers retires is run by the other one, which stays: no thread can be started for it. Three
/// threads, one preemption.
#[test]
fn p04_the_last_worker_stays() {
    super::bounded(1, || {
        let executor = super::in_one_way(two_idle_workers);
        refuse_threads();
        meet_each_other(executor, 1);
        loom::skip_branch();
        executor.free();
    });
}

/// P4: no worker retires because there is another one that then cannot be started: the next task would be nobody's. With the workers
/// of `pool`; three threads, two preemptions.
#[test]
fn p04_no_worker_retires_for_one_that_cannot_start() {
    super::bounded(2, || {
        let pool = super::in_one_way(|| {
            let pool = Pool::retiring(2, Does::Meet(2));
            pool.start_first();
            pool.submit(1).unwrap();
            pool.wait_for(1);
            pool
        });
        let clock = thread::spawn(strike);
        // Lets the worker's task end, which is thus at work when the next one comes.
        pool.count();
        pool.submit(2).unwrap();
        clock.join().unwrap();
        loom::skip_branch();
        pool.submit(3).unwrap();
        pool.wait_for(4);
        pool.shut();
        pool.join();
    });
}

/// D3: both workers end when the executor is shut down as one of them retires. Three threads, one preemption.
#[test]
fn d03_shutdown_and_retirement_end_both_workers() {
    super::bounded(1, || {
        let executor = super::in_one_way(two_idle_workers);
        executor.free();
    });
}
