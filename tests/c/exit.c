/* E1: leaving main, or calling exit anywhere, with executors alive neither hangs nor crashes. Each way in a process of its own, many times. */
#include "harness.h"

#include <stdatomic.h>

enum { RUNS = 10 };

static void *submit_for_ever(void *arg) {
    tp_executor *executor = (tp_executor *)arg;
    for (;;) {
        tp_future *future = tp_submit(executor, return_arg, NULL);
        if (future == NULL) return NULL;
        tp_future_cancel(future);
        tp_future_release(future);
    }
}

static void *work_for_ever(void *arg) {
    tp_executor *executor = (tp_executor *)arg;
    for (;;) {
        tp_future *future = tp_submit(executor, return_arg, NULL);
        if (future == NULL) return NULL;
        tp_future_result(future, TP_FOREVER, NULL);
        tp_future_release(future);
    }
}

static void *sleep_for_ever(void *arg) {
    gate_open((gate *)arg);
    for (;;) sleep_ms(1000);
    return NULL;
}

/* Memory that goes with main must not be used by what goes on: hence static. */
static gate asleep = GATE_INIT;

CHILD(idle_workers) {
    tp_executor *executor = new_executor(4);
    blocker      busy[4];
    for (int i = 0; i < 4; i++) block(executor, &busy[i]);
    for (int i = 0; i < 4; i++) unblock(&busy[i]);
    return 0;
}

CHILD(no_worker_at_all) {
    new_executor(4);
    return 0;
}

CHILD(tasks_that_never_end_and_pending_ones) {
    tp_executor *executor = new_executor(2);
    for (int i = 0; i < 2; i++) CHECK_STATUS(tp_execute(executor, sleep_for_ever, &asleep), TP_OK);
    for (int i = 0; i < 1000; i++) tp_future_release(submit(executor, return_arg, NULL));
    counter_wait(&asleep, 2);
    return 0;
}

CHILD(workers_and_submitters_at_full_speed) {
    tp_executor *executor = new_executor(3);
    for (int i = 0; i < 2; i++) start_thread(submit_for_ever, executor);
    for (int i = 0; i < 2; i++) start_thread(work_for_ever, executor);
    CHECK_STATUS(tp_execute(executor, work_for_ever, executor), TP_OK);
    sleep_ms(3);
    return 0;
}

CHILD(shut_down_and_not_waited_for) {
    tp_executor *executor = new_executor(2);
    CHECK_STATUS(tp_execute(executor, sleep_for_ever, &asleep), TP_OK);
    gate_wait(&asleep);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    return 0;
}

CHILD(detached) {
    tp_executor *executor = new_executor(2);
    CHECK_STATUS(tp_execute(executor, sleep_for_ever, &asleep), TP_OK);
    gate_wait(&asleep);
    tp_executor_detach(executor);
    return 0;
}

static void *exit_now(void *arg) {
    exit((int)(intptr_t)arg);
    return NULL;
}

CHILD(exit_in_a_task) {
    tp_executor *executor = new_executor(2);
    result_of(submit(executor, exit_now, (void *)42));
    return 1;
}

static void exit_in_callback(tp_future *future, void *user_data) {
    (void)future;
    exit_now(user_data);
}

CHILD(exit_in_a_callback) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    CHECK_STATUS(tp_future_add_done_callback(busy.future, exit_in_callback, (void *)43), TP_OK);
    gate_open(&busy.release);
    sleep_ms(3600 * 1000L); /* exit comes from the worker, or the watchdog */
    return 1;
}

/* Handlers and destructors that use the library after main. */
static tp_executor *late_executor;
static tp_future   *late_future;
static void         use_it_late(void) {
    void *result = NULL;
    CHECK_STATUS(tp_future_result(late_future, TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, &late_future);
    CHECK_PTR(result_of(submit(late_executor, return_arg, &late_executor)), &late_executor);
    CHECK_FAILS(tp_execute(NULL, return_arg, NULL), TP_ERR_INVALID_ARGUMENT);
    tp_future_release(late_future);
    tp_executor_free(late_executor);
    tp_executor *executor = new_executor(2);
    result_of(submit(executor, return_arg, NULL));
    tp_executor_free(executor);
    if (test_failures != 0) _exit(1);
}

CHILD(used_in_an_atexit_handler) {
    late_executor = new_executor(2);
    late_future = submit(late_executor, return_arg, &late_future);
    return atexit(use_it_late) == 0 ? 0 : 1;
}

/* A thread's own destructor runs when the library's thread-locals may be gone already. */
static pthread_key_t key;
static atomic_int    destroyed;
static void          use_it_in_a_destructor(void *value) {
    tp_executor *executor = (tp_executor *)value;
    tp_future   *future = submit(executor, return_arg, executor);
    CHECK_PTR(result_of(future), executor);
    CHECK_FAILS(tp_execute(NULL, return_arg, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK(tp_worker_name() == NULL || tp_worker_name()[0] != '\0');
    tp_executor_current();
    tp_future_current();
    tp_executor *other = new_executor(1);
    result_of(submit(other, return_arg, NULL));
    tp_executor_free(other);
    atomic_fetch_add(&destroyed, 1);
}
static void *leave_something_behind(void *arg) {
    CHECK_EQ(pthread_setspecific(key, arg), 0);
    result_of(submit((tp_executor *)arg, return_arg, arg));
    return NULL;
}

TEST(r07_thread_destructors_may_use_the_library) {
    REQUIRE(pthread_key_create(&key, use_it_in_a_destructor) == 0);
    tp_executor *executor = new_executor(2), *dying = new_executor(2);
    for (int i = 0; i < 20; i++) join_thread(start_thread(leave_something_behind, executor));
    CHECK_EQ(atomic_load(&destroyed), 20);
    blocker busy;
    block(dying, &busy);
    CHECK_STATUS(tp_execute(dying, leave_something_behind, executor), TP_OK); /* on a worker of one executor, about another */
    unblock(&busy);
    tp_executor_free(dying);
    EVENTUALLY(atomic_load(&destroyed) == 21);
    tp_executor_free(executor);
    pthread_key_delete(key);
}

#define MANY(child, code)                                             \
    do {                                                              \
        for (int run = 0; run < RUNS; run++) CHECK_CHILD(child, code); \
    } while (0)

TEST(e01_with_idle_workers) { MANY("idle_workers", 0); }
TEST(e01_with_an_executor_that_never_started_a_thread) { MANY("no_worker_at_all", 0); }
TEST(e01_with_tasks_that_never_end_and_pending_ones) { MANY("tasks_that_never_end_and_pending_ones", 0); }
TEST(e01_with_workers_and_submitters_at_full_speed) { MANY("workers_and_submitters_at_full_speed", 0); }
TEST(e01_shut_down_and_not_waited_for) { MANY("shut_down_and_not_waited_for", 0); }
TEST(e01_detached) { MANY("detached", 0); }
TEST(e01_exit_in_a_task) { MANY("exit_in_a_task", 42); }
TEST(e01_exit_in_a_callback) { MANY("exit_in_a_callback", 43); }
TEST(e01_the_library_works_in_an_atexit_handler) { MANY("used_in_an_atexit_handler", 0); }
