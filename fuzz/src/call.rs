//! The calls of the C ABI as data, with ids in place of pointers. Made by `turns::choose`, understood by `model` (what
//! must happen) and by `turns::perform` (which makes it happen); `answer` is what comes back.

pub type TaskId = usize;
pub type ExecutorId = usize;
pub type QueueId = usize;
pub type MapId = usize;
pub type CallbackId = usize;

/// What `tp_executor_new` is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub max_workers: usize,
    /// The how manieth run of the initializer fails, counted from 1; 0: none does.
    pub failing_initializer: usize,
    pub initializer: bool,
    pub finalizer: bool,
    pub unhandled_error: bool,
    pub prefix: bool,
    pub stack_size: usize,
    pub idle_timeout_ns: i64,
}

/// Members of `tp_executor_config` and `tp_task` that are wrong or for later versions; zero is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Odd {
    /// Added to the struct's size.
    pub size: isize,
    /// Written behind the members that this version knows.
    pub tail: bool,
    pub flags: u32,
    pub enumeration: u32,
    pub time: i64,
    pub capacity: usize,
    pub no_function: bool,
}

/// The hooks of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hooks {
    pub drop_arg: bool,
    pub drop_result: bool,
    pub drop_payload: bool,
    pub name: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// 0, or below.
    Poll,
    /// A millisecond.
    Short,
    /// An hour: longer than any run, and yet no unlimited wait.
    Long,
    Forever,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Result,
    Take,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    All,
    First,
    FirstFailed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    New {
        executor: ExecutorId,
        config: Config,
    },
    NewOdd(Odd),
    Shutdown {
        executor: ExecutorId,
        wait: bool,
        cancel: bool,
    },
    Join {
        executor: ExecutorId,
        limit: Limit,
    },
    Free(ExecutorId),
    Detach(ExecutorId),
    Counts(ExecutorId),
    Submit {
        executor: ExecutorId,
        task: TaskId,
    },
    Execute {
        executor: ExecutorId,
        task: TaskId,
    },
    SubmitMany {
        executor: ExecutorId,
        first: TaskId,
        n: usize,
        futures: bool,
    },
    SubmitTask {
        executor: ExecutorId,
        task: TaskId,
        hooks: Hooks,
        future: bool,
    },
    SubmitOdd {
        executor: ExecutorId,
        odd: Odd,
    },
    Prepare {
        executor: ExecutorId,
        task: TaskId,
        size: usize,
        align: usize,
    },
    Launch {
        task: TaskId,
        hook: bool,
    },
    ExecutePrepared {
        task: TaskId,
        hook: bool,
    },
    Ask {
        ask: Ask,
        task: TaskId,
        limit: Limit,
    },
    Look(TaskId),
    Cancel(TaskId),
    RequestStop(TaskId),
    AddCallback {
        task: TaskId,
        callback: CallbackId,
    },
    Retain(TaskId),
    Release(TaskId),
    Fail {
        code: i32,
        message: bool,
        payload: Option<usize>,
    },
    /// What a task can ask about itself.
    Inside,
    Return {
        value: bool,
    },
    Wait {
        tasks: Vec<TaskId>,
        until: Until,
        limit: Limit,
    },
    QueueNew(QueueId),
    AsCompleted {
        queue: QueueId,
        tasks: Vec<TaskId>,
    },
    QueueAdd {
        queue: QueueId,
        task: TaskId,
        tag: u64,
    },
    QueueClose(QueueId),
    QueueNext {
        queue: QueueId,
        limit: Limit,
    },
    QueueFree(QueueId),
    MapNew {
        map: MapId,
        executor: ExecutorId,
        first: TaskId,
        n: usize,
        lookahead: usize,
        hook: bool,
    },
    /// `task` is the item whose turn it is.
    MapNext {
        map: MapId,
        task: Option<TaskId>,
        limit: Limit,
    },
    MapFree(MapId),
    /// One of `turns::refusals`, each with NULLs or impossible numbers.
    Refused(usize),
}
