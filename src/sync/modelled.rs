//! What the backends of `sync` for loom and for shuttle have in common: statics that begin anew with each execution, and atomics
//! that are more than their bits.

use super::AtomicPtr;
use crate::status::Result;

#[cfg(loom)]
pub(crate) use loom as checker;
#[cfg(shuttle)]
pub(crate) use shuttle as checker;

/// A process-wide static, which begins anew with each execution.
macro_rules! global {
    ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $crate::sync::modelled::checker::lazy_static! {
            $(#[$doc])*
            static ref $name: $type = $value;
        }
    };
}
pub(crate) use global;

/// A variable of which each thread has its own.
macro_rules! per_thread {
    ($(#[$doc:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $crate::sync::modelled::checker::thread_local! {
            $(#[$doc])*
            static $name: $type = $value;
        }
    };
}
pub(crate) use per_thread;

/// An array of null pointers.
macro_rules! nulls {
    ($n:expr) => {
        std::array::from_fn::<_, { $n }, _>(|_| AtomicPtr::new(std::ptr::null_mut()))
    };
}
pub(crate) use nulls;

/// `n` null pointers.
pub(crate) fn null_pointers<T>(n: usize) -> Result<Box<[AtomicPtr<T>]>> {
    Ok((0..n).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect())
}
