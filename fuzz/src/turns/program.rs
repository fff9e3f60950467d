//! A program of the `turns` target: a row of steps of four bytes each. A step says who acts, what the actor calls, and
//! with which of the things there are; numbers that are too large are taken modulo, so every row of bytes is a program,
//! and a part that is cut out or copied keeps its meaning.

use crate::actions::actions;

/// More steps than this find nothing that fewer do not.
const MAX_STEPS: usize = 96;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub action: Action,
    /// Which of the threads that are at their turnstile acts.
    pub who: u8,
    /// What it is about, and how.
    pub a: u8,
    pub b: u8,
}

actions!(
    New,
    NewOdd,
    Shutdown,
    Join,
    Free,
    Detach,
    Counts,
    Submit,
    Execute,
    SubmitMany,
    SubmitTask,
    SubmitOdd,
    Prepare,
    Launch,
    ExecutePrepared,
    Result,
    Take,
    Error,
    Look,
    Cancel,
    RequestStop,
    AddCallback,
    Retain,
    Release,
    Fail,
    Inside,
    Return,
    Wait,
    QueueNew,
    AsCompleted,
    QueueAdd,
    QueueClose,
    QueueNext,
    QueueFree,
    MapNew,
    MapNext,
    MapFree,
    Refused,
);

pub fn decode(bytes: &[u8]) -> Vec<Step> {
    let step = |step: &[u8]| {
        let [action, who, a, b] = [step[0], step[1], step[2], step[3]];
        Step { action: ACTIONS[usize::from(action) % ACTIONS.len()], who, a, b }
    };
    bytes.chunks_exact(4).take(MAX_STEPS).map(step).collect()
}

pub fn encode(steps: &[Step]) -> Vec<u8> {
    steps.iter().flat_map(|step| [step.action as u8, step.who, step.a, step.b]).collect()
}
