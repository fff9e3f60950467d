/* An estate, that is everything a parent can hand down, in every state; and the checks of what a child may do with it (E2). Used
 * by fork.c here, and by tests/process for forks under load. */
#ifndef TPEXEC_TEST_ESTATE_H
#define TPEXEC_TEST_ESTATE_H

#include "forked.h"

/* Everything a parent can hand down, in every state. */
typedef struct {
    tp_executor         *executor;
    blocker              busy;
    tp_future           *succeeded, *failed, *unseen, *cancelled, *taken, *running, *pending;
    tp_future           *carried, *launched, *prepared; /* with payloads: done, pending, not launched */
    tp_completion_queue *queue; /* with `succeeded` ready and `pending` outstanding */
    tp_map              *map;   /* over two items, both pending */
    void                *map_args[2];
    counter              hooks; /* every drop hook and callback counts here */
} estate;

/* A failure that nobody looks at: its release reports it. */
static inline void *fail_with_hooks(void *arg) {
    tp_task_fail_with(8, "eight", arg, count_drop);
    return NULL;
}
static inline void count_report(const tp_error *error, void *user_data) {
    CHECK_PTR(error->payload, user_data);
    count_drop(user_data);
}

static inline void estate_init(estate *e) {
    memset(e, 0, sizeof *e);
    counter_init(&e->hooks);
    e->executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .unhandled_error = count_report, .user_data = &e->hooks,
                                                     .drop_user_data = count_drop));
    REQUIRE(e->executor != NULL);
    tp_executor *executor = e->executor;
    const tp_task *task = TP_TASK(.fn = return_arg, .arg = &e->hooks, .drop_result = count_drop);
    CHECK_STATUS(tp_submit_task(executor, task, &e->succeeded), TP_OK);
    CHECK_STATUS(tp_submit_task(executor, task, &e->taken), TP_OK);
    e->failed = submit(executor, fail_with_seven, NULL);
    e->unseen = submit(executor, fail_with_hooks, &e->hooks);
    e->carried = prepare(executor, &e->hooks);
    CHECK_STATUS(tp_task_launch(e->carried, return_counter, count_payload_drop), TP_OK);
    CHECK_STATUS(tp_future_result(e->carried, TP_FOREVER, NULL), TP_OK);
    e->prepared = prepare(executor, &e->hooks);
    void *result = NULL;
    CHECK_STATUS(tp_future_take(e->taken, TP_FOREVER, &result), TP_OK);
    CHECK_STATUS(tp_future_result(e->succeeded, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_future_result(e->failed, TP_FOREVER, NULL), TP_ERR_TASK);
    CHECK_STATUS(tp_wait(&e->unseen, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    block(executor, &e->busy);
    e->running = tp_future_retain(e->busy.future);
    task = TP_TASK(.fn = return_arg, .arg = &e->hooks, .drop_arg = count_drop, .drop_result = count_drop);
    CHECK_STATUS(tp_submit_task(executor, task, &e->pending), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(e->pending, count_done, &e->hooks), TP_OK);
    e->launched = prepare(executor, &e->hooks);
    CHECK_STATUS(tp_task_launch(e->launched, return_counter, count_payload_drop), TP_OK);
    e->cancelled = submit(executor, return_arg, NULL);
    CHECK(tp_future_cancel(e->cancelled));
    e->queue = tp_completion_queue_new();
    REQUIRE(e->queue != NULL);
    CHECK_STATUS(tp_completion_queue_add(e->queue, e->succeeded, 1), TP_OK);
    CHECK_STATUS(tp_completion_queue_add(e->queue, e->pending, 2), TP_OK);
    e->map = tp_map_new(executor, return_arg, e->map_args, 2, 0, NULL);
    REQUIRE(e->map != NULL);
}

/* Those without a payload. */
static inline void release_plain_futures(estate *e) {
    tp_future_release(e->succeeded);
    tp_future_release(e->failed);
    tp_future_release(e->unseen);
    tp_future_release(e->cancelled);
    tp_future_release(e->taken);
    tp_future_release(e->running);
    tp_future_release(e->pending);
}

/* In the parent: all goes on as if there had been no fork. */
static inline void estate_end(estate *e) {
    CHECK_EQ(counter_get(&e->hooks), 0);
    unblock(&e->busy);
    CHECK_STATUS(tp_completion_queue_next(e->queue, TP_FOREVER, NULL, NULL), TP_OK);
    CHECK_STATUS(tp_completion_queue_next(e->queue, TP_FOREVER, NULL, NULL), TP_OK);
    tp_completion_queue_free(e->queue);
    for (int i = 0; i < 2; i++) CHECK_STATUS(tp_map_next(e->map, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_map_next(e->map, TP_FOREVER, NULL), TP_END);
    tp_map_free(e->map);
    CHECK_STATUS(tp_future_result(e->pending, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_future_result(e->running, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_task_launch(e->prepared, return_counter, count_payload_drop), TP_OK);
    CHECK_PTR(result_of(e->prepared), &e->hooks);
    CHECK_PTR(result_of(e->launched), &e->hooks);
    CHECK_PTR(result_of(e->carried), &e->hooks);
    release_plain_futures(e);
    tp_executor_free(e->executor);
    /* drop_arg, callback, two results (one was taken), three payloads, a report with its payload, user_data */
    CHECK_EQ(counter_get(&e->hooks), 10);
}

/* ---- done futures answer as ever ------------------------------------------------------------------------------------------- */

static inline void done_futures_answer(estate *e) {
    counter called = COUNTER_INIT;
    for (int t = 0; t < TIMEOUTS; t++) {
        void           *result = NULL;
        const tp_error *error = NULL;
        size_t          n_done = 0;
        tp_future      *done[4] = {e->succeeded, e->failed, e->cancelled, e->taken};
        CHECK_STATUS(tp_future_result(e->succeeded, every_timeout[t], &result), TP_OK);
        CHECK_PTR(result, &e->hooks);
        CHECK_STATUS(tp_future_result(e->carried, every_timeout[t], &result), TP_OK);
        CHECK_PTR(result, &e->hooks);
        CHECK_STATUS(tp_future_error(e->succeeded, every_timeout[t], &error), TP_OK);
        CHECK_PTR(error, NULL);
        CHECK_STATUS(tp_future_result(e->failed, every_timeout[t], &result), TP_ERR_TASK);
        CHECK_STATUS(tp_future_error(e->failed, every_timeout[t], &error), TP_OK);
        CHECK(error != NULL && error->code == 7 && strcmp(error->message, "seven") == 0);
        CHECK_STATUS(tp_future_result(e->cancelled, every_timeout[t], &result), TP_ERR_CANCELLED);
        CHECK_STATUS(tp_future_error(e->cancelled, every_timeout[t], &error), TP_ERR_CANCELLED);
        CHECK_STATUS(tp_future_take(e->taken, every_timeout[t], &result), TP_ERR_INVALID_STATE);
        for (int what = 0; what < 3; what++) {
            CHECK_STATUS(tp_wait(done, 4, every_timeout[t], (tp_wait_for)what, &n_done), TP_OK);
            CHECK_EQ(n_done, 4);
        }
        CHECK_STATUS(tp_wait(NULL, 0, every_timeout[t], TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
        tp_completion_queue *queue = tp_as_completed(done, 4);
        REQUIRE(queue != NULL);
        for (int i = 0; i < 4; i++) CHECK_STATUS(tp_completion_queue_next(queue, every_timeout[t], NULL, NULL), TP_OK);
        CHECK_STATUS(tp_completion_queue_next(queue, every_timeout[t], NULL, NULL), TP_END);
        tp_completion_queue_free(queue);
        queue = tp_completion_queue_new();
        REQUIRE(queue != NULL);
        CHECK_STATUS(tp_completion_queue_add(queue, e->failed, 5), TP_OK);
        uint64_t   tag = 0;
        tp_future *out = NULL;
        CHECK_STATUS(tp_completion_queue_next(queue, every_timeout[t], &out, &tag), TP_OK);
        CHECK_PTR(out, e->failed);
        CHECK_EQ(tag, 5);
        tp_future_release(out);
        tp_completion_queue_free(queue);
        CHECK_STATUS(tp_future_add_done_callback(e->cancelled, count_done, &called), TP_OK);
        CHECK_STATUS(tp_future_add_done_callback(e->succeeded, count_done, &called), TP_OK);
        CHECK_EQ(counter_get(&called), 2 * (t + 1));
    }
    CHECK(tp_future_cancel(e->cancelled)); /* it is cancelled */
    CHECK(!tp_future_cancel(e->succeeded));
    CHECK(!tp_future_cancel(e->failed));
    CHECK_EQ(tp_future_state(e->succeeded), TP_STATE_FINISHED);
    CHECK_EQ(tp_future_state(e->cancelled), TP_STATE_CANCELLED);
    CHECK(tp_future_done(e->failed));
    void *result = NULL;
    CHECK_STATUS(tp_future_take(e->succeeded, TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, &e->hooks);
    CHECK_FAILS(tp_future_result(e->succeeded, TP_FOREVER, &result), TP_ERR_INVALID_STATE);
}

/* ---- what would wait, poll, submit or change something --------------------------------------------------------------------- */

static inline void unfinished_futures_are_the_parent_s(estate *e) {
    tp_future *unfinished[] = {e->running, e->pending, e->launched, e->prepared};
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++) {
        for (int t = 0; t < TIMEOUTS; t++) {
            void           *result = e;
            const tp_error *error = (const tp_error *)e;
            size_t          n_done = 77;
            tp_future      *mixed[3] = {e->succeeded, unfinished[i], e->failed};
            CHECK_FAILS(tp_future_result(unfinished[i], every_timeout[t], &result), TP_ERR_FORKED);
            CHECK_FAILS(tp_future_take(unfinished[i], every_timeout[t], &result), TP_ERR_FORKED);
            CHECK_FAILS(tp_future_error(unfinished[i], every_timeout[t], &error), TP_ERR_FORKED);
            CHECK_FAILS(tp_wait(&unfinished[i], 1, every_timeout[t], TP_WAIT_FIRST_COMPLETED, &n_done), TP_ERR_FORKED);
            CHECK_FAILS(tp_wait(mixed, 3, every_timeout[t], TP_WAIT_ALL_COMPLETED, &n_done), TP_ERR_FORKED);
            CHECK_PTR(result, e);
            CHECK_PTR(error, e);
            CHECK_EQ(n_done, 77);
        }
        counter              called = COUNTER_INIT;
        tp_completion_queue *queue = tp_completion_queue_new();
        REQUIRE(queue != NULL);
        CHECK_FAILS(tp_completion_queue_add(queue, unfinished[i], 1), TP_ERR_FORKED);
        tp_completion_queue_free(queue);
        CHECK_NULL(tp_as_completed(&unfinished[i], 1), TP_ERR_FORKED);
        CHECK_NULL(tp_as_completed((tp_future *[]){e->succeeded, unfinished[i]}, 2), TP_ERR_FORKED);
        CHECK_FAILS(tp_future_add_done_callback(unfinished[i], count_done, &called), TP_ERR_FORKED);
        CHECK(!tp_future_cancel(unfinished[i]));
        tp_future_request_stop(unfinished[i]);
        CHECK_EQ(counter_get(&called), 0);
        /* predicates answer from memory */
        CHECK_EQ(tp_future_state(unfinished[i]), i == 0 ? TP_STATE_RUNNING : TP_STATE_PENDING);
        CHECK_EQ(tp_future_running(unfinished[i]), i == 0);
        CHECK(!tp_future_done(unfinished[i]));
        CHECK(!tp_future_cancelled(unfinished[i]));
        CHECK_PTR(tp_future_retain(unfinished[i]), unfinished[i]);
        tp_future_release(unfinished[i]);
    }
    CHECK_EQ(counter_get(&e->hooks), 0);
}

static inline void the_executor_is_the_parent_s(estate *e) {
    counter    touched = COUNTER_INIT;
    void      *args[2] = {&touched, &touched};
    tp_future *out = (tp_future *)e;
    CHECK_NULL(tp_submit(e->executor, count_run, &touched), TP_ERR_FORKED);
    CHECK_FAILS(tp_execute(e->executor, count_run, &touched), TP_ERR_FORKED);
    CHECK_FAILS(tp_submit_many(e->executor, count_run, args, 2, &out), TP_ERR_FORKED);
    const tp_task *task = TP_TASK(.fn = count_run, .arg = &touched, .drop_arg = count_drop);
    CHECK_FAILS(tp_submit_task(e->executor, task, &out), TP_ERR_FORKED);
    void *payload = e;
    CHECK_FAILS(tp_task_prepare(e->executor, 8, 8, &out, &payload), TP_ERR_FORKED);
    CHECK_PTR(payload, e);
    CHECK_FAILS(tp_task_launch(e->prepared, return_counter, count_payload_drop), TP_ERR_FORKED);
    CHECK_FAILS(tp_task_execute(e->prepared, return_counter, count_payload_drop), TP_ERR_FORKED);
    CHECK_FAILS(tp_task_launch(e->launched, return_counter, count_payload_drop), TP_ERR_FORKED); /* before INVALID_STATE */
    for (uint32_t flags = 0; flags < 4; flags++) CHECK_FAILS(tp_executor_shutdown(e->executor, flags), TP_ERR_FORKED);
    /* before INVALID_STATE */
    for (int t = 0; t < TIMEOUTS; t++) CHECK_FAILS(tp_executor_join(e->executor, every_timeout[t]), TP_ERR_FORKED);
    /* the order of failures */
    CHECK_NULL(tp_submit(e->executor, NULL, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(e->executor, TP_TASK(.fn = count_run, .delay_ns = 1), &out), TP_ERR_UNSUPPORTED);
    CHECK_FAILS(tp_executor_shutdown(e->executor, 8), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_future_take(e->running, TP_FOREVER, NULL), TP_ERR_INVALID_ARGUMENT);
    /* counts answer from memory */
    CHECK_EQ(tp_executor_max_workers(e->executor), 1);
    CHECK(tp_executor_worker_count(e->executor) <= 1);
    CHECK(tp_executor_pending_count(e->executor) <= 4);
    CHECK_PTR(out, e);
    CHECK_EQ(counter_get(&touched), 0);
}

/* Objects of the parent in whose inside its threads may have been at the fork. They answer or are FORKED; none hangs. */
static inline void queues_and_maps_of_the_parent_answer(estate *e) {
    for (int t = 0; t < TIMEOUTS; t++) {
        tp_status status = tp_completion_queue_next(e->queue, every_timeout[t], NULL, NULL);
        /* what is ready may come out, once; the rest is unfinished */
        CHECK(status == TP_ERR_FORKED || (t == 0 && status == TP_OK));
        CHECK_FAILS(tp_map_next(e->map, every_timeout[t], NULL), TP_ERR_FORKED);
    }
    tp_status added = tp_completion_queue_add(e->queue, e->succeeded, 9);
    CHECK(added == TP_ERR_FORKED || added == TP_OK);
    tp_status closed = tp_completion_queue_close(e->queue);
    CHECK(closed == TP_ERR_FORKED || closed == TP_OK);
    tp_map *map = tp_map_new(e->executor, return_arg, e->map_args, 2, 0, NULL); /* a map all the same, or FORKED */
    if (map != NULL) {
        tp_future *out = NULL;
        CHECK_FAILS(tp_map_next(map, TP_FOREVER, &out), TP_ERR_FORKED);
        tp_map_free(map);
    } else {
        CHECK_LAST_ERROR(TP_ERR_FORKED);
    }
}

static inline void release_everything(estate *e, bool executor_first) {
    if (executor_first) tp_executor_free(e->executor);
    tp_map_free(e->map);
    tp_completion_queue_free(e->queue);
    release_plain_futures(e);
    tp_future_release(e->busy.future);
    tp_future_release(e->carried);
    tp_future_release(e->launched);
    tp_future_release(e->prepared);
    if (!executor_first) tp_executor_free(e->executor);
    CHECK_EQ(counter_get(&e->hooks), 0); /* free and release run no hook */
}

#define IN_A_CHILD(body)               \
    do {                               \
        estate e;                      \
        estate_init(&e);               \
        pid_t pid = fork_child();      \
        if (pid == 0) {                \
            body;                      \
            end_child();               \
        }                              \
        CHECK_CHILD_OK(pid);           \
        estate_end(&e);                \
    } while (0)

#endif
