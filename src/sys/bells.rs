//! The futex in the form that valgrind's race detectors bear: sleepers share a few words. Stands in for the kernel's words in
//! `sys::futex`, in the library that is built for these tools.
//!
//! drd is told of every system call on a word that the kernel writes it, so these are words that it does not watch; to sleep
//! on those of the library would make a late wake-up, which names a word that is free by then, a race with the word's next
//! owner.

use super::clock::Deadline;
use super::futex::{kernel, Woken};
use super::valgrind;
use crate::sync::{AtomicU32, Ordering::*};

const BELLS: usize = 64;

static RUNG: [AtomicU32; BELLS] = [const { AtomicU32::new(0) }; BELLS];

fn bell(address: *const u32) -> &'static AtomicU32 {
    let bell = &RUNG[address as usize / size_of::<u32>() % BELLS];
    valgrind::do_not_watch(std::ptr::from_ref(bell).cast(), size_of::<AtomicU32>());
    bell
}

pub(super) fn wait(address: *const u32, _: u32, deadline: Option<Deadline>, unchanged: impl Fn() -> bool) -> Woken {
    let bell = bell(address);
    // Relaxed: nothing is to be ordered for the tools that the library's own words do not order; the accesses themselves are
    // sequentially consistent here. Who changes the word rings after that, so a sleeper misses none of it.
    let rung = bell.load(Relaxed);
    if !unchanged() {
        return Woken::Perhaps;
    }
    kernel::wait(std::ptr::from_ref(bell).cast(), rung, deadline, || true)
}

pub(super) fn wake(address: *const u32, _: u32) {
    let bell = bell(address);
    bell.fetch_add(1, Relaxed);
    // All, since others may sleep on another word with the same bell.
    kernel::wake(std::ptr::from_ref(bell).cast(), u32::MAX);
}
