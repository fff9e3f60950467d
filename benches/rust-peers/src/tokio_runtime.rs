//! What tokio's two pools share: the runtime, waiting from outside, and the end.

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

pub struct TokioRuntime {
    pub runtime: Runtime,
    /// Every fire-and-forget task goes through it: a runtime that shuts down drops what has not run, and the tracker is
    /// the documented way to wait for that first.
    pub tracker: TaskTracker,
}

impl TokioRuntime {
    pub fn new(builder: &mut Builder) -> Self {
        Self { runtime: builder.build().expect("the runtime"), tracker: TaskTracker::new() }
    }

    pub fn result(&self, future: JoinHandle<u64>) -> u64 {
        self.runtime.block_on(future).expect("the task failed")
    }

    /// One `block_on` for all, as in a program whose main function is async.
    pub fn collect(&self, futures: impl Iterator<Item = JoinHandle<u64>>) -> u64 {
        self.runtime.block_on(sum(futures))
    }

    /// Dropping the runtime then joins its threads.
    pub fn close(self) {
        self.tracker.close();
        self.runtime.block_on(self.tracker.wait());
    }
}

/// Awaits one after the other, in order.
pub async fn sum(futures: impl Iterator<Item = JoinHandle<u64>>) -> u64 {
    let mut sum = 0u64;
    for future in futures {
        sum = sum.wrapping_add(future.await.expect("the task failed"));
    }
    sum
}
