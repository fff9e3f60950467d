/* Statuses, the thread's last error, versions. */
#include "harness.h"

#include <limits.h>

static const struct {
    tp_status   status;
    const char *name;
} statuses[] = {
    {TP_OK, "TP_OK"},
    {TP_END, "TP_END"},
    {TP_ERR_INVALID_ARGUMENT, "TP_ERR_INVALID_ARGUMENT"},
    {TP_ERR_NO_MEMORY, "TP_ERR_NO_MEMORY"},
    {TP_ERR_SYSTEM, "TP_ERR_SYSTEM"},
    {TP_ERR_TIMEOUT, "TP_ERR_TIMEOUT"},
    {TP_ERR_CANCELLED, "TP_ERR_CANCELLED"},
    {TP_ERR_TASK, "TP_ERR_TASK"},
    {TP_ERR_SHUTDOWN, "TP_ERR_SHUTDOWN"},
    {TP_ERR_BROKEN, "TP_ERR_BROKEN"},
    {TP_ERR_QUEUE_FULL, "TP_ERR_QUEUE_FULL"},
    {TP_ERR_DEADLOCK, "TP_ERR_DEADLOCK"},
    {TP_ERR_INVALID_STATE, "TP_ERR_INVALID_STATE"},
    {TP_ERR_FORKED, "TP_ERR_FORKED"},
    {TP_ERR_UNSUPPORTED, "TP_ERR_UNSUPPORTED"},
};
enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0] };
static const int unknown_statuses[] = {-1, 15, 16, 255, 1000, INT_MAX, INT_MIN};

TEST(status_numbers_are_the_contract) {
    for (int i = 0; i < STATUS_COUNT; i++) CHECK_EQ(statuses[i].status, i);
}

TEST(status_names_are_static_and_right) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        CHECK_STR(tp_status_name(statuses[i].status), statuses[i].name);
        CHECK_PTR(tp_status_name(statuses[i].status), tp_status_name(statuses[i].status));
    }
    for (size_t i = 0; i < sizeof unknown_statuses / sizeof unknown_statuses[0]; i++)
        CHECK_STR(tp_status_name((tp_status)unknown_statuses[i]), "unknown");
}

TEST(status_messages_are_sentences_of_their_own) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        const char *message = tp_status_message(statuses[i].status);
        REQUIRE(message != NULL);
        CHECK(strlen(message) > 5);
        CHECK_PTR(tp_status_message(statuses[i].status), message);
        for (int j = 0; j < i; j++) CHECK(strcmp(message, tp_status_message(statuses[j].status)) != 0);
    }
    for (size_t i = 0; i < sizeof unknown_statuses / sizeof unknown_statuses[0]; i++) {
        const char *message = tp_status_message((tp_status)unknown_statuses[i]);
        REQUIRE(message != NULL);
        CHECK(message[0] != '\0');
    }
}

TEST(version_of_the_library_is_the_header_s) {
    CHECK_EQ(tp_version(), (uint32_t)TPEXEC_VERSION_MAJOR << 16 | (uint32_t)TPEXEC_VERSION_MINOR << 8 | (uint32_t)TPEXEC_VERSION_PATCH);
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", TPEXEC_VERSION_MAJOR, TPEXEC_VERSION_MINOR, TPEXEC_VERSION_PATCH);
    CHECK_STR(tp_version_string(), text);
    CHECK_PTR(tp_version_string(), tp_version_string());
}

static void *check_nothing_failed_yet(void *arg) {
    CHECK_EQ(tp_last_error(), TP_OK);
    CHECK_STR(tp_last_error_message(), "");
    return arg;
}

TEST(last_error_is_ok_and_empty_before_any_failure) { join_thread(start_thread(check_nothing_failed_yet, NULL)); }

static void *fail_with_shutdown(void *arg) {
    tp_executor *executor = (tp_executor *)arg;
    check_nothing_failed_yet(NULL);
    CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    return NULL;
}

TEST(last_error_belongs_to_the_thread) {
    tp_executor *executor = new_executor(1);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_FAILS(tp_execute(NULL, return_arg, NULL), TP_ERR_INVALID_ARGUMENT);
    join_thread(start_thread(fail_with_shutdown, executor));
    CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);
    tp_executor_free(executor);
}

TEST(last_error_message_stays_until_the_next_failure) {
    CHECK_FAILS(tp_execute(NULL, return_arg, NULL), TP_ERR_INVALID_ARGUMENT);
    const char *message = tp_last_error_message();
    char        copy[512];
    snprintf(copy, sizeof copy, "%s", message);
    tp_executor *executor = new_executor(2);
    for (int i = 0; i < 100; i++) CHECK_PTR(result_of(submit(executor, return_arg, &copy)), &copy);
    tp_executor_free(executor);
    CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);
    CHECK_PTR(tp_last_error_message(), message);
    CHECK_STR(message, copy);
}

TEST(last_error_is_replaced_by_each_failure) {
    tp_executor *executor = new_executor(1);
    CHECK_FAILS(tp_executor_join(executor, 0), TP_ERR_INVALID_STATE);
    char first[512];
    snprintf(first, sizeof first, "%s", tp_last_error_message());
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_LAST_ERROR(TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_execute(executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    CHECK(strcmp(tp_last_error_message(), first) != 0);
    tp_executor_free(executor);
}

/* "Outcomes are no failures": what a wait tells about a task is its answer. */
TEST(last_error_is_not_set_by_outcomes) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future           *failed = submit(executor, fail_with_seven, NULL);
    tp_future           *cancelled = submit(executor, return_arg, NULL);
    tp_map              *map = tp_map_new(executor, return_arg, (void *const[]){NULL}, 1, 0, NULL);
    tp_completion_queue *queue = tp_completion_queue_new();
    REQUIRE(map != NULL && queue != NULL);
    CHECK(tp_future_cancel(cancelled));
    CHECK_FAILS(tp_execute(NULL, return_arg, NULL), TP_ERR_INVALID_ARGUMENT); /* the marker that has to stay */

    void           *result = NULL;
    const tp_error *error = NULL;
    tp_future      *future = NULL;
    size_t          done = 0;
    CHECK_STATUS(tp_future_result(failed, 0, &result), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_future_take(failed, 1000, &result), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_future_error(failed, -1, &error), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_future_result(cancelled, TP_FOREVER, &result), TP_ERR_CANCELLED);
    CHECK_STATUS(tp_future_take(cancelled, 0, &result), TP_ERR_CANCELLED);
    CHECK_STATUS(tp_future_error(cancelled, 0, &error), TP_ERR_CANCELLED);
    CHECK_STATUS(tp_wait(&failed, 1, 1000, TP_WAIT_ALL_COMPLETED, &done), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_map_next(map, 0, &future), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_completion_queue_next(queue, 0, &future, NULL), TP_ERR_TIMEOUT);
    CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);
    unblock(&busy);
    CHECK_STATUS(tp_future_result(failed, TP_FOREVER, &result), TP_ERR_TASK);
    CHECK_STATUS(tp_future_take(failed, TP_FOREVER, &result), TP_ERR_TASK);
    CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);

    /* TP_END neither. */
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, &future), TP_OK);
    tp_future_release(future);
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, &future), TP_END);
    CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &future, NULL), TP_END);
    CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);

    tp_map_free(map);
    tp_completion_queue_free(queue);
    tp_future_release(failed);
    tp_future_release(cancelled);
    tp_executor_free(executor);
}

static void *check_that_accessors_leave_it_alone(void *arg) {
    tp_executor_free(NULL);
    tp_executor_detach(NULL);
    tp_future_release(NULL);
    tp_future_request_stop(NULL);
    tp_map_free(NULL);
    tp_completion_queue_free(NULL);
    CHECK_PTR(tp_future_retain(NULL), NULL);
    CHECK(!tp_future_cancel(NULL));
    CHECK(!tp_future_cancelled(NULL));
    CHECK(!tp_future_running(NULL));
    CHECK(!tp_future_done(NULL));
    CHECK(!tp_task_stop_requested());
    CHECK_EQ(tp_future_state(NULL), TP_STATE_PENDING);
    CHECK_EQ(tp_executor_max_workers(NULL), 0);
    CHECK_EQ(tp_executor_worker_count(NULL), 0);
    CHECK_EQ(tp_executor_pending_count(NULL), 0);
    CHECK_PTR(tp_future_current(), NULL);
    CHECK_PTR(tp_executor_current(), NULL);
    CHECK_PTR(tp_worker_name(), NULL);
    CHECK_STR(tp_status_name((tp_status)77), "unknown");
    CHECK(tp_status_message((tp_status)77) != NULL);
    check_nothing_failed_yet(NULL);
    return arg;
}

TEST(last_error_is_not_set_by_void_functions_predicates_and_accessors) {
    join_thread(start_thread(check_that_accessors_leave_it_alone, NULL));
}

/* A take that comes too late and a broken executor are failures of the call. */
static int refuse(void *user_data) {
    (void)user_data;
    return 1;
}

TEST(last_error_is_set_by_failures_that_waits_report) {
    tp_executor *executor = new_executor(1);
    tp_future   *taken = submit(executor, return_arg, executor);
    void        *result = NULL;
    CHECK_STATUS(tp_future_take(taken, TP_FOREVER, &result), TP_OK);
    CHECK_FAILS(tp_future_take(taken, TP_FOREVER, &result), TP_ERR_INVALID_STATE);
    tp_future_release(taken);
    tp_executor_free(executor);

    executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .initializer = refuse));
    REQUIRE(executor != NULL);
    tp_future *broken = tp_submit(executor, return_arg, NULL);
    if (broken != NULL) CHECK_FAILS(tp_future_result(broken, TP_FOREVER, &result), TP_ERR_BROKEN);
    else CHECK_LAST_ERROR(TP_ERR_BROKEN);
    tp_future_release(broken);
    tp_executor_free(executor);
}

/* The failure is set as the last thing, after whatever the call's own callbacks did on this thread. */
static void fail_otherwise(tp_future *future, void *user_data) {
    (void)future;
    CHECK_FAILS(tp_completion_queue_close(NULL), TP_ERR_INVALID_ARGUMENT);
    counter_add((counter *)user_data, 1);
}

typedef struct {
    tp_executor *executor;
    gate         go;
} stopper;

static void *shut_down_from_inside(void *arg) {
    stopper *s = (stopper *)arg;
    gate_wait(&s->go);
    CHECK_FAILS(tp_executor_shutdown(s->executor, TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES), TP_ERR_DEADLOCK);
    return NULL;
}

TEST(last_error_is_set_after_the_callbacks_of_the_call) {
    stopper s = {new_executor(1), GATE_INIT};
    counter called = COUNTER_INIT;
    tp_future *stopping = submit(s.executor, shut_down_from_inside, &s);
    tp_future *pending = submit(s.executor, return_arg, NULL);
    CHECK_STATUS(tp_future_add_done_callback(pending, fail_otherwise, &called), TP_OK);
    gate_open(&s.go);
    result_of(stopping);
    CHECK_EQ(counter_get(&called), 1);
    CHECK(tp_future_cancelled(pending));
    tp_future_release(pending);
    tp_executor_free(s.executor);
}
