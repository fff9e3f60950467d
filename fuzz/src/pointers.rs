//! Pointers that are ids: what hooks are given says what it is, so that one that gets another one's pointer is found
//! out.

use crate::report::give_up;
use std::ffi::c_void;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Argument = 1,
    Result = 2,
    UserData = 3,
    Callback = 4,
    Failure = 5,
}

const KIND_BITS: u32 = 4;
/// No memory is below it, and no id above.
const IDS_BELOW: usize = 1 << 16;

pub fn is_memory(pointer: *mut c_void) -> bool {
    pointer.addr() >= IDS_BELOW
}

pub fn pointer(kind: Kind, id: usize) -> *mut c_void {
    std::ptr::without_provenance_mut((id + 1) << KIND_BITS | kind as usize)
}

/// The id in a pointer of that kind.
pub fn id(kind: Kind, pointer: *mut c_void) -> usize {
    if is_memory(pointer) || pointer.addr() & ((1 << KIND_BITS) - 1) != kind as usize {
        give_up(&format!("a hook for {kind:?} was given {pointer:?}"));
    }
    (pointer.addr() >> KIND_BITS) - 1
}
