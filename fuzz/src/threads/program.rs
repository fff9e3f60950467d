//! A program of the `threads` target. Each three bytes are a step: an action and two operands. The first step makes the
//! executors; the others are dealt to the threads and to the scripts that tasks and callbacks run. Every row of bytes
//! is a program.

use crate::actions::actions;

/// Threads of the program's own.
pub const THREADS: usize = 3;
/// Scripts for tasks and callbacks; submissions say which.
pub const SCRIPTS: usize = 5;
/// Steps of one script of a task: what a task starts has scripts, too.
const SCRIPT_STEPS: usize = 5;
const MAX_STEPS: usize = 120;

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub action: Action,
    pub a: u8,
    pub b: u8,
}

actions!(
    Submit,
    Execute,
    SubmitMany,
    SubmitTask,
    Prepare,
    Cancel,
    RequestStop,
    Result,
    Take,
    Error,
    Poll,
    AddCallback,
    Wait,
    Collect,
    Share,
    Map,
    Fail,
    Shutdown,
    Join,
    Release,
    Pause,
);

#[derive(Clone, Debug)]
pub struct Program {
    /// Workers of each executor, and whether its workers retire, its second initializer fails, and failures are heard
    /// of.
    pub executors: [(usize, bool, bool, bool); 2],
    pub threads: Vec<Vec<Step>>,
    pub scripts: Vec<Vec<Step>>,
}

/// The bytes of a step: `to` is a thread, or behind those a script.
pub fn encode(action: Action, to: usize, a: u8, b: u8) -> [u8; 3] {
    [action as u8 | (to as u8) << 5, a, b]
}

pub fn decode(bytes: &[u8]) -> Program {
    let mut steps = bytes.chunks_exact(3).take(MAX_STEPS);
    let head = steps.next().unwrap_or(&[0, 0, 0]);
    let executor = |at: u8| (usize::from(at) % 4 + 1, at & 16 != 0, at & 32 != 0 && at & 64 != 0, at & 128 != 0);
    let mut program = Program {
        executors: [executor(head[0]), executor(head[1])],
        threads: vec![Vec::new(); THREADS],
        scripts: vec![Vec::new(); SCRIPTS],
    };
    for step in steps {
        let action = ACTIONS[usize::from(step[0] & 31) % ACTIONS.len()];
        let decoded = Step { action, a: step[1], b: step[2] };
        // The upper bits deal: half of the steps to threads, half to scripts.
        let to = usize::from(step[0] >> 5);
        if to < THREADS {
            program.threads[to].push(decoded);
        } else if program.scripts[to - THREADS].len() < SCRIPT_STEPS {
            program.scripts[to - THREADS].push(decoded);
        }
    }
    program
}
