//! The steps about several futures: waiting for them, taking them out of queues, maps.

use super::accounts::{count, get, set};
use super::hooks;
use super::run::{of, Place};
use super::steps::{Maker, FOREVER, RUN, SHORT};
use super::submitting::argument;
use crate::answer::Status;
use crate::report::give_up;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::SeqCst;
use tpexec::ffi::completion_queue::*;
use tpexec::ffi::executor::tp_executor;
use tpexec::ffi::future::*;
use tpexec::ffi::many::*;
use tpexec::ffi::map::*;

impl Maker<'_> {
    /// Up to four of the futures, with references for the caller.
    fn several(&self) -> Vec<(usize, *mut tp_future)> {
        let n = 1 + usize::from(self.b >> 3) % 4;
        (0..n).filter_map(|i| self.world.borrow(self.a.wrapping_add(i as u8 * 3))).collect()
    }

    pub unsafe fn wait(&self) {
        let several = self.several();
        let futures: Vec<*mut tp_future> = several.iter().map(|&(_, future)| future).collect();
        let what = [
            tp_wait_for::TP_WAIT_ALL_COMPLETED,
            tp_wait_for::TP_WAIT_FIRST_COMPLETED,
            tp_wait_for::TP_WAIT_FIRST_FAILED,
        ][usize::from(self.b) % 3];
        let mut n_done = 0;
        // SAFETY: `perform`; so many references.
        unsafe {
            let status =
                of(tp_wait(futures.as_ptr(), futures.len(), self.limit(), MaybeUninit::new(what), &mut n_done));
            let least = match (status, what) {
                (Status::OK, tp_wait_for::TP_WAIT_ALL_COMPLETED) => futures.len(),
                (Status::OK, _) => futures.len().min(1),
                (Status::TIMEOUT, _) if self.limit() != FOREVER => 0,
                _ => give_up(&format!("tp_wait gave {status:?}")),
            };
            if n_done < least || n_done > futures.len() {
                give_up(&format!("tp_wait counts {n_done} of {}, and says {status:?}", futures.len()));
            }
            futures.into_iter().for_each(|future| tp_future_release(future));
        }
    }

    /// Iterates over some of the futures as they complete.
    pub unsafe fn collect(&self) {
        let several = self.several();
        let futures: Vec<*mut tp_future> = several.iter().map(|&(_, future)| future).collect();
        let mut out = vec![false; futures.len()];
        // SAFETY: `perform`; so many references.
        unsafe {
            let queue = tp_as_completed(futures.as_ptr(), futures.len());
            let (mut future, mut tag) = (null_mut(), 0);
            loop {
                match of(tp_completion_queue_next(queue, self.limit(), &mut future, &mut tag)) {
                    Status::OK => {
                        let again = std::mem::replace(&mut out[tag as usize], true);
                        if again || future != futures[tag as usize] || !tp_future_done(future) {
                            give_up(&format!("number {tag} came out of the queue, again or too early or as another"));
                        }
                        tp_future_release(future);
                    }
                    Status::END if out.iter().all(|&out| out) => break,
                    Status::TIMEOUT if self.limit() != FOREVER => break,
                    other => give_up(&format!("the queue gave {other:?}, and out were {out:?}")),
                }
            }
            tp_completion_queue_free(queue);
            futures.into_iter().for_each(|future| tp_future_release(future));
        }
    }

    /// Adds to the queue that everybody shares, or takes from it.
    pub unsafe fn share(&self) {
        let (world, queue) = (self.world, self.world.queue.0);
        // SAFETY: `perform`.
        unsafe {
            if self.b & 1 != 0 {
                return self.with_future(|_, future| {
                    count(&world.added);
                    if of(tp_completion_queue_add(queue, future, 0)) != Status::OK {
                        give_up("the queue took no future");
                    }
                });
            }
            let mut future = null_mut();
            let limit = if matches!(self.place, Place::Callback { .. }) { 0 } else { SHORT };
            match of(tp_completion_queue_next(queue, limit, &mut future, null_mut())) {
                Status::OK if tp_future_done(future) => {
                    count(&world.taken);
                    tp_future_release(future);
                }
                Status::TIMEOUT => {}
                other => give_up(&format!("the queue gave {other:?}")),
            }
        }
    }

    /// A map over n new tasks, taken from as long as this place may wait.
    pub unsafe fn map(&self, handle: *mut tp_executor, first: usize, n: usize) {
        let args: Vec<*mut c_void> = (first..first + n).map(argument).collect();
        let lookahead = usize::from(self.b >> 1) % 4;
        for task in first..first + n {
            let it = &self.world.accounts.tasks[task];
            set(&it.accepted);
            set(&it.has_drop_result);
        }
        // SAFETY: `perform`; the arguments outlive the map.
        unsafe {
            let map = tp_map_new(handle, RUN, args.as_ptr(), n, lookahead, Some(hooks::drop_result));
            for item in 0..n {
                self.check_lookahead(first, n, item, lookahead);
                let mut future = null_mut();
                match of(tp_map_next(map, self.limit(), &mut future)) {
                    Status::OK => {
                        self.ask(first + item, future, 0);
                        self.add_slot(first + item, future);
                    }
                    Status::TIMEOUT if self.limit() != FOREVER => break,
                    Status::SHUTDOWN | Status::BROKEN if future.is_null() => {
                        self.world.accounts.tasks[first + item].accepted.store(0, SeqCst);
                    }
                    other => give_up(&format!("tp_map_next gave {other:?}")),
                }
            }
            tp_map_free(map);
        }
    }

    /// What is beyond the lookahead has not been submitted, so it has not run.
    fn check_lookahead(&self, first: usize, n: usize, next: usize, lookahead: usize) {
        let beyond = if lookahead == 0 { n } else { (next + lookahead).min(n) };
        if let Some(item) = (beyond..n).find(|item| get(&self.world.accounts.tasks[first + item].entered) != 0) {
            give_up(&format!("item {item} of a map has run, and it was the turn of {next} with lookahead {lookahead}"));
        }
    }
}
