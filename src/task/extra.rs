//! What few tasks need and plain ones do not pay for: drop hooks, a name, the record of a failure.
//! Made by `executor` (hooks) and `current` (failures), let go of by `task::handle`.

use super::node::Node;
use super::state::*;
use super::{DropFn, Task, TaskFn};
use crate::alloc::{free_with_tail, try_with_tail};
use crate::status::Result;
use crate::{current, registry};
use std::ffi::{c_char, c_void, CStr};
use std::ptr::NonNull;

/// What a failed task reported; `tp_error` to C, of the same layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ErrorRecord {
    pub code: i32,
    pub reserved: u32,
    pub message: *const c_char,
    pub payload: *mut c_void,
}

// A failure without memory for its record keeps it in the three fields of the node behind the state word.
const _: () = assert!(std::mem::size_of::<ErrorRecord>() == 24 || cfg!(target_pointer_width = "32"));

impl ErrorRecord {
    /// A code and nothing else.
    pub(crate) fn bare(code: i32) -> ErrorRecord {
        ErrorRecord { code, reserved: 0, message: c"".as_ptr(), payload: std::ptr::null_mut() }
    }
}

/// A failure on the heap: the record, the payload's hook, and behind them the message.
pub(crate) struct Failure {
    pub(crate) record: ErrorRecord,
    drop: Option<DropFn>,
    /// Bytes of the message, terminator included.
    tail: usize,
}

impl Failure {
    /// Copies `message`.
    pub(crate) fn new(
        code: i32,
        message: &CStr,
        payload: *mut c_void,
        drop: Option<DropFn>,
    ) -> Result<NonNull<Failure>> {
        let bytes = message.to_bytes_with_nul();
        let block = try_with_tail::<Failure>(bytes.len())?;
        // SAFETY: the block is ours and has room for the struct and the bytes behind it.
        unsafe {
            let text = block.as_ptr().add(1).cast::<u8>();
            text.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            block.write(Failure {
                record: ErrorRecord { code, reserved: 0, message: text.cast(), payload },
                drop,
                tail: bytes.len(),
            });
        }
        Ok(block)
    }

    /// Frees it; the payload's hook runs.
    ///
    /// # Safety
    /// Made by `new`, not used again.
    pub(crate) unsafe fn free(failure: NonNull<Failure>) {
        // SAFETY: this function's contract.
        unsafe {
            let Failure { record, drop, tail } = failure.read();
            if let Some(drop) = drop {
                current::outside_task(|| drop(record.payload));
            }
            free_with_tail(failure, tail);
        }
    }
}

/// The hooks and the name of a task.
pub(crate) struct Extra {
    pub(crate) func: TaskFn,
    pub(crate) drop_arg: Option<DropFn>,
    drop_result: Option<DropFn>,
    /// Null until the task failed.
    pub(crate) failure: *mut Failure,
    /// The failure's record where there was no memory for one (IN_PLACE).
    pub(crate) bare: ErrorRecord,
    /// Bytes of the name behind the struct, terminator included; 0: no name.
    tail: usize,
}

impl Extra {
    /// `None` for a plain task.
    pub(crate) fn new(task: &Task) -> Result<Option<NonNull<Extra>>> {
        if task.drop_arg.is_none() && task.drop_result.is_none() && task.name.is_none() {
            return Ok(None);
        }
        // SAFETY: the submitter vouches for a C string.
        let name = task.name.map_or(&[][..], |name| unsafe { CStr::from_ptr(name) }.to_bytes_with_nul());
        let block = try_with_tail::<Extra>(name.len())?;
        // SAFETY: the block is ours and has room for the struct and the bytes behind it.
        unsafe {
            block.as_ptr().add(1).cast::<u8>().copy_from_nonoverlapping(name.as_ptr(), name.len());
            block.write(Extra {
                func: task.func,
                drop_arg: task.drop_arg,
                drop_result: task.drop_result,
                failure: std::ptr::null_mut(),
                bare: ErrorRecord::bare(0),
                tail: name.len(),
            });
        }
        Ok(Some(block))
    }

    /// Frees it without running a hook: the submission was refused, or everything has run.
    ///
    /// # Safety
    /// Made by `new`, not used again.
    pub(crate) unsafe fn free(extra: NonNull<Extra>) {
        // SAFETY: this function's contract.
        unsafe {
            let tail = extra.as_ref().tail;
            free_with_tail(extra, tail);
        }
    }
}

/// The end of a node that has an extra or failed: reports an unseen failure, then runs drop_result and the payload's hook,
/// then frees. On a node of a parent process nothing runs (E2), also if it has become that because one of these forked.
///
/// # Safety
/// `word`, `func` and `value` are the node's, whose last reference is the caller's; none of them is used again.
#[cold]
pub(crate) unsafe fn release(node: &Node, word: u64, func: *mut (), value: *mut c_void) {
    let id = executor_id(word);
    let foreign = || registry::is_foreign(id);
    if foreign() {
        return;
    }
    let extra = (word & EXTRA != 0).then(|| func.cast::<Extra>());
    // SAFETY: the flags say what `func` is and which parts of it exist.
    unsafe {
        if word & FAILED != 0 && word & (SEEN | HOOKED) == HOOKED {
            registry::report_unseen(id, node.error_record());
        }
        if let Some(extra) = extra {
            let owns_result = word & STATE == FINISHED && word & (BROKEN | TAKEN) == 0 && !value.is_null();
            if let (true, Some(drop)) = (owns_result && !foreign(), (*extra).drop_result) {
                current::outside_task(|| drop(value));
            }
        }
        if word & FAILED != 0 && word & IN_PLACE == 0 && !foreign() {
            let failure = extra.map_or(func.cast(), |extra| (*extra).failure);
            Failure::free(NonNull::new_unchecked(failure));
        }
        if let Some(extra) = extra {
            Extra::free(NonNull::new_unchecked(extra));
        }
    }
}
