//! That nothing is left out: with the words of `src/sync/weak.rs` loom explores every order of accesses, also those that it skips
//! with its own (tokio-rs/loom issues 166 and 392). Without it a model could pass that has hardly been run.

use crate::sync::{AtomicU64, Ordering::*};
use loom::sync::Arc;
use loom::thread;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Everything that the model returns in one of its executions.
fn outcomes<T: Ord + Clone + Send + 'static>(model: impl Fn() -> T + Sync + Send + 'static) -> BTreeSet<T> {
    let seen = std::sync::Arc::new(Mutex::new(BTreeSet::new()));
    let found = seen.clone();
    loom::model(move || {
        let outcome = model();
        found.lock().unwrap().insert(outcome);
    });
    let seen = seen.lock().unwrap();
    seen.iter().cloned().collect()
}

/// A word that one thread reads and then writes is seen by another before the write and after it.
#[test]
fn a_reader_that_writes_hides_no_other_reader() {
    let seen = outcomes(|| {
        let word = Arc::new(AtomicU64::new(0));
        let other = word.clone();
        let writer = thread::spawn(move || {
            let before = other.load(Relaxed);
            other.store(before + 1, Relaxed);
        });
        let found = word.load(Relaxed);
        writer.join().unwrap();
        found
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}

/// What a thread reads besides takes nothing away from what others may see.
#[test]
fn a_needless_load_changes_no_outcome() {
    let with = |needless_load: bool| {
        outcomes(move || {
            let words = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
            let other = words.clone();
            let writer = thread::spawn(move || {
                let [key, value] = &*other;
                key.store(1, SeqCst);
                value.store(1, SeqCst);
                value.store(0, SeqCst);
                if needless_load {
                    key.load(SeqCst);
                }
                key.store(0, SeqCst);
            });
            let [key, value] = &*words;
            let found = (value.load(SeqCst), key.load(SeqCst));
            writer.join().unwrap();
            found
        })
    };
    assert_eq!(with(true), with(false));
}
