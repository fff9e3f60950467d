//! The accounts of a run of the `threads` target: how often each thing has happened, and whether it may have.

use crate::answer::Status;
use crate::report::give_up;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// More tasks, callbacks or failures than this are not made in one run.
pub const MAX: usize = 1024;

/// One task's account. Hooks may run on any thread, at any time.
#[derive(Debug, Default)]
pub struct Task {
    pub executor: AtomicU32,
    /// The script that it runs, and how deep it is nested in what made it.
    pub script: AtomicU32,
    pub depth: AtomicU32,
    pub accepted: AtomicU32,
    pub entered: AtomicU32,
    pub returned: AtomicU32,
    /// Whether it has a hook for its argument, its result, its payload.
    pub has_drop_arg: AtomicU32,
    pub has_drop_result: AtomicU32,
    pub has_drop_payload: AtomicU32,
    pub has_future: AtomicU32,
    pub drop_arg: AtomicU32,
    pub drop_result: AtomicU32,
    pub drop_payload: AtomicU32,
    pub drop_failure: AtomicU32,
    /// Failures reported with a payload.
    pub payloads: AtomicU32,
    pub taken: AtomicU32,
    /// What its final question was answered.
    pub cancelled: AtomicU32,
    pub broken: AtomicU32,
    pub failed: AtomicU32,
    /// Somebody was told of its failure.
    pub seen: AtomicU32,
    pub unhandled: AtomicU32,
}

#[derive(Default)]
pub struct Callback {
    pub task: AtomicU32,
    pub script: AtomicU32,
    pub depth: AtomicU32,
    pub added: AtomicU32,
    pub called: AtomicU32,
}

#[derive(Default)]
pub struct Executor {
    pub workers: usize,
    pub fragile: bool,
    pub hears_failures: bool,
    pub initialized: AtomicU32,
    pub finalized: AtomicU32,
    pub broken: AtomicU32,
    pub shut: AtomicU32,
    /// A shutdown has returned.
    pub closed: AtomicU32,
    pub running: AtomicU32,
    /// Somebody has waited for its end.
    pub over: AtomicU32,
    pub user_data_dropped: AtomicU32,
}

pub struct Accounts {
    pub tasks: Vec<Task>,
    pub callbacks: Vec<Callback>,
    pub executors: Vec<Executor>,
    pub made_tasks: AtomicU32,
    pub made_callbacks: AtomicU32,
}

pub fn count(at: &AtomicU32) -> u32 {
    at.fetch_add(1, SeqCst) + 1
}

pub fn get(at: &AtomicU32) -> u32 {
    at.load(SeqCst)
}

pub fn set(at: &AtomicU32) {
    at.store(1, SeqCst);
}

fn check(condition: bool, why: impl FnOnce() -> String) {
    if !condition {
        give_up(&why());
    }
}

impl Accounts {
    pub fn new(executors: Vec<Executor>) -> Accounts {
        let tasks = (0..MAX).map(|_| Task::default()).collect();
        let callbacks = (0..MAX).map(|_| Callback::default()).collect();
        Accounts { tasks, callbacks, executors, made_tasks: AtomicU32::new(0), made_callbacks: AtomicU32::new(0) }
    }

    /// Numbers for so many new tasks, if there are any left.
    pub fn new_tasks(&self, n: usize) -> Option<usize> {
        let first = self.made_tasks.fetch_add(n as u32, SeqCst) as usize;
        (first + n <= MAX).then_some(first)
    }

    pub fn new_callback(&self) -> Option<usize> {
        let callback = self.made_callbacks.fetch_add(1, SeqCst) as usize;
        (callback < MAX).then_some(callback)
    }

    /// Whether a submission may be answered so, and what it means for these tasks. `closed`: before it, a shutdown had
    /// returned.
    pub fn submitted(&self, executor: usize, tasks: std::ops::Range<usize>, status: Status, closed: bool) {
        let it = &self.executors[executor];
        let may = match status {
            Status::OK => !closed,
            Status::SHUTDOWN => get(&it.shut) != 0,
            Status::BROKEN => get(&it.broken) != 0,
            _ => false,
        };
        check(may, || format!("a submission to executor {executor} gave {status:?}"));
        for task in tasks.filter(|_| status == Status::OK) {
            set(&self.tasks[task].accepted);
        }
    }

    /// A task's last question has been answered: with its outcome.
    pub fn outcome(&self, task: usize, status: Status) {
        let it = &self.tasks[task];
        let (entered, returned) = (get(&it.entered), get(&it.returned));
        match status {
            Status::OK | Status::TASK | Status::INVALID_STATE => {
                check(returned == 1, || format!("task {task} is {status:?}, and has not returned"));
                let failed = get(&it.failed) != 0;
                check(failed == (status == Status::TASK), || format!("task {task} gives {status:?}"));
            }
            Status::CANCELLED => {
                check(entered == 0, || format!("task {task} ran, and is cancelled"));
                set(&it.cancelled);
            }
            Status::BROKEN => {
                check(entered == 0, || format!("task {task} ran, and is broken"));
                set(&it.broken);
            }
            other => give_up(&format!("task {task} ended with {other:?}")),
        }
    }

    /// The run is over and everything has been given back.
    pub fn settle(&self) {
        for (id, it) in self.tasks.iter().enumerate().take(get(&self.made_tasks) as usize) {
            self.settle_task(id, it);
        }
        for (id, it) in self.callbacks.iter().enumerate() {
            check(get(&it.added) == get(&it.called), || {
                let (added, called, task) = (get(&it.added), get(&it.called), get(&it.task) as usize);
                let account = &self.tasks[task];
                format!("callback {id} of task {task} was added {added} times and called {called} times: {account:?}")
            });
        }
        for (id, it) in self.executors.iter().enumerate() {
            check(get(&it.initialized) == get(&it.finalized), || {
                format!("executor {id}: {} initializers, {} finalizers", get(&it.initialized), get(&it.finalized))
            });
            check(get(&it.user_data_dropped) == 1, || {
                format!("executor {id}: user data dropped {} times", get(&it.user_data_dropped))
            });
        }
    }

    fn settle_task(&self, id: usize, it: &Task) {
        let accepted = get(&it.accepted);
        let exactly = |what: &str, actual: &AtomicU32, expected: u32| {
            check(get(actual) == expected, || format!("task {id}: {what} {} times, and not {expected}", get(actual)));
        };
        let ended_unrun = get(&it.cancelled) + get(&it.broken);
        let ran = get(&it.entered);
        exactly("returned", &it.returned, ran);
        match get(&it.has_future) != 0 {
            true => check(ran + ended_unrun == accepted, || {
                format!("task {id}: ran {ran} times, ended {ended_unrun} times unrun")
            }),
            false => check(ran <= accepted, || format!("task {id}: ran {ran} times")),
        }
        exactly("drop_arg", &it.drop_arg, accepted * get(&it.has_drop_arg));
        exactly("drop_payload", &it.drop_payload, accepted * get(&it.has_drop_payload));
        exactly("drop_result", &it.drop_result, ran * get(&it.has_drop_result) * (1 - get(&it.taken).min(1)));
        exactly("drop_failure", &it.drop_failure, get(&it.payloads));
        check(get(&it.taken) <= 1, || format!("task {id}: taken {} times", get(&it.taken)));
        let unseen =
            get(&it.failed) != 0 && get(&it.seen) == 0 && self.executors[get(&it.executor) as usize].hears_failures;
        exactly("reported as unhandled", &it.unhandled, u32::from(unseen));
    }
}
