//! What talks to the operating system, through libc: time, sleeping, threads, processors, fork.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "libtpexec sleeps on Linux futexes; src/sys/futex.rs and src/sys/cpus.rs are what a port has to provide"
);

#[cfg(annotated)]
mod bells;
pub(crate) mod cache;
pub(crate) mod clock;
pub(crate) mod cpus;
pub(crate) mod fork;
pub(crate) mod fork_lock;
pub(crate) mod futex;
#[cfg(any(loom, shuttle))]
pub(crate) mod model;
#[cfg(any(loom, shuttle))]
pub(crate) use model as stack;
#[cfg(not(any(loom, shuttle)))]
pub(crate) mod stack;
pub(crate) mod thread;
pub(crate) mod tls;
#[cfg(annotated)]
pub(crate) mod valgrind;
