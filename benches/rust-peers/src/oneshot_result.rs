//! A future for pools that have none: the task sends its result through a oneshot channel.

pub use oneshot::Receiver;

/// The task to run, and where its result arrives.
pub fn split(task: impl FnOnce() -> u64 + Send + 'static) -> (impl FnOnce() + Send + 'static, Receiver<u64>) {
    let (sender, receiver) = oneshot::channel();
    let run = move || {
        // Fails only when the receiver is gone; then nobody wants the result.
        let _ = sender.send(task());
    };
    (run, receiver)
}

pub fn wait(receiver: Receiver<u64>) -> u64 {
    receiver.recv().expect("the task was dropped")
}
