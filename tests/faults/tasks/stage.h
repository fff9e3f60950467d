/* Every place in which the library calls a function of the program's, for tests of what such a function may not do: leaving.c
 * and throwing.cpp.
 *
 * A test names a place and a way to leave it; act_in_a_child() has a child process act them out, and gives how that ended and
 * what it said. */
#ifndef TPEXEC_TEST_STAGE_H
#define TPEXEC_TEST_STAGE_H

#include "ending.h"

/* What the library says of a function that was left by unwinding the stack. */
#define UNWOUND "libtpexec: an exception, pthread_exit() or thread cancellation has left"

/* What the function at the place does. */
static void (*stage_act)(void);

static void *act_as_task(void *arg) {
    stage_act();
    return arg;
}
static void act_as_drop(void *ptr) {
    (void)ptr;
    stage_act();
}
static void act_as_callback(tp_future *future, void *user_data) {
    (void)future;
    (void)user_data;
    stage_act();
}
static int act_as_initializer(void *user_data) {
    (void)user_data;
    stage_act();
    return 0;
}
static void act_as_unhandled_error(const tp_error *error, void *user_data) {
    (void)error;
    (void)user_data;
    stage_act();
}

static tp_future *submit_full(tp_executor *executor, tp_task_fn fn, tp_drop_fn drop_arg, tp_drop_fn drop_result) {
    tp_task task;
    memset(&task, 0, sizeof task);
    task.size = sizeof task;
    task.fn = fn;
    task.arg = executor;
    task.drop_arg = drop_arg;
    task.drop_result = drop_result;
    tp_future *future = NULL;
    REQUIRE(tp_submit_task(executor, &task, &future) == TP_OK);
    return future;
}

static void wait_and_release(tp_future *future) {
    tp_future_result(future, TP_FOREVER, NULL);
    tp_future_release(future);
}

static void in_a_task(tp_executor *executor) { wait_and_release(submit(executor, act_as_task, NULL)); }

static void in_an_executed_task(tp_executor *executor) { REQUIRE(tp_execute(executor, act_as_task, NULL) == TP_OK); }

static void *wait_for_a_task_that_acts(void *arg) {
    wait_and_release(submit((tp_executor *)arg, act_as_task, NULL));
    return NULL;
}
static void in_an_inline_task(tp_executor *executor) { wait_and_release(submit(executor, wait_for_a_task_that_acts, executor)); }

static void in_a_callback_on_a_worker(tp_executor *executor) {
    blocker busy;
    block(executor, &busy);
    REQUIRE(tp_future_add_done_callback(busy.future, act_as_callback, NULL) == TP_OK);
    unblock(&busy);
}

static void in_a_callback_at_once(tp_executor *executor) {
    tp_future *future = submit(executor, return_null, NULL);
    tp_future_result(future, TP_FOREVER, NULL);
    tp_future_add_done_callback(future, act_as_callback, NULL);
    tp_future_release(future);
}

static void in_a_callback_of_cancel(tp_executor *executor) {
    blocker busy;
    block(executor, &busy);
    tp_future *pending = submit(executor, return_null, NULL);
    REQUIRE(tp_future_add_done_callback(pending, act_as_callback, NULL) == TP_OK);
    tp_future_cancel(pending);
    tp_future_release(pending);
    unblock(&busy);
}

static void in_drop_arg_on_a_worker(tp_executor *executor) {
    wait_and_release(submit_full(executor, return_null, act_as_drop, NULL));
}

static void in_drop_arg_of_cancel(tp_executor *executor) {
    blocker busy;
    block(executor, &busy);
    tp_future *pending = submit_full(executor, return_null, act_as_drop, NULL);
    tp_future_cancel(pending);
    tp_future_release(pending);
    unblock(&busy);
}

static void in_drop_result_of_release(tp_executor *executor) {
    wait_and_release(submit_full(executor, return_arg, NULL, act_as_drop));
}

static void *fail_with_a_payload(void *arg) {
    tp_task_fail_with(1, NULL, arg, act_as_drop);
    return NULL;
}
static void in_the_drop_of_a_payload(tp_executor *executor) { wait_and_release(submit(executor, fail_with_a_payload, executor)); }

/* The rest are hooks of an executor; it only needs a task that fails. */
static void in_a_hook(tp_executor *executor) { REQUIRE(tp_execute(executor, fail_with_seven, NULL) == TP_OK); }

typedef struct {
    const char *name;
    void      (*act_it_out)(tp_executor *executor);
    bool        on_a_worker; /* with nothing of the program's further down on the stack */
    /* Which member of the executor's configuration acts. */
    bool        initializer, finalizer, unhandled_error, drop_user_data;
} place;

static const place places[] = {
    {"a task", in_a_task, true, false, false, false, false},
    {"a task without a future", in_an_executed_task, true, false, false, false, false},
    {"a task that its waiter runs", in_an_inline_task, false, false, false, false, false},
    {"a callback on a worker", in_a_callback_on_a_worker, true, false, false, false, false},
    {"a callback at once", in_a_callback_at_once, false, false, false, false, false},
    {"a callback in cancel", in_a_callback_of_cancel, false, false, false, false, false},
    {"drop_arg on a worker", in_drop_arg_on_a_worker, true, false, false, false, false},
    {"drop_arg in cancel", in_drop_arg_of_cancel, false, false, false, false, false},
    {"drop_result in release", in_drop_result_of_release, false, false, false, false, false},
    {"the drop of a payload", in_the_drop_of_a_payload, false, false, false, false, false},
    {"initializer", in_a_hook, true, true, false, false, false},
    {"finalizer", in_a_hook, true, false, true, false, false},
    {"unhandled_error", in_a_hook, true, false, false, true, false},
    {"drop_user_data", in_a_hook, true, false, false, false, true},
};
enum { PLACES = sizeof places / sizeof *places };

/* In the child: acts out what the environment says. */
static int act_out(void (*const *ways)(void)) {
    const place *p = &places[strtol(getenv("STAGE_PLACE"), NULL, 10)];
    stage_act = ways[strtol(getenv("STAGE_WAY"), NULL, 10)];
    tp_executor_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_workers = 1;
    config.user_data = &config;
    if (p->initializer) config.initializer = act_as_initializer;
    if (p->finalizer) config.finalizer = act_as_drop;
    if (p->unhandled_error) config.unhandled_error = act_as_unhandled_error;
    if (p->drop_user_data) config.drop_user_data = act_as_drop;
    tp_executor *executor = tp_executor_new(&config);
    REQUIRE(executor != NULL);
    p->act_it_out(executor);
    tp_executor_free(executor);
    return WENT_ON;
}

static ending act_in_a_child(const char *child, int at, int way) {
    char number[2][16];
    snprintf(number[0], sizeof number[0], "%d", at);
    snprintf(number[1], sizeof number[1], "%d", way);
    REQUIRE(setenv("STAGE_PLACE", number[0], 1) == 0 && setenv("STAGE_WAY", number[1], 1) == 0);
    return run_and_listen(child);
}

#endif
