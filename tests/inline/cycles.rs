//! N3: waits that could never end.

use crate::support::*;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Mutex;
use tpexec::current;
use tpexec::status::Status;
use tpexec::task::{Future, State};
use tpexec::wait::{self, WaitFor};

#[test]
fn n03_a_task_that_waits_for_itself_is_told() {
    for workers in [1, 2] {
        let pool = Pool::new(workers);
        for (way, wait) in [("result", 0), ("take", 1), ("error", 2), ("all", 3), ("all of several", 4)] {
            let executor = pool.shared();
            let status = pool.go(move || {
                let me = unsafe { (*current::future()).retain() };
                let other = executor.go(|| 0);
                refused(match wait {
                    0 => wait::result(&me, FOREVER).map(drop_pointer),
                    1 => wait::take(&me, FOREVER).map(drop_pointer),
                    2 => wait::error(&me, FOREVER).map(|_| ()),
                    3 => wait_for(&[me], FOREVER, WaitFor::AllCompleted).map(|_| ()),
                    _ => wait_for(&[other, me], FOREVER, WaitFor::AllCompleted).map(|_| ()),
                }) as usize
            });
            assert_eq!(status.get(), Status::Deadlock as usize, "{way}");
        }
    }
}

fn drop_pointer(_: Ptr) {}

/// Waits for the next one in the circle in one of the ways that count.
fn wait_in(how: usize, next: &Future, done: &Future) -> Result<(), Status> {
    match how % 4 {
        0 => wait::result(next, FOREVER).map(drop_pointer),
        1 => wait::error(next, FOREVER).map(|_| ()),
        2 => wait_for(&[done.clone(), next.clone()], FOREVER, WaitFor::AllCompleted).map(|_| ()),
        _ => wait_for(&[next.clone(), next.clone(), done.clone()], FOREVER, WaitFor::AllCompleted).map(|_| ()),
    }
    .map_err(|error| error.status)
}

/// Circles of 1 to 5 tasks that run, across two executors: exactly one member is refused, the others go on.
#[test]
fn n03_of_a_circle_exactly_one_member_is_refused() {
    let pools = [Pool::new(3), Pool::new(3)];
    let done = pools[0].go(|| 0);
    done.get();
    for round in 0..600 {
        let length = 1 + round % 5;
        let running = Count::new();
        let members: &'static Mutex<Vec<Future>> = leak(Mutex::new(Vec::new()));
        let refusals = counter();
        let mut random = Random::new(round as u64);
        let (first, mut ways) = (random.below(2), Vec::new());
        ways.resize_with(length, || random.below(4));
        let futures: Vec<Future> = (0..length)
            .map(|i| {
                let (done, way) = (done.clone(), ways[i]);
                // Alternating; in some rounds all on one, as far as its workers go.
                let on = if round % 3 == 0 && length <= 3 { first } else { (first + i) % 2 };
                pools[on].go(move || {
                    running.wait(length + 1);
                    let next = members.lock().unwrap()[(i + 1) % length].clone();
                    if let Err(status) = wait_in(way, &next, &done) {
                        assert_eq!(status, Status::Deadlock);
                        inc(refusals);
                    }
                    i
                })
            })
            .collect();
        *members.lock().unwrap() = futures.clone();
        until(|| futures.iter().all(|future| future.state() == State::Running));
        running.add(length + 1);
        assert!(futures.iter().enumerate().all(|(i, future)| future.get() == i));
        assert_eq!(refusals.load(SeqCst), 1, "round {round}, {length} tasks");
        members.lock().unwrap().clear();
    }
}

/// A runs B inline; B waits for C on another executor; C waits for A.
#[test]
fn n03_a_circle_through_a_task_run_inline_is_found() {
    let (pool, other) = (Pool::new(1), Pool::new(2));
    let (here, there) = (pool.shared(), other.shared());
    for round in 0..300 {
        let refusals = counter();
        let outcome = move |answer: tpexec::status::Result<Ptr>| {
            if let Err(error) = answer {
                assert_eq!(error.status, Status::Deadlock);
                inc(refusals);
            }
            0
        };
        let a_running = Gate::new();
        let a = pool.go(move || {
            let me = unsafe { (*current::future()).retain() };
            let c = there.go(move || {
                a_running.pass();
                outcome(wait::result(&me, FOREVER))
            });
            // Two levels of tasks between the waiter and the one that is waited for.
            let b = here.go(move || {
                let inner = here.go(move || {
                    a_running.open();
                    if round % 2 == 0 {
                        std::thread::yield_now();
                    }
                    outcome(wait::result(&c, FOREVER))
                });
                outcome(wait::result(&inner, FOREVER))
            });
            outcome(wait::result(&b, FOREVER))
        });
        a.get();
        other.go(|| 0).get();
        until(|| refusals.load(SeqCst) >= 1);
        assert_eq!(refusals.load(SeqCst), 1);
    }
}

/// Circles that may end by themselves are none.
#[test]
fn n03_waits_with_a_limit_and_for_the_first_are_not_in_the_graph() {
    let pool = Pool::new(2);
    for how in 0..3 {
        let b: &'static Mutex<Option<Future>> = leak(Mutex::new(None));
        let set = Gate::new();
        let a = pool.go(move || {
            set.pass();
            let b = b.lock().unwrap().take().unwrap();
            match how {
                0 => assert_eq!(refused(wait::result(&b, ms(20))), Status::Timeout),
                1 => assert!(wait_for(&[b], ms(20), WaitFor::FirstCompleted).unwrap().timed_out),
                _ => assert_eq!(refused(Queue::as_completed(&[b]).next(ms(20))), Status::Timeout),
            }
            5
        });
        let of_a = a.clone();
        let future = pool.go(move || of_a.get());
        until(|| future.state() == State::Running);
        *b.lock().unwrap() = Some(future.clone());
        set.open();
        assert_eq!(future.get(), 5);
    }
}

/// A long random run of waits without a circle, across two executors, in all ways: nobody is refused, everybody ends.
#[test]
fn n03_there_is_no_false_alarm() {
    const WINDOW: usize = 24;
    let pools = [Pool::new(WINDOW), Pool::new(WINDOW)];
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let futures: &'static Mutex<Vec<Future>> = leak(Mutex::new(Vec::new()));
        let waits = counter();
        let all: Vec<Future> = (0..WINDOW)
            .map(|i| {
                // Each waits for some of those before it, so there is no circle; and each can have a thread.
                let targets: Vec<usize> = (0..random.below(4)).filter(|_| i > 0).map(|_| random.below(i)).collect();
                let (way, alone) = (random.below(6), random.below(2));
                let future = pools[random.below(2)].go(move || {
                    let targets: Vec<Future> = {
                        let futures = futures.lock().unwrap();
                        targets.iter().map(|&target| futures[target].clone()).collect()
                    };
                    let ended = |answer: tpexec::status::Result<()>| {
                        assert!(answer.is_ok(), "{answer:?}");
                        inc(waits);
                    };
                    if way % 2 == 0 {
                        std::thread::yield_now();
                    }
                    match way {
                        0 | 1 => targets.iter().for_each(|t| ended(wait::result(t, FOREVER).map(drop_pointer))),
                        2 => ended(wait_for(&targets, FOREVER, WaitFor::AllCompleted).map(|_| ())),
                        3 => ended(wait_for(&targets, FOREVER, WaitFor::FirstFailed).map(|_| ())),
                        4 => {
                            let queue = Queue::as_completed(&targets);
                            while queue.tag().is_some() {}
                        }
                        _ => targets.iter().for_each(|t| ended(wait::error(t, FOREVER).map(|_| ()))),
                    }
                    i
                });
                futures.lock().unwrap().push(future.clone());
                if alone == 0 {
                    std::thread::yield_now();
                }
                future
            })
            .collect();
        // The main thread waits as well; it is in no graph.
        wait_all(&all);
        futures.lock().unwrap().clear();
    }
}
