//! Status: every way in which a call of the core can end other than well. Called by all of the core; `ffi` turns it into
//! `tp_status`.

/// What went wrong. Success is `Ok`, the end of an iteration is `None` or an `End` variant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    InvalidArgument,
    NoMemory,
    System,
    Timeout,
    Cancelled,
    Task,
    Shutdown,
    Broken,
    QueueFull,
    Deadlock,
    InvalidState,
    Forked,
    Unsupported,
}

/// A status with its reason, ready to be shown. Carries no allocation, so that it can be made when memory has run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error {
    pub status: Status,
    /// What happened and why, without the name of the function and without a full stop.
    pub why: &'static str,
    /// The operating system's number where it was the OS that refused, else 0.
    pub errno: i32,
}

impl Error {
    pub const fn new(status: Status, why: &'static str) -> Error {
        Error { status, why, errno: 0 }
    }

    pub const fn os(why: &'static str, errno: i32) -> Error {
        Error { status: Status::System, why, errno }
    }
}

pub type Result<T> = core::result::Result<T, Error>;

pub(crate) const NO_MEMORY: Error = Error::new(Status::NoMemory, "out of memory");
pub(crate) const TIMEOUT: Error = Error::new(Status::Timeout, "not done before the timeout");
pub(crate) const CANCELLED: Error = Error::new(Status::Cancelled, "the task was cancelled");
pub(crate) const TASK: Error = Error::new(Status::Task, "the task failed");
pub(crate) const SHUTDOWN: Error = Error::new(Status::Shutdown, "the executor has been shut down");
pub(crate) const BROKEN: Error = Error::new(Status::Broken, "an initializer of the executor's workers failed");
pub(crate) const DEADLOCK: Error = Error::new(Status::Deadlock, "this wait could never end");
pub(crate) const NOT_LAUNCHED: Error = Error::new(Status::InvalidState, "the task has not been launched");
pub(crate) const FORKED: Error = Error::new(Status::Forked, "the handle belongs to the parent process");
