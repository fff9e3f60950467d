//! What becomes of each task of a mix, counted. Plain counters of std: shuttle runs one thread at a time, and counting must not change
//! the schedules.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// One task.
#[derive(Default, Debug)]
pub(super) struct Entry {
    /// 1 when its submission was accepted.
    pub(super) accepted: AtomicUsize,
    /// How often its function was called.
    pub(super) ran: AtomicUsize,
    /// How often its argument was dropped; only asked of tasks with hooks.
    pub(super) dropped: AtomicUsize,
    pub(super) hooked: bool,
    /// Callbacks that were registered, and that were called.
    pub(super) callbacks: AtomicUsize,
    pub(super) called: AtomicUsize,
    /// What its future ended as, seen by its producer: 0 not looked at, 1 finished, 2 cancelled.
    pub(super) end: AtomicUsize,
}

pub(super) fn add(counter: &AtomicUsize) {
    counter.fetch_add(1, Relaxed);
}

fn of(counter: &AtomicUsize) -> usize {
    counter.load(Relaxed)
}

/// Every task of a mix. Entries live as long as the ledger, so tasks carry them as plain pointers.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Vec<Arc<Entry>>>>);

impl Ledger {
    pub(super) fn entry(&self, hooked: bool) -> Arc<Entry> {
        let entry = Arc::from(Entry { hooked, ..Entry::default() });
        self.0.lock().unwrap().extend([entry.clone()]);
        entry
    }

    /// Once the executor has ended. `cancelled`: it was shut down with its futures cancelled, or somebody cancelled one.
    pub(super) fn settle(&self) {
        for entry in self.0.lock().unwrap().iter() {
            let ran = of(&entry.ran);
            if of(&entry.accepted) == 0 {
                assert_eq!((ran, of(&entry.dropped), of(&entry.called)), (0, 0, 0), "refused: {entry:?}");
                continue;
            }
            match of(&entry.end) {
                1 => assert_eq!(ran, 1, "finished: {entry:?}"),
                2 => assert_eq!(ran, 0, "cancelled: {entry:?}"),
                _ => assert!(ran <= 1, "{entry:?}"),
            }
            assert_eq!(of(&entry.called), of(&entry.callbacks), "{entry:?}");
            assert!(!entry.hooked || of(&entry.dropped) == 1, "{entry:?}");
        }
    }
}

/// An entry as a task's argument.
pub(super) fn argument(entry: &Arc<Entry>) -> *mut c_void {
    Arc::as_ptr(entry).cast_mut().cast()
}

/// The entry of a task's argument.
pub(super) fn entry<'a>(argument: *mut c_void) -> &'a Entry {
    // SAFETY: made by `argument`; the ledger outlives the executor.
    unsafe { &*argument.cast::<Entry>() }
}
