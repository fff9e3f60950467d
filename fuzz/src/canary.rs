//! Defects on demand: TPEXEC_FUZZ_CANARY=memory or =model in the environment makes a target misbehave, and
//! scripts/fuzz.sh sees it caught. What would not catch these would catch nothing.

use std::hint::black_box;

/// Whether that defect is wanted.
pub fn is(defect: &str) -> bool {
    std::env::var_os("TPEXEC_FUZZ_CANARY").is_some_and(|wanted| wanted == defect)
}

/// Reads beyond the end of an allocation, for AddressSanitizer to report.
pub fn sing() {
    if is("memory") {
        let bytes: Box<[u8]> = black_box(vec![1; 16].into_boxed_slice());
        // SAFETY: none. That is what it is for.
        black_box(unsafe { bytes.as_ptr().add(black_box(16)).read() });
    }
}
