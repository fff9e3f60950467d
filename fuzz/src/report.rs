//! How a run ends that went wrong: the program and what has happened so far are printed, then the process aborts, which
//! the fuzzer takes for a finding. Used by both targets.

use std::sync::{Mutex, Once, PoisonError};

/// The lines of the run so far.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Set, each line is also printed at once.
pub const VERBOSE: &str = "TPEXEC_FUZZ_PRINT";

/// A new run: what was noted of the last one is forgotten. A defect of the model shows the run, too.
pub fn begin() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let inner = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            print();
            inner(panic);
        }));
    });
    LINES.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Notes what happens; `line` is only asked for where somebody may read it.
pub fn note(line: impl FnOnce() -> String) {
    let line = line();
    if std::env::var_os(VERBOSE).is_some() {
        eprintln!("{line}");
    }
    LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
}

fn print() {
    eprintln!("the run so far:");
    for line in LINES.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        eprintln!("  {line}");
    }
}

/// The library has not done what it should: says so, with the run so far.
pub fn give_up(why: &str) -> ! {
    print();
    eprintln!("wrong: {why}");
    std::process::abort();
}
