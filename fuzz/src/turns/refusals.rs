//! Calls that are to be refused whatever the state: NULLs, absurd numbers, and structs with wrong or unknown members.

use crate::answer::{Status, Value};
use crate::call::Odd;
use crate::report::give_up;
use std::mem::{zeroed, MaybeUninit};
use std::ptr::{null, null_mut};
use tpexec::ffi::completion_queue::*;
use tpexec::ffi::executor::*;
use tpexec::ffi::future::*;
use tpexec::ffi::launch::*;
use tpexec::ffi::many::*;
use tpexec::ffi::map::*;
use tpexec::ffi::status::{tp_last_error, tp_status};
use tpexec::ffi::submit::*;

/// Of a call that is to give NULL.
fn null_of<T>(handle: *mut T) -> tp_status {
    if !handle.is_null() {
        give_up("a call that was to be refused gave a handle");
    }
    tp_last_error()
}

/// More than any array can have.
const ABSURD: usize = usize::MAX / 4;
const WAIT: MaybeUninit<tp_wait_for> = MaybeUninit::new(tp_wait_for::TP_WAIT_ALL_COMPLETED);

fn unknown_wait() -> MaybeUninit<tp_wait_for> {
    let mut what = MaybeUninit::<tp_wait_for>::uninit();
    // SAFETY: as large as a C enum, which may hold any number.
    unsafe { what.as_mut_ptr().cast::<u32>().write(3) };
    what
}

/// How many there are.
const REFUSALS: usize = 24;

pub fn refused(which: usize) -> Status {
    // SAFETY: NULL is what these functions have to refuse; nothing else is passed but numbers.
    let status = unsafe {
        match which % REFUSALS {
            0 => tp_executor_shutdown(null_mut(), 0),
            1 => tp_executor_join(null_mut(), i64::MAX),
            2 => null_of(tp_submit(null_mut(), None, null_mut())),
            3 => tp_execute(null_mut(), None, null_mut()),
            4 => tp_submit_many(null_mut(), None, null(), 1, null_mut()),
            5 => tp_submit_task(null_mut(), null(), null_mut()),
            6 => tp_task_prepare(null_mut(), 8, 8, null_mut(), null_mut()),
            7 => tp_task_launch(null_mut(), None, None),
            8 => tp_task_execute(null_mut(), None, None),
            9 => tp_future_result(null_mut(), i64::MAX, null_mut()),
            10 => tp_future_take(null_mut(), 0, null_mut()),
            11 => tp_future_error(null_mut(), -1, null_mut()),
            12 => tp_future_add_done_callback(null_mut(), None, null_mut()),
            13 => tp_wait(null(), 1, 0, WAIT, null_mut()),
            14 => tp_wait(null(), ABSURD, 0, WAIT, null_mut()),
            15 => tp_wait([null_mut()].as_ptr(), 1, i64::MAX, WAIT, null_mut()),
            16 => tp_wait(null(), 0, 0, unknown_wait(), null_mut()),
            17 => null_of(tp_as_completed(null(), 1)),
            18 => null_of(tp_as_completed([null_mut()].as_ptr(), 1)),
            19 => tp_completion_queue_add(null_mut(), null_mut(), 0),
            20 => tp_completion_queue_close(null_mut()),
            21 => tp_completion_queue_next(null_mut(), 0, null_mut(), null_mut()),
            22 => null_of(tp_map_new(null_mut(), None, null(), 1, 0, None)),
            _ => tp_map_next(null_mut(), 0, null_mut()),
        }
    };
    Status(status as i32)
}

/// A struct with room behind it for members of later versions.
#[repr(C)]
struct Larger<T> {
    known: T,
    later: [u8; 512],
}

impl<T> Larger<T> {
    fn tail(odd: Odd) -> [u8; 512] {
        let mut tail = [0; 512];
        if let (true, 1..) = (odd.tail, odd.size) {
            tail[odd.size as usize - 1] = 1;
        }
        tail
    }
}

pub unsafe fn new_odd(odd: Odd) -> (Status, Value) {
    // SAFETY: all zero means the default.
    let mut given: Larger<tp_executor_config> = Larger { known: unsafe { zeroed() }, later: Larger::<()>::tail(odd) };
    given.known.size = size_of::<tp_executor_config>().wrapping_add_signed(odd.size);
    given.known.max_workers = if odd.no_function { TP_MAX_WORKERS + 1 } else { 1 };
    given.known.idle_timeout_ns = odd.time;
    given.known.queue_capacity = odd.capacity;
    given.known.flags = odd.flags;
    // SAFETY: a C enum may hold any number.
    unsafe { given.known.full_policy.as_mut_ptr().cast::<u32>().write(odd.enumeration) };
    // SAFETY: as many bytes as `size` says.
    let executor = unsafe { tp_executor_new((&raw const given).cast()) };
    (Status(null_of(executor) as i32), Value::Yes(false))
}

pub unsafe fn submit_odd(executor: *mut tp_executor, odd: Odd) -> (Status, Value) {
    // SAFETY: all zero means the default.
    let mut given: Larger<tp_task> = Larger { known: unsafe { zeroed() }, later: Larger::<()>::tail(odd) };
    given.known.size = size_of::<tp_task>().wrapping_add_signed(odd.size);
    given.known.r#fn = if odd.no_function { None } else { Some(super::hooks::run_task) };
    given.known.delay_ns = odd.time;
    given.known.group = std::ptr::without_provenance_mut(odd.capacity);
    given.known.flags = odd.flags;
    // SAFETY: a C enum may hold any number.
    unsafe { given.known.priority.as_mut_ptr().cast::<u32>().write(odd.enumeration) };
    // SAFETY: a live executor, and as many bytes as `size` says.
    (Status(unsafe { tp_submit_task(executor, (&raw const given).cast(), null_mut()) } as i32), Value::Nothing)
}
