//! Submissions: all or none, and refused ones leave everything with the caller.

use super::*;

impl Model {
    /// Tasks `first` and on, with that many references each.
    pub(super) fn submit(
        &mut self,
        executor: ExecutorId,
        first: TaskId,
        n: usize,
        hooks: Hooks,
        users: usize,
    ) -> Expect {
        assert_eq!(first, self.tasks.len());
        let status = self.executor(executor).admission();
        let accepted = status == Status::OK;
        for _ in 0..n {
            self.add_task(executor, if accepted { State::Pending } else { State::Refused }, hooks, users);
        }
        self.submitted(executor, status, (first..first + n).collect())
    }

    fn submitted(&self, executor: ExecutorId, status: Status, tasks: Vec<TaskId>) -> Expect {
        match self.is_fragile(executor) && status == Status::OK {
            true => Expect::Fragile(tasks),
            false => Expect::This(status, Value::Nothing),
        }
    }

    /// Its next worker may break it.
    pub fn is_fragile(&self, executor: ExecutorId) -> bool {
        let executor = self.executor(executor);
        executor.config.failing_initializer > 0 && !executor.broken
    }

    pub(super) fn add_task(&mut self, executor: ExecutorId, state: State, hooks: Hooks, users: usize) {
        let (turn, users) = (self.next_turn(), if state == State::Refused { 0 } else { users });
        let submitted = state == State::Pending;
        self.tasks.push(Task {
            executor,
            state,
            origin: if users == 0 { Origin::Anonymous } else { Origin::Submission },
            turn,
            hooks,
            callbacks: Vec::new(),
            users,
            others: 0,
            at_work: usize::from(submitted),
            runner: usize::MAX,
            failing: None,
            stop: false,
            seen: false,
            taken: false,
            drop_arg_due: submitted && hooks.drop_arg,
            doom: None,
            visible: false,
            over: state == State::Refused,
        });
    }

    pub(super) fn prepare(&mut self, executor: ExecutorId, task: TaskId) -> Expect {
        assert_eq!(task, self.tasks.len());
        let status = self.executor(executor).admission();
        let state = if status == Status::OK { State::Prepared } else { State::Refused };
        self.add_task(executor, state, Hooks::default(), 1);
        Expect::This(status, Value::Nothing)
    }

    /// Also in one with the last release, as an execution.
    pub(super) fn launch(&mut self, task: TaskId, hook: bool, execute: bool) -> Expect {
        let executor = self.tasks[task].executor;
        let admission = match self.executor(executor).handle {
            true => self.executor(executor).admission(),
            false => Status::SHUTDOWN,
        };
        let status = match (self.tasks[task].state, admission) {
            (State::Prepared, Status::OK) if execute && self.tasks[task].users > 1 => Status::INVALID_STATE,
            (State::Prepared, admission) => admission,
            _ => Status::INVALID_STATE,
        };
        if status == Status::OK {
            let turn = self.next_turn();
            let launched = &mut self.tasks[task];
            launched.turn = turn;
            launched.state = State::Pending;
            launched.at_work = 1;
            launched.hooks.drop_payload = hook;
            if execute {
                launched.users = 0;
                launched.origin = Origin::Anonymous;
            }
        }
        self.submitted(executor, status, vec![task])
    }

    /// A submission that its own worker's initializer thwarted. What is refused was never accepted.
    pub(super) fn refuse(&mut self, tasks: &[TaskId], call: &Call) -> Verdict {
        for &task in tasks {
            let refused = &mut self.tasks[task];
            if refused.state == State::Running || !refused.callbacks.is_empty() {
                return Err(format!("task {task} was refused, and yet it is {:?}", refused.state));
            }
            refused.doom = None;
            refused.at_work = 0;
            refused.drop_arg_due = false;
            match call {
                Call::Launch { .. } | Call::ExecutePrepared { .. } => {
                    refused.state = State::Prepared;
                    refused.over = false;
                    refused.hooks.drop_payload = false;
                    if matches!(call, Call::ExecutePrepared { .. }) {
                        refused.users = 1;
                        refused.origin = Origin::Submission;
                    }
                }
                _ => {
                    refused.state = State::Refused;
                    refused.over = true;
                    refused.users = 0;
                }
            }
        }
        let dropped = |last: &Last| tasks.iter().any(|&task| last.due.front() == Some(&Event::DropPayload(task)));
        self.last.retain(|last| !dropped(last));
        Ok(())
    }
}
