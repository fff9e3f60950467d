//! P3: the order in which tasks start.

use crate::meetings::nothing;
use crate::submitting::closure_many;
use crate::support::*;
use std::sync::{Condvar, Mutex};
use tpexec::executor::Executor;
use tpexec::task::Task;

/// The order in which tasks of a one-worker executor start is that of their submissions, whoever submits: threads, tasks,
/// callbacks, in every form.
#[test]
fn p03_one_worker_is_exactly_fifo_whoever_submits() {
    struct Shared {
        executor: &'static Executor,
        /// Number of the next submission. Held over each, so that the order of submission is known.
        next: Mutex<usize>,
        started: Mutex<Vec<usize>>,
        done: &'static Count,
    }
    impl Shared {
        /// Submits one task, or three at once.
        fn submit(&'static self, how: usize, depth: usize) {
            let mut next = self.next.lock().unwrap();
            let n = if how % 6 == 5 { 3 } else { 1 };
            let works: Vec<(tpexec::task::TaskFn, Ptr)> =
                (*next..*next + n).map(|number| closure(move || self.run(number, depth))).collect();
            *next += n;
            let (func, arg) = works[0];
            match how % 6 {
                0 => drop(self.executor.submit(func, arg).unwrap()),
                1 | 2 => self.executor.execute(func, arg).unwrap(),
                3 => drop(self.executor.task(task(func, arg))),
                4 => self.executor.execute_task(&Task { drop_arg: Some(nothing), ..task(func, arg) }).unwrap(),
                _ => {
                    let args: Vec<Ptr> = works.iter().map(|work| work.1).collect();
                    assert!(works.iter().all(|work| work.0 as usize == func as usize));
                    drop(self.executor.many(func, &args));
                }
            }
        }

        fn run(&'static self, number: usize, depth: usize) -> usize {
            self.started.lock().unwrap().push(number);
            if depth > 0 {
                self.submit(number, depth - 1);
                if number % 5 == 0 {
                    let inner = self.executor.go(|| 0);
                    inner.on_done(move |_| {
                        self.submit(number, 0);
                        self.done.add(1);
                    });
                } else {
                    self.done.add(1);
                }
            }
            self.done.add(1);
            0
        }
    }
    for seed in 0..6 {
        let pool = Pool::new(1);
        let shared: &'static Shared = leak(Shared {
            executor: pool.shared(),
            next: Mutex::new(0),
            started: Mutex::new(Vec::new()),
            done: Count::new(),
        });
        let submitters: Vec<_> = (0..3)
            .map(|thread| {
                std::thread::spawn(move || {
                    let mut random = Random::new(seed * 3 + thread);
                    for _ in 0..800 {
                        let (how, depth) = (random.below(6), random.below(3));
                        shared.submit(how, depth);
                        if random.below(200) == 0 {
                            // Let the worker catch up, so that it takes small batches as well.
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
        // Every task submits before it ends, so when nothing is pending behind a flush twice in a row all is over.
        until(|| {
            pool.flush();
            let before = *shared.next.lock().unwrap();
            pool.flush();
            before == shared.started.lock().unwrap().len() && before == *shared.next.lock().unwrap()
        });
        let started = shared.started.lock().unwrap();
        assert!(started.len() > 2400);
        assert!(started.iter().enumerate().all(|(i, number)| i == *number), "seed {seed}");
    }
}

/// With several workers a pending task is overtaken by at most w × (32 + 64) later ones. Tasks start one at a time here, at
/// the test's word, so that the order of starts is known exactly; each submits a few of its own.
#[test]
fn p03_overtaking_is_bounded_with_several_workers() {
    struct State {
        /// Submission numbers, in the order in which they were started.
        started: Vec<usize>,
        /// Number of the next submission.
        next: usize,
        /// Tasks inside, waiting to be let go.
        inside: usize,
        permits: usize,
        total: usize,
    }
    struct Shared {
        executor: &'static Executor,
        state: Mutex<State>,
        changed: Condvar,
        limit: usize,
    }
    impl Shared {
        fn submit(&'static self, children: usize) {
            let mut state = self.state.lock().unwrap();
            if state.next >= self.limit {
                return;
            }
            let number = state.next;
            state.next += 1;
            drop(state);
            self.executor.go(move || self.run(number, children));
        }

        fn run(&'static self, number: usize, children: usize) -> usize {
            let mut state = self.state.lock().unwrap();
            state.started.push(number);
            state.inside += 1;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |state| state.permits == 0).unwrap();
            state.permits -= 1;
            drop(state);
            // One task is let go at a time, so these are the only submissions now.
            for i in 0..children {
                self.submit(if i % 3 == 0 { children / 2 } else { 0 });
            }
            let mut state = self.state.lock().unwrap();
            state.inside -= 1;
            state.total += 1;
            self.changed.notify_all();
            0
        }
    }
    for (workers, seed) in [(2, 1), (3, 2), (4, 3), (2, 4)] {
        let pool = Pool::new(workers);
        let state = State { started: Vec::new(), next: 0, inside: 0, permits: 0, total: 0 };
        let shared: &'static Shared =
            leak(Shared { executor: pool.shared(), state: Mutex::new(state), changed: Condvar::new(), limit: 3000 });
        let mut random = Random::new(seed);
        let mut ended = 0;
        loop {
            let mut state = shared.state.lock().unwrap();
            // All workers are inside of tasks, or there are no more tasks than that.
            state = shared
                .changed
                .wait_while(state, |state| state.inside < workers.min(state.next - state.total) || state.total < ended)
                .unwrap();
            if random.below(4) != 0 || state.next == 0 || state.inside == 0 {
                if state.next < shared.limit {
                    drop(state);
                    let burst = random.below(60);
                    (0..burst).for_each(|_| shared.submit(random.below(12) * random.below(12)));
                    continue;
                }
                if state.inside == 0 {
                    break;
                }
            }
            state.permits += 1;
            ended += 1;
            shared.changed.notify_all();
            drop(shared.changed.wait_while(state, |state| state.total < ended).unwrap());
        }
        let started = &shared.state.lock().unwrap().started;
        assert_eq!(started.len(), shared.limit);
        let mut most = 0;
        for (at, number) in started.iter().enumerate() {
            most = most.max(started[..at].iter().filter(|earlier| *earlier > number).count());
        }
        assert!(most <= workers * 96, "overtaken by {most} with {workers} workers");
    }
}

/// One worker is stuck with the first of a batch: the other one takes the rest from it.
#[test]
fn p03_no_task_waits_behind_a_blocked_worker() {
    for workers in [2, 3] {
        for round in 0..300 {
            let pool = Pool::new(workers);
            let others = Count::new();
            let n = 40 + round % 100;
            // The workers but one are stuck in the first tasks until all the rest have run.
            let (func, stuck) = closure_many(move || others.wait(n));
            let (small, arg) = closure_many(move || _ = others.add(1));
            match round % 3 {
                0 => {
                    (1..workers).for_each(|_| drop(pool.submit(func, stuck).unwrap()));
                    (0..n).for_each(|_| drop(pool.submit(small, arg).unwrap()));
                }
                1 => {
                    let entered = pool.block();
                    drop(pool.many(func, &vec![stuck; workers - 1]));
                    drop(pool.many(small, &vec![arg; n]));
                    entered.release();
                }
                _ => {
                    let executor = pool.shared();
                    let stuck = stuck.expose_provenance();
                    let arg = arg.expose_provenance();
                    pool.go(move || {
                        let (stuck, arg) =
                            (std::ptr::with_exposed_provenance_mut(stuck), std::ptr::with_exposed_provenance_mut(arg));
                        (1..workers).for_each(|_| drop(executor.submit(func, stuck).unwrap()));
                        (0..n).for_each(|_| drop(executor.submit(small, arg).unwrap()));
                        0
                    });
                }
            }
            others.wait(n);
        }
    }
}
