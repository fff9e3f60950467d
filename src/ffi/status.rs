//! Section "status" of the header: the status codes, their texts, each thread's last error, and the version.

use super::{check, guard};
use crate::status::{Error, Status};
use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_char, CStr};
use core::mem::MaybeUninit;

/// How a call ended. TP_OK and TP_END are successes, all others are errors. A number, once given, keeps its meaning in
/// every later version; new ones may be added.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum tp_status {
    /// Done as asked.
    TP_OK = 0,
    /// The iteration is over: it has nothing more to give.
    TP_END = 1,
    /// An argument that cannot be meant: NULL where something is needed, an unknown enum value or flag, an impossible
    /// size.
    TP_ERR_INVALID_ARGUMENT = 2,
    /// There is not enough memory.
    TP_ERR_NO_MEMORY = 3,
    /// The operating system refused something, for instance another thread.
    TP_ERR_SYSTEM = 4,
    /// The time given was over first. Nothing was cancelled or lost; the call may be repeated.
    TP_ERR_TIMEOUT = 5,
    /// The task was cancelled before it started.
    TP_ERR_CANCELLED = 6,
    /// The task ran and reported a failure with tp_task_fail(); tp_future_error() gives its report.
    TP_ERR_TASK = 7,
    /// The executor was shut down and takes no more tasks.
    TP_ERR_SHUTDOWN = 8,
    /// A worker's initializer failed, so the executor runs no more tasks.
    TP_ERR_BROKEN = 9,
    /// The executor's queue is bounded and has no room. Not given by this version, whose queues are unbounded.
    TP_ERR_QUEUE_FULL = 10,
    /// This wait could never end: the tasks would wait for each other, or a worker for its own end.
    TP_ERR_DEADLOCK = 11,
    /// The object is not in a state that allows this, for instance when a result is taken a second time.
    TP_ERR_INVALID_STATE = 12,
    /// The handle belongs to the parent process; in a child made by fork() it can only be asked for what is known.
    TP_ERR_FORKED = 13,
    /// The request makes sense, but not to this version of the library.
    TP_ERR_UNSUPPORTED = 14,
}

impl From<Status> for tp_status {
    fn from(status: Status) -> tp_status {
        match status {
            Status::InvalidArgument => tp_status::TP_ERR_INVALID_ARGUMENT,
            Status::NoMemory => tp_status::TP_ERR_NO_MEMORY,
            Status::System => tp_status::TP_ERR_SYSTEM,
            Status::Timeout => tp_status::TP_ERR_TIMEOUT,
            Status::Cancelled => tp_status::TP_ERR_CANCELLED,
            Status::Task => tp_status::TP_ERR_TASK,
            Status::Shutdown => tp_status::TP_ERR_SHUTDOWN,
            Status::Broken => tp_status::TP_ERR_BROKEN,
            Status::QueueFull => tp_status::TP_ERR_QUEUE_FULL,
            Status::Deadlock => tp_status::TP_ERR_DEADLOCK,
            Status::InvalidState => tp_status::TP_ERR_INVALID_STATE,
            Status::Forked => tp_status::TP_ERR_FORKED,
            Status::Unsupported => tp_status::TP_ERR_UNSUPPORTED,
        }
    }
}

/// Each status's name and message, at the index that is its number.
const TEXTS: [(&CStr, &CStr); 15] = [
    (c"TP_OK", c"The call succeeded."),
    (c"TP_END", c"The iteration has nothing more to give."),
    (c"TP_ERR_INVALID_ARGUMENT", c"An argument is NULL, unknown or impossible."),
    (c"TP_ERR_NO_MEMORY", c"There is not enough memory."),
    (c"TP_ERR_SYSTEM", c"The operating system refused a resource."),
    (c"TP_ERR_TIMEOUT", c"The time was over before the wait ended."),
    (c"TP_ERR_CANCELLED", c"The task was cancelled before it started."),
    (c"TP_ERR_TASK", c"The task reported a failure."),
    (c"TP_ERR_SHUTDOWN", c"The executor was shut down and takes no more tasks."),
    (c"TP_ERR_BROKEN", c"The executor is broken: a worker's initializer failed."),
    (c"TP_ERR_QUEUE_FULL", c"The executor's queue is full."),
    (c"TP_ERR_DEADLOCK", c"The wait could never end."),
    (c"TP_ERR_INVALID_STATE", c"The object is not in a state that allows this call."),
    (c"TP_ERR_FORKED", c"The handle belongs to the parent process."),
    (c"TP_ERR_UNSUPPORTED", c"This version of the library does not support the request."),
];

/// Gives the name of a status as it is spelled in C, for instance "TP_ERR_TIMEOUT".
///
/// @param status  any value.
/// @return a string in static storage; "unknown" for a value that is no status. Never NULL.
///
/// Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
#[no_mangle]
pub extern "C" fn tp_status_name(status: MaybeUninit<tp_status>) -> *const c_char {
    guard("tp_status_name", || Ok(text_of(&status).map_or(c"unknown", |text| text.0).as_ptr()))
}

/// Gives an English sentence about a status, for people. tp_last_error_message() says more about one failure.
///
/// @param status  any value.
/// @return a string in static storage, also for a value that is no status. Never NULL.
///
/// Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
#[no_mangle]
pub extern "C" fn tp_status_message(status: MaybeUninit<tp_status>) -> *const c_char {
    guard("tp_status_message", || Ok(text_of(&status).map_or(c"This is not a status.", |text| text.1).as_ptr()))
}

fn text_of(status: &MaybeUninit<tp_status>) -> Option<&'static (&'static CStr, &'static CStr)> {
    TEXTS.get(check::number(status) as usize)
}

/// Gives the status of the calling thread's most recent failed call.
///
/// A call has failed when it returned NULL in place of a handle, or a TP_ERR_ status, with one exception: how something
/// else ended is no failure of the call that reports it, so TP_ERR_TIMEOUT, TP_ERR_CANCELLED and TP_ERR_TASK from waits
/// and iterations are not noted here. Neither are TP_END, functions that return nothing, predicates and counts,
/// tp_future_retain(), tp_future_current(), tp_executor_current() and tp_worker_name(). A success does not reset it. It
/// is set as the last thing a call does, so callbacks that ran during the call do not hide it.
///
/// Programs whose logical threads move between system threads (coroutines, goroutines) use the functions that return
/// the status itself, or stay on one thread until they have asked.
///
/// @return TP_OK when no call of this thread has failed yet.
///
/// Any thread, tasks and callbacks included; each thread has its own. Does not block or allocate.
#[no_mangle]
pub extern "C" fn tp_last_error() -> tp_status {
    guard("tp_last_error", || Ok(LAST_ERROR.with(|last| last.status.get())))
}

/// Gives a message about the failure that tp_last_error() reports: which function failed and why, with the text of
/// errno where the operating system gave one; for instance "tp_submit: fn is NULL".
///
/// @return a string that is the library's and stays as it is until this thread's next failure or its end; "" when no
/// call of this thread has failed yet. Never NULL.
///
/// Any thread, tasks and callbacks included; each thread has its own. Does not block or allocate.
#[no_mangle]
pub extern "C" fn tp_last_error_message() -> *const c_char {
    guard("tp_last_error_message", || Ok(LAST_ERROR.with(|last| last.message.get().cast_const().cast::<c_char>())))
}

/// Gives the version of the library that is loaded, which may be newer than the header (TPEXEC_VERSION_MAJOR and so
/// on) that the program was compiled with.
///
/// @return major << 16 | minor << 8 | patch.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub extern "C" fn tp_version() -> u32 {
    guard("tp_version", || Ok(VERSION))
}

/// Gives the version of the library that is loaded as text, for instance "0.1.0".
///
/// @return a string in static storage. Never NULL.
///
/// Any thread, tasks and callbacks included. Does not block.
#[no_mangle]
pub extern "C" fn tp_version_string() -> *const c_char {
    guard("tp_version_string", || Ok(concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast::<c_char>()))
}

const VERSION: u32 = {
    let (major, minor, patch) = (
        decimal(env!("CARGO_PKG_VERSION_MAJOR")),
        decimal(env!("CARGO_PKG_VERSION_MINOR")),
        decimal(env!("CARGO_PKG_VERSION_PATCH")),
    );
    assert!(minor < 256 && patch < 256, "eight bits each");
    major << 16 | minor << 8 | patch
};

const fn decimal(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("a version number is decimal"),
    }
}

/// Enough for the longest function name, reason and errno text; what is longer is cut.
const MESSAGE_SIZE: usize = 256;

/// One thread's last failure. Always in the thread's static storage: reporting that memory ran out needs none.
struct LastError {
    status: Cell<tp_status>,
    /// NUL-terminated, and the rest unspecified.
    message: UnsafeCell<[u8; MESSAGE_SIZE]>,
}

thread_local! {
    // Constant and without a destructor, so there is neither lazy set-up nor an end before the thread's.
    static LAST_ERROR: LastError = const {
        LastError { status: Cell::new(tp_status::TP_OK), message: UnsafeCell::new([0; MESSAGE_SIZE]) }
    };
}

/// Notes a failure of `function` for the calling thread.
#[cold]
pub(super) fn set_last_error(function: &str, error: &Error) {
    LAST_ERROR.with(|last| {
        last.status.set(error.status.into());
        // SAFETY: only this thread reaches its own buffer, and no reference into it exists elsewhere: C holds a raw
        // pointer, and was told that the next failure overwrites the text.
        let message = unsafe { &mut *last.message.get() };
        let mut end = 0;
        for part in [function, ": ", error.why] {
            end = append(message, end, part.as_bytes());
        }
        if error.errno != 0 {
            end = append(message, end, b": ");
            append_errno(message, end, error.errno);
        }
    });
}

/// Writes `text` at `end`, as much as fits before the NUL that it always adds, and returns the new end.
fn append(message: &mut [u8; MESSAGE_SIZE], end: usize, text: &[u8]) -> usize {
    let n = text.len().min(MESSAGE_SIZE - 1 - end);
    message[end..end + n].copy_from_slice(&text[..n]);
    message[end + n] = 0;
    end + n
}

/// Writes the operating system's text for `errno` at `end`.
fn append_errno(message: &mut [u8; MESSAGE_SIZE], end: usize, errno: i32) {
    let room = &mut message[end..];
    // SAFETY: the buffer is ours, with that many bytes. This is the POSIX form, which writes its text into the buffer;
    // where it fails (unknown number, too little room) the NUL that `append` left, or a cut text, is as good.
    unsafe { libc::strerror_r(errno, room.as_mut_ptr().cast::<c_char>(), room.len()) };
    message[MESSAGE_SIZE - 1] = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_message() -> &'static str {
        // SAFETY: NUL-terminated, and this thread does not fail while the test looks at it.
        unsafe { CStr::from_ptr(tp_last_error_message()) }.to_str().unwrap()
    }

    #[test]
    fn every_status_has_its_name_and_its_number() {
        let all = [
            (Status::InvalidArgument, 2),
            (Status::NoMemory, 3),
            (Status::System, 4),
            (Status::Timeout, 5),
            (Status::Cancelled, 6),
            (Status::Task, 7),
            (Status::Shutdown, 8),
            (Status::Broken, 9),
            (Status::QueueFull, 10),
            (Status::Deadlock, 11),
            (Status::InvalidState, 12),
            (Status::Forked, 13),
            (Status::Unsupported, 14),
        ];
        for (status, number) in all {
            let status = tp_status::from(status);
            assert_eq!(status as usize, number);
            assert_eq!(TEXTS[number].0.to_str().unwrap(), format!("{status:?}"));
        }
        assert_eq!(TEXTS[tp_status::TP_OK as usize].0, c"TP_OK");
        assert_eq!(TEXTS[tp_status::TP_END as usize].0, c"TP_END");
    }

    #[test]
    fn a_message_has_function_reason_and_errno() {
        assert_eq!(last_message(), "", "before any failure");
        set_last_error("tp_submit", &Error::new(Status::InvalidArgument, "fn is NULL"));
        assert_eq!(last_message(), "tp_submit: fn is NULL");
        set_last_error("tp_executor_new", &Error::os("cannot start a thread", libc::EAGAIN));
        let errno = std::io::Error::from_raw_os_error(libc::EAGAIN).to_string();
        let errno = errno.split(" (os error").next().unwrap();
        assert_eq!(last_message(), format!("tp_executor_new: cannot start a thread: {errno}"));
    }

    #[test]
    fn a_long_message_is_cut_and_stays_a_string() {
        const LONG: &str = match core::str::from_utf8(&[b'x'; 300]) {
            Ok(text) => text,
            Err(_) => unreachable!(),
        };
        set_last_error("tp_submit", &Error::os(LONG, libc::ENOMEM));
        assert_eq!(last_message().len(), MESSAGE_SIZE - 1);
    }
}
