//! Telling valgrind's race detectors what an atomic access orders, and what not to watch. Called by `sync::annotated` and
//! `sys::bells`, in the library that is built for these tools.
//!
//! A client request is an instruction sequence without effect that valgrind recognizes, with a pointer to six words: what is
//! asked, and its arguments. A tool ignores the requests of other tools; of helgrind's, drd understands the two below.

use std::arch::asm;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the client request of valgrind is written down here for x86-64 only");

/// What numbers begin with: the tool's two letters.
const HELGRIND: usize = (b'H' as usize) << 24 | (b'G' as usize) << 16;
const DRD: usize = (b'D' as usize) << 24 | (b'R' as usize) << 16;

/// `ANNOTATE_HAPPENS_BEFORE` and `_AFTER` in helgrind.h.
const BEFORE: usize = HELGRIND + 256 + 33;
const AFTER: usize = HELGRIND + 256 + 34;
/// `VG_USERREQ__DRD_START_SUPPRESSION` in drd.h.
const LOOK_AWAY: usize = DRD + 2;

/// All that this thread has done so far happens before what others do after a [`happens_after`] of that word.
pub(crate) fn happens_before(word: *const ()) {
    request(BEFORE, tag(word), 0);
}

/// See [`happens_before`].
pub(crate) fn happens_after(word: *const ()) {
    request(AFTER, tag(word), 0);
}

/// Under what address a word's order is filed. Not its own: drd ends itself when a pthread object comes to lie where it knows
/// something of another kind, as it happens on stacks; and nothing of pthread's has an odd address.
fn tag(word: *const ()) -> *const () {
    word.wrapping_byte_add(1)
}

/// From now on drd does not watch these bytes.
pub(crate) fn do_not_watch(address: *const (), bytes: usize) {
    request(LOOK_AWAY, address, bytes);
}

#[inline(always)]
fn request(what: usize, address: *const (), bytes: usize) {
    let words = [what, address as usize, bytes, 0, 0, 0];
    // SAFETY: rdi turns by 128 bits in all and rbx is exchanged with itself: outside of valgrind nothing changes but the flags.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") &words,
            inout("rdx") 0usize => _,
            options(nostack),
        );
    }
}
