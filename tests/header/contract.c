/* The C interface of version 0.1 as its users rely on it: every function, type and constant once more, written by hand.
 *
 * tests/header.rs compiles this file in every dialect, with every compiler, as C and as C++. A declaration that differs
 * from include/tpexec.h is a compile error, so whoever changes the interface must change it here too, and sees what
 * programs will see. It is read, not run.
 */
#include <tpexec.h>
#include <tpexec.h> /* including it twice is harmless */

/* An assertion at compile time that C99 knows as well. */
#define CHECK(name, condition) typedef char check_##name[(condition) ? 1 : -1]
#define EQUAL(name, value) typedef char check_##name[(name) == (value) ? 1 : -1]

EQUAL(TP_OK, 0);
EQUAL(TP_END, 1);
EQUAL(TP_ERR_INVALID_ARGUMENT, 2);
EQUAL(TP_ERR_NO_MEMORY, 3);
EQUAL(TP_ERR_SYSTEM, 4);
EQUAL(TP_ERR_TIMEOUT, 5);
EQUAL(TP_ERR_CANCELLED, 6);
EQUAL(TP_ERR_TASK, 7);
EQUAL(TP_ERR_SHUTDOWN, 8);
EQUAL(TP_ERR_BROKEN, 9);
EQUAL(TP_ERR_QUEUE_FULL, 10);
EQUAL(TP_ERR_DEADLOCK, 11);
EQUAL(TP_ERR_INVALID_STATE, 12);
EQUAL(TP_ERR_FORKED, 13);
EQUAL(TP_ERR_UNSUPPORTED, 14);

EQUAL(TP_FULL_BLOCK, 0);
EQUAL(TP_FULL_REJECT, 1);
EQUAL(TP_FULL_CALLER_RUNS, 2);
EQUAL(TP_FULL_DROP_OLDEST, 3);

EQUAL(TP_PRIORITY_NORMAL, 0);
EQUAL(TP_PRIORITY_HIGH, 1);
EQUAL(TP_PRIORITY_LOW, 2);

EQUAL(TP_STATE_PENDING, 0);
EQUAL(TP_STATE_RUNNING, 1);
EQUAL(TP_STATE_CANCELLED, 2);
EQUAL(TP_STATE_FINISHED, 3);

EQUAL(TP_WAIT_ALL_COMPLETED, 0);
EQUAL(TP_WAIT_FIRST_COMPLETED, 1);
EQUAL(TP_WAIT_FIRST_FAILED, 2);

EQUAL(TP_FOREVER, INT64_MAX);
EQUAL(TP_MAX_WORKERS, 16383);
EQUAL(TP_EXECUTOR_TIMES, 1u);
EQUAL(TP_SHUTDOWN_WAIT, 1u);
EQUAL(TP_SHUTDOWN_CANCEL_FUTURES, 2u);
CHECK(msec, TP_MSEC(1 + 2) == 3000000);
CHECK(msec_is_wide, TP_MSEC(INT32_MAX) == (int64_t)INT32_MAX * 1000000);
CHECK(sec, TP_SEC(1 + 2) == 3000 * TP_MSEC(1));
CHECK(times_are_signed, TP_SEC(-1) < 0);
CHECK(version, TPEXEC_VERSION_MAJOR * 10000 + TPEXEC_VERSION_MINOR * 100 + TPEXEC_VERSION_PATCH > 0);

#if TP_MAX_WORKERS < 1 || TPEXEC_VERSION_MAJOR < 0 || TP_FOREVER < 1
#error "the constants can be used by the preprocessor"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Repeating a typedef is an error in C99, so these go under other names; function types must agree where used below. */
typedef void *(*task_fn)(void *arg);
typedef void (*drop_fn)(void *ptr);
typedef void (*done_fn)(tp_future *future, void *user_data);
typedef int (*initializer_fn)(void *user_data);
typedef void (*finalizer_fn)(void *user_data);
typedef void (*unhandled_error_fn)(const tp_error *error, void *user_data);

const char *tp_status_name(tp_status status);
const char *tp_status_message(tp_status status);
tp_status tp_last_error(void);
const char *tp_last_error_message(void);
uint32_t tp_version(void);
const char *tp_version_string(void);

tp_executor *tp_executor_new(const tp_executor_config *config);
tp_status tp_executor_shutdown(tp_executor *executor, uint32_t flags);
tp_status tp_executor_join(tp_executor *executor, int64_t timeout_ns);
void tp_executor_free(tp_executor *executor);
void tp_executor_detach(tp_executor *executor);
size_t tp_executor_max_workers(const tp_executor *executor);
size_t tp_executor_worker_count(const tp_executor *executor);
size_t tp_executor_pending_count(const tp_executor *executor);

tp_future *tp_submit(tp_executor *executor, task_fn fn, void *arg);
tp_status tp_execute(tp_executor *executor, task_fn fn, void *arg);
tp_status tp_submit_many(tp_executor *executor, task_fn fn, void *const *args, size_t n, tp_future **futures);
tp_status tp_submit_task(tp_executor *executor, const tp_task *task, tp_future **future);
tp_status tp_task_prepare(tp_executor *executor, size_t size, size_t align, tp_future **future, void **payload);
tp_status tp_task_launch(tp_future *future, task_fn fn, drop_fn drop_payload);
tp_status tp_task_execute(tp_future *future, task_fn fn, drop_fn drop_payload);

tp_status tp_future_result(tp_future *future, int64_t timeout_ns, void **result);
tp_status tp_future_take(tp_future *future, int64_t timeout_ns, void **result);
tp_status tp_future_error(tp_future *future, int64_t timeout_ns, const tp_error **error);
tp_state tp_future_state(const tp_future *future);
bool tp_future_cancel(tp_future *future);
bool tp_future_cancelled(const tp_future *future);
bool tp_future_running(const tp_future *future);
bool tp_future_done(const tp_future *future);
tp_status tp_future_add_done_callback(tp_future *future, done_fn fn, void *user_data);
void tp_future_request_stop(tp_future *future);
tp_future *tp_future_retain(tp_future *future);
void tp_future_release(tp_future *future);

tp_status tp_task_fail(int32_t code, const char *message);
tp_status tp_task_fail_with(int32_t code, const char *message, void *payload, drop_fn drop);
bool tp_task_stop_requested(void);
tp_future *tp_future_current(void);
tp_executor *tp_executor_current(void);
const char *tp_worker_name(void);

tp_status tp_wait(tp_future *const *futures, size_t n, int64_t timeout_ns, tp_wait_for what, size_t *n_done);
tp_completion_queue *tp_completion_queue_new(void);
tp_completion_queue *tp_as_completed(tp_future *const *futures, size_t n);
tp_status tp_completion_queue_add(tp_completion_queue *queue, tp_future *future, uint64_t tag);
tp_status tp_completion_queue_close(tp_completion_queue *queue);
tp_status tp_completion_queue_next(tp_completion_queue *queue, int64_t timeout_ns, tp_future **future, uint64_t *tag);
void tp_completion_queue_free(tp_completion_queue *queue);
tp_map *tp_map_new(tp_executor *executor, task_fn fn, void *const *args, size_t n, size_t lookahead,
                   drop_fn drop_result);
tp_status tp_map_next(tp_map *map, int64_t timeout_ns, tp_future **future);
void tp_map_free(tp_map *map);

#ifdef __cplusplus
}
#endif

/* The names with their tags, as well as without. */
struct tp_executor;
struct tp_future;
struct tp_completion_queue;
struct tp_map;
struct tp_group;

/* Members can be given in the order of their declaration, with these types, and nothing follows the last one. */
extern const tp_executor_config config_of_all_members;
extern const tp_task task_of_all_members;
extern const tp_error error_of_all_members;

static size_t prefix_size(const char *prefix) {
    return sizeof(prefix);
}

#define NO_DATA ((void *)0)
const tp_executor_config config_of_all_members = {
    sizeof(tp_executor_config),
    (size_t)4,
    "prefix",
    (initializer_fn)0,
    (finalizer_fn)0,
    (unhandled_error_fn)0,
    NO_DATA,
    (drop_fn)0,
    (size_t)65536,
    TP_SEC(1),
    (size_t)0,
    (size_t)0,
    TP_FULL_BLOCK,
    (uint32_t)0,
};
const tp_task task_of_all_members = {
    sizeof(tp_task),
    (task_fn)0,
    NO_DATA,
    (drop_fn)0,
    (drop_fn)0,
    "name",
    (tp_group *)0,
    (int64_t)0,
    (int64_t)0,
    TP_PRIORITY_NORMAL,
    (uint32_t)0,
};
const tp_error error_of_all_members = {(int32_t)-1, (uint32_t)0, "message", NO_DATA};

#ifndef __cplusplus
/* The macros give a pointer that lives long enough for a call, with and without members. */
static void *work(void *arg) {
    return arg;
}

tp_executor *use_of_the_macros(tp_future **future);
tp_executor *use_of_the_macros(tp_future **future) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .thread_name_prefix = "io"));
    tp_submit_task(executor, TP_TASK(.fn = work, .arg = executor), future);
    return executor;
}
#endif

/* Plain uses, in which no compiler finds anything to warn about. */
size_t plain_use(tp_future *const *futures, size_t n);
size_t plain_use(tp_future *const *futures, size_t n) {
    size_t n_done = prefix_size("");
    tp_future *first = n == 0 ? (tp_future *)0 : futures[0];
    tp_future_cancel(first);
    tp_future_retain(first);
    tp_future_release(first);
    tp_wait(futures, n, TP_MSEC(10), TP_WAIT_ALL_COMPLETED, &n_done);
    switch (tp_future_state(first)) {
    case TP_STATE_PENDING:
    case TP_STATE_RUNNING:
    case TP_STATE_CANCELLED:
    case TP_STATE_FINISHED:
        break;
    }
    return n_done;
}
