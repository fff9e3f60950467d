/* tpexec.h - a thread pool executor with futures: what concurrent.futures is to Python, for C and C++.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Generated from src/ffi by cbindgen. Do not edit: CONTRIBUTING.md says how to refresh it.
 *
 *     tp_executor *executor = tp_executor_new(NULL);
 *     tp_future *future = tp_submit(executor, work, input);       a worker thread runs work(input)
 *     void *output;
 *     if (tp_future_result(future, TP_FOREVER, &output) == TP_OK) ...
 *     tp_future_release(future);
 *     tp_executor_free(executor);
 *
 * Handles and ownership. Handles are opaque. Who gets one from a function owns it, and gives it back with the function
 * that its type names: exactly once, never used again afterwards. "Borrowed" means that the library, or the callback
 * that is handed something, uses it for that call only; "taken", that it becomes the library's. A call that fails takes
 * nothing: what the caller passed stays the caller's, and no drop function runs. NULL can be given back, which does
 * nothing.
 *
 * Threads. Any function may be called from any thread, at the same time as any other, also inside tasks and
 * callbacks, unless its comment says otherwise. No function may be called in a signal handler, or in a pthread_atfork()
 * handler that was registered before the library was loaded. No function is a cancellation point. User functions are
 * called with no lock held; they must come back by returning, not by a C++ exception, longjmp() or pthread_exit():
 * tp_task_fn says what happens otherwise.
 *
 * Signals. A worker starts with the signal mask of the thread whose call started it. A handler that runs on any thread,
 * inside any call, disturbs no call: it goes on, and its time limit holds.
 *
 * Failures. A function that can fail returns a tp_status, or a handle that is NULL on failure; then tp_last_error() on
 * the same thread tells which status, and tp_last_error_message() what failed and why. Outputs are written only on
 * TP_OK, unless said otherwise. When several failures apply, the first in this order is reported: INVALID_ARGUMENT,
 * UNSUPPORTED, FORKED, INVALID_STATE, DEADLOCK, BROKEN, SHUTDOWN, CANCELLED, QUEUE_FULL, SYSTEM, NO_MEMORY, TIMEOUT.
 * Where a comment lists TP_ERR_FORKED and no reason, it is: the handle belongs to the parent process.
 *
 * Times. timeout_ns is in nanoseconds from now, by a clock that never jumps: 0 and less look without waiting, TP_FOREVER
 * waits without limit, and no wait reports TP_ERR_TIMEOUT early. TP_MSEC() and TP_SEC() convert.
 *
 * Structs that callers fill begin with their size, and members that are zero mean the default; so they can grow at the
 * end, and programs compiled against any version of this header work with any library that has the same SONAME.
 * Members for later versions must be zero (TP_ERR_UNSUPPORTED): nothing is ignored in silence.
 *
 * In this file, after the macros and types, the functions follow in sections: status, executor, submitting, future,
 * inside a task, waiting for many, completion queues, map.
 */

#ifndef TPEXEC_H
#define TPEXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of this header. tp_version() gives that of the library. */
#define TPEXEC_VERSION_MAJOR 0
#define TPEXEC_VERSION_MINOR 1
#define TPEXEC_VERSION_PATCH 0

/**
 * As timeout_ns: wait without limit.
 */
#define TP_FOREVER INT64_MAX

/**
 * As timeout_ns and other times: n milliseconds.
 */
#define TP_MSEC(n) ((int64_t)(n) * 1000000)

/**
 * As timeout_ns and other times: n seconds.
 */
#define TP_SEC(n) ((int64_t)(n) * 1000000000)

/**
 * The most threads that an executor can be given.
 */
#define TP_MAX_WORKERS 16383

/**
 * A flag of tp_executor_config for later versions: measure how long each task waits and runs.
 */
#define TP_EXECUTOR_TIMES 1u

/**
 * A flag of tp_executor_shutdown(): return when every worker has ended.
 */
#define TP_SHUTDOWN_WAIT 1u

/**
 * A flag of tp_executor_shutdown(): cancel the tasks that are pending.
 */
#define TP_SHUTDOWN_CANCEL_FUTURES 2u

#ifndef __cplusplus
/**
 * A pointer to a tp_executor_config with these members, all others default; it lives as long as the block it is in:
 * tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .thread_name_prefix = "io"))
 */
#define TP_EXECUTOR_CONFIG(...) (&(tp_executor_config){.size = sizeof(tp_executor_config), __VA_ARGS__})

/**
 * A pointer to a tp_task with these members, all others default; it lives as long as the block it is in:
 * tp_submit_task(executor, TP_TASK(.fn = work, .arg = input, .drop_arg = free), &future)
 */
#define TP_TASK(...) (&(tp_task){.size = sizeof(tp_task), __VA_ARGS__})
#endif

/* Whose result cannot be meant to be ignored; where the language has a standard way to say so. */
#if (defined(__cplusplus) && __cplusplus >= 201703L) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202000L)
#define TP_NODISCARD [[nodiscard]]
#else
#define TP_NODISCARD
#endif

/**
 * How a call ended. TP_OK and TP_END are successes, all others are errors. A number, once given, keeps its meaning in
 * every later version; new ones may be added.
 */
typedef enum tp_status {
    /**
     * Done as asked.
     */
    TP_OK = 0,
    /**
     * The iteration is over: it has nothing more to give.
     */
    TP_END = 1,
    /**
     * An argument that cannot be meant: NULL where something is needed, an unknown enum value or flag, an impossible
     * size.
     */
    TP_ERR_INVALID_ARGUMENT = 2,
    /**
     * There is not enough memory.
     */
    TP_ERR_NO_MEMORY = 3,
    /**
     * The operating system refused something, for instance another thread.
     */
    TP_ERR_SYSTEM = 4,
    /**
     * The time given was over first. Nothing was cancelled or lost; the call may be repeated.
     */
    TP_ERR_TIMEOUT = 5,
    /**
     * The task was cancelled before it started.
     */
    TP_ERR_CANCELLED = 6,
    /**
     * The task ran and reported a failure with tp_task_fail(); tp_future_error() gives its report.
     */
    TP_ERR_TASK = 7,
    /**
     * The executor was shut down and takes no more tasks.
     */
    TP_ERR_SHUTDOWN = 8,
    /**
     * A worker's initializer failed, so the executor runs no more tasks.
     */
    TP_ERR_BROKEN = 9,
    /**
     * The executor's queue is bounded and has no room. Not given by this version, whose queues are unbounded.
     */
    TP_ERR_QUEUE_FULL = 10,
    /**
     * This wait could never end: the tasks would wait for each other, or a worker for its own end.
     */
    TP_ERR_DEADLOCK = 11,
    /**
     * The object is not in a state that allows this, for instance when a result is taken a second time.
     */
    TP_ERR_INVALID_STATE = 12,
    /**
     * The handle belongs to the parent process; in a child made by fork() it can only be asked for what is known.
     */
    TP_ERR_FORKED = 13,
    /**
     * The request makes sense, but not to this version of the library.
     */
    TP_ERR_UNSUPPORTED = 14,
} tp_status;

/**
 * What submitting does while a bounded queue is full. For later versions: this one has unbounded queues and knows
 * only TP_FULL_BLOCK, the default.
 */
typedef enum tp_full_policy {
    /**
     * Wait for room; on a worker of the same executor the task is accepted at once.
     */
    TP_FULL_BLOCK = 0,
    /**
     * Fail with TP_ERR_QUEUE_FULL.
     */
    TP_FULL_REJECT = 1,
    /**
     * Run the task in the call that submits it.
     */
    TP_FULL_CALLER_RUNS = 2,
    /**
     * Cancel the oldest pending task of the lowest priority to make room.
     */
    TP_FULL_DROP_OLDEST = 3,
} tp_full_policy;

/**
 * The order in which pending tasks start. For later versions: this one knows only TP_PRIORITY_NORMAL, the default.
 */
typedef enum tp_priority {
    /**
     * After all that are high, before all that are low.
     */
    TP_PRIORITY_NORMAL = 0,
    /**
     * Before all others.
     */
    TP_PRIORITY_HIGH = 1,
    /**
     * When there is nothing else to run.
     */
    TP_PRIORITY_LOW = 2,
} tp_priority;

/**
 * How a future stands. It goes from PENDING to RUNNING to FINISHED, or from PENDING to CANCELLED; if its executor is
 * broken, from PENDING to FINISHED. FINISHED and CANCELLED are final: the future is done.
 */
typedef enum tp_state {
    /**
     * Waits for a worker, or to be launched.
     */
    TP_STATE_PENDING = 0,
    /**
     * Its function has been entered.
     */
    TP_STATE_RUNNING = 1,
    /**
     * It was cancelled before it started, and never will.
     */
    TP_STATE_CANCELLED = 2,
    /**
     * It has its outcome: a result or a failure.
     */
    TP_STATE_FINISHED = 3,
} tp_state;

/**
 * What tp_wait() waits for.
 */
typedef enum tp_wait_for {
    /**
     * All futures to be done.
     */
    TP_WAIT_ALL_COMPLETED = 0,
    /**
     * One future to be done.
     */
    TP_WAIT_FIRST_COMPLETED = 1,
    /**
     * One future to fail (TP_ERR_TASK or TP_ERR_BROKEN; being cancelled is no failure), or all to be done.
     */
    TP_WAIT_FIRST_FAILED = 2,
} tp_wait_for;

/**
 * A queue from which futures come out as they complete, however many threads add and take. Made by
 * tp_completion_queue_new() or tp_as_completed(); ended by tp_completion_queue_free().
 */
typedef struct tp_completion_queue tp_completion_queue;

/**
 * A pool of worker threads that run tasks. Made by tp_executor_new(); ended by tp_executor_free() or
 * tp_executor_detach().
 */
typedef struct tp_executor tp_executor;

/**
 * The outcome of a task, now or later. Who holds a reference may use it from any thread, by several threads at once.
 * References are counted: tp_future_retain() adds one, tp_future_release() gives one back.
 */
typedef struct tp_future tp_future;

/**
 * For later versions: a group of tasks that is waited for and cancelled as one.
 */
typedef struct tp_group tp_group;

/**
 * An iteration over the outcomes of one function for many arguments. Made by tp_map_new(); ended by tp_map_free().
 */
typedef struct tp_map tp_map;

/**
 * Prepares a new worker thread, on it and before its first task. Not 0 means failure, and breaks the executor.
 */
typedef int (*tp_initializer_fn)(void *user_data);

/**
 * Undoes what the initializer did, on the worker and after its last task.
 */
typedef void (*tp_finalizer_fn)(void *user_data);

/**
 * What a failed task reported with tp_task_fail() or tp_task_fail_with(). Only the library makes one, and later
 * versions may append members, so it is never copied by value or put into an array.
 *
 * It belongs to the future and is valid for as long as the caller holds a reference to that; in a
 * tp_unhandled_error_fn, for that call. It never changes, so any thread may read it.
 */
typedef struct tp_error {
    /**
     * The number the task chose. It has nothing to do with tp_status, and 0 is as good as any.
     */
    int32_t code;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The task's text, a copy; "" when it gave none. Never NULL.
     */
    const char *message;
    /**
     * The task's own data, for instance a boxed C++ exception; may be NULL.
     */
    void *payload;
} tp_error;

/**
 * Hears of a task's failure that nobody has looked at and nobody can look at any more. The error is borrowed for the
 * call. It runs with no lock held, and may call any function of the library.
 */
typedef void (*tp_unhandled_error_fn)(const struct tp_error *error, void *user_data);

/**
 * Frees or otherwise disposes of a pointer that was given to the library. It runs exactly once per pointer accepted,
 * with no lock held, and may call any function of the library.
 */
typedef void (*tp_drop_fn)(void *ptr);

/**
 * How tp_executor_new() makes an executor. Everything but `size` may be zero, which means the default:
 * TP_EXECUTOR_CONFIG(.max_workers = 4) gives a pointer to one filled so; in C++ start from
 * `tp_executor_config config = {sizeof(tp_executor_config)};`. It is only read during the call.
 */
typedef struct tp_executor_config {
    /**
     * sizeof(tp_executor_config).
     */
    size_t size;
    /**
     * Threads at most, up to TP_MAX_WORKERS. 0: min(32, usable CPUs + 4), where the CPU affinity of the process and
     * its cgroup's quota say what is usable.
     */
    size_t max_workers;
    /**
     * How the names of the workers begin; "_" and a number follow, counting from 0, so "io" gives "io_0". Copied. NULL:
     * "tpexec-" and a number that counts executors.
     */
    const char *thread_name_prefix;
    /**
     * Runs first on each new worker; not 0 breaks the executor (TP_ERR_BROKEN). NULL: nothing to run.
     */
    tp_initializer_fn initializer;
    /**
     * Runs last on each worker whose initializer succeeded or that had none. NULL: nothing to run.
     */
    tp_finalizer_fn finalizer;
    /**
     * Hears of failures that nobody looked at; on the thread that released the future, or on the worker for a task
     * without a future. NULL: such failures pass in silence.
     */
    tp_unhandled_error_fn unhandled_error;
    /**
     * Given to the three functions above. Owned by the executor once tp_executor_new() has succeeded.
     */
    void *user_data;
    /**
     * Disposes of user_data, once, when neither a worker nor a future can need it any more; that may be after
     * tp_executor_free(). NULL: nothing to do.
     */
    tp_drop_fn drop_user_data;
    /**
     * Bytes of stack per worker, at least PTHREAD_STACK_MIN. 0: the system's default for threads.
     */
    size_t stack_size;
    /**
     * Nanoseconds after which an idle worker ends, all but one; they come back on demand. 0: workers stay.
     */
    int64_t idle_timeout_ns;
    /**
     * For later versions: pending tasks at most. 0: no bound.
     */
    size_t queue_capacity;
    /**
     * For later versions: extra workers while others are blocked in waits. 0: none.
     */
    size_t max_stand_ins;
    /**
     * For later versions: what submitting does while the queue is full. 0: TP_FULL_BLOCK.
     */
    enum tp_full_policy full_policy;
    /**
     * For later versions: TP_EXECUTOR_TIMES. 0: no flags.
     */
    uint32_t flags;
} tp_executor_config;

/**
 * A task's function; what it returns is the result of its future. It has the shape of a pthread start routine.
 *
 * It runs on a worker of its executor, or on a worker of that executor that waits for it, and may call any function of
 * the library. It must come back by returning. So must all other functions that a program hands to the library; one
 * that leaves in another way ends the process, and never hangs it:
 *
 * - a C++ exception: SIGABRT, by std::terminate() where nothing would catch it, else by the library with a message;
 * - pthread_exit(): SIGABRT with a message. So does cancelling the thread; but what pthread_cancel() asks of a worker
 *   stays pending, because workers run with cancellation disabled, unless a task enables it;
 * - longjmp() out of it is undefined, as C has it. Out of a function that runs inside of another one, into that, it is
 *   SIGABRT with a message when the outer one returns. A longjmp() that stays inside is fine;
 * - more stack than the worker has: SIGSEGV, from the guard page below the stack. See stack_size in tp_executor_config.
 */
typedef void *(*tp_task_fn)(void *arg);

/**
 * A task with all its options, for tp_submit_task(). Everything but `size` and `fn` may be zero, which means the
 * default: TP_TASK(.fn = f, .arg = a, .drop_arg = free) gives a pointer to one filled so; in C++ start from
 * `tp_task task = {sizeof(tp_task)};`. It is only read during the call.
 */
typedef struct tp_task {
    /**
     * sizeof(tp_task).
     */
    size_t size;
    /**
     * What to run. Not NULL.
     */
    tp_task_fn fn;
    /**
     * Given to fn; may be NULL.
     */
    void *arg;
    /**
     * Disposes of arg, exactly once for an accepted task: on the worker when fn has returned and before the future is
     * done; or in the call that cancels it, or where else it is settled that fn will never run. NULL: nothing to do.
     */
    tp_drop_fn drop_arg;
    /**
     * Disposes of what fn returned, unless that is NULL or was taken with tp_future_take(): exactly once, when the last
     * reference to the future goes. NULL: nothing to do.
     */
    tp_drop_fn drop_result;
    /**
     * A name for traces and diagnostics. Copied; may be NULL.
     */
    const char *name;
    /**
     * For later versions: the group it belongs to. NULL: none.
     */
    struct tp_group *group;
    /**
     * For later versions: nanoseconds from submission before which it does not start.
     */
    int64_t delay_ns;
    /**
     * For later versions: nanoseconds after which it runs again. 0: it runs once.
     */
    int64_t period_ns;
    /**
     * For later versions: which pending tasks it goes before. 0: TP_PRIORITY_NORMAL.
     */
    enum tp_priority priority;
    /**
     * 0: there are no flags yet.
     */
    uint32_t flags;
} tp_task;

/**
 * Hears that a future is done. The future is borrowed for the call: who wants to keep it calls tp_future_retain(). It
 * runs with no lock held, and may call any function of the library.
 */
typedef void (*tp_done_fn)(struct tp_future *future, void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Gives the name of a status as it is spelled in C, for instance "TP_ERR_TIMEOUT".
 *
 * @param status  any value.
 * @return a string in static storage; "unknown" for a value that is no status. Never NULL.
 *
 * Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
 */
const char *tp_status_name(enum tp_status status);

/**
 * Gives an English sentence about a status, for people. tp_last_error_message() says more about one failure.
 *
 * @param status  any value.
 * @return a string in static storage, also for a value that is no status. Never NULL.
 *
 * Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
 */
const char *tp_status_message(enum tp_status status);

/**
 * Gives the status of the calling thread's most recent failed call.
 *
 * A call has failed when it returned NULL in place of a handle, or a TP_ERR_ status, with one exception: how something
 * else ended is no failure of the call that reports it, so TP_ERR_TIMEOUT, TP_ERR_CANCELLED and TP_ERR_TASK from waits
 * and iterations are not noted here. Neither are TP_END, functions that return nothing, predicates and counts,
 * tp_future_retain(), tp_future_current(), tp_executor_current() and tp_worker_name(). A success does not reset it. It
 * is set as the last thing a call does, so callbacks that ran during the call do not hide it.
 *
 * Programs whose logical threads move between system threads (coroutines, goroutines) use the functions that return
 * the status itself, or stay on one thread until they have asked.
 *
 * @return TP_OK when no call of this thread has failed yet.
 *
 * Any thread, tasks and callbacks included; each thread has its own. Does not block or allocate.
 */
enum tp_status tp_last_error(void);

/**
 * Gives a message about the failure that tp_last_error() reports: which function failed and why, with the text of
 * errno where the operating system gave one; for instance "tp_submit: fn is NULL".
 *
 * @return a string that is the library's and stays as it is until this thread's next failure or its end; "" when no
 * call of this thread has failed yet. Never NULL.
 *
 * Any thread, tasks and callbacks included; each thread has its own. Does not block or allocate.
 */
const char *tp_last_error_message(void);

/**
 * Gives the version of the library that is loaded, which may be newer than the header (TPEXEC_VERSION_MAJOR and so
 * on) that the program was compiled with.
 *
 * @return major << 16 | minor << 8 | patch.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
uint32_t tp_version(void);

/**
 * Gives the version of the library that is loaded as text, for instance "0.1.0".
 *
 * @return a string in static storage. Never NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
const char *tp_version_string(void);

/**
 * Makes an executor. It starts its threads when tasks need them.
 *
 * @param config  how; borrowed for the call. NULL: every default.
 * @return the executor, owned by the caller, who ends it with tp_executor_free() or tp_executor_detach(). NULL on
 * failure, when config->user_data stays the caller's; tp_last_error() is then TP_ERR_INVALID_ARGUMENT (a wrong size,
 * unknown enum value or flag, a number out of its range), TP_ERR_UNSUPPORTED (a member for later versions is not
 * zero), TP_ERR_SYSTEM, or TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: ThreadPoolExecutor(max_workers, thread_name_prefix, initializer, initargs).
 */
TP_NODISCARD
struct tp_executor *tp_executor_new(const struct tp_executor_config *config);

/**
 * Stops an executor from accepting tasks. What is pending still runs, unless TP_SHUTDOWN_CANCEL_FUTURES is given;
 * workers end when there is nothing left to run. It may be called again, by several threads, and with more flags.
 *
 * The handle stays valid: tp_executor_free() is still needed.
 *
 * @param executor  borrowed.
 * @param flags     any of TP_SHUTDOWN_WAIT: return only when all tasks, their callbacks and all workers have ended;
 *                  and TP_SHUTDOWN_CANCEL_FUTURES: cancel what is pending, and let running tasks see
 *                  tp_task_stop_requested(). Done callbacks and drop functions of what it cancels run in this call.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor is NULL or flags has unknown bits; TP_ERR_FORKED;
 * TP_ERR_DEADLOCK: TP_SHUTDOWN_WAIT on a worker of this executor, which cannot wait for itself: everything but the
 * waiting has been done.
 *
 * Any thread, tasks and callbacks included. Blocks only with TP_SHUTDOWN_WAIT.
 * Python: Executor.shutdown(wait, cancel_futures).
 */
enum tp_status tp_executor_shutdown(struct tp_executor *executor,
                                    uint32_t flags);

/**
 * Waits, with a limit, for an executor that was shut down: until all its tasks, callbacks and workers have ended.
 *
 * @param executor    borrowed.
 * @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
 * @return TP_OK; TP_ERR_TIMEOUT: something still runs; TP_ERR_INVALID_ARGUMENT: executor is NULL; TP_ERR_FORKED;
 * TP_ERR_INVALID_STATE: it was not shut down; TP_ERR_DEADLOCK: called on a worker of this executor.
 *
 * Any thread, tasks and callbacks included. Blocks.
 */
enum tp_status tp_executor_join(struct tp_executor *executor,
                                int64_t timeout_ns);

/**
 * Shuts an executor down, waits for the end of its tasks and workers, and gives the handle back. On a worker of this
 * executor it does not wait, and is tp_executor_detach(). Futures outlive their executor.
 *
 * From the call on, the handle may be used only by the executor's own tasks and callbacks, for as long as they run
 * (submitting gives TP_ERR_SHUTDOWN): no other call on it may be under way or begin. Where other threads may still
 * submit, shut the executor down, join those threads, then free it.
 *
 * In a child made by fork() an executor of the parent is only forgotten: nothing is waited for, and no hook runs.
 *
 * @param executor  taken. NULL does nothing.
 *
 * Any thread, tasks and callbacks included. Blocks, except on an own worker.
 * Python: leaving a "with ThreadPoolExecutor()" block.
 */
void tp_executor_free(struct tp_executor *executor);

/**
 * Shuts an executor down and gives the handle back without waiting: what is pending still runs, then the threads end
 * by themselves. For the use of the handle afterwards the rules of tp_executor_free() hold.
 *
 * @param executor  taken. NULL does nothing.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
void tp_executor_detach(struct tp_executor *executor);

/**
 * Gives the number of threads an executor may have.
 *
 * @param executor  borrowed.
 * @return at least 1, the default resolved; 0 for NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
size_t tp_executor_max_workers(const struct tp_executor *executor);

/**
 * Gives the number of threads an executor has at this moment. They start on demand, so it begins with 0.
 *
 * @param executor  borrowed.
 * @return a snapshot; 0 for NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
size_t tp_executor_worker_count(const struct tp_executor *executor);

/**
 * Gives the number of tasks that an executor has accepted and that have neither started nor been cancelled.
 *
 * @param executor  borrowed.
 * @return a snapshot; 0 for NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
size_t tp_executor_pending_count(const struct tp_executor *executor);

/**
 * Submits the task fn(arg): a worker will run it. Tasks start in the order in which they were submitted; with one
 * worker strictly so, while among several workers one may get a little ahead of another. When the future is not
 * wanted, tp_execute() costs less.
 *
 * @param executor  borrowed.
 * @param fn        what to run. Not NULL.
 * @param arg       given to fn; may be NULL. It must stay valid until fn has returned; the library does not look at
 *                  it. To hand over its ownership use tp_submit_task() and drop_arg.
 * @return the task's future, owned by the caller, who gives it back with tp_future_release(). NULL on failure, when
 * fn will not run; tp_last_error() is then TP_ERR_INVALID_ARGUMENT (executor or fn is NULL), TP_ERR_FORKED,
 * TP_ERR_BROKEN, TP_ERR_SHUTDOWN, TP_ERR_SYSTEM (there is no thread and none can be started), or TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: Executor.submit(fn, arg).
 */
TP_NODISCARD
struct tp_future *tp_submit(struct tp_executor *executor,
                            tp_task_fn fn,
                            void *arg);

/**
 * Submits the task fn(arg) without making a future: it cannot be waited for or cancelled alone, what it returns is
 * ignored, and a failure goes to the executor's unhandled_error. The cheapest way to run something.
 *
 * @param executor  borrowed.
 * @param fn        what to run. Not NULL.
 * @param arg       given to fn; may be NULL. It must stay valid until fn has returned. If the executor is shut down with
 *                  TP_SHUTDOWN_CANCEL_FUTURES, or broken, before its turn comes, fn does not run and arg is forgotten.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor or fn is NULL; TP_ERR_FORKED; TP_ERR_BROKEN; TP_ERR_SHUTDOWN;
 * TP_ERR_SYSTEM: there is no thread and none can be started; TP_ERR_NO_MEMORY. On any failure fn will not run.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
enum tp_status tp_execute(struct tp_executor *executor,
                          tp_task_fn fn,
                          void *arg);

/**
 * Submits the n tasks `fn(args[0])`, `fn(args[1])` and so on in that order, in one operation: all are accepted or
 * none. It costs less than n calls of tp_submit().
 *
 * @param executor  borrowed.
 * @param fn        what to run. Not NULL.
 * @param args      the n arguments, borrowed for the call; what they point at as for tp_submit(). May be NULL if n
 *                  is 0.
 * @param n         how many tasks; 0 is fine.
 * @param futures   room for n futures, in the order of args, each owned by the caller; written only on TP_OK. NULL:
 *                  the tasks get no futures, as with tp_execute().
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor, fn, or args with n > 0, is NULL, or n is impossible;
 * TP_ERR_FORKED; TP_ERR_BROKEN; TP_ERR_SHUTDOWN; TP_ERR_SYSTEM: there is no thread and none can be started;
 * TP_ERR_NO_MEMORY. On any failure no task will run.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
enum tp_status tp_submit_many(struct tp_executor *executor,
                              tp_task_fn fn,
                              void *const *args,
                              size_t n,
                              struct tp_future **futures);

/**
 * Submits a task with options: owners for its argument and result, and a name.
 *
 * @param executor  borrowed.
 * @param task      what to run and how; borrowed for the call. On success task->arg belongs to the task if drop_arg is
 *                  given; on failure it stays the caller's, and drop_arg does not run.
 * @param future    receives the task's future, owned by the caller; written only on TP_OK. NULL: there is none, as
 *                  with tp_execute(), and drop_result runs when the task has ended.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor, task or task->fn is NULL, task->size is wrong, a time is negative,
 * the priority or a flag unknown; TP_ERR_UNSUPPORTED: a member for later versions is not zero; TP_ERR_FORKED;
 * TP_ERR_BROKEN; TP_ERR_SHUTDOWN; TP_ERR_SYSTEM: there is no thread and none can be started; TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: Executor.submit().
 */
enum tp_status tp_submit_task(struct tp_executor *executor,
                              const struct tp_task *task,
                              struct tp_future **future);

/**
 * Prepares a task whose argument, the payload, lives in memory that the library provides: the submitter makes a value
 * there, for instance a closure with room for its result, and submits the task with tp_task_launch(). Small payloads (up
 * to 192 bytes) cost no allocation once the program has warmed up; a large one costs one.
 *
 * Until tp_task_launch() succeeds the payload is the caller's to make and to destroy; releasing the future then frees the
 * memory and calls nothing. The future's state is TP_STATE_PENDING, it cannot be cancelled, and whatever would wait for
 * it or register with it fails with TP_ERR_INVALID_STATE. It does not count as a task of the executor, which may be shut
 * down and freed meanwhile.
 *
 * @param executor  borrowed.
 * @param size      bytes of the payload; 0 is fine.
 * @param align     a power of two, at most 4096; the payload's address is a multiple of it.
 * @param future    receives the future, owned by the caller; written only on TP_OK. Not NULL.
 * @param payload   receives the payload's address, which is valid as long as the future, or until drop_payload has
 *                  returned in a call that cancels the task; written only on TP_OK. Not NULL.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: executor, future or payload is NULL, size is impossible, or align not as
 * above; TP_ERR_FORKED; TP_ERR_BROKEN; TP_ERR_SHUTDOWN; TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
enum tp_status tp_task_prepare(struct tp_executor *executor,
                               size_t size,
                               size_t align,
                               struct tp_future **future,
                               void **payload);

/**
 * Submits a task that tp_task_prepare() made: a worker will run fn(payload), as if it came from tp_submit(). From then on
 * the payload is the task's. What fn returns is the future's result; it may point into the payload, which stays until
 * the last reference to the future goes, whether or not the result was taken.
 *
 * @param future        borrowed: prepared, and not launched yet.
 * @param fn            what to run. Not NULL.
 * @param drop_payload  destroys what is in the payload, exactly once for a launched task: in the call that cancels it, or
 *                      when the last reference to its future goes, after the drop functions of a failure's payload. The
 *                      memory is the library's to free. NULL: nothing to do.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: future or fn is NULL; TP_ERR_FORKED; TP_ERR_INVALID_STATE: launched before, or
 * not from tp_task_prepare(); TP_ERR_BROKEN; TP_ERR_SHUTDOWN: the executor has been shut down, or is gone;
 * TP_ERR_SYSTEM: there is no thread and none can be started; TP_ERR_NO_MEMORY. On any failure fn and drop_payload will
 * not run, and nothing has changed: the payload is the caller's still, and may be launched again.
 *
 * Any thread, tasks and callbacks included; of several at once, one succeeds. Like every submission it must not overlap
 * with tp_executor_free() or tp_executor_detach(). Does not block.
 */
enum tp_status tp_task_launch(struct tp_future *future,
                              tp_task_fn fn,
                              tp_drop_fn drop_payload);

/**
 * Submits a task that tp_task_prepare() made, and takes its future: to tp_task_launch() what tp_execute() is to tp_submit().
 * The task cannot be waited for or cancelled alone, and a failure goes to the executor's unhandled_error, on the worker. It
 * costs less than tp_task_launch() and tp_future_release(), which report on the caller's thread where the task is quicker.
 *
 * @param future        prepared, not launched yet, and the only reference; taken on TP_OK. No other thread uses it.
 * @param fn            what to run. Not NULL. What it returns is ignored.
 * @param drop_payload  destroys what is in the payload, exactly once for a task that was submitted: on the worker when the
 *                      task has ended, or in the call that cancels it. The memory is the library's to free. NULL: nothing
 *                      to do.
 * @return as tp_task_launch(); TP_ERR_INVALID_STATE also when there are other references. On any failure the future stays
 * the caller's, and may be launched again.
 *
 * Any thread, tasks and callbacks included. Like every submission it must not overlap with tp_executor_free() or
 * tp_executor_detach(). Does not block.
 */
enum tp_status tp_task_execute(struct tp_future *future,
                               tp_task_fn fn,
                               tp_drop_fn drop_payload);

/**
 * Waits until a future is done and gives its result.
 *
 * On a worker of the task's own executor, a call that would have to wait for a pending task runs that task itself, at
 * once: nested waits cannot starve, but a limited wait may last as long as that task. If tasks wait for each other in
 * a circle without limit, the wait that would close the circle fails instead.
 *
 * @param future      borrowed.
 * @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
 * @param result      receives what the task's function returned; written only on TP_OK. NULL: just wait. The pointer
 *                    is the future's if the task has a drop_result, and valid while the caller holds a reference.
 * @return TP_OK; TP_ERR_TASK: the task failed, see tp_future_error(); TP_ERR_CANCELLED; TP_ERR_BROKEN: a worker's
 * initializer failed before the task started; TP_ERR_TIMEOUT: not done yet; TP_ERR_INVALID_ARGUMENT: future is NULL;
 * TP_ERR_INVALID_STATE: the result was taken, or the task has been prepared and not launched; TP_ERR_DEADLOCK: the wait
 * could never end; TP_ERR_FORKED: not done, and its executor is the parent's.
 *
 * Any thread, tasks and callbacks included. Blocks.
 * Python: Future.result(timeout).
 */
enum tp_status tp_future_result(struct tp_future *future,
                                int64_t timeout_ns,
                                void **result);

/**
 * Waits like tp_future_result(), and makes the result the caller's: the task's drop_result will not run for it.
 * Pointers to it that tp_future_result() gave out before are then the taker's to keep valid.
 *
 * @param future      borrowed.
 * @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
 * @param result      receives what the task's function returned, owned by the caller; written only on TP_OK. Not NULL.
 * @return as tp_future_result(); TP_ERR_INVALID_ARGUMENT also when result is NULL. Among several takers one gets
 * TP_OK, and all others, like every later tp_future_result(), TP_ERR_INVALID_STATE.
 *
 * Any thread, tasks and callbacks included. Blocks.
 */
enum tp_status tp_future_take(struct tp_future *future,
                              int64_t timeout_ns,
                              void **result);

/**
 * Waits like tp_future_result(), and tells how the task failed, if it did.
 *
 * @param future      borrowed.
 * @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
 * @param error       receives NULL if the task succeeded, else its report, which is the future's and valid while the
 *                    caller holds a reference; written only on TP_OK. NULL: just wait.
 * @return TP_OK: the task has run, and *error tells the rest. Never TP_ERR_TASK. Else as tp_future_result().
 *
 * Any thread, tasks and callbacks included. Blocks.
 * Python: Future.exception(timeout).
 */
enum tp_status tp_future_error(struct tp_future *future,
                               int64_t timeout_ns,
                               const struct tp_error **error);

/**
 * Tells how a future stands at this moment.
 *
 * @param future  borrowed.
 * @return its state; TP_STATE_PENDING for NULL. A state that is done stays; others may be over when it is returned.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
enum tp_state tp_future_state(const struct tp_future *future);

/**
 * Cancels a task that has not started. Its drop_arg or drop_payload runs in this call, waiters wake up, and done
 * callbacks run in this call. A running task is not disturbed; tp_future_request_stop() asks it to end.
 *
 * @param future  borrowed.
 * @return true: it is cancelled, by this call or before, and will never run. false: it runs or has finished, or future
 * is NULL, or it has been prepared and not launched, or it is pending in an executor of the parent process.
 *
 * Any thread, tasks and callbacks included. Does not block, but for what the callbacks do.
 * Python: Future.cancel().
 */
bool tp_future_cancel(struct tp_future *future);

/**
 * Tells whether a task was cancelled.
 *
 * @param future  borrowed.
 * @return true if its state is TP_STATE_CANCELLED; false for NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: Future.cancelled().
 */
bool tp_future_cancelled(const struct tp_future *future);

/**
 * Tells whether a task is running at this moment.
 *
 * @param future  borrowed.
 * @return true if its state is TP_STATE_RUNNING; false for NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: Future.running().
 */
bool tp_future_running(const struct tp_future *future);

/**
 * Tells whether a future is done, that is finished or cancelled.
 *
 * @param future  borrowed.
 * @return true if its state is TP_STATE_FINISHED or TP_STATE_CANCELLED; false for NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: Future.done().
 */
bool tp_future_done(const struct tp_future *future);

/**
 * Has fn(future, user_data) called once, when the future is done: by the worker that ran the task or the thread that
 * cancelled it, in the order in which callbacks were added; or, if it is done already, by this call. Waiters are woken
 * before callbacks run, so a result may be in use while they do.
 *
 * @param future     borrowed. The library keeps it alive until the callback has returned, also if the caller does not.
 * @param fn         what to call. Not NULL. The same one may be added several times.
 * @param user_data  given to fn; may be NULL. It must stay valid until fn has been called; the library does not look
 *                   at it.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: future or fn is NULL; TP_ERR_FORKED: not done, and its executor is the
 * parent's; TP_ERR_INVALID_STATE: prepared and not launched; TP_ERR_NO_MEMORY. On any failure fn will not be called.
 *
 * Any thread, tasks and callbacks included. Does not block, but for what fn does.
 * Python: Future.add_done_callback(fn).
 */
enum tp_status tp_future_add_done_callback(struct tp_future *future,
                                           tp_done_fn fn,
                                           void *user_data);

/**
 * Asks a task to end: a pending one is cancelled as by tp_future_cancel(), a running one can see the request with
 * tp_task_stop_requested() and return early. A future that is done stays as it is.
 *
 * @param future  borrowed. NULL does nothing.
 *
 * Any thread, tasks and callbacks included. Does not block, but for what done callbacks do.
 */
void tp_future_request_stop(struct tp_future *future);

/**
 * Adds a reference to a future, so that one more holder may use and has to release it.
 *
 * @param future  borrowed: the caller holds a reference, or the future is lent to it by a callback.
 * @return future itself, as a reference owned by the caller; NULL for NULL.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
struct tp_future *tp_future_retain(struct tp_future *future);

/**
 * Gives a reference to a future back. That cancels nothing: a task whose future nobody holds still runs. With the last
 * reference go the result (drop_result runs, if there is one to drop), the error, which unhandled_error hears of if
 * nobody has looked at it, and the payload (drop_payload runs, if the task was launched).
 *
 * @param future  a reference that the caller owns, and must not use again. NULL does nothing.
 *
 * Any thread, tasks and callbacks included. Does not block, but for what the functions named do.
 */
void tp_future_release(struct tp_future *future);

/**
 * Makes the calling task end as failed, whatever its function returns: waiting for it gives TP_ERR_TASK, and
 * tp_future_error() this report. The function goes on, and should return soon. A second call replaces the first.
 *
 * @param code     any number, for tp_error.
 * @param message  UTF-8 text for tp_error, copied. NULL: "".
 * @return TP_OK; TP_ERR_INVALID_STATE: not inside a task (callbacks and drop functions are not); TP_ERR_NO_MEMORY:
 * the task has failed all the same, with its code, but with the message "".
 *
 * Called by the task itself. Does not block.
 * Python: raise in the task.
 */
enum tp_status tp_task_fail(int32_t code,
                            const char *message);

/**
 * Fails like tp_task_fail(), and adds data of the task's own to the report, for instance a C++ exception.
 *
 * @param code     any number, for tp_error.
 * @param message  UTF-8 text for tp_error, copied. NULL: "".
 * @param payload  for tp_error; may be NULL. Owned by the future on TP_OK, if drop is given.
 * @param drop     disposes of payload when the future goes, or when another failure replaces this one. NULL: nothing
 *                 to do.
 * @return as tp_task_fail(). On any failure payload stays the caller's, and drop does not run.
 *
 * Called by the task itself. Does not block, but for what the drop function of a replaced payload does.
 */
enum tp_status tp_task_fail_with(int32_t code,
                                 const char *message,
                                 void *payload,
                                 tp_drop_fn drop);

/**
 * Tells a task whether it should end early. Long tasks ask now and then.
 *
 * @return true once tp_future_request_stop() was called for the calling task, or its executor was shut down with
 * TP_SHUTDOWN_CANCEL_FUTURES; false outside of a task.
 *
 * Called by the task itself. Does not block.
 */
bool tp_task_stop_requested(void);

/**
 * Gives the future of the task that is calling; when tasks run nested, of the innermost.
 *
 * @return borrowed, and valid until the task returns: to keep it call tp_future_retain(). NULL outside of a task, in
 * callbacks and drop functions, and in a task without a future.
 *
 * Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
 */
struct tp_future *tp_future_current(void);

/**
 * Gives the executor whose worker is calling.
 *
 * @return borrowed, and valid until the task or callback returns. NULL on threads that are no workers.
 *
 * Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
 */
struct tp_executor *tp_executor_current(void);

/**
 * Gives the full name of the worker that is calling, for instance "io_0". The operating system may show it cut.
 *
 * @return a string of the worker's, valid as long as the thread. NULL on threads that are no workers.
 *
 * Any thread, tasks and callbacks included. Does not block, and leaves tp_last_error() alone.
 */
const char *tp_worker_name(void);

/**
 * Waits for several futures, of whichever executors. On a worker it runs those pending in its own executor itself, one
 * after the other, as tp_future_result() does.
 *
 * @param futures     n handles, none NULL, borrowed for the call; the same one may occur several times. May be NULL
 *                    if n is 0.
 * @param n           how many; with 0 there is nothing to wait for.
 * @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
 * @param what        what to wait for.
 * @param n_done      receives how many entries are done at return; written on TP_OK and TP_ERR_TIMEOUT. May be NULL.
 * @return TP_OK: what was waited for has happened; TP_ERR_TIMEOUT: not yet; TP_ERR_INVALID_ARGUMENT: futures, or one
 * of them, is NULL, n is impossible, or what unknown; TP_ERR_DEADLOCK: an unlimited wait for all could never end;
 * TP_ERR_FORKED: it would have to wait for tasks of the parent process; TP_ERR_INVALID_STATE: it would have to wait for
 * one that has been prepared and not launched; TP_ERR_NO_MEMORY. How the tasks ended does not
 * matter here: ask each future.
 *
 * Any thread, tasks and callbacks included. Blocks. Nothing stays registered with the futures when it returns.
 * Python: concurrent.futures.wait(fs, timeout, return_when).
 */
enum tp_status tp_wait(struct tp_future *const *futures,
                       size_t n,
                       int64_t timeout_ns,
                       enum tp_wait_for what,
                       size_t *n_done);

/**
 * Makes an empty, open queue: futures can be added until it is closed.
 *
 * @return the queue, owned by the caller, who ends it with tp_completion_queue_free(). NULL on failure;
 * tp_last_error() is then TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
TP_NODISCARD
struct tp_completion_queue *tp_completion_queue_new(void);

/**
 * Makes a closed queue that gives out these futures as they complete, and then TP_END. The tag of `futures[i]` is i, so
 * a loop knows which input each belongs to:
 * `while (tp_completion_queue_next(queue, TP_FOREVER, &future, &i) == TP_OK) { ...; tp_future_release(future); }`
 *
 * @param futures  n handles, none NULL, borrowed for the call: the caller keeps its references, and each future comes
 *                 out with one of its own. May be NULL if n is 0.
 * @param n        how many.
 * @return the queue, owned by the caller, who ends it with tp_completion_queue_free(). NULL on failure;
 * tp_last_error() is then TP_ERR_INVALID_ARGUMENT (futures, or one of them, is NULL, or n is impossible),
 * TP_ERR_FORKED (one is not done, and its executor is the parent's), TP_ERR_INVALID_STATE (one has been prepared and
 * not launched), or TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: concurrent.futures.as_completed(fs).
 */
TP_NODISCARD
struct tp_completion_queue *tp_as_completed(struct tp_future *const *futures,
                                            size_t n);

/**
 * Adds a future: it will come out once, when it is done, however it ends; at once if it is done already. Added several
 * times, or to several queues, it comes out as often.
 *
 * @param queue   borrowed.
 * @param future  borrowed for the call: the queue holds a reference of its own until the future comes out.
 * @param tag     any number; comes out with the future.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: queue or future is NULL; TP_ERR_FORKED: not done, and its executor is the
 * parent's; TP_ERR_INVALID_STATE: the queue is closed, or the task has been prepared and not launched;
 * TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
enum tp_status tp_completion_queue_add(struct tp_completion_queue *queue,
                                       struct tp_future *future,
                                       uint64_t tag);

/**
 * Closes a queue: nothing more can be added, and once all that was added has come out, takers get TP_END. Takers that
 * wait for nothing wake up. Closing again is fine.
 *
 * @param queue  borrowed.
 * @return TP_OK; TP_ERR_INVALID_ARGUMENT: queue is NULL; TP_ERR_FORKED: the queue is the parent's, and not closed.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
enum tp_status tp_completion_queue_close(struct tp_completion_queue *queue);

/**
 * Takes the next future that is done. One that is ready comes out whatever the timeout; those done when they were
 * added come first, then the order is that of completion. With none ready it waits, in an open queue also while there
 * is nothing to wait for. On a worker it runs added futures that are pending in its own executor itself, one after the
 * other, as tp_future_result() does.
 *
 * @param queue       borrowed.
 * @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
 * @param future      receives the future, a reference owned by the caller; written only on TP_OK. NULL: not wanted.
 * @param tag         receives its tag; written only on TP_OK. NULL: not wanted.
 * @return TP_OK; TP_END: the queue is closed, and everything added has come out; TP_ERR_TIMEOUT: nothing is ready yet;
 * TP_ERR_INVALID_ARGUMENT: queue is NULL; TP_ERR_FORKED: it would have to wait for tasks of the parent process.
 *
 * Any thread, tasks and callbacks included; each future comes out to one taker. Blocks.
 * Python: next() of the iterator that as_completed() returns.
 */
enum tp_status tp_completion_queue_next(struct tp_completion_queue *queue,
                                        int64_t timeout_ns,
                                        struct tp_future **future,
                                        uint64_t *tag);

/**
 * Ends a queue. What has not come out is no longer registered with it; nothing is cancelled, and the futures complete
 * as ever. No other thread may be in a call on the queue: to stop takers, close it, let them see TP_END, then free it.
 *
 * @param queue  taken. NULL does nothing.
 *
 * Any thread, tasks and callbacks included. Does not block.
 */
void tp_completion_queue_free(struct tp_completion_queue *queue);

/**
 * Runs `fn(args[0])`, `fn(args[1])` and so on, and gives the futures out in that order with tp_map_next().
 *
 * With a lookahead the tasks are submitted little by little, as futures are taken, so that a million arguments need
 * neither a million futures nor the memory of a million results.
 *
 * @param executor     borrowed. If it is shut down, now or later, the map comes about all the same, and the items that
 *                     are not submitted yet come out as TP_ERR_SHUTDOWN. It may be freed before the map.
 * @param fn           what to run. Not NULL.
 * @param args         the n arguments. Not copied: the array stays valid and unchanged until TP_END or tp_map_free().
 *                     May be NULL if n is 0.
 * @param n            how many.
 * @param lookahead    tasks at most that are submitted beyond the one that comes out next. 0: all at once.
 * @param drop_result  as in tp_task, for each result. May be NULL.
 * @return the map, owned by the caller, who ends it with tp_map_free(). NULL on failure; tp_last_error() is then
 * TP_ERR_INVALID_ARGUMENT (executor, fn, or args with n > 0, is NULL, or n is impossible), TP_ERR_FORKED, or
 * TP_ERR_NO_MEMORY.
 *
 * Any thread, tasks and callbacks included. Does not block.
 * Python: Executor.map(fn, args, buffersize).
 */
TP_NODISCARD
struct tp_map *tp_map_new(struct tp_executor *executor,
                          tp_task_fn fn,
                          void *const *args,
                          size_t n,
                          size_t lookahead,
                          tp_drop_fn drop_result);

/**
 * Waits until the next item's task is done, and gives its future out. A failed task comes out like any other, and does
 * not end the iteration. On a worker of the map's executor a pending task is run in this call, as by
 * tp_future_result().
 *
 * @param map         borrowed.
 * @param timeout_ns  nanoseconds from now; 0 or less: only look; TP_FOREVER: no limit.
 * @param future      receives the future, done, a reference owned by the caller; written on TP_OK, and with NULL for an
 *                    item that could not be submitted. NULL: not wanted.
 * @return TP_OK; TP_END: there are no more items; TP_ERR_TIMEOUT: not done yet, and the next call goes on from here;
 * TP_ERR_INVALID_ARGUMENT: map is NULL; TP_ERR_INVALID_STATE: another thread is in this call; TP_ERR_DEADLOCK: the
 * wait could never end; TP_ERR_FORKED: the map is the parent's. For an item that could not be submitted what
 * tp_submit() says: TP_ERR_SHUTDOWN, TP_ERR_BROKEN, TP_ERR_SYSTEM or TP_ERR_NO_MEMORY; the item is used up, and the
 * next call gives the one after it.
 *
 * Any thread, tasks and callbacks included, but one at a time. Blocks.
 * Python: next() of the iterator that Executor.map() returns.
 */
enum tp_status tp_map_next(struct tp_map *map,
                           int64_t timeout_ns,
                           struct tp_future **future);

/**
 * Ends a map. What is pending is cancelled, also if nothing was ever taken; running tasks go on, and are not waited for.
 * No other thread may be in a call on the map.
 *
 * @param map  taken. NULL does nothing.
 *
 * Any thread, tasks and callbacks included. Does not block, but for what drop functions do.
 */
void tp_map_free(struct tp_map *map);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TPEXEC_H */
