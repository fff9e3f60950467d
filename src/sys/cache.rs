//! Asking for a cache line before it is needed. Called by `worker::search` (nodes that it took) and `queue::shared` (the tail).
//!
//! A line that another core has written costs some 50 ns to fetch, and once more if it was fetched for reading and is then
//! written. Asked for early, and for writing at once, most of that passes unnoticed.

/// Asks for the line with `at` in it, for writing. An address that is not mapped does no harm.
#[inline(always)]
pub(crate) fn prefetch_for_writing<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    // SAFETY: a prefetch has no effect but on caches, and never faults. Processors without this form of it do nothing.
    unsafe {
        std::arch::asm!("prefetchw byte ptr [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(all(target_arch = "aarch64", not(loom)))]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(loom))))]
    let _ = at;
}
