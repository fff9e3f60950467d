/* What tests that fork share: forking, ending a child, and what holds in every child. Used by fork.c and estate.h here, and by
 * tests/process.
 *
 * A child checks with the usual macros and ends by end_child(): with 0 when all held. One that hangs is ended by its own
 * watchdog. */
#ifndef TPEXEC_TEST_FORKED_H
#define TPEXEC_TEST_FORKED_H

#include "harness.h"

static inline pid_t fork_child(void) {
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        __atomic_store_n(&test_failures, 0, __ATOMIC_SEQ_CST);
        watch();
    }
    return pid;
}

__attribute__((noreturn)) static inline void end_child(void) {
    _exit(__atomic_load_n(&test_failures, __ATOMIC_SEQ_CST) == 0 ? 0 : 1);
}

#define CHECK_CHILD_OK(pid) test_check_child(__FILE__, __LINE__, "(forked)", test_wait_for_child(pid), 0)

static const int64_t every_timeout[] = {0, -1, 1, TP_MSEC(1), TP_SEC(3600), TP_FOREVER};
enum { TIMEOUTS = sizeof every_timeout / sizeof every_timeout[0] };

/* A task with a payload that leads to what its functions count. */
static inline void *return_counter(void *payload) { return *(counter **)payload; }
static inline void count_payload_drop(void *payload) { counter_add(*(counter **)payload, 1); }
static inline tp_future *prepare(tp_executor *executor, counter *drops) {
    tp_future *future = NULL;
    void      *payload = NULL;
    REQUIRE(tp_task_prepare(executor, sizeof(counter *), _Alignof(counter *), &future, &payload) == TP_OK);
    *(counter **)payload = drops;
    return future;
}

/* New executors work as in any process. */
static inline void new_executors_work(void) {
    for (int round = 0; round < 3; round++) {
        counter      ran = COUNTER_INIT;
        tp_executor *executor = new_executor(3);
        blocker      busy;
        block(executor, &busy);
        tp_future *cancelled = submit(executor, count_run, &ran);
        tp_future_cancel(cancelled);
        tp_future_release(cancelled);
        tp_future *launched = prepare(executor, &ran);
        CHECK_STATUS(tp_task_launch(launched, return_counter, count_payload_drop), TP_OK);
        unblock(&busy);
        CHECK_PTR(result_of(launched), &ran);
        long before = counter_get(&ran);
        for (int i = 0; i < 200; i++) CHECK_PTR(result_of(submit(executor, count_run, &ran)), &ran);
        for (int i = 0; i < 200; i++) CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&ran), before + 400);
    }
}

/* After a fork in a task, or in another of the user's functions on a worker. */
static inline void i_am_no_worker(tp_executor *of_the_parent) {
    CHECK_PTR(tp_worker_name(), NULL);
    CHECK_PTR(tp_executor_current(), NULL);
    CHECK_PTR(tp_future_current(), NULL);
    CHECK(!tp_task_stop_requested());
    CHECK_FAILS(tp_task_fail(1, "no task"), TP_ERR_INVALID_STATE);
    CHECK_NULL(tp_submit(of_the_parent, return_arg, NULL), TP_ERR_FORKED);
    CHECK_FAILS(tp_executor_shutdown(of_the_parent, TP_SHUTDOWN_WAIT), TP_ERR_FORKED); /* and not DEADLOCK */
    new_executors_work();
    tp_executor *executor = new_executor(1); /* it may wait for tasks of its own */
    result_of(submit(executor, return_arg, NULL));
    tp_executor_free(executor);
}

#endif
