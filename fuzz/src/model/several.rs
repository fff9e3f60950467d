//! Several futures: `tp_wait`, completion queues, maps.

use super::calls::wait;
use super::waits::Sight;
use super::*;

impl Model {
    pub(super) fn wait_for(&self, tasks: &[TaskId], until: Until, limit: Limit) -> Expect {
        let what = What::Several(until, tasks.to_vec());
        // What is prepared may never be launched; if the condition holds without it, it does not matter.
        let holds = self.holds(&what, Sight::Certain);
        if self.any_prepared(tasks) && !holds {
            return Expect::This(Status::INVALID_STATE, Value::Nothing);
        }
        let done = tasks.iter().filter(|&&task| self.tasks[task].is_done()).count();
        let done_before = (holds || limit == Limit::Poll).then_some(done);
        Expect::Wait(Wait { what, limit, taken_before: false, done_before })
    }

    fn any_prepared(&self, tasks: &[TaskId]) -> bool {
        tasks.iter().any(|&task| self.tasks[task].state == State::Prepared)
    }

    pub(super) fn as_completed(&mut self, tasks: &[TaskId]) -> Expect {
        self.queues.push(Queue::default());
        let queue = self.queues.len() - 1;
        if self.any_prepared(tasks) {
            self.queues[queue].freed = true;
            return Expect::This(Status::INVALID_STATE, Value::Yes(false));
        }
        // Those that are done come out first, in their order.
        for done in [true, false] {
            for (tag, &task) in tasks.iter().enumerate() {
                if self.tasks[task].is_done() == done {
                    self.register(queue, task, tag as u64);
                }
            }
        }
        self.queues[queue].closed = true;
        Expect::This(Status::OK, Value::Yes(true))
    }

    pub(super) fn queue_add(&mut self, queue: QueueId, task: TaskId, tag: u64) -> Expect {
        if self.queues[queue].closed || self.tasks[task].state == State::Prepared {
            return Expect::This(Status::INVALID_STATE, Value::Nothing);
        }
        self.register(queue, task, tag);
        Expect::This(Status::OK, Value::Nothing)
    }

    fn register(&mut self, queue: QueueId, task: TaskId, tag: u64) {
        self.tasks[task].others += 1;
        let entry = Entry { task, tag, rank: self.next_turn() };
        match self.tasks[task].is_done() {
            true => self.queues[queue].ready.push_back(entry),
            false => self.queues[queue].waiting.push(entry),
        }
    }

    pub(super) fn queue_free(&mut self, thread: usize, queue: QueueId) -> Expect {
        let Queue { waiting, ready, .. } = std::mem::take(&mut self.queues[queue]);
        self.queues[queue].freed = true;
        for entry in waiting.into_iter().chain(ready) {
            self.tasks[entry.task].others -= 1;
            self.let_go(thread, entry.task);
        }
        Expect::This(Status::OK, Value::Nothing)
    }

    /// The entries that a taker may be given next: the first, or while several takers are at it one of the first few;
    /// among those of one rank any.
    pub(super) fn next_entries(&self, queue: QueueId) -> Vec<Entry> {
        let takers = self.threads.values().filter(|thread| match thread.wait() {
            Some(wait) => wait.what == What::Queue(queue),
            None => false,
        });
        let (ready, last) = (&self.queues[queue].ready, takers.count().max(1) - 1);
        let Some(rank) = ready.get(last).or(ready.back()).map(|entry| entry.rank) else {
            let doomed = self.queues[queue].waiting.iter().filter(|entry| self.tasks[entry.task].may_be_done());
            return doomed.copied().collect();
        };
        ready
            .iter()
            .enumerate()
            .filter(|&(i, entry)| i <= last || entry.rank == rank)
            .map(|(_, &entry)| entry)
            .collect()
    }

    pub(super) fn map_new(
        &mut self,
        executor: ExecutorId,
        first: TaskId,
        n: usize,
        lookahead: usize,
        hook: bool,
    ) -> Expect {
        assert_eq!(first, self.tasks.len());
        for _ in 0..n {
            self.add_task(executor, State::Prepared, Hooks { drop_result: hook, ..Hooks::default() }, 0);
            self.tasks.last_mut().expect("just added").origin = Origin::Map;
        }
        let lookahead = if lookahead == 0 { n } else { lookahead };
        self.maps.push(Map { executor, first, n, lookahead, next: 0, submitted: 0, freed: false });
        // The awaited one comes on top once somebody asks for it.
        self.map_submit(self.maps.len() - 1, lookahead);
        Expect::This(Status::OK, Value::Yes(true))
    }

    /// Submits items in order, up to that one.
    fn map_submit(&mut self, map: MapId, end: usize) {
        let Map { executor, first, n, .. } = self.maps[map];
        while self.maps[map].submitted < end.min(n) {
            let item = first + self.maps[map].submitted;
            self.maps[map].submitted += 1;
            if self.executor(executor).admission() != Status::OK {
                self.tasks[item].state = State::Refused;
                self.tasks[item].over = true;
                continue;
            }
            let turn = self.next_turn();
            let task = &mut self.tasks[item];
            (task.state, task.turn, task.others, task.at_work) = (State::Pending, turn, 1, 1);
        }
    }

    pub(super) fn map_next(&mut self, map: MapId, limit: Limit) -> Expect {
        let Map { executor, first, n, next, lookahead, .. } = self.maps[map];
        if next == n {
            return Expect::This(Status::END, Value::Nothing);
        }
        self.map_submit(map, next + lookahead + 1);
        if self.tasks[first + next].state == State::Refused {
            self.maps[map].next += 1;
            // Nothing changes about that: maps are not made where an initializer may fail.
            return Expect::This(self.executor(executor).admission(), Value::Handle(false));
        }
        wait(What::MapItem(map, first + next), limit)
    }

    pub(super) fn map_free(&mut self, thread: usize, map: MapId) -> Expect {
        let Map { first, next, submitted, .. } = self.maps[map];
        self.maps[map].freed = true;
        for item in first + next..first + submitted {
            if self.tasks[item].state != State::Refused {
                self.cancel(thread, item);
                self.tasks[item].others -= 1;
                self.let_go(thread, item);
            }
        }
        Expect::This(Status::OK, Value::Nothing)
    }
}
