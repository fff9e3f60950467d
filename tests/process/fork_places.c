/* E2: fork in every function of the user's that the library calls, on workers and on other threads, under load. In the child
 * the thread is no worker; a function that returns there on a worker ends the child, and on any other thread comes back to its
 * caller, with no further hook. */
#include "under_load.h"

#include <stdatomic.h>

/* Where a fork is to happen, and what became of it. */
typedef struct place {
    tp_executor *executor;
    bool         returns; /* the function, in the child */
    bool         in_child;
    pid_t        pid;
    atomic_long  hooks; /* those that only count */
} place;

static void place_init(place *p, size_t workers, bool returns) {
    memset(p, 0, sizeof *p);
    p->executor = workers == 0 ? NULL : new_executor(workers);
    p->returns = returns;
    p->pid = -1;
}

/* The child's marks in memory are its own. */
static void fork_here(void *arg) {
    place *p = arg;
    p->pid = fork_child();
    if (p->pid != 0) return;
    p->in_child = true;
    i_am_no_worker(p->executor);
    if (!p->returns || test_failures != 0) end_child();
}
static void *fork_in_task(void *arg) {
    fork_here(arg);
    return arg;
}
static void *fork_in_payload_task(void *payload) { return fork_in_task(*(place **)payload); }
static void  fork_in_payload_drop(void *payload) { fork_here(*(place **)payload); }
static void  fork_in_callback(tp_future *future, void *user_data) {
    CHECK(tp_future_done(future));
    fork_here(user_data);
}
static void count_hook(void *arg) { atomic_fetch_add(&((place *)arg)->hooks, 1); }
static void count_callback(tp_future *future, void *user_data) {
    (void)future;
    count_hook(user_data);
}

/* Fails with hooks to come, if it has a place to count them. */
static void *fail(void *arg) {
    CHECK_STATUS(tp_task_fail_with(7, "seven", arg, arg == NULL ? NULL : count_hook), TP_OK);
    return arg;
}

/* After the call in which the function forked, on a thread that is no worker: the child ends here. */
static void come_back(place *p, long hooks_in_parent) {
    if (p->in_child) {
        CHECK_EQ(atomic_load(&p->hooks), 0);
        end_child();
    }
    CHECK_EQ(atomic_load(&p->hooks), hooks_in_parent);
    CHECK_CHILD_OK(p->pid);
}

/* Does a thing many times under load, both ways: the child ends in the function, or after it. */
static void both_ways(size_t workers, void (*once)(place *)) {
    load_begin();
    for (long time = repeat(TIMES); time > 0; time--) {
        place p;
        place_init(&p, workers, time % 2 == 0);
        once(&p);
    }
    load_end();
}

#define PLACE_TEST(name, workers)                          \
    static void name##_once(place *p);                     \
    TEST(name) { both_ways((workers), name##_once); }      \
    static void name##_once(place *p)

/* ---- on a worker ---------------------------------------------------------------------------------------------------------- */

PLACE_TEST(e02_fork_in_a_task, 3) {
    CHECK_PTR(result_of(submit(p->executor, fork_in_task, p)), p);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(p->pid);
}

static void *fork_in_a_nested_task(void *arg) { return result_of(submit(((place *)arg)->executor, fork_in_task, arg)); }

PLACE_TEST(e02_fork_in_a_task_that_another_waits_for, 1) {
    CHECK_PTR(result_of(submit(p->executor, fork_in_a_nested_task, p)), p);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(p->pid);
}

PLACE_TEST(e02_fork_in_a_launched_task_and_the_drop_of_its_payload, 2) {
    tp_future *future = NULL;
    void      *payload = NULL;
    pid_t      in_task;
    REQUIRE(tp_task_prepare(p->executor, sizeof(place *), _Alignof(place *), &future, &payload) == TP_OK);
    *(place **)payload = p;
    CHECK_STATUS(tp_task_launch(future, fork_in_payload_task, fork_in_payload_drop), TP_OK);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    in_task = p->pid;
    tp_future_release(future); /* the drop forks, on this thread */
    come_back(p, 0);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(in_task);
}

PLACE_TEST(e02_fork_in_hooks_of_a_task_on_its_worker, 1) {
    place      callback = {p->executor, p->returns, false, -1, 0}, result = callback;
    tp_future *future = NULL;
    blocker    busy;
    block(p->executor, &busy);
    CHECK_STATUS(tp_submit_task(p->executor, TP_TASK(.fn = return_arg, .arg = p, .drop_arg = fork_here), &future), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, fork_in_callback, &callback), TP_OK);
    CHECK_STATUS(tp_submit_task(p->executor, TP_TASK(.fn = return_arg, .arg = &result, .drop_result = fork_here), NULL), TP_OK);
    unblock(&busy);
    tp_executor_free(p->executor);
    tp_future_release(future);
    CHECK_CHILD_OK(p->pid);
    CHECK_CHILD_OK(callback.pid);
    CHECK_CHILD_OK(result.pid);
}

static int initialize(void *user_data) {
    fork_here(user_data);
    return 0;
}
static int initialize_in_vain(void *user_data) {
    fork_here(user_data);
    return -1;
}
static void unhandled(const tp_error *error, void *user_data) {
    CHECK_EQ(error->code, 7);
    fork_here(user_data);
}

static tp_executor *make(place *p, const tp_executor_config *config) {
    p->executor = tp_executor_new(config);
    REQUIRE(p->executor != NULL);
    return p->executor;
}

PLACE_TEST(e02_fork_in_an_initializer, 0) {
    make(p, TP_EXECUTOR_CONFIG(.max_workers = 1, .initializer = initialize, .user_data = p));
    CHECK_PTR(result_of(submit(p->executor, return_arg, p)), p);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(p->pid);
}

PLACE_TEST(e02_fork_in_an_initializer_that_fails, 0) {
    make(p, TP_EXECUTOR_CONFIG(.max_workers = 1, .initializer = initialize_in_vain, .user_data = p));
    tp_future *future = tp_submit(p->executor, return_arg, p); /* starts the worker, and is accepted or too late */
    if (future == NULL) CHECK_LAST_ERROR(TP_ERR_BROKEN);
    else CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_BROKEN);
    tp_future_release(future);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(p->pid);
}

PLACE_TEST(e02_fork_in_a_finalizer, 0) {
    make(p, TP_EXECUTOR_CONFIG(.max_workers = 1, .finalizer = fork_here, .user_data = p));
    CHECK_PTR(result_of(submit(p->executor, return_arg, p)), p);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(p->pid);
}

PLACE_TEST(e02_fork_in_unhandled_error_on_a_worker, 0) {
    make(p, TP_EXECUTOR_CONFIG(.max_workers = 1, .unhandled_error = unhandled, .user_data = p));
    CHECK_STATUS(tp_execute(p->executor, fail, NULL), TP_OK);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(p->pid);
}

PLACE_TEST(e02_fork_in_drop_user_data_on_a_worker, 0) {
    make(p, TP_EXECUTOR_CONFIG(.max_workers = 1, .user_data = p, .drop_user_data = fork_here));
    CHECK_PTR(result_of(submit(p->executor, return_arg, p)), p);
    tp_executor_free(p->executor);
    CHECK_CHILD_OK(p->pid);
}

/* ---- on a thread that is no worker: the function comes back to whoever made the call --------------------------------------- */

/* A pending task whose worker is busy, with hooks that count, and a callback that counts behind the one that forks. */
static tp_future *pending(place *p, tp_drop_fn drop_arg, tp_done_fn first) {
    tp_future *future = NULL;
    CHECK_STATUS(tp_submit_task(p->executor, TP_TASK(.fn = return_arg, .arg = p, .drop_arg = drop_arg), &future), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, first, p), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, count_callback, p), TP_OK);
    return future;
}

PLACE_TEST(e02_fork_in_drop_arg_of_a_cancel, 1) {
    blocker busy;
    block(p->executor, &busy);
    tp_future *future = pending(p, fork_here, count_callback);
    CHECK(tp_future_cancel(future));
    come_back(p, 2);
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(p->executor);
}

PLACE_TEST(e02_fork_in_a_callback_of_a_cancel, 1) {
    blocker busy;
    block(p->executor, &busy);
    tp_future *future = pending(p, NULL, fork_in_callback);
    CHECK(tp_future_cancel(future));
    come_back(p, 1);
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(p->executor);
}

PLACE_TEST(e02_fork_in_a_callback_of_a_shutdown_that_cancels, 1) {
    blocker    busy;
    tp_future *later[4];
    block(p->executor, &busy);
    tp_future *future = pending(p, NULL, fork_in_callback);
    for (int i = 0; i < 4; i++) later[i] = pending(p, count_hook, count_callback);
    tp_status status = tp_executor_shutdown(p->executor, TP_SHUTDOWN_CANCEL_FUTURES);
    CHECK_STATUS(status, p->in_child ? TP_ERR_FORKED : TP_OK);
    if (p->in_child) CHECK_STATUS(tp_executor_join(p->executor, TP_FOREVER), TP_ERR_FORKED);
    come_back(p, 1 + 4 * 3);
    tp_future_release(future);
    for (int i = 0; i < 4; i++) tp_future_release(later[i]);
    unblock(&busy);
    tp_executor_free(p->executor);
}

PLACE_TEST(e02_fork_in_a_callback_of_a_done_future, 1) {
    tp_future *future = submit(p->executor, return_arg, NULL);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, fork_in_callback, p), TP_OK);
    come_back(p, 0);
    tp_future_release(future);
    tp_executor_free(p->executor);
}

PLACE_TEST(e02_fork_in_drop_result_of_a_release, 1) {
    tp_future *future = NULL;
    CHECK_STATUS(tp_submit_task(p->executor, TP_TASK(.fn = return_arg, .arg = p, .drop_result = fork_here), &future), TP_OK);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    tp_executor_free(p->executor); /* the last reference is this thread's */
    p->executor = new_executor(1);
    tp_future_release(future);
    come_back(p, 0);
    tp_executor_free(p->executor);
}

PLACE_TEST(e02_fork_in_drop_result_when_a_map_is_freed, 1) {
    void   *args[2] = {p, p};
    tp_map *map = tp_map_new(p->executor, return_arg, args, 2, 0, fork_here);
    REQUIRE(map != NULL);
    CHECK_PTR(result_of(submit(p->executor, return_arg, NULL)), NULL); /* one worker: both have run */
    tp_map_free(map);                                              /* forks twice; a child of the first time does not again */
    come_back(p, 0);
    tp_executor_free(p->executor);
    while (waitpid(-1, NULL, 0) > 0) {}
}

PLACE_TEST(e02_fork_in_unhandled_error_and_drop_user_data_of_a_release, 0) {
    tp_executor *executor = make(p, TP_EXECUTOR_CONFIG(.max_workers = 1, .unhandled_error = unhandled, .user_data = p,
                                                        .drop_user_data = count_hook));
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = fail, .arg = p, .drop_result = count_hook), &future), TP_OK);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    tp_executor_free(executor);
    p->executor = new_executor(1);
    tp_future_release(future); /* nobody has looked: the report forks; result, payload and user data go in the parent only */
    come_back(p, 3);
    tp_executor_free(p->executor);
}

PLACE_TEST(e02_fork_in_drop_user_data_of_an_executor_without_workers, 0) {
    tp_executor *own = make(p, TP_EXECUTOR_CONFIG(.max_workers = 1, .user_data = p, .drop_user_data = fork_here));
    p->executor = new_executor(1);
    tp_executor_free(own);
    come_back(p, 0);
    tp_executor_free(p->executor);
}
