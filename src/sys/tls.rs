//! Two words per thread that cost two instructions to read. Called by `current` (the thread's page) and `task::pool` (its
//! free nodes), several times for every task.
//!
//! A shared library's thread-locals are reached through `__tls_get_addr`, a call of some 3 ns; asking the compiler for the
//! initial-exec model, which the loader resolves once, takes a nightly option. So on x86-64 the two words are declared and
//! read in assembly; elsewhere they are ordinary thread-locals. 16 bytes are well within what the C library keeps for
//! libraries that are loaded late.
//!
//! A word is null on a new thread; its user puts the address of an ordinary thread-local there when it first asks.

/// Which of the two words.
#[derive(Clone, Copy)]
pub(crate) enum Word {
    Here = 0,
    Nodes = 8,
}

pub(crate) use imp::{get, set};

#[cfg(all(target_arch = "x86_64", target_pointer_width = "64", not(loom)))]
mod imp {
    use super::Word;
    use std::arch::{asm, global_asm};

    global_asm!(
        ".pushsection .tbss.tpexec_words,\"awT\",@nobits",
        ".globl tpexec_words",
        ".hidden tpexec_words",
        ".type tpexec_words,@object",
        ".size tpexec_words,16",
        ".p2align 3",
        "tpexec_words:",
        ".zero 16",
        ".popsection",
    );

    /// The calling thread's word.
    #[inline(always)]
    pub(crate) fn get<T>(word: Word) -> *const T {
        let value: *const T;
        // SAFETY: reads a word of the calling thread's own static TLS, declared above.
        unsafe {
            asm!(
                "mov {at}, qword ptr [rip + tpexec_words@GOTTPOFF]",
                "mov {at}, qword ptr fs:[{at} + {word}]",
                at = out(reg) value,
                word = in(reg) word as usize,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        value
    }

    /// Sets the calling thread's word.
    pub(crate) fn set<T>(word: Word, value: *const T) {
        // SAFETY: writes a word of the calling thread's own static TLS, declared above.
        unsafe {
            asm!(
                "mov {at}, qword ptr [rip + tpexec_words@GOTTPOFF]",
                "mov qword ptr fs:[{at} + {word}], {value}",
                at = out(reg) _,
                word = in(reg) word as usize,
                value = in(reg) value,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64", not(loom))))]
mod imp {
    use super::Word;
    use std::cell::Cell;

    thread_local! {
        static WORDS: [Cell<*const u8>; 2] = const { [Cell::new(std::ptr::null()), Cell::new(std::ptr::null())] };
    }

    /// The calling thread's word.
    pub(crate) fn get<T>(word: Word) -> *const T {
        WORDS.with(|words| words[word as usize / 8].get()).cast()
    }

    /// Sets the calling thread's word.
    pub(crate) fn set<T>(word: Word, value: *const T) {
        WORDS.with(|words| words[word as usize / 8].set(value.cast()));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // A test's threads.
    fn each_thread_has_words_of_its_own() {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mine = 0u8;
                    assert!(get::<u8>(Word::Here).is_null() && get::<u8>(Word::Nodes).is_null());
                    set(Word::Here, &raw const mine);
                    assert!(get::<u8>(Word::Nodes).is_null());
                    assert_eq!(get::<u8>(Word::Here), &raw const mine);
                });
            }
        });
    }
}
