//! Writes the seeds of both targets, one for each feature, into `fuzz/corpus`: `cargo run --bin seeds`. Who
//! adds an action adds a seed.
//!
//! A step is what it does, who acts (of the threads that are at their turnstile: first the program's own, 0 to 2, then
//! workers), and two numbers that mean what `turns::choose` says; futures are counted from the latest.

use tpexec_fuzz::threads::program as threads;
use tpexec_fuzz::turns::program::Action::{self, *};
use tpexec_fuzz::turns::program::{encode, Step};

type Seed = (&'static str, &'static [(Action, u8, u8, u8)]);

/// One worker and every hook; two workers; one whose first initializer fails.
const ONE: (Action, u8, u8, u8) = (New, 0, 0, 2 + 4 + 8);
const TWO: (Action, u8, u8, u8) = (New, 0, 1, 2 + 4);
const BROKEN: (Action, u8, u8, u8) = (New, 0, 3, 1 + 2);
const BLOCKER: (Action, u8, u8, u8) = (Submit, 1, 0, 0);

const SEEDS: &[Seed] = &[
    (
        "result",
        &[ONE, BLOCKER, (Result, 1, 0, 0), (Return, 2, 0, 0), (Take, 0, 0, 1), (Result, 0, 0, 1), (Error, 0, 0, 1)],
    ),
    (
        "cancel",
        &[
            ONE,
            BLOCKER,
            (SubmitTask, 1, 0, 3),
            (AddCallback, 1, 0, 0),
            (Wait, 2, 1, 0),
            (Cancel, 0, 0, 0),
            (Return, 0, 0, 0),
        ],
    ),
    ("hooks", &[ONE, (SubmitTask, 1, 0, 7), (Release, 1, 0, 0), (Fail, 3, 7, 3), (Fail, 3, 8, 3), (Return, 3, 0, 0)]),
    (
        "callbacks",
        &[
            ONE,
            BLOCKER,
            (AddCallback, 0, 0, 0),
            (AddCallback, 0, 0, 0),
            (Return, 3, 0, 0),
            (AddCallback, 3, 0, 0),
            (Submit, 3, 0, 0),
            (Return, 3, 0, 0),
            (Release, 3, 1, 0),
            (Return, 3, 0, 0),
        ],
    ),
    (
        "free_in_callback",
        &[ONE, BLOCKER, (AddCallback, 0, 0, 0), (Return, 3, 0, 0), (Free, 3, 0, 0), (Submit, 3, 0, 0)],
    ),
    ("many", &[TWO, (SubmitMany, 1, 0, 11), (Wait, 1, 31, 0), (Wait, 1, 129, 4), (Return, 1, 0, 0), (Return, 1, 0, 0)]),
    (
        "first_failed",
        &[TWO, BLOCKER, (Submit, 1, 0, 0), (Wait, 2, 3, 8), (Return, 2, 0, 0), (Fail, 2, 9, 1), (Return, 2, 0, 0)],
    ),
    (
        "inline",
        &[ONE, BLOCKER, (Submit, 3, 0, 0), (Result, 3, 0, 0), (Submit, 3, 0, 0), (Wait, 3, 1, 0), (Return, 3, 0, 0)],
    ),
    (
        "limited_inline",
        &[
            ONE,
            BLOCKER,
            (SubmitMany, 3, 0, 7),
            (Wait, 3, 7, 3),
            (Return, 3, 0, 0),
            (Return, 3, 0, 0),
            (Inside, 3, 0, 0),
        ],
    ),
    (
        "itself",
        &[
            ONE,
            BLOCKER,
            (Result, 3, 0, 0),
            (Cancel, 3, 0, 0),
            (RequestStop, 0, 0, 0),
            (Inside, 3, 0, 0),
            (Return, 3, 0, 1),
        ],
    ),
    ("circle", &[TWO, BLOCKER, (Submit, 1, 0, 0), (Result, 3, 0, 0), (Result, 3, 1, 0), (Return, 3, 0, 0)]),
    (
        "two_executors",
        &[ONE, ONE, (Submit, 1, 0, 0), (Submit, 1, 1, 0), (Take, 3, 0, 0), (Error, 3, 1, 0), (Return, 3, 0, 0)],
    ),
    (
        "payload",
        &[
            ONE,
            (Prepare, 1, 0, 5),
            (Look, 1, 0, 0),
            (Cancel, 1, 0, 0),
            (Result, 1, 0, 0),
            (Launch, 1, 0, 1),
            (Launch, 1, 0, 1),
            (Prepare, 1, 0, 6),
            (ExecutePrepared, 1, 0, 1),
            (Prepare, 1, 0, 1),
            (Retain, 1, 0, 0),
            (ExecutePrepared, 1, 0, 1),
        ],
    ),
    (
        "payload_cancelled",
        &[ONE, BLOCKER, (Prepare, 1, 0, 4), (Launch, 1, 0, 1), (Cancel, 0, 0, 0), (Shutdown, 0, 0, 0)],
    ),
    (
        "queue",
        &[
            ONE,
            (QueueNew, 0, 0, 0),
            (SubmitMany, 1, 0, 7),
            (QueueAdd, 1, 0, 0),
            (QueueAdd, 1, 1, 0),
            (QueueNext, 1, 0, 0),
            (QueueNext, 1, 0, 3),
            (Cancel, 0, 0, 0),
            (Cancel, 0, 1, 0),
            (QueueClose, 0, 0, 0),
            (QueueNext, 0, 0, 1),
            (QueueAdd, 0, 0, 0),
        ],
    ),
    (
        "queue_on_worker",
        &[
            ONE,
            BLOCKER,
            (QueueNew, 0, 0, 0),
            (QueueNext, 3, 0, 0),
            (Submit, 1, 0, 0),
            (QueueAdd, 1, 0, 0),
            (Return, 3, 0, 0),
        ],
    ),
    (
        "as_completed",
        &[
            TWO,
            (SubmitMany, 1, 0, 9),
            (AsCompleted, 1, 143, 0),
            (QueueNext, 1, 0, 0),
            (Return, 2, 0, 0),
            (QueueFree, 0, 0, 0),
        ],
    ),
    (
        "map",
        &[
            ONE,
            (MapNew, 1, 0, 4 + 8 + 32),
            (MapNext, 1, 0, 0),
            (Return, 2, 0, 0),
            (MapNext, 1, 0, 1),
            (MapNext, 1, 0, 2),
            (Shutdown, 0, 0, 0),
            (Return, 3, 0, 0),
            (MapNext, 1, 0, 0),
            (MapNext, 1, 0, 0),
            (MapNext, 1, 0, 0),
        ],
    ),
    (
        "map_on_worker",
        &[
            ONE,
            BLOCKER,
            (MapNew, 3, 0, 3 + 8),
            (MapNext, 3, 0, 0),
            (Return, 3, 0, 0),
            (Cancel, 0, 0, 0),
            (Return, 3, 0, 0),
            (MapNext, 3, 0, 1),
            (MapFree, 0, 0, 0),
        ],
    ),
    (
        "shutdown_cancels",
        &[
            ONE,
            BLOCKER,
            (SubmitTask, 1, 0, 1),
            (SubmitMany, 1, 0, 7),
            (AddCallback, 1, 0, 0),
            (AsCompleted, 2, 7, 0),
            (QueueNext, 2, 0, 0),
            (Shutdown, 1, 0, 3),
            (Submit, 1, 0, 0),
            (Return, 1, 0, 0),
            (Return, 1, 0, 0),
            (Join, 0, 0, 1),
        ],
    ),
    (
        "own_shutdown",
        &[ONE, BLOCKER, (Shutdown, 3, 0, 1), (Join, 3, 0, 0), (Submit, 3, 0, 0), (Counts, 3, 0, 0), (Free, 3, 0, 0)],
    ),
    ("detach", &[TWO, BLOCKER, (Submit, 1, 0, 0), (Detach, 0, 0, 0), (Execute, 3, 0, 0), (Return, 3, 0, 0)]),
    (
        "broken",
        &[BROKEN, (SubmitTask, 1, 0, 3), (Submit, 1, 0, 0), (Result, 1, 0, 0), (Shutdown, 1, 0, 1), (Submit, 1, 0, 0)],
    ),
    (
        "breaks_later",
        &[
            (New, 0, 7, 1 + 2),
            BLOCKER,
            (SubmitTask, 1, 0, 3),
            (AddCallback, 1, 0, 0),
            (Error, 0, 0, 1),
            (Return, 3, 0, 0),
            (Join, 1, 0, 0),
        ],
    ),
    (
        "retiring",
        &[
            (New, 0, 2, 1 + 2 + 32),
            (SubmitMany, 1, 0, 6),
            (Return, 3, 0, 0),
            (Return, 3, 0, 0),
            (Submit, 1, 0, 0),
            (Counts, 0, 0, 0),
        ],
    ),
    (
        "refusals",
        &[
            ONE,
            (Refused, 0, 1, 0),
            (Refused, 0, 16, 0),
            (NewOdd, 0, 1, 9),
            (NewOdd, 0, 0, 200),
            (NewOdd, 0, 19, 2),
            (SubmitOdd, 0, 4, 3),
            (SubmitOdd, 0, 46, 7),
            (SubmitOdd, 0, 4, 4),
            (Shutdown, 0, 0, 0),
            (SubmitOdd, 0, 6, 0),
        ],
    ),
];

/// A program of the `threads` target that is about one action: every thread and every script has it, between
/// submissions. Its executors have three workers and one; failures are heard of.
fn busy_with(action: threads::Action) -> Vec<u8> {
    let mut bytes = vec![2 + 128, 128, 0];
    for to in 0..8 {
        for (at, action) in
            [threads::Action::SubmitTask, action, threads::Action::SubmitMany, action].into_iter().enumerate()
        {
            let mixed = (to * 5 + at * 7) as u8;
            bytes.extend(threads::encode(action, to, mixed, mixed.wrapping_mul(11)));
        }
    }
    bytes
}

fn main() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    for (name, steps) in SEEDS {
        let steps: Vec<Step> = steps.iter().map(|&(action, who, a, b)| Step { action, who, a, b }).collect();
        write(&format!("{corpus}/turns/{name}"), &encode(&steps));
    }
    for &action in threads::ACTIONS {
        write(&format!("{corpus}/threads/{}", format!("{action:?}").to_lowercase()), &busy_with(action));
    }
}

fn write(file: &str, bytes: &[u8]) {
    std::fs::write(file, bytes).expect("the corpus can be written");
}
