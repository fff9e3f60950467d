//! P2, the hard guarantee: k tasks that wait for each other all get a thread.

use crate::support::*;
use tpexec::config::Config;
use tpexec::executor::Executor;
use tpexec::task::{Future, Task};

/// A meeting of `k` tasks on one executor: each waits for all the others, so all must have a thread. What else is going on
/// comes with the seed.
pub fn meet(pool: &Pool, k: usize, random: &mut Random) {
    unsafe extern "C-unwind" fn attend(meeting: Ptr) -> Ptr {
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

pub unsafe extern "C-unwind" fn nothing(_: Ptr) {}

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
    unsafe extern "C-unwind" fn slow(_: Ptr) -> i32 {
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
