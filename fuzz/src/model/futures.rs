//! Asking a future, and hearing of its end.

use super::*;

impl Model {
    pub(super) fn ask(&mut self, ask: Ask, task: TaskId, limit: Limit) -> Expect {
        if self.tasks[task].state == State::Prepared {
            return Expect::This(Status::INVALID_STATE, Value::Nothing);
        }
        let taken_before = self.tasks[task].taken;
        Expect::Wait(Wait { what: What::One(ask, task), limit, taken_before, done_before: None })
    }

    pub(super) fn look(&self, task: TaskId) -> Value {
        let (state, running, cancelled) = match self.tasks[task].state {
            State::Prepared | State::Pending => (0, false, false),
            State::Running => (1, true, false),
            State::Cancelled => (2, false, true),
            _ => (3, false, false),
        };
        Value::State { state, done: state >= 2, running, cancelled }
    }

    pub(super) fn add_callback(&mut self, thread: usize, task: TaskId, callback: CallbackId) -> Expect {
        assert_eq!(callback, self.callbacks.len());
        self.callbacks.push(task);
        match self.tasks[task].state {
            State::Prepared => return Expect::This(Status::INVALID_STATE, Value::Nothing),
            _ if !self.tasks[task].is_done() => self.tasks[task].callbacks.push(callback),
            _ => {
                self.tasks[task].at_work += 1;
                self.in_call(thread).due.extend([Due::Event(Event::Callback(callback)), Due::LetGo(task)]);
            }
        }
        Expect::This(Status::OK, Value::Nothing)
    }

    /// What a question about a task that is done, or is about to be, is answered.
    pub(super) fn answers(&self, ask: Ask, wait: &Wait, task: TaskId) -> Vec<(Status, Value)> {
        let taken = (Status::INVALID_STATE, Value::Nothing);
        match (self.tasks[task].outcome(), ask) {
            (State::Cancelled, _) => vec![(Status::CANCELLED, Value::Nothing)],
            (State::Broken, _) => vec![(Status::BROKEN, Value::Nothing)],
            (State::Failed(report), Ask::Error) => vec![(Status::OK, Value::Report(Some(report)))],
            (State::Failed(_), _) => vec![(Status::TASK, Value::Nothing)],
            (State::Value(_), Ask::Error) => vec![(Status::OK, Value::Report(None))],
            (State::Value(_), _) if wait.taken_before => vec![taken],
            // Who takes, and has slept, may have told others before it answers.
            (State::Value(value), Ask::Take) if !self.tasks[task].taken => {
                let mut answers = vec![(Status::OK, Value::Result(value))];
                answers.extend(self.somebody_takes(task).then_some(taken));
                answers
            }
            (State::Value(_), Ask::Take) => vec![taken],
            (State::Value(value), Ask::Result) => {
                let mut answers = vec![(Status::OK, Value::Result(value))];
                answers.extend((self.tasks[task].taken || self.somebody_takes(task)).then_some(taken));
                answers
            }
            (state, _) => unreachable!("{state:?} is not done"),
        }
    }

    fn somebody_takes(&self, task: TaskId) -> bool {
        let takes = |thread: &Thread| thread.wait().is_some_and(|wait| wait.what == What::One(Ask::Take, task));
        self.threads.values().filter(|thread| takes(thread)).count() > 0
    }

    /// The answer has been given: what changes with it.
    pub(super) fn answered(&mut self, ask: Ask, task: TaskId, status: Status) {
        let failed = matches!(self.tasks[task].outcome(), State::Failed(_));
        self.tasks[task].seen |= failed && status != Status::TIMEOUT;
        self.tasks[task].taken |= ask == Ask::Take && status == Status::OK;
    }
}
