/* E2: children of children, each with executors of its own; and every way in which a child can end. Under load. */
#include "under_load.h"

#include <stdint.h>

/* ---- generations ----------------------------------------------------------------------------------------------------------- */

enum { GENERATIONS = 4 };

/* What each process of the line has made before it forked. */
typedef struct legacy {
    tp_executor *executor;
    blocker      busy;
    tp_future   *done, *pending;
} legacy;

static legacy line[GENERATIONS];

static void leave(legacy *l) {
    l->executor = new_executor(1);
    l->done = submit(l->executor, return_arg, l);
    CHECK_STATUS(tp_future_result(l->done, TP_FOREVER, NULL), TP_OK);
    block(l->executor, &l->busy);
    l->pending = submit(l->executor, return_arg, l);
}

/* In the process that made it. */
static void settle(legacy *l) {
    unblock(&l->busy);
    CHECK_PTR(result_of(l->pending), l);
    CHECK_PTR(result_of(l->done), l);
    tp_executor_free(l->executor);
}

static void inherit(legacy *l) {
    void *result = NULL;
    CHECK_STATUS(tp_future_result(l->done, TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, l);
    CHECK_FAILS(tp_future_result(l->busy.future, TP_FOREVER, NULL), TP_ERR_FORKED);
    CHECK_FAILS(tp_future_result(l->pending, TP_FOREVER, NULL), TP_ERR_FORKED);
    CHECK_NULL(tp_submit(l->executor, return_arg, NULL), TP_ERR_FORKED);
    CHECK_FAILS(tp_executor_shutdown(l->executor, TP_SHUTDOWN_WAIT), TP_ERR_FORKED);
}

static void forget(legacy *l) {
    tp_future_release(l->done);
    tp_future_release(l->pending);
    tp_future_release(l->busy.future);
    tp_executor_free(l->executor);
}

static void live(int generation) {
    leave(&line[generation]);
    if (generation + 1 < GENERATIONS) {
        pid_t pid = fork_child();
        if (pid == 0) {
            for (int i = 0; i <= generation; i++) inherit(&line[i]);
            live(generation + 1);
            for (int i = 0; i <= generation; i++) forget(&line[i]);
            new_executors_work();
            end_child();
        }
        CHECK_CHILD_OK(pid);
    }
    settle(&line[generation]);
}

TEST(e02_children_of_children_know_whose_handles_they_have) {
    load_begin();
    for (long time = repeat(TIMES); time > 0; time--) live(0);
    load_end();
}

/* ---- how a child ends ------------------------------------------------------------------------------------------------------ */

enum { CODE = 42 };

/* The parent's, while a test of this section runs. */
static tp_executor *parents;
static bool         in_child;

static void at_the_end(void) {
    if (!in_child) return;
    CHECK_NULL(tp_submit(parents, return_arg, NULL), TP_ERR_FORKED);
    tp_executor_free(parents);
    tp_executor *executor = new_executor(1); /* left alive */
    CHECK_PTR(result_of(submit(executor, return_arg, executor)), executor);
    if (test_failures != 0) _exit(1);
}

static void *exit_in_a_task(void *arg) {
    exit((int)(intptr_t)arg);
    return NULL;
}
static void exit_in_a_callback(tp_future *future, void *user_data) {
    (void)future;
    exit_in_a_task(user_data);
}
static void *underscore_exit_in_a_task(void *arg) {
    _exit((int)(intptr_t)arg);
    return NULL;
}

static void by_exit(tp_executor *executor) {
    (void)executor;
    exit(CODE);
}
static void by_underscore_exit(tp_executor *executor) {
    (void)executor;
    _exit(CODE);
}
static void by_quick_exit(tp_executor *executor) {
    (void)executor;
    quick_exit(CODE);
}
static void by_abort(tp_executor *executor) {
    (void)executor;
    signal(SIGABRT, SIG_DFL);
    abort();
}
static void by_exit_in_a_task(tp_executor *executor) { result_of(submit(executor, exit_in_a_task, (void *)CODE)); }
static void by_underscore_exit_in_a_task(tp_executor *executor) {
    result_of(submit(executor, underscore_exit_in_a_task, (void *)CODE));
}
static void by_exit_in_a_callback(tp_executor *executor) {
    blocker busy;
    block(executor, &busy);
    CHECK_STATUS(tp_future_add_done_callback(busy.future, exit_in_a_callback, (void *)CODE), TP_OK);
    gate_open(&busy.release);
    for (;;) sleep_ms(1000); /* the worker ends the process, or the watchdog */
}

/* A child with an executor of its own that has run something ends so, and each time the status says it. */
static void child_ends(void (*end)(tp_executor *), int expected) {
    parents = new_executor(2);
    load_begin();
    for (long time = repeat(TIMES); time > 0; time--) {
        CHECK_PTR(result_of(submit(parents, return_arg, parents)), parents);
        pid_t pid = fork_child();
        if (pid == 0) {
            in_child = true;
            tp_executor *executor = new_executor(2);
            CHECK_PTR(result_of(submit(executor, return_arg, executor)), executor);
            if (test_failures == 0) end(executor);
            _exit(1);
        }
        CHECK_EQ(test_wait_for_child(pid), expected);
    }
    load_end();
    tp_executor_free(parents);
}

static void register_at_the_end(void) {
    static bool registered;
    if (!registered) REQUIRE(atexit(at_the_end) == 0 && at_quick_exit(at_the_end) == 0);
    registered = true;
}

#define CODE_STATUS W_EXITCODE(CODE, 0)

TEST(e02_a_child_ends_by_exit_and_its_handlers_use_the_library) {
    register_at_the_end();
    child_ends(by_exit, CODE_STATUS);
}
TEST(e02_a_child_ends_by_quick_exit_and_its_handlers_use_the_library) {
    register_at_the_end();
    child_ends(by_quick_exit, CODE_STATUS);
}
TEST(e02_a_child_ends_by__exit) { child_ends(by_underscore_exit, CODE_STATUS); }
TEST(e02_a_child_ends_by_abort) { child_ends(by_abort, W_EXITCODE(0, SIGABRT)); }
TEST(e02_a_child_ends_in_a_task) { child_ends(by_exit_in_a_task, CODE_STATUS); }
TEST(e02_a_child_ends_by__exit_in_a_task) { child_ends(by_underscore_exit_in_a_task, CODE_STATUS); }
TEST(e02_a_child_ends_in_a_callback) { child_ends(by_exit_in_a_callback, CODE_STATUS); }
