/* E1 under load: leaving main, or ending the process anywhere else, while four threads run every mix of the soak test. Each
 * way in a process of its own, many times. */
#include "under_load.h"

#include <stdatomic.h>
#include <stdint.h>

enum { CODE = 42, RUNS = 25 };

/* Every child begins with this. */
static tp_executor *begin(void) {
    load_begin();
    tp_executor *executor = new_executor(2);
    CHECK_PTR(result_of(submit(executor, return_arg, executor)), executor);
    return executor;
}

static int waits_for_the_end(void) {
    for (;;) sleep_ms(1000);
    return 1;
}

CHILD(return_from_main) {
    begin();
    return CODE;
}

static void *call_exit(void *arg) {
    exit((int)(intptr_t)arg);
    return NULL;
}
static void *call_quick_exit(void *arg) {
    quick_exit((int)(intptr_t)arg);
    return NULL;
}
static void *call_abort(void *arg) {
    signal(SIGABRT, SIG_DFL);
    abort();
    return arg;
}
static void call_exit_in_callback(tp_future *future, void *user_data) {
    (void)future;
    call_exit(user_data);
}
static void call_exit_in_hook(void *arg) { call_exit(arg); }

CHILD(exit_in_a_task) {
    CHECK_STATUS(tp_execute(begin(), call_exit, (void *)CODE), TP_OK);
    return waits_for_the_end();
}
CHILD(exit_in_a_callback) {
    tp_future *future = submit(begin(), return_arg, NULL);
    CHECK_STATUS(tp_future_add_done_callback(future, call_exit_in_callback, (void *)CODE), TP_OK);
    return waits_for_the_end();
}
CHILD(exit_in_a_drop_hook) {
    const tp_task *task = TP_TASK(.fn = return_null, .arg = (void *)CODE, .drop_arg = call_exit_in_hook);
    CHECK_STATUS(tp_submit_task(begin(), task, NULL), TP_OK);
    return waits_for_the_end();
}
CHILD(exit_in_another_thread) {
    begin();
    start_thread(call_exit, (void *)CODE);
    return waits_for_the_end();
}
CHILD(quick_exit_in_main) {
    begin();
    call_quick_exit((void *)CODE);
    return 1;
}
CHILD(quick_exit_in_a_task) {
    CHECK_STATUS(tp_execute(begin(), call_quick_exit, (void *)CODE), TP_OK);
    return waits_for_the_end();
}
CHILD(abort_in_a_task) {
    CHECK_STATUS(tp_execute(begin(), call_abort, NULL), TP_OK);
    return waits_for_the_end();
}

/* The main thread ends, the process does not: workers and lanes go on, until a task ends it. */
static tp_executor *left;
static void        *exit_when_main_is_gone(void *arg) {
    sleep_ms(5);
    CHECK_PTR(result_of(submit(left, return_arg, left)), left);
    return call_exit(test_failures == 0 ? arg : (void *)1);
}
CHILD(main_ends_by_pthread_exit_and_a_task_exits) {
    left = begin();
    CHECK_STATUS(tp_execute(left, exit_when_main_is_gone, (void *)CODE), TP_OK);
    pthread_exit(NULL);
    return 1;
}

/* Nothing else is alive, so the process ends with its last worker, and with 0. */
CHILD(main_ends_by_pthread_exit_and_the_last_worker_ends) {
    left = begin();
    load_end();
    for (int i = 0; i < 1000; i++) tp_future_release(submit(left, return_arg, NULL));
    tp_executor_detach(left);
    if (test_failures != 0) _exit(1);
    pthread_exit(NULL);
    return 1;
}

/* Handlers that use the library while lanes and workers go on; also what was made before, and what tasks are at. */
static tp_future *pending;
static void       use_it_late(void) {
    void *result = NULL;
    CHECK_STATUS(tp_future_result(pending, TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, left);
    CHECK_PTR(result_of(submit(left, return_arg, left)), left);
    tp_future_release(pending);
    tp_executor_free(left);
    new_executors_work();
    if (test_failures != 0) _exit(1);
}

CHILD(handlers_of_exit_use_the_library) {
    left = begin();
    pending = submit(left, return_arg, left);
    return atexit(use_it_late) == 0 ? CODE : 1;
}
CHILD(handlers_of_quick_exit_use_the_library) {
    left = begin();
    pending = submit(left, return_arg, left);
    if (at_quick_exit(use_it_late) == 0) quick_exit(CODE);
    return 1;
}

/* Nobody can wait in exit() for the task that called it: what a handler may do is submit, look and give up. */
static void shut_down_late(void) {
    CHECK_STATUS(tp_executor_shutdown(left, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_NULL(tp_submit(left, return_arg, NULL), TP_ERR_SHUTDOWN);
    tp_executor_detach(left);
    if (test_failures != 0) _exit(1);
}
CHILD(handlers_of_an_exit_in_a_task_shut_down) {
    left = begin();
    if (atexit(shut_down_late) != 0) return 1;
    CHECK_STATUS(tp_execute(left, call_exit, (void *)CODE), TP_OK);
    return waits_for_the_end();
}

CHILD(a_thousand_tasks_pending) {
    tp_executor *executor = begin();
    for (int i = 0; i < 1000; i++) CHECK_STATUS(tp_execute(executor, return_arg, NULL), TP_OK);
    exit(CODE);
}

#define MANY(child, code)                                              \
    do {                                                               \
        for (long run = repeat(RUNS); run > 0; run--) CHECK_CHILD(child, code); \
    } while (0)

TEST(e01_return_from_main) { MANY("return_from_main", CODE); }
TEST(e01_exit_in_a_task) { MANY("exit_in_a_task", CODE); }
TEST(e01_exit_in_a_callback) { MANY("exit_in_a_callback", CODE); }
TEST(e01_exit_in_a_drop_hook) { MANY("exit_in_a_drop_hook", CODE); }
TEST(e01_exit_in_another_thread) { MANY("exit_in_another_thread", CODE); }
TEST(e01_quick_exit_in_main) { MANY("quick_exit_in_main", CODE); }
TEST(e01_quick_exit_in_a_task) { MANY("quick_exit_in_a_task", CODE); }
TEST(e01_main_ends_by_pthread_exit_and_a_task_exits) { MANY("main_ends_by_pthread_exit_and_a_task_exits", CODE); }
TEST(e01_main_ends_by_pthread_exit_and_the_last_worker_ends) { MANY("main_ends_by_pthread_exit_and_the_last_worker_ends", 0); }
TEST(e01_handlers_of_exit_use_the_library) { MANY("handlers_of_exit_use_the_library", CODE); }
TEST(e01_handlers_of_quick_exit_use_the_library) { MANY("handlers_of_quick_exit_use_the_library", CODE); }
TEST(e01_handlers_of_an_exit_in_a_task_shut_down) { MANY("handlers_of_an_exit_in_a_task_shut_down", CODE); }
TEST(e01_exit_with_a_thousand_tasks_pending) { MANY("a_thousand_tasks_pending", CODE); }

TEST(e01_abort_in_a_task) {
    for (long run = repeat(RUNS); run > 0; run--) CHECK_EQ(run_child("abort_in_a_task"), W_EXITCODE(0, SIGABRT));
}
