//! N1: a worker that waits for a pending task of its executor runs it.

use crate::support::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;
use tpexec::config::Config;
use tpexec::current;
use tpexec::executor::Executor;
use tpexec::status::Status;
use tpexec::task::{Future, Node, State, Task};
use tpexec::wait::{self, WaitFor};

type Log<T> = &'static Mutex<Vec<T>>;

fn log<T>() -> Log<T> {
    leak(Mutex::new(Vec::new()))
}

/// Every way of waiting for one task without a limit, or with one.
fn each_way() -> [(&'static str, fn(&Future)); 8] {
    [
        ("result", |future| _ = wait::result(future, FOREVER)),
        ("result with a limit", |future| _ = wait::result(future, ms(60_000))),
        ("take", |future| _ = wait::take(future, FOREVER)),
        ("error", |future| _ = wait::error(future, FOREVER)),
        ("wait for all", |future| wait_all(std::slice::from_ref(future))),
        ("wait for the first", |future| _ = wait_for(std::slice::from_ref(future), FOREVER, WaitFor::FirstCompleted)),
        ("wait for a failure", |future| _ = wait_for(std::slice::from_ref(future), FOREVER, WaitFor::FirstFailed)),
        ("as completed", |future| _ = Queue::as_completed(std::slice::from_ref(future)).tag()),
    ]
}

#[test]
fn n01_a_worker_runs_the_pending_task_that_it_waits_for_and_no_other() {
    for workers in [1, 2] {
        let pool = Pool::new(workers);
        let executor = pool.shared();
        // With two, the other one is busy, so that nobody else takes anything.
        let _busy = (workers == 2).then(|| pool.block());
        for (way, wait) in each_way() {
            let order: Log<(usize, usize)> = log();
            let note = move |number| {
                move || {
                    order.lock().unwrap().push((number, thread_id()));
                    number
                }
            };
            pool.go(move || {
                let futures: Vec<Future> = (0..5).map(|i| executor.go(note(i))).collect();
                let me = thread_id();
                // One from the middle, the newest, the oldest.
                for (i, n) in [2, 4, 0].into_iter().zip(1..) {
                    wait(&futures[i]);
                    let order = order.lock().unwrap();
                    assert_eq!((order.len(), order[n - 1]), (n, (i, me)), "{way}");
                }
                assert_eq!([1, 3].map(|i| futures[i].state()), [State::Pending; 2], "{way}");
                0
            })
            .get();
            until(|| order.lock().unwrap().len() == 5);
        }
    }
}

#[test]
fn n01_waits_on_several_run_pending_ones_in_the_order_given_one_at_a_time() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    for given_order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let order: Log<usize> = log();
        let (inside, most) = (counter(), counter());
        let futures = move || -> Vec<Future> {
            let futures: Vec<Future> = (0..4)
                .map(|i| {
                    executor.go(move || {
                        most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                        order.lock().unwrap().push(i);
                        inside.fetch_sub(1, SeqCst);
                        i
                    })
                })
                .collect();
            given_order.map(|i| futures[i].clone()).into()
        };
        let ran = move || std::mem::take(&mut *order.lock().unwrap());
        pool.go(move || {
            wait_all(&futures());
            assert_eq!(ran(), given_order);
            // The condition is checked before each: one is enough.
            let some = futures();
            let outcome = wait_for(&some, FOREVER, WaitFor::FirstCompleted).unwrap();
            assert_eq!((outcome.n_done, ran()), (1, vec![given_order[0]]));
            wait_all(&some);
            assert_eq!(ran(), given_order[1..]);
            wait_for(&futures(), FOREVER, WaitFor::FirstFailed).unwrap();
            assert_eq!(ran(), given_order);
            let queue = Queue::as_completed(&futures());
            for n in 0..4 {
                assert_eq!((queue.tag(), ran()), (Some(n), vec![given_order[n as usize]]));
            }
            0
        })
        .get();
        assert_eq!(most.load(SeqCst), 1);
    }
}

#[test]
fn n01_a_map_runs_its_items_at_their_turn() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    static ORDER: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    unsafe extern "C-unwind" fn note(arg: Ptr) -> Ptr {
        ORDER.lock().unwrap().push(arg.addr());
        arg
    }
    pool.go(move || {
        let map = executor.map(note, numbers(5), 2);
        for i in 0..5 {
            assert_eq!(given(&map, FOREVER), Given::Value(i));
            assert_eq!(ORDER.lock().unwrap().len(), i + 1);
        }
        0
    })
    .get();
}

#[test]
fn n01_what_runs_inline_is_the_current_task_then_the_outer_one_is_again() {
    let pool = Pool::new(1);
    let executor = pool.shared();
    let outer = pool.go(move || {
        let me = current::future();
        let name = current::worker_name().addr();
        let inner = executor.go(move || {
            assert_eq!(current::worker_name().addr(), name);
            assert_eq!(current::executor(), std::ptr::from_ref(executor));
            fail(3);
            current::future().addr()
        });
        assert_eq!(inner.refusal(), Status::Task);
        assert_eq!(current::future(), me);
        let asked = executor.go(|| current::future().addr());
        assert_eq!(asked.get(), std::ptr::from_ref::<Node>(&asked).addr());
        4
    });
    assert_eq!(outer.get(), 4, "the inner one's failure is not the outer one's");
}

#[test]
fn n01_another_executors_pending_task_is_not_run_here() {
    let (pool, other) = (Pool::new(1), Pool::new(1));
    let executor = other.shared();
    let theirs = other.go(thread_id).get();
    let ran_on = pool.go(move || executor.go(thread_id).get()).get();
    assert_eq!(ran_on, theirs);
}

/// 2,000 tasks, one inside of the other, on the one worker there is.
#[test]
fn n01_submit_and_result_work_2000_deep_on_one_worker() {
    fn nest(executor: &'static Executor, depth: usize) -> usize {
        match depth {
            0 => 0,
            _ => executor.go(move || nest(executor, depth - 1)).get() + 1,
        }
    }
    // The default stack is enough; but unoptimized frames are several times as large.
    let stack_size = if cfg!(debug_assertions) { 64 << 20 } else { 0 };
    let pool = Pool::with(&Config { max_workers: 1, stack_size, ..Config::default() });
    let executor = pool.shared();
    assert_eq!(pool.go(move || nest(executor, 2000)).get(), 2000);
    // And again: the worker is as good as new.
    assert_eq!(pool.go(move || nest(executor, 2000)).get(), 2000);
    assert_eq!((pool.worker_count(), pool.pending_count()), (1, 0));
}

/// Past what the stack can hold: with one worker nobody could ever run it, and the wait says so; with more, others do.
#[test]
fn n01_nesting_past_the_stack_ends_in_an_answer_and_not_in_a_crash() {
    /// The depth at which the wait was refused, or the bottom.
    fn nest(executor: &'static Executor, depth: usize) -> usize {
        // What was refused at the top of a full stack goes on at the bottom of an empty one, until the test ends.
        let Ok(inner) = executor.try_go(move || if depth == 0 { 0 } else { nest(executor, depth - 1) }) else {
            return 0;
        };
        match wait::result(&inner, FOREVER) {
            Ok(value) => value.addr() + 1,
            Err(error) => {
                assert_eq!(error.status, Status::Deadlock);
                0
            }
        }
    }
    for stack_size in [64 << 10, 256 << 10, 1 << 20] {
        let pool = Pool::with(&Config { max_workers: 1, stack_size, ..Config::default() });
        let executor = pool.shared();
        let depth = pool.go(move || nest(executor, 100_000)).get();
        assert!((1..100_000).contains(&depth), "{depth} with {stack_size} bytes");
    }
    let pool = Pool::with(&Config { max_workers: 64, stack_size: 128 << 10, ..Config::default() });
    let executor = pool.shared();
    let depth = pool.go(move || nest(executor, 200)).get();
    assert_eq!(depth, 201, "other workers go on where one's stack is full");
}

/// Tasks that use a lot of stack themselves leave less for those that run on top of them.
#[test]
fn n01_nesting_counts_what_the_tasks_themselves_use() {
    fn nest(executor: &'static Executor, depth: usize) -> usize {
        let own = std::hint::black_box([depth as u8; 300 << 10]);
        let Ok(inner) = executor.try_go(move || if depth == 0 { 0 } else { nest(executor, depth - 1) }) else {
            return 0;
        };
        match wait::result(&inner, FOREVER) {
            Ok(value) => value.addr() + usize::from(own[depth] == depth as u8),
            Err(error) => {
                assert_eq!(error.status, Status::Deadlock);
                0
            }
        }
    }
    // The system's default size, or what stands for it.
    let pool = Pool::with(&Config { max_workers: 1, stack_size: 8 << 20, ..Config::default() });
    let executor = pool.shared();
    let depth = pool.go(move || nest(executor, 200)).get();
    assert!((2..200).contains(&depth), "{depth}");
}

/// The same within one executor of few workers, where most waits run what they wait for: the order of a tree's leaves.
#[test]
fn n01_fork_and_join_in_any_depth_and_width_comes_out_right() {
    fn fib(executor: &'static Executor, n: usize) -> usize {
        if n < 2 {
            return n;
        }
        let (a, b) = (executor.go(move || fib(executor, n - 1)), executor.go(move || fib(executor, n - 2)));
        match n % 3 {
            0 => wait_all(&[b.clone(), a.clone()]),
            1 => _ = wait_for(&[a.clone(), b.clone()], FOREVER, WaitFor::FirstCompleted).unwrap(),
            _ => {}
        }
        a.get() + b.get()
    }
    for workers in [1, 2, 3] {
        let pool = Pool::new(workers);
        let executor = pool.shared();
        for _ in 0..3 {
            assert_eq!(pool.go(move || fib(executor, 16)).get(), 987);
        }
    }
}

/// The submitter takes its newest task back while the other worker steals it: one of them has it.
#[test]
fn n01_the_newest_task_is_taken_back_or_stolen() {
    static ARGS: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C-unwind" fn count_arg(_: Ptr) {
        ARGS.fetch_add(1, SeqCst);
    }
    const ROUNDS: usize = 40_000;
    let pool = Pool::new(2);
    let executor = pool.shared();
    let (runs, results) = (counter(), counter());
    let (hooks_runs, hooks_results) = (address(runs).expose_provenance(), address(results).expose_provenance());
    pool.go(move || {
        let results: Ptr = std::ptr::with_exposed_provenance_mut(hooks_results);
        let hooks = Task { drop_arg: Some(count_arg), drop_result: DROP_BUMP, ..task(same, results) };
        let runs: Ptr = std::ptr::with_exposed_provenance_mut(hooks_runs);
        for i in 0..ROUNDS {
            // The other worker stays awake.
            if i % 4 == 0 {
                executor.execute(bump, runs).unwrap();
            }
            let future = executor.task(hooks);
            (0..i % 64).for_each(|_| std::hint::spin_loop());
            assert_eq!(future.get(), results.addr());
        }
        0
    })
    .get();
    drop(pool);
    assert_eq!((ARGS.load(SeqCst), results.load(SeqCst), runs.load(SeqCst)), (ROUNDS, ROUNDS, ROUNDS / 4));
}

/// Inline runs against workers that take the same task, and against cancels: once, by one of them.
#[test]
fn n01_an_awaited_task_runs_once_whoever_gets_it() {
    let pool = Pool::new(3);
    let executor = pool.shared();
    for round in 0..200 {
        let (runs, total): (&'static AtomicUsize, usize) = (counter(), 60);
        let cancelled = pool.go(move || {
            let mut random = Random::new(round);
            let futures: Vec<Future> = (0..total).map(|_| executor.submit(bump, address(runs)).unwrap()).collect();
            let mut cancelled = 0;
            for _ in 0..total {
                let i = random.below(total);
                if random.below(4) == 0 {
                    futures[i].cancel();
                } else {
                    _ = wait::result(&futures[i], FOREVER);
                }
            }
            wait_all(&futures);
            futures.iter().for_each(|future| cancelled += usize::from(future.state() == State::Cancelled));
            cancelled
        });
        let cancelled = cancelled.get();
        assert_eq!(runs.load(SeqCst) + cancelled, total);
    }
}
