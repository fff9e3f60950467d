//! What follows from the end of a task, on the thread that ended it: its argument is dropped, queues hear of it, its
//! callbacks run in order; and what the last reference takes with it.

use super::*;

impl Model {
    /// Its function has returned; the frame is gone.
    pub(super) fn task_returns(&mut self, thread: usize, task: TaskId, value: Option<TaskId>) {
        if self.tasks[task].drop_arg_due {
            self.in_call(thread).due.push_back(Due::Event(Event::DropArg(task)));
        }
        let outcome = match self.tasks[task].failing {
            Some(report) => State::Failed(report),
            None => State::Value(value),
        };
        // A task that failed has the value all the same, for drop_result.
        self.tasks[task].hooks.drop_result &= value.is_some();
        self.end(thread, task, outcome, None);
        self.advance(thread);
    }

    /// The state, and who hears of it. `rank`: of a common end with others, in unknown order.
    fn end(&mut self, thread: usize, task: TaskId, state: State, rank: Option<u64>) {
        self.tasks[task].state = state;
        self.tasks[task].doom = None;
        self.tasks[task].runner = thread;
        let rank = rank.unwrap_or_else(|| self.next_turn());
        for queue in &mut self.queues {
            let done = queue.waiting.iter().filter(|entry| entry.task == task).map(|&entry| Entry { rank, ..entry });
            // The first one added is the first to hear.
            queue.ready.extend(done);
            queue.waiting.retain(|entry| entry.task != task);
        }
        let callbacks = std::mem::take(&mut self.tasks[task].callbacks);
        let due = callbacks.into_iter().map(|callback| Due::Event(Event::Callback(callback)));
        let due: Vec<Due> = due.chain([Due::LetGo(task)]).collect();
        self.in_call(thread).due.extend(due);
    }

    /// Cancels a pending task. Whether it is cancelled.
    pub(super) fn cancel(&mut self, thread: usize, task: TaskId) -> bool {
        if self.tasks[task].state == State::Pending {
            self.end_pending(thread, task, State::Cancelled, None);
            self.advance(thread);
        }
        self.tasks[task].state == State::Cancelled
    }

    fn end_pending(&mut self, thread: usize, task: TaskId, state: State, rank: Option<u64>) {
        if self.tasks[task].drop_arg_due {
            self.in_call(thread).due.push_back(Due::Event(Event::DropArg(task)));
        }
        if self.tasks[task].hooks.drop_payload && state == State::Cancelled {
            self.in_call(thread).due.push_back(Due::Event(Event::DropPayload(task)));
            self.tasks[task].hooks.drop_payload = false;
        }
        self.end(thread, task, state, rank);
    }

    /// Everything pending in an executor is about to end, in an order that nobody knows. What has no hook to show it is
    /// ended here; the others are, when their first hook runs.
    pub(super) fn doom(&mut self, thread: usize, executor: ExecutorId, state: State) {
        let rank = self.next_turn();
        let doomed: Vec<TaskId> = self.pending_of(executor).collect();
        for task in doomed {
            self.tasks[task].doom = Some(state);
            let hooks = self.tasks[task].hooks;
            if !hooks.drop_arg
                && self.tasks[task].callbacks.is_empty()
                && !(hooks.drop_payload && state == State::Cancelled)
            {
                self.end_pending(thread, task, state, Some(rank));
            }
        }
        self.advance(thread);
    }

    /// A hook of a doomed task runs, or is about to: it has been that task's turn.
    pub(super) fn meet_doom(&mut self, thread: usize, task: TaskId) {
        let state = self.tasks[task].doom.expect("the caller has seen it");
        // One rank for all that this executor dooms: that of its first.
        let rank = self.tasks[task].turn;
        self.end_pending(thread, task, state, Some(rank));
    }

    /// A worker had taken the task when another one's initializer broke the executor: it runs, and was not ended with
    /// the others. Whether that may be so.
    pub(super) fn reprieve(&mut self, task: TaskId) -> bool {
        let it = &mut self.tasks[task];
        let may =
            !it.visible && (it.doom == Some(State::Broken) || (it.state == State::Broken && it.callbacks.is_empty()));
        if !may {
            return false;
        }
        (it.state, it.doom, it.at_work, it.over) = (State::Pending, None, 1, false);
        self.last.retain(|last| last.due.front() != Some(&Event::DropPayload(task)));
        for queue in &mut self.queues {
            queue.waiting.extend(queue.ready.iter().filter(|entry| entry.task == task));
            queue.ready.retain(|entry| entry.task != task);
        }
        true
    }

    /// Passes over what is due and cannot be seen.
    pub(super) fn advance(&mut self, thread: usize) {
        while let Some(&Due::LetGo(task)) = self.in_call(thread).due.front() {
            self.in_call(thread).due.pop_front();
            self.tasks[task].at_work -= 1;
            self.let_go(thread, task);
        }
    }

    /// Somebody has let go of a task: if that was the last, what its hooks are due for.
    pub(super) fn let_go(&mut self, thread: usize, task: TaskId) {
        let it = &mut self.tasks[task];
        if it.has_future() || it.at_work > 0 || it.over {
            return;
        }
        it.over = true;
        let (it, mut due) = (self.tasks[task].clone(), VecDeque::new());
        if let State::Failed(report) = it.state {
            if !it.seen && self.executor(it.executor).config.unhandled_error {
                due.push_back(Event::Unhandled { executor: it.executor, report });
            }
        }
        if matches!(it.state, State::Value(_) | State::Failed(_)) && it.hooks.drop_result && !it.taken {
            due.push_back(Event::DropResult(task));
        }
        if let State::Failed(Report { payload: Some(payload), .. }) = it.state {
            due.push_back(Event::DropFailure(payload));
        }
        if it.hooks.drop_payload && it.state != State::Prepared {
            due.push_back(Event::DropPayload(task));
        }
        if !due.is_empty() {
            self.last.push(Last { threads: [thread, it.runner], due });
        }
    }
}
