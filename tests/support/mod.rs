//! What the tests of the core share: executors that free themselves, tasks made of closures, gates and counters to make
//! states certain, a process of one's own.
//!
//! No test relies on time: threads meet at gates. Time limits are watchdogs, far beyond what any step takes.
//! Things that tasks and tests share are leaked, so that closures may simply copy the reference.

#![allow(dead_code)] // Each test file uses its own part of this.

use std::ffi::{c_void, CStr};
use std::ops::Deref;
use std::process::Command;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, Once};
use std::time::{Duration, Instant};
use tpexec::completion_queue::CompletionQueue;
use tpexec::config::Config;
use tpexec::executor::Executor;
use tpexec::map::{Map, MapItem};
use tpexec::status::{Result, Status};
use tpexec::task::{DropFn, Future, Node, Task, TaskFn};
use tpexec::wait::{self, Timeout, WaitFor, WaitOutcome};

pub type Ptr = *mut c_void;

pub const NULL: Ptr = std::ptr::null_mut();
pub const POLL: Timeout = Timeout::Poll;
pub const FOREVER: Timeout = Timeout::Forever;
/// No step of any test takes as long.
const WATCHDOG: Duration = Duration::from_secs(300);

pub fn ms(n: i64) -> Timeout {
    Timeout::from_ns(n * 1_000_000)
}

/// A number as a task's argument or result, and back.
pub fn ptr(n: usize) -> Ptr {
    std::ptr::without_provenance_mut(n)
}

pub fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

pub fn counter() -> &'static AtomicUsize {
    leak(AtomicUsize::new(0))
}

pub fn inc(count: &AtomicUsize) {
    count.fetch_add(1, SeqCst);
}

/// The status of a call that must fail.
#[track_caller]
pub fn refused<T>(answer: Result<T>) -> Status {
    answer.err().expect("a refusal").status
}

/// Ends the process if a test hangs: better a failure than a build that never ends.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::thread::spawn(|| {
            std::thread::sleep(WATCHDOG);
            eprintln!("a test has not ended within {WATCHDOG:?}");
            std::process::abort();
        });
    });
}

/// Waits until something becomes so that no gate tells of, such as the end of an idle thread.
#[track_caller]
pub fn until(mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < WATCHDOG, "does not come");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Closed until it is opened, once.
pub struct Gate(Count);

impl Gate {
    pub fn new() -> &'static Gate {
        leak(Gate(Count { value: Mutex::new(0), changed: Condvar::new() }))
    }

    pub fn open(&self) {
        self.0.add(1);
    }

    #[track_caller]
    pub fn pass(&self) {
        self.0.wait(1);
    }

    pub fn is_open(&self) -> bool {
        self.0.get() != 0
    }
}

/// A count that threads can wait for. As a meeting of k: every one of them calls `meet(k)`.
pub struct Count {
    value: Mutex<usize>,
    changed: Condvar,
}

impl Count {
    pub fn new() -> &'static Count {
        leak(Count { value: Mutex::new(0), changed: Condvar::new() })
    }

    pub fn add(&self, n: usize) -> usize {
        let mut value = self.value.lock().unwrap();
        *value += n;
        self.changed.notify_all();
        *value
    }

    pub fn get(&self) -> usize {
        *self.value.lock().unwrap()
    }

    /// Until the count is `n` or more.
    #[track_caller]
    pub fn wait(&self, n: usize) {
        let (value, _) = self.changed.wait_timeout_while(self.value.lock().unwrap(), WATCHDOG, |v| *v < n).unwrap();
        assert!(*value >= n, "only {} of {n} came", *value);
    }

    #[track_caller]
    pub fn meet(&self, k: usize) {
        self.add(1);
        self.wait(k);
    }
}

/// An executor that is freed with the test: shut down and waited for.
pub struct Pool(NonNull<Executor>);

// SAFETY: Executor is Sync.
unsafe impl Send for Pool {}
unsafe impl Sync for Pool {}

impl Deref for Pool {
    type Target = Executor;
    fn deref(&self) -> &Executor {
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Tasks of a test that has failed may wait for gates that nobody will open.
        if !std::thread::panicking() {
            unsafe { Executor::free(self.0) };
        }
    }
}

impl Pool {
    pub fn new(max_workers: usize) -> Pool {
        Pool::with(&Config { max_workers, ..Config::default() })
    }

    pub fn with(config: &Config) -> Pool {
        watch();
        Pool(Executor::new(config).unwrap())
    }

    /// Free or detach as the test has it, instead.
    pub fn into_handle(self) -> NonNull<Executor> {
        let handle = self.0;
        std::mem::forget(self);
        handle
    }

    /// For closures: the executor outlives every task of the test.
    pub fn shared(&self) -> &'static Executor {
        unsafe { &*self.0.as_ptr() }
    }

    /// Occupies one worker: returns when the task runs.
    pub fn block(&self) -> Blocker {
        let (entered, gate) = (Gate::new(), Gate::new());
        let future = self.go(move || {
            entered.open();
            gate.pass();
            0
        });
        entered.pass();
        Blocker { gate, future }
    }

    /// Waits until no worker is busy any more with anything submitted before, for one-worker executors.
    pub fn flush(&self) {
        assert_eq!(self.max_workers(), 1);
        self.go(|| 0).get();
    }
}

/// Submitting closures.
pub trait Go {
    fn executor(&self) -> &Executor;

    fn try_go(&self, f: impl FnOnce() -> usize + Send + 'static) -> Result<Future> {
        let (func, arg) = closure(f);
        // A closure that never runs is leaked.
        self.executor().submit(func, arg)
    }

    fn go(&self, f: impl FnOnce() -> usize + Send + 'static) -> Future {
        self.try_go(f).unwrap()
    }

    fn task(&self, task: Task) -> Future {
        self.executor().submit_task(&task).unwrap()
    }

    /// As one operation; the argument of each is what `args` says.
    fn many(&self, func: TaskFn, args: &[Ptr]) -> Vec<Future> {
        let mut futures = vec![std::ptr::null_mut::<Node>(); args.len()];
        unsafe {
            self.executor().submit_many(func, args.as_ptr(), args.len(), futures.as_mut_ptr()).unwrap();
            futures.into_iter().map(|node| Future::from_raw(node)).collect()
        }
    }

    fn map(&self, func: TaskFn, args: &'static [Ptr], lookahead: usize) -> Mapping {
        unsafe { Mapping(Map::new(self.executor(), func, args.as_ptr(), args.len(), lookahead, None).unwrap()) }
    }
}

impl Go for Executor {
    fn executor(&self) -> &Executor {
        self
    }
}

impl Go for Pool {
    fn executor(&self) -> &Executor {
        self
    }
}

/// A closure as a task function with its argument; to be called once.
pub fn closure<F: FnOnce() -> usize + Send + 'static>(f: F) -> (TaskFn, Ptr) {
    unsafe extern "C" fn call<F: FnOnce() -> usize>(arg: Ptr) -> Ptr {
        ptr(unsafe { Box::from_raw(arg.cast::<F>()) }())
    }
    (call::<F>, Box::into_raw(Box::new(f)).cast())
}

/// Hooks and names with a plain task.
pub fn task(func: TaskFn, arg: Ptr) -> Task {
    Task { func, arg, drop_arg: None, drop_result: None, name: None }
}

/// A task function: its result is its argument.
pub unsafe extern "C" fn same(arg: Ptr) -> Ptr {
    arg
}

/// As a task function and as a hook: counts itself in the counter that is its argument.
pub unsafe extern "C" fn bump(count: Ptr) -> Ptr {
    unsafe { (*count.cast::<AtomicUsize>()).fetch_add(1, SeqCst) };
    count
}

pub unsafe extern "C" fn drop_bump(count: Ptr) {
    unsafe { bump(count) };
}

pub const DROP_BUMP: Option<DropFn> = Some(drop_bump);

pub fn address<T>(shared: &'static T) -> Ptr {
    std::ptr::from_ref(shared).cast_mut().cast()
}

/// A busy worker; it goes on when this is dropped.
pub struct Blocker {
    gate: &'static Gate,
    pub future: Future,
}

impl Blocker {
    pub fn release(self) {}
}

impl Drop for Blocker {
    fn drop(&mut self) {
        self.gate.open();
    }
}

/// Asking futures.
pub trait Ask {
    fn node(&self) -> &Node;

    /// The result of a task that succeeds.
    #[track_caller]
    fn get(&self) -> usize {
        wait::result(self.node(), FOREVER).unwrap().addr()
    }

    /// How result ends when it does not succeed.
    #[track_caller]
    fn refusal(&self) -> Status {
        refused(wait::result(self.node(), FOREVER))
    }

    /// Either of the two.
    fn refusal_or_value(&self) -> std::result::Result<usize, Status> {
        wait::result(self.node(), FOREVER).map(|value| value.addr()).map_err(|error| error.status)
    }

    /// Calls `f` when the task is done.
    fn on_done<F: FnOnce(&Node) + Send + 'static>(&self, f: F) {
        unsafe extern "C" fn call<F: FnOnce(&Node)>(node: *mut Node, data: Ptr) {
            unsafe { Box::from_raw(data.cast::<F>())(&*node) }
        }
        unsafe { self.node().add_done_callback(call::<F>, Box::into_raw(Box::new(f)).cast()).unwrap() };
    }
}

impl Ask for Node {
    fn node(&self) -> &Node {
        self
    }
}

impl Ask for Future {
    fn node(&self) -> &Node {
        self
    }
}

pub fn nodes(futures: &[Future]) -> Vec<*const Node> {
    futures.iter().map(|future| std::ptr::from_ref::<Node>(future)).collect()
}

pub fn wait_for(futures: &[Future], timeout: Timeout, what: WaitFor) -> Result<WaitOutcome> {
    unsafe { wait::wait(&nodes(futures), timeout, what) }
}

#[track_caller]
pub fn wait_all(futures: &[Future]) {
    let outcome = wait_for(futures, FOREVER, WaitFor::AllCompleted).unwrap();
    assert_eq!(outcome, WaitOutcome { n_done: futures.len(), timed_out: false });
}

/// A completion queue that frees itself.
pub struct Queue(pub NonNull<CompletionQueue>);

unsafe impl Send for Queue {}
unsafe impl Sync for Queue {}

impl Queue {
    pub fn new() -> Queue {
        Queue(CompletionQueue::new().unwrap())
    }

    pub fn as_completed(futures: &[Future]) -> Queue {
        unsafe { Queue(CompletionQueue::filled(&nodes(futures)).unwrap()) }
    }

    /// The tag of the next one; `None` at the end.
    #[track_caller]
    pub fn tag(&self) -> Option<u64> {
        self.next(FOREVER).unwrap().map(|(_, tag)| tag)
    }
}

impl Deref for Queue {
    type Target = CompletionQueue;
    fn deref(&self) -> &CompletionQueue {
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        unsafe { CompletionQueue::free(self.0) };
    }
}

/// An ordered map that frees itself.
pub struct Mapping(pub NonNull<Map>);

unsafe impl Send for Mapping {}
unsafe impl Sync for Mapping {}

impl Deref for Mapping {
    type Target = Map;
    fn deref(&self) -> &Map {
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        unsafe { Map::free(self.0) };
    }
}

/// An initializer that fails, once the gate that is its user data opens: so that what is submitted meanwhile is accepted.
pub unsafe extern "C" fn fail_to_initialize(gate: Ptr) -> i32 {
    unsafe { &*gate.cast::<Gate>() }.pass();
    1
}

/// An executor whose workers' initializer fails when the gate opens.
pub fn to_be_broken(max_workers: usize) -> (Pool, &'static Gate) {
    let gate = Gate::new();
    let initializer = Some(fail_to_initialize as tpexec::config::InitFn);
    (Pool::with(&Config { max_workers, initializer, user_data: address(gate), ..Config::default() }), gate)
}

/// What a map gave, in a form to compare.
#[derive(PartialEq, Eq, Debug)]
pub enum Given {
    Value(usize),
    /// The task ended in another way.
    Ended(Status),
    /// It could not be submitted.
    Refused(Status),
    /// Nothing came out.
    Failed(Status),
    End,
}

pub fn given(map: &Map, timeout: Timeout) -> Given {
    match map.next(timeout) {
        MapItem::Done(future) => match wait::result(&future, POLL) {
            Ok(value) => Given::Value(value.addr()),
            Err(error) => Given::Ended(error.status),
        },
        MapItem::Refused(error) => Given::Refused(error.status),
        MapItem::Failed(error) => Given::Failed(error.status),
        MapItem::End => Given::End,
    }
}

/// 0, 1, 2 …, as arguments.
pub fn numbers(n: usize) -> &'static [Ptr] {
    leak((0..n).map(ptr).collect::<Vec<_>>())
}

/// A small generator of random numbers (xorshift): the same numbers in every run of a test.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % n as u64) as usize
    }
}

/// Runs the calling test, `name`, again in a process of its own, where no other test disturbs it; true in that process.
pub fn alone(name: &str) -> bool {
    const CHILD: &str = "TPEXEC_TEST_ALONE";
    if std::env::var(CHILD).as_deref() == Ok(name) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([name, "--exact", "--nocapture"]).env(CHILD, name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Resident memory of this process in bytes.
pub fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The calling thread's id.
pub fn thread_id() -> usize {
    unsafe { libc::syscall(libc::SYS_gettid) as usize }
}

/// Ends the task that calls it as failed.
pub fn fail(code: i32) -> usize {
    tpexec::current::fail(code, Some(c"failed as the test wants it"), NULL, None).unwrap();
    0
}

pub unsafe fn text<'a>(message: *const std::ffi::c_char) -> &'a str {
    unsafe { CStr::from_ptr(message) }.to_str().unwrap()
}
