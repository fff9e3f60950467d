//! From a step to a call that a correct program could make now: which thread, which handles. What the header forbids (a
//! handle that was given back, a wait that a program could not get out of) is never chosen; what it only answers with a
//! failure is.

use super::program::{Action, Step};
use crate::call::*;
use crate::model::{Inside, Model, Thread};

const MAX_EXECUTORS: usize = 4;
const MAX_TASKS: usize = 80;
const MAX_QUEUES: usize = 6;
const MAX_MAPS: usize = 4;
/// Stacks that even an instrumented task has enough of.
const STACK: usize = 1 << 20;

/// The thread that acts, and its call; `None` when there is nothing the step could mean now.
pub fn choose(model: &Model, step: Step) -> Option<(usize, Call)> {
    let in_callback = |thread: &Thread| matches!(thread.top().inside, Inside::Callback(_));
    // While a queue is drained, what is still pending may be so or not; only the drain's own callbacks act.
    let actors =
        model.threads.iter().filter(|(_, it)| it.is_at_turnstile() && (!model.is_draining() || in_callback(it)));
    let actors: Vec<usize> = actors.map(|(&id, _)| id).collect();
    let thread = pick(&actors, step.who)?;
    let chooser = Chooser { model, thread, it: model.thread(thread), a: step.a, b: step.b };
    let call = chooser.call(step.action)?;
    Some((thread, chooser.made_safe(call)?))
}

pub struct Chooser<'a> {
    pub model: &'a Model,
    pub thread: usize,
    pub it: &'a Thread,
    a: u8,
    b: u8,
}

fn pick<T: Copy>(from: &[T], which: u8) -> Option<T> {
    (!from.is_empty()).then(|| from[usize::from(which) % from.len()])
}

impl Chooser<'_> {
    fn call(&self, action: Action) -> Option<Call> {
        let (a, b) = (self.a, self.b);
        Some(match action {
            Action::New => self.new_executor()?,
            Action::NewOdd => Call::NewOdd(self.odd(true)?),
            Action::Shutdown => Call::Shutdown { executor: self.executor()?, wait: b & 1 != 0, cancel: b & 2 != 0 },
            Action::Join => Call::Join { executor: self.executor()?, limit: self.limit(b) },
            Action::Free => Call::Free(self.quiet_executor()?),
            Action::Detach => Call::Detach(self.idle_executor()?),
            Action::Counts => Call::Counts(self.executor()?),
            Action::Submit => Call::Submit { executor: self.executor()?, task: self.new_task(1)? },
            Action::Execute => Call::Execute { executor: self.executor()?, task: self.new_task(1)? },
            Action::SubmitMany => {
                let n = usize::from(b >> 1) % 6;
                Call::SubmitMany { executor: self.executor()?, first: self.new_task(n)?, n, futures: b & 1 != 0 }
            }
            Action::SubmitTask => {
                let hooks =
                    Hooks { drop_arg: b & 1 != 0, drop_result: b & 2 != 0, drop_payload: false, name: b & 4 != 0 };
                Call::SubmitTask { executor: self.executor()?, task: self.new_task(1)?, hooks, future: b & 8 == 0 }
            }
            Action::SubmitOdd => Call::SubmitOdd { executor: self.executor()?, odd: self.odd(false)? },
            Action::Prepare => {
                let size = [8, 0, 64, 192, 193, 1000, 5000, 17][usize::from(b) % 8];
                let align = [8, 1, 64, 128, 4096, 16][usize::from(b >> 3) % 6];
                Call::Prepare { executor: self.executor()?, task: self.new_task(1)?, size, align }
            }
            Action::Launch => Call::Launch { task: self.launchable()?, hook: b & 1 != 0 },
            Action::ExecutePrepared => Call::ExecutePrepared { task: self.launchable()?, hook: b & 1 != 0 },
            Action::Result => self.ask(Ask::Result)?,
            Action::Take => self.ask(Ask::Take)?,
            Action::Error => self.ask(Ask::Error)?,
            Action::Look => Call::Look(self.future()?),
            Action::Cancel => Call::Cancel(self.future()?),
            Action::RequestStop => Call::RequestStop(self.future()?),
            Action::AddCallback => Call::AddCallback { task: self.future()?, callback: self.model.callbacks.len() },
            Action::Retain => Call::Retain(self.future()?),
            Action::Release => Call::Release(self.spare_future()?),
            Action::Fail => {
                let payload = (b & 2 != 0).then_some(self.model.failures);
                Call::Fail { code: i32::from(a) - 5, message: b & 1 != 0, payload }
            }
            Action::Inside => Call::Inside,
            Action::Return => Call::Return { value: b & 1 == 0 },
            Action::Wait => {
                let until = [Until::All, Until::First, Until::FirstFailed][usize::from(b >> 2) % 3];
                Call::Wait { tasks: self.futures(), until, limit: self.limit(b) }
            }
            Action::QueueNew => Call::QueueNew(self.new_queue()?),
            Action::AsCompleted => Call::AsCompleted { queue: self.new_queue()?, tasks: self.futures() },
            Action::QueueAdd => {
                Call::QueueAdd { queue: self.queue(b)?, task: self.future()?, tag: u64::from(a) << 8 | u64::from(b) }
            }
            Action::QueueClose => Call::QueueClose(self.queue(a)?),
            Action::QueueNext => Call::QueueNext { queue: self.queue(a)?, limit: self.limit(b) },
            Action::QueueFree => Call::QueueFree(self.idle_queue()?),
            Action::MapNew => self.new_map()?,
            Action::MapNext => {
                let map = self.map()?;
                let it = &self.model.maps[map];
                Call::MapNext { map, task: (it.next < it.n).then_some(it.first + it.next), limit: self.limit(b) }
            }
            Action::MapFree => Call::MapFree(self.map()?),
            Action::Refused => Call::Refused(usize::from(a)),
        })
        .filter(|call| !matches!(call, Call::Return { .. }) || self.it.frames.len() > 1)
    }

    fn new_executor(&self) -> Option<Call> {
        let (a, b) = (usize::from(self.a), self.b);
        let config = Config {
            max_workers: a % 3 + 1,
            failing_initializer: if b & 1 != 0 { a / 3 % 3 } else { 0 },
            initializer: b & 1 != 0,
            finalizer: b & 2 != 0,
            unhandled_error: b & 4 != 0,
            prefix: b & 8 != 0,
            stack_size: if b & 16 != 0 { STACK } else { 0 },
            idle_timeout_ns: if b & 32 != 0 { 1 } else { 0 },
        };
        let executor = self.model.executors.len();
        (executor < MAX_EXECUTORS).then_some(Call::New { executor, config })
    }

    /// Something that is refused, if that is what it is.
    fn odd(&self, config: bool) -> Option<Odd> {
        let (mut odd, b) = (Odd::default(), self.b);
        for kind in [self.a & 7, self.a >> 3 & 7] {
            match kind {
                0 => odd.size = isize::from(b as i8),
                1 => (odd.size, odd.tail) = (isize::from(b) + 1, true),
                2 => odd.flags = u32::from(b % 3),
                3 => odd.enumeration = u32::from(b % 5),
                4 => odd.time = if b & 1 != 0 { -1 - i64::from(b) } else { i64::from(!config) },
                5 => odd.capacity = usize::from(b),
                6 => odd.no_function = true,
                _ => {}
            }
        }
        let time = odd.time < 0 || (!config && odd.time > 0);
        let size = odd.size < 0 || (odd.size > 0 && odd.tail);
        let refused = time || size || odd.flags > 0 || odd.enumeration > 0 || odd.capacity > 0 || odd.no_function;
        refused.then_some(odd)
    }

    fn ask(&self, ask: Ask) -> Option<Call> {
        Some(Call::Ask { ask, task: self.future()?, limit: self.limit(self.b) })
    }

    fn limit(&self, b: u8) -> Limit {
        [Limit::Forever, Limit::Poll, Limit::Short, Limit::Long][usize::from(b) % 4]
    }

    fn new_task(&self, n: usize) -> Option<TaskId> {
        let task = self.model.tasks.len();
        (task + n <= MAX_TASKS).then_some(task)
    }

    /// An executor whose handle may be used: it has not been given up, or this is one of its own tasks or callbacks.
    fn executor(&self) -> Option<ExecutorId> {
        let own = |id: ExecutorId| self.it.home == Some(id);
        let usable = |&id: &ExecutorId| self.model.executors[id].as_ref().is_some_and(|it| it.handle || own(id));
        pick(&(0..self.model.executors.len()).filter(usable).collect::<Vec<_>>(), self.a)
    }

    /// An executor whose handle may be given up: no other thread is in a call on it.
    fn idle_executor(&self) -> Option<ExecutorId> {
        let executor = self.executor()?;
        let uses = |thread: &Thread| {
            thread.frames.iter().filter_map(|frame| frame.call.as_ref()?.call.as_ref()).any(|call| match *call {
                Call::Shutdown { executor: other, .. } | Call::Join { executor: other, .. } => other == executor,
                _ => false,
            })
        };
        let in_use = self.model.threads.iter().any(|(&id, thread)| id != self.thread && uses(thread));
        let own_call = self.it.home != Some(executor) && uses(self.it);
        (self.model.executor(executor).handle && !in_use && !own_call).then_some(executor)
    }

    /// One that may be freed: what its tasks are told meanwhile is certain, because there is none or it has been shut
    /// down before.
    fn quiet_executor(&self) -> Option<ExecutorId> {
        let executor = self.idle_executor()?;
        let mut workers = self.model.workers_of(executor);
        // On an own worker nothing is waited for.
        let at_once = self.it.home == Some(executor) || self.model.executor(executor).shut;
        (at_once || workers.all(|worker| worker.frames.len() == 1)).then_some(executor)
    }

    /// A future that may be launched, or has been: its executor is not being freed.
    fn launchable(&self) -> Option<TaskId> {
        let task = self.future()?;
        let frees = |call: &Call| *call == Call::Free(self.model.tasks[task].executor);
        (!self.is_anybody_in(frees)).then_some(task)
    }

    fn held(&self) -> Vec<TaskId> {
        let all = 0..self.model.tasks.len();
        let draining = self.model.is_draining();
        let held = all.filter(|&task| self.model.tasks[task].users > 0);
        held.filter(|&task| !draining || self.is_certain(task)).collect()
    }

    /// While a queue is drained: not one of those whose turn may or may not have come.
    fn is_certain(&self, task: TaskId) -> bool {
        self.model.tasks[task].doom.is_none()
    }

    fn future(&self) -> Option<TaskId> {
        // The latest first: that is what programs are busy with.
        let held: Vec<TaskId> = self.held().into_iter().rev().collect();
        pick(&held, self.a)
    }

    /// A future that nobody needs for a wait that goes on.
    fn spare_future(&self) -> Option<TaskId> {
        let task = self.future()?;
        let awaits = |call: &Call| match call {
            Call::Ask { task: other, .. } => *other == task,
            Call::Wait { tasks, .. } => tasks.contains(&task),
            _ => false,
        };
        (self.model.tasks[task].users > 1 || !self.is_anybody_in(awaits)).then_some(task)
    }

    /// Some of the latest, as the bits of `a` say; and one of them twice.
    fn futures(&self) -> Vec<TaskId> {
        let held: Vec<TaskId> = self.held().into_iter().rev().take(7).collect();
        let chosen = held.iter().enumerate().filter(|(i, _)| self.a >> i & 1 != 0).map(|(_, &task)| task);
        let mut chosen: Vec<TaskId> = chosen.collect();
        if let (true, Some(&first)) = (self.a & 128 != 0, chosen.first()) {
            chosen.push(first);
        }
        chosen
    }

    fn new_queue(&self) -> Option<QueueId> {
        let queue = self.model.queues.len();
        (queue < MAX_QUEUES).then_some(queue)
    }

    fn queue(&self, which: u8) -> Option<QueueId> {
        let usable = |&queue: &QueueId| !self.model.queues[queue].freed;
        pick(&(0..self.model.queues.len()).filter(usable).collect::<Vec<_>>(), which)
    }

    fn idle_queue(&self) -> Option<QueueId> {
        let queue = self.queue(self.a)?;
        let uses = |call: &Call| matches!(*call, Call::QueueNext { queue: other, .. } if other == queue);
        (!self.is_anybody_in(uses)).then_some(queue)
    }

    fn is_anybody_in(&self, uses: impl Fn(&Call) -> bool) -> bool {
        let frames = self.model.threads.values().flat_map(|thread| &thread.frames);
        let mut calls = frames.filter_map(|frame| frame.call.as_ref()?.call.as_ref());
        calls.any(uses)
    }

    fn new_map(&self) -> Option<Call> {
        let n = usize::from(self.b & 7);
        let (map, executor, first) = (self.model.maps.len(), self.executor()?, self.new_task(n)?);
        let lookahead = usize::from(self.b >> 3 & 3);
        let stays = !self.model.is_fragile(executor) && !self.model.executor(executor).broken;
        let call = Call::MapNew { map, executor, first, n, lookahead, hook: self.b & 32 != 0 };
        (map < MAX_MAPS && stays).then_some(call)
    }

    /// A map that no other thread is taking from.
    fn map(&self) -> Option<MapId> {
        let usable = |&map: &MapId| {
            let uses = |call: &Call| matches!(*call, Call::MapNext { map: other, .. } if other == map);
            !self.model.maps[map].freed && !self.is_anybody_in(uses)
        };
        pick(&(0..self.model.maps.len()).filter(usable).collect::<Vec<_>>(), self.a)
    }
}
