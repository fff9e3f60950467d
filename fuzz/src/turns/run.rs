//! Runs a program, and holds the library to the model.

use super::choose::choose;
use super::hooks;
use super::program::{decode, Step};
use super::stage::{FOREIGN, STAGE};
use crate::answer::*;
use crate::call::*;
use crate::canary;
use crate::model::{Inside, Model, State};
use crate::report::{begin, give_up, note};
use std::time::{Duration, Instant};
use tpexec::ffi::executor::{tp_executor_join, tp_executor_pending_count};
use tpexec::ffi::future::tp_future_done;

/// Nothing that a program may expect takes so long, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program that the bytes mean. Ends the process if the library does other than it should.
pub fn run(bytes: &[u8]) {
    begin();
    STAGE.start_threads(|| {
        hooks::act();
    });
    STAGE.clear();
    let mut run = Run { model: Model::new(FOREIGN) };
    for thread in 0..FOREIGN {
        // From now on what tp_last_error() says is known, whatever the run before did.
        run.call(thread, Call::Refused(0));
    }
    for step in decode(bytes) {
        run.step(step);
    }
    run.unwind();
}

struct Run {
    model: Model,
}

fn eventually(mut condition: impl FnMut() -> bool, what: impl FnOnce() -> String) {
    let begin = Instant::now();
    while !condition() {
        std::thread::yield_now();
        if begin.elapsed() > PATIENCE {
            give_up(&format!("it hangs: {}", what()));
        }
    }
}

impl Run {
    fn step(&mut self, step: Step) {
        match choose(&self.model, step) {
            Some((thread, call)) => self.call(thread, call),
            None => note(|| format!("(nothing to {:?})", step.action)),
        }
    }

    /// A thread's turn: it makes the call, and whatever follows from that happens.
    fn call(&mut self, thread: usize, call: Call) {
        note(|| format!("thread {thread}: {call:?}"));
        if let Call::Fail { payload: Some(_), .. } = call {
            self.model.failures += 1;
        }
        // What is gone may have left its address to another one.
        STAGE.with(|handles| handles.futures.retain(|&task, _| !self.model.tasks[task].over));
        self.model.begin(thread, &call);
        STAGE.order(thread, call);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let missing = self.model.unsettled();
            let next = match &missing {
                Some(_) => STAGE.next_event(PATIENCE),
                None => STAGE.past_event(),
            };
            match (next, missing) {
                (Some((thread, event)), _) => self.event(thread, event),
                (None, Some(missing)) => give_up(&format!("it hangs: {missing}")),
                (None, None) => break,
            }
        }
        if !self.model.is_draining() {
            self.see_ends();
            self.see_effects();
        }
    }

    fn event(&mut self, thread: usize, event: Event) {
        note(|| format!("    thread {thread}: {event:?}"));
        let repeated = if canary::is("model") { 2 } else { 1 };
        for _ in 0..repeated {
            if let Err(why) = self.model.observe(thread, event) {
                give_up(&why);
            }
        }
    }

    /// A task that has returned is done a moment later. Where its future can be looked at, that moment is waited for,
    /// so that the next call finds it so.
    fn see_ends(&mut self) {
        for id in 0..self.model.tasks.len() {
            let task = &self.model.tasks[id];
            if !task.is_done() || task.visible || !task.has_future() {
                continue;
            }
            let Some(future) = STAGE.with(|handles| handles.futures.get(&id).map(|future| future.0)) else { continue };
            let mut reprieved = false;
            eventually(
                || {
                    if let Some((thread, event)) = STAGE.past_event() {
                        self.event(thread, event);
                    }
                    reprieved = !self.model.tasks[id].is_done();
                    // SAFETY: somebody holds a reference.
                    reprieved || unsafe { tp_future_done(future) }
                },
                || format!("task {id} does not become done"),
            );
            self.model.tasks[id].visible = !reprieved;
        }
    }

    /// A call that waits may have other effects first: these, too, are waited for.
    fn see_effects(&self) {
        let open = (0..self.model.executors.len()).filter(|&id| self.model.executor(id).handle);
        for id in open {
            let (executor, pending) = (STAGE.with(|handles| handles.executor(id)), self.model.pending_of(id).count());
            let seen = || {
                // SAFETY: the handle has not been given up.
                let (count, join) = unsafe { (tp_executor_pending_count(executor), tp_executor_join(executor, 0)) };
                count == pending && (Status(join as i32) == Status::INVALID_STATE) != self.model.executor(id).shut
            };
            eventually(seen, || {
                format!("executor {id} does not come to have {pending} pending tasks, or to be shut down")
            });
        }
    }

    /// Lets all functions return and gives everything back; then all accounts must be settled.
    fn unwind(&mut self) {
        note(|| "the end:".into());
        self.finish_callbacks();
        for queue in 0..self.model.queues.len() {
            if !self.model.queues[queue].freed {
                self.call(0, Call::QueueClose(queue));
            }
        }
        while let Some(thread) = self.somebody_inside() {
            self.call(thread, Call::Return { value: true });
        }
        for map in (0..self.model.maps.len()).filter(|&map| !self.model.maps[map].freed).collect::<Vec<_>>() {
            self.call(0, Call::MapFree(map));
        }
        for queue in (0..self.model.queues.len()).filter(|&queue| !self.model.queues[queue].freed).collect::<Vec<_>>() {
            self.call(0, Call::QueueFree(queue));
        }
        for task in 0..self.model.tasks.len() {
            while self.model.tasks[task].users > 0 {
                self.call(0, Call::Release(task));
            }
        }
        for executor in 0..self.model.executors.len() {
            if self.model.executor(executor).handle {
                self.call(0, Call::Free(executor));
            }
        }
        self.settle_accounts();
    }

    /// The thread that never blocks may be inside of callbacks itself.
    fn finish_callbacks(&mut self) {
        while self.model.thread(0).frames.len() > 1 {
            let thread = self.somebody_inside().expect("callbacks return");
            self.call(thread, Call::Return { value: true });
        }
    }

    fn somebody_inside(&self) -> Option<usize> {
        let threads = &self.model.threads;
        // Callbacks first: a drain that they hold up goes on.
        let inside = |callbacks: bool| {
            threads.iter().find(move |(_, thread)| {
                let callback = matches!(thread.top().inside, Inside::Callback(_));
                thread.is_at_turnstile() && thread.frames.len() > 1 && (callback || !callbacks)
            })
        };
        inside(true).or_else(|| inside(false)).map(|(&id, _)| id)
    }

    /// Nothing runs any more. What every executor owes at its end has to come: detached ones may take their time.
    fn settle_accounts(&mut self) {
        while let Some(missing) = self.model.unaccounted() {
            match STAGE.next_event(PATIENCE) {
                Some((thread, event)) => self.event(thread, event),
                None => give_up(&format!("it never came: {missing}")),
            }
        }
        for (id, task) in self.model.tasks.iter().enumerate() {
            let never_submitted = task.state == State::Prepared && !task.has_future();
            if !never_submitted && !(task.over && (task.is_done() || task.state == State::Refused)) {
                give_up(&format!("task {id} is left over: {task:?}"));
            }
        }
    }
}
