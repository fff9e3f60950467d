//! `inside` for pools whose waiting task blocks its worker: the children need another one.

use crate::workloads::submit_each;
use crate::{Pool, Unsupported};

pub const WAITING_BLOCKS: Unsupported =
    Unsupported("a task that waits for another blocks its worker: the pool would stop");

pub fn needs_another_worker(workers: usize) -> Result<(), Unsupported> {
    if workers < 2 {
        return Err(WAITING_BLOCKS);
    }
    Ok(())
}

pub fn inside<P: Pool + Clone + Send + 'static>(
    pool: &P,
    workers: usize,
    mut kept: Vec<Option<P::Future>>,
) -> Result<u64, Unsupported> {
    needs_another_worker(workers)?;
    let inner = pool.clone();
    let root = pool.submit(move || {
        submit_each(&inner, &mut kept);
        inner.collect(kept.into_iter().flatten())
    });
    Ok(pool.result(root))
}

pub fn execute_inside<P: Pool + Clone + Send + 'static>(pool: &P, tasks: usize, task: fn()) {
    let inner = pool.clone();
    let root = pool.submit(move || {
        (0..tasks).for_each(|_| inner.execute(task));
        0
    });
    pool.result(root);
}
