//! P: workers and submitting.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods, clippy::undocumented_unsafe_blocks)]

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use support::*;
use tpexec::config::Config;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, Task};

#[test]
fn p01_the_default_is_min_32_and_usable_cpus_plus_4() {
    let pool = Pool::new(0);
    // std looks at affinity and cgroup quota, too.
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert_eq!(pool.max_workers(), 32.min(cpus + 4));
}

#[test]
fn p01_affinity_counts() {
    if !alone("p01_affinity_counts") {
        return;
    }
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set), 0);
        let one = (0..libc::CPU_SETSIZE as usize).find(|&cpu| libc::CPU_ISSET(cpu, &set)).unwrap();
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(one, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set), 0);
    }
    assert_eq!(Pool::new(0).max_workers(), 5);
}

#[test]
fn p01_more_than_the_maximum_is_refused() {
    for max_workers in [16_384, 1_000_000, usize::MAX] {
        let config = Config { max_workers, ..Config::default() };
        assert_eq!(refused(Executor::new(&config)), Status::InvalidArgument);
    }
    let largest = Pool::new(16_383);
    assert_eq!(largest.max_workers(), 16_383);
    assert_eq!(largest.go(|| 5).get(), 5);
    assert_eq!(largest.worker_count(), 1);
}

#[test]
fn p02_threads_start_on_demand_and_never_above_the_maximum() {
    let pool = Pool::new(3);
    assert_eq!(pool.worker_count(), 0);
    let mut blockers = vec![pool.block()];
    for n in 1..=3 {
        assert_eq!(pool.worker_count(), n);
        if n < 3 {
            blockers.push(pool.block());
        }
    }
    let more: Vec<Future> = (0..100).map(|i| pool.go(move || i)).collect();
    assert_eq!(pool.worker_count(), 3);
    blockers.clear();
    wait_all(&more);
    assert_eq!(pool.worker_count(), 3);
}

#[test]
fn p02_submit_and_result_in_turns_use_one_thread() {
    let pool = Pool::new(8);
    for _ in 0..20_000 {
        pool.go(|| 0).get();
    }
    assert_eq!(pool.worker_count(), 1);
}

/// The same through everything else that tells of the end.
#[test]
fn p02_an_idle_worker_is_used_however_its_end_of_work_was_learnt() {
    let pool = Pool::new(8);
    for _ in 0..3000 {
        let queue = Queue::as_completed(&[pool.go(|| 0)]);
        assert!(queue.tag().is_some());
        wait_for(&[pool.go(|| 0)], FOREVER, tpexec::wait::WaitFor::FirstCompleted).unwrap();
        let map = pool.map(same, numbers(1), 0);
        assert_eq!(given(&map, FOREVER), Given::Value(0));
    }
    assert_eq!(pool.worker_count(), 1);
}

#[test]
fn p02_the_threads_are_never_more_than_the_maximum_under_any_load() {
    let pool = Pool::new(3);
    let executor = pool.shared();
    let (inside, most): (&'static AtomicUsize, &'static AtomicUsize) = (counter(), counter());
    let submitters: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(move || {
                let futures: Vec<Future> = (0..3000)
                    .map(|i| {
                        executor.go(move || {
                            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                            if i % 64 == 0 {
                                std::thread::yield_now();
                            }
                            inside.fetch_sub(1, SeqCst)
                        })
                    })
                    .collect();
                wait_all(&futures);
                assert!(executor.worker_count() <= 3);
            })
        })
        .collect();
    submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
    assert!((1..=3).contains(&most.load(SeqCst)));
}

/// A meeting of `k` tasks on one executor: each waits for all the others, so all must have a thread. What else is going on
/// comes with the seed.
fn meet(pool: &Pool, k: usize, random: &mut Random) {
    unsafe extern "C" fn attend(meeting: Ptr) -> Ptr {
        let (count, k) = unsafe { *meeting.cast::<(&'static Count, usize)>() };
        count.meet(k);
        NULL
    }
    let executor = pool.shared();
    let meeting: &'static (&'static Count, usize) = leak((Count::new(), k));
    let attend_all = move |executor: &Executor, n: usize, way: usize| -> Vec<Future> {
        match way {
            0 => (0..n).map(|_| executor.submit(attend, address(meeting)).unwrap()).collect(),
            1 => executor.many(attend, &vec![address(meeting); n]),
            2 => {
                let junk = || executor.submit(same, NULL).unwrap();
                (0..n)
                    .map(|_| {
                        let before = junk();
                        let future = executor.submit(attend, address(meeting)).unwrap();
                        before.cancel();
                        junk().cancel();
                        future
                    })
                    .collect()
            }
            3 => {
                for _ in 1..n {
                    executor.execute(attend, address(meeting)).unwrap();
                }
                vec![executor.submit(attend, address(meeting)).unwrap()]
            }
            _ => {
                let hooks = Task { drop_arg: Some(nothing), ..task(attend, address(meeting)) };
                (0..n).map(|_| executor.task(hooks)).collect()
            }
        }
    };
    let way = random.below(5);
    match random.below(3) {
        // From outside.
        0 => wait_all(&attend_all(pool, k, way)),
        // From inside of a task, which is one of them.
        1 => {
            let root = executor.go(move || {
                let futures = attend_all(executor, k - 1, if k == 1 { 0 } else { way });
                meeting.0.meet(k);
                drop(futures);
                0
            });
            root.get();
            meeting.0.wait(k);
        }
        // From two threads.
        _ => {
            let half = k / 2;
            let other = std::thread::spawn(move || {
                if half > 0 {
                    wait_all(&attend_all(executor, half, way))
                }
            });
            wait_all(&attend_all(pool, k - half, (way + 1) % 5));
            other.join().unwrap();
        }
    }
    assert!(pool.worker_count() <= pool.max_workers());
}

unsafe extern "C" fn nothing(_: Ptr) {}

/// A new executor for each meeting: its threads have to be started.
#[test]
fn p02_tasks_that_wait_for_each_other_all_get_a_thread_on_new_executors() {
    let mut random = Random::new(2);
    for _ in 0..60 {
        for k in 1..=16 {
            meet(&Pool::new(k), k, &mut random);
        }
    }
}

/// The same executor over and over: its threads have to be woken, from sleep or from the way there.
#[test]
fn p02_tasks_that_wait_for_each_other_all_get_a_thread_on_used_executors() {
    for k in 1..=16 {
        let mut random = Random::new(k as u64);
        let pool = Pool::new(k);
        for round in 0..250 {
            // Meetings of fewer than all; now and then with small tasks before, or a pause long enough to fall asleep in.
            meet(&pool, 1 + random.below(k), &mut random);
            meet(&pool, k, &mut random);
            match round % 8 {
                0 => wait_all(&(0..random.below(60)).map(|i| pool.go(move || i)).collect::<Vec<_>>()),
                1 => std::thread::sleep(std::time::Duration::from_micros(50)),
                _ => {}
            }
        }
    }
}

/// Meetings in the middle of other work that never ends, and of cancels.
#[test]
fn p02_meetings_come_about_under_load() {
    let pool = Pool::new(4);
    let executor = pool.shared();
    let over = Gate::new();
    let noise: Vec<_> = (0..2)
        .map(|seed| {
            std::thread::spawn(move || {
                let mut random = Random::new(seed);
                while !over.is_open() {
                    let futures: Vec<Future> = (0..50).map(|i| executor.go(move || i)).collect();
                    for _ in 0..10 {
                        futures[random.below(50)].cancel();
                    }
                    wait_all(&futures);
                }
            })
        })
        .collect();
    let mut random = Random::new(9);
    for _ in 0..600 {
        meet(&pool, 4, &mut random);
    }
    over.open();
    noise.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Workers that retire after a moment, while others are wanted: nobody goes who is needed.
#[test]
fn p02_meetings_come_about_while_workers_retire() {
    for idle_timeout_ns in [1, 30_000] {
        let pool = Pool::with(&Config { max_workers: 4, idle_timeout_ns, ..Config::default() });
        let mut random = Random::new(idle_timeout_ns as u64);
        for round in 0..500 {
            meet(&pool, 1 + random.below(4), &mut random);
            meet(&pool, 4, &mut random);
            if round % 4 == 0 {
                std::thread::sleep(std::time::Duration::from_micros(random.below(100) as u64));
            }
        }
    }
}

/// An initializer that takes its time: preparing workers count for one task each.
#[test]
fn p02_meetings_come_about_with_initializers() {
    unsafe extern "C" fn slow(_: Ptr) -> i32 {
        std::thread::yield_now();
        0
    }
    let mut random = Random::new(3);
    for _ in 0..60 {
        for max_workers in [1, 2, 3, 8] {
            let pool = Pool::with(&Config { max_workers, initializer: Some(slow), ..Config::default() });
            meet(&pool, max_workers, &mut random);
            meet(&pool, max_workers, &mut random);
        }
    }
}

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

/// A closure as a task function that may run any number of times.
fn closure_many<F: Fn() + Sync + 'static>(f: F) -> (tpexec::task::TaskFn, Ptr) {
    unsafe extern "C" fn call<F: Fn()>(f: Ptr) -> Ptr {
        unsafe { (*f.cast::<F>())() };
        NULL
    }
    (call::<F>, address(leak(f)))
}

#[test]
fn p04_with_no_worker_and_no_thread_to_be_had_submit_is_refused_and_takes_nothing() {
    // No system has room for a stack of this size.
    let pool =
        Pool::with(&Config { max_workers: 2, stack_size: isize::MAX as usize / 4096 * 4096, ..Config::default() });
    let calls = counter();
    let hooks = Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(bump, address(calls)) };
    for _ in 0..3 {
        let error = pool.submit(bump, address(calls)).unwrap_err();
        assert_eq!(error.status, Status::System);
        assert_ne!(error.errno, 0);
        assert_eq!(refused(pool.execute(bump, address(calls))), Status::System);
        assert_eq!(refused(pool.submit_task(&hooks)), Status::System);
        assert_eq!(refused(pool.execute_task(&hooks)), Status::System);
        let many = unsafe { pool.submit_many(bump, [address(calls)].as_ptr(), 1, std::ptr::null_mut()) };
        assert_eq!(refused(many), Status::System);
        assert_eq!((pool.worker_count(), pool.pending_count()), (0, 0));
    }
    drop(pool);
    assert_eq!(calls.load(SeqCst), 0);
}

/// With a worker alive tasks are accepted although no more threads can be had; when they can, later submissions start them.
#[test]
fn p04_with_a_worker_alive_the_task_is_accepted_and_later_submits_start_what_is_missing() {
    if !alone("p04_with_a_worker_alive_the_task_is_accepted_and_later_submits_start_what_is_missing") {
        return;
    }
    let limit = |bytes: libc::rlim_t| unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_AS, &mut limit);
        limit.rlim_cur = bytes.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &limit), 0);
    };
    let pool = Pool::with(&Config { max_workers: 3, stack_size: 1 << 30, ..Config::default() });
    let blocker = pool.block();
    // Room for other things, but not for another stack.
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let now = statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
    limit(now + (256 << 20));
    let futures: Vec<Future> = (0..10).map(|i| pool.go(move || i)).collect();
    assert_eq!((pool.worker_count(), pool.pending_count()), (1, 10));
    blocker.release();
    wait_all(&futures);
    limit(libc::RLIM_INFINITY);
    let (a, b, c) = (pool.block(), pool.block(), pool.block());
    assert_eq!(pool.worker_count(), 3);
    drop((a, b, c));
}

#[test]
fn p05_workers_have_names() {
    fn os_name() -> String {
        let mut name = [0u8; 32];
        unsafe { libc::pthread_getname_np(libc::pthread_self(), name.as_mut_ptr().cast(), name.len()) };
        unsafe { text(name.as_ptr().cast()) }.to_string()
    }
    let check = |prefix: &'static std::ffi::CStr, expected: [(&str, &str); 3]| {
        let pool =
            Pool::with(&Config { max_workers: 3, thread_name_prefix: Some(prefix.as_ptr()), ..Config::default() });
        let (meeting, names): (_, &'static Mutex<HashSet<(String, String)>>) =
            (Count::new(), leak(Mutex::new(HashSet::new())));
        let futures: Vec<Future> = (0..3)
            .map(|_| {
                pool.go(move || {
                    let whole = unsafe { text(current::worker_name()) }.to_string();
                    names.lock().unwrap().insert((whole, os_name()));
                    meeting.meet(3);
                    0
                })
            })
            .collect();
        wait_all(&futures);
        let expected: HashSet<_> = expected.map(|(whole, os)| (whole.to_string(), os.to_string())).into();
        assert_eq!(*names.lock().unwrap(), expected);
    };
    check(c"io", [("io_0", "io_0"), ("io_1", "io_1"), ("io_2", "io_2")]);
    let long = c"a-prefix-of-some-length";
    let whole = ["a-prefix-of-some-length_0", "a-prefix-of-some-length_1", "a-prefix-of-some-length_2"];
    check(long, [(whole[0], "a-prefix-of-s_0"), (whole[1], "a-prefix-of-s_1"), (whole[2], "a-prefix-of-s_2")]);
    assert!(current::worker_name().is_null());
}

#[test]
fn p06_an_idle_worker_keeps_nothing_of_a_task() {
    let pool = Pool::new(2);
    let executor = pool.shared();
    for i in 0..400 {
        let drops = counter();
        let hooks = move || Task { drop_arg: DROP_BUMP, drop_result: DROP_BUMP, ..task(same, address(drops)) };
        match i % 3 {
            // Held until it is done: the argument has gone by then, and the last reference is this one.
            0 => {
                let future = pool.task(hooks());
                future.get();
                assert_eq!(drops.load(SeqCst), 1);
                drop(future);
                until(|| drops.load(SeqCst) == 2);
            }
            // Let go at once.
            1 => drop(pool.task(hooks())),
            // With a callback, and from inside.
            _ => {
                executor
                    .go(move || {
                        executor.task(hooks()).on_done(|_| {});
                        0
                    })
                    .get();
            }
        }
        // No further task is needed to make the worker let go.
        until(|| drops.load(SeqCst) == 2);
    }
}

#[test]
fn p07_submit_works_from_any_thread_workers_and_callbacks_included() {
    let pools = [Pool::new(2), Pool::new(1)];
    let [a, b] = [pools[0].shared(), pools[1].shared()];
    let done = Count::new();
    // Each hops to the other executor until its number is used up, half of the hops in callbacks.
    fn hop(here: &'static Executor, there: &'static Executor, left: usize, done: &'static Count) {
        if left == 0 {
            done.add(1);
            return;
        }
        let next = move || hop(there, here, left - 1, done);
        match left % 2 {
            0 => {
                here.go(move || {
                    next();
                    0
                });
            }
            _ => here.go(|| 0).on_done(move |_| next()),
        }
    }
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::spawn(move || (0..50).for_each(|_| hop(a, b, 40, done)))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    done.wait(200);
}

/// A task of one executor goes all its way while another executor is stuck in everything that it can be stuck in.
#[test]
fn p07_executors_do_not_get_into_each_others_way() {
    let (stuck, pool) = (Pool::new(1), Pool::new(2));
    let (entered, gate) = (Gate::new(), Gate::new());
    let blocker = stuck.block();
    let future = stuck.go(|| 0);
    future.on_done(move |_| {
        entered.open();
        gate.pass();
    });
    let joiner = {
        let executor = stuck.shared();
        std::thread::spawn(move || executor.shutdown(true, false).unwrap())
    };
    blocker.release();
    entered.pass();
    for _ in 0..2000 {
        pool.go(|| 0).get();
    }
    gate.open();
    joiner.join().unwrap();
}

/// No processor time, no wake-ups: nothing but a new task makes an idle worker run.
#[test]
fn p08_idle_workers_use_no_processor_time() {
    if !alone("p08_idle_workers_use_no_processor_time") {
        return;
    }
    for (max_workers, idle_timeout_ns) in [(1, 0), (4, 0), (3, 2_000_000)] {
        let pool = Pool::with(&Config { max_workers, idle_timeout_ns, ..Config::default() });
        let (meeting, ids): (_, &'static Mutex<Vec<usize>>) = (Count::new(), leak(Mutex::new(Vec::new())));
        let futures: Vec<Future> = (0..max_workers)
            .map(|_| {
                pool.go(move || {
                    ids.lock().unwrap().push(thread_id());
                    meeting.meet(max_workers);
                    0
                })
            })
            .collect();
        wait_all(&futures);
        // How often each of the threads has gone to sleep, or was made to stop.
        let switches = || -> Vec<String> {
            let of = |id: &usize| {
                // Nothing of one that has retired.
                let status = std::fs::read_to_string(format!("/proc/self/task/{id}/status")).unwrap_or_default();
                status.lines().filter(|line| line.contains("ctxt_switches")).collect::<String>()
            };
            ids.lock().unwrap().iter().map(of).collect()
        };
        // They fall asleep some time or other; from then on nothing happens.
        let mut before = switches();
        until(|| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            std::mem::replace(&mut before, switches()) == before
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(switches(), before);
        pool.go(|| 0).get();
    }
}

#[test]
fn p08_idle_workers_end_after_their_time_but_for_one_and_come_back() {
    let pool = Pool::with(&Config { max_workers: 4, idle_timeout_ns: 1_000_000, ..Config::default() });
    let mut random = Random::new(1);
    let mut threads = HashSet::new();
    for _ in 0..25 {
        meet(&pool, 4, &mut random);
        until(|| pool.worker_count() == 1);
        threads.insert(pool.go(thread_id).get());
        assert_eq!(pool.worker_count(), 1, "the last one stays");
    }
    assert!(!threads.is_empty());
}

/// Bursts at the very moment at which workers retire: nothing is lost, and there is always one.
#[test]
fn p08_retiring_races_with_new_work() {
    for idle_timeout_ns in [1, 20_000, 60_000] {
        let pool = Pool::with(&Config { max_workers: 3, idle_timeout_ns, ..Config::default() });
        let mut random = Random::new(idle_timeout_ns as u64 + 7);
        let runs = counter();
        let mut expected = 0;
        for _ in 0..1500 {
            for _ in 0..random.below(5) {
                pool.execute(bump, address(runs)).unwrap();
                expected += 1;
            }
            for _ in 0..random.below(4000) {
                std::hint::spin_loop();
            }
            let n = pool.worker_count();
            assert!(n <= 3 && (n >= 1 || expected == 0), "{n} workers");
        }
        until(|| runs.load(SeqCst) == expected);
        drop(pool);
        assert_eq!(runs.load(SeqCst), expected);
    }
}

/// A worker that is on its way out, in its finalizer, still has its seat: what is submitted meanwhile waits for nobody else.
#[test]
fn p02_a_task_gets_its_thread_when_one_that_ends_makes_room() {
    static FINALIZERS: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn slow(gate: Ptr) {
        FINALIZERS.fetch_add(1, SeqCst);
        unsafe { (*gate.cast::<Gate>()).pass() };
    }
    for _ in 0..20 {
        let gate = Gate::new();
        let finalizers = FINALIZERS.load(SeqCst);
        let pool = Pool::with(&Config {
            max_workers: 2,
            finalizer: Some(slow),
            user_data: address(gate),
            idle_timeout_ns: 1000,
            ..Config::default()
        });
        let (a, b) = (pool.block(), pool.block());
        // One of the two retires and is held in its finalizer, the other one goes on with the next task.
        drop(a);
        drop(b);
        until(|| FINALIZERS.load(SeqCst) == finalizers + 1);
        let last = pool.block();
        let stuck = pool.go(|| 7);
        std::thread::sleep(std::time::Duration::from_micros(300));
        gate.open();
        assert_eq!(stuck.get(), 7, "there is room for a worker");
        last.release();
    }
}

/// A thread that has ended as a worker may take its time: its seat is free, and nobody who submits waits for it.
#[test]
fn p08_a_retired_threads_slow_destructors_hold_nobody_up() {
    static KEY: std::sync::OnceLock<libc::pthread_key_t> = std::sync::OnceLock::new();
    static ENDING: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn at_thread_end(gate: Ptr) {
        ENDING.fetch_add(1, SeqCst);
        unsafe { (*gate.cast::<Gate>()).pass() };
    }
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        unsafe { assert_eq!(libc::pthread_key_create(&mut key, Some(at_thread_end)), 0) };
        key
    });
    let gate = Gate::new();
    let pool = Pool::with(&Config { max_workers: 2, idle_timeout_ns: 1000, ..Config::default() });
    let meeting = Count::new();
    let futures: Vec<Future> = (0..2)
        .map(|_| {
            pool.go(move || {
                unsafe { assert_eq!(libc::pthread_setspecific(key, address(gate)), 0) };
                meeting.meet(2);
                0
            })
        })
        .collect();
    wait_all(&futures);
    until(|| ENDING.load(SeqCst) == 1);
    let blocker = pool.block();
    // A second worker is needed, in the seat of the one that is still ending.
    assert_eq!(pool.go(|| 5).get(), 5);
    gate.open();
    blocker.release();
}

/// The end of a retired worker's thread may call into the library as well: its thread-local destructors do.
#[test]
fn p08_a_retiring_threads_destructors_may_submit() {
    static KEY: std::sync::OnceLock<libc::pthread_key_t> = std::sync::OnceLock::new();
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn at_thread_end(executor: Ptr) {
        let executor = unsafe { &*executor.cast::<Executor>() };
        for _ in 0..3 {
            // Refused once the executor is shut down.
            let _ = executor.execute(same, NULL);
        }
        ENDED.fetch_add(1, SeqCst);
    }
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        unsafe { assert_eq!(libc::pthread_key_create(&mut key, Some(at_thread_end)), 0) };
        key
    });
    let pool = Pool::with(&Config { max_workers: 3, idle_timeout_ns: 1, ..Config::default() });
    let executor = pool.shared();
    for _ in 0..400 {
        let meeting = Count::new();
        let futures: Vec<Future> = (0..3)
            .map(|_| {
                pool.go(move || {
                    let executor = std::ptr::from_ref(executor).cast_mut().cast::<std::ffi::c_void>();
                    unsafe { assert_eq!(libc::pthread_setspecific(key, executor), 0) };
                    meeting.meet(3);
                    0
                })
            })
            .collect();
        wait_all(&futures);
    }
    pool.shutdown(true, false).unwrap();
    assert!(ENDED.load(SeqCst) >= 1);
}

#[test]
fn p09_submit_many_is_all_or_none() {
    let pool = Pool::new(2);
    let runs = counter();
    // More than a segment of any queue, and less; with and without futures.
    for n in [1, 2, 511, 512, 513, 3000] {
        let before = runs.load(SeqCst);
        let futures = pool.many(bump, &vec![address(runs); n]);
        wait_all(&futures);
        assert_eq!(runs.load(SeqCst), before + n);
        let args = vec![address(runs); n];
        unsafe { pool.submit_many(bump, args.as_ptr(), n, std::ptr::null_mut()).unwrap() };
        until(|| runs.load(SeqCst) == before + 2 * n);
    }
    // Nothing is nothing: no thread is started for it.
    let other = Pool::new(2);
    unsafe { other.submit_many(bump, std::ptr::null(), 0, std::ptr::null_mut()).unwrap() };
    assert_eq!(other.worker_count(), 0);
}

#[test]
fn p09_submit_many_keeps_the_order_of_its_arguments() {
    static ORDER: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    unsafe extern "C" fn note(arg: Ptr) -> Ptr {
        ORDER.lock().unwrap().push(arg.addr());
        arg
    }
    let pool = Pool::new(1);
    let futures = pool.many(note, numbers(2000));
    assert!(futures.iter().enumerate().all(|(i, future)| future.get() == i));
    assert!(ORDER.lock().unwrap().iter().enumerate().all(|(i, number)| i == *number));
}

/// All of them at once, on workers that sleep, search or do not exist yet.
#[test]
fn p09_submit_many_spreads_over_idle_workers() {
    let pool = Pool::new(8);
    for round in 0..300 {
        let k = 1 + round % 8;
        let meeting = Count::new();
        let (func, arg) = closure_many(move || meeting.meet(k));
        wait_all(&pool.many(func, &vec![arg; k]));
        if round % 10 == 0 {
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
    }
}
