/* Memory that cannot be had for what comes out of tasks: waits, completion queues, maps, reports of failure. */
#include "attempts.h"

/* ---- waits ------------------------------------------------------------------------------------------------------------- */

static void wait_in_every_way(void) {
    static const tp_wait_for ways[] = {TP_WAIT_ALL_COMPLETED, TP_WAIT_FIRST_COMPLETED, TP_WAIT_FIRST_FAILED};
    tp_executor             *executor = new_executor(1);
    blocker                  busy;
    block(executor, &busy);
    tp_future *futures[3] = {busy.future, submit(executor, fail_with_seven, NULL), busy.future};
    tp_status  status = TP_OK;
    for (int way = 0; way < 3; way++) {
        size_t n_done = 77;
        ARMED(status = tp_wait(futures, 3, TP_MSEC(1), ways[way], &n_done));
        if (status != TP_ERR_TIMEOUT) CHECK_REFUSAL(tp_wait, status);
        CHECK_EQ(n_done, status == TP_ERR_TIMEOUT ? 0 : 77);
    }
    ARMED(status = tp_future_result(busy.future, TP_MSEC(1), NULL));
    CHECK_STATUS(status, TP_ERR_TIMEOUT); /* to wait for one takes no memory */
    unblock(&busy);
    CHECK_STATUS(tp_future_result(futures[1], TP_FOREVER, NULL), TP_ERR_TASK);
    tp_future_release(futures[1]);
    tp_executor_free(executor);
}

TEST(no_memory_tp_wait) { everywhere(wait_in_every_way); }

/* ---- completion queues ------------------------------------------------------------------------------------------------- */

static void take_all(tp_completion_queue *queue, long n, tp_status then) {
    for (long i = 0; i < n; i++) {
        tp_future *future = NULL;
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &future, NULL), TP_OK);
        tp_future_release(future);
    }
    CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), then);
    tp_completion_queue_free(queue);
}

static void use_queues(void) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future           *futures[4] = {busy.future, submit(executor, return_arg, NULL), busy.future, busy.future};
    tp_completion_queue *queue = NULL, *closed = NULL;
    long                 added = 0;
    ARMED(queue = tp_completion_queue_new());
    if (queue == NULL) CHECK_REFUSAL(tp_completion_queue_new, tp_last_error());
    for (int i = 0; queue != NULL && i < 4; i++) {
        tp_status status = TP_OK;
        ARMED(status = tp_completion_queue_add(queue, futures[i], 0));
        if (status != TP_OK) CHECK_REFUSAL(tp_completion_queue_add, status);
        added += status == TP_OK;
    }
    ARMED(closed = tp_as_completed(futures, 4));
    if (closed == NULL) CHECK_REFUSAL(tp_as_completed, tp_last_error());
    unblock(&busy);
    if (queue != NULL) take_all(queue, added, TP_ERR_TIMEOUT);
    if (closed != NULL) take_all(closed, 4, TP_END);
    result_of(futures[1]);
    tp_executor_free(executor);
}

TEST(no_memory_tp_completion_queue) { everywhere(use_queues); }

/* Each is made with one request refused; a refusal takes nothing that a later queue would need. */
TEST(queues_that_were_made_short_of_memory_leave_enough_for_more) {
    enum { N = 100 };
    tp_completion_queue *queues[N];
    for (int i = 0; i < N; i++) {
        queues[i] = NULL;
        for (long at = i % 3; queues[i] == NULL; at++) {
            fail_at(at, false);
            ARMED(queues[i] = tp_completion_queue_new());
            fail_nothing();
            if (queues[i] == NULL) CHECK_REFUSAL(tp_completion_queue_new, tp_last_error());
            REQUIRE(at < 10);
        }
    }
    tp_completion_queue *queue = tp_completion_queue_new();
    CHECK(queue != NULL);
    tp_completion_queue_free(queue);
    for (int i = 0; i < N; i++) tp_completion_queue_free(queues[i]);
}

/* ---- maps -------------------------------------------------------------------------------------------------------------- */

static void use_a_map(void) {
    enum { N = 6 };
    counter      ran = COUNTER_INIT, dropped = COUNTER_INIT;
    void        *args[N];
    tp_executor *executor = new_executor(1);
    tp_map      *map = NULL;
    long         ok = 0, refused = 0;
    for (int i = 0; i < N; i++) args[i] = &ran;
    ARMED(map = tp_map_new(executor, count_run, args, N, 1, count_drop));
    if (map == NULL) {
        CHECK_REFUSAL(tp_map_new, tp_last_error());
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&ran), 0);
        return;
    }
    for (;;) {
        tp_future *out = (tp_future *)&ran;
        tp_status  status = TP_OK;
        ARMED(status = tp_map_next(map, TP_FOREVER, &out));
        if (status == TP_END) break;
        if (status == TP_OK) {
            CHECK_PTR(result_of(out), &ran);
            ok++;
        } else { /* this item's, or an earlier call's when it looked ahead: a thread's or its own memory's */
            CHECK(status == TP_ERR_NO_MEMORY || status == TP_ERR_SYSTEM);
            CHECK_LAST_ERROR(status);
            CHECK_PTR(out, NULL); /* used up */
            refused++;
        }
        REQUIRE(ok + refused <= N);
    }
    CHECK_EQ(ok + refused, N);
    tp_map_free(map);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 2 * ok); /* run, and as a result dropped */
    CHECK_EQ(counter_get(&dropped), 0);
}

TEST(no_memory_tp_map) { everywhere(use_a_map); }

/* ---- reports of failure ------------------------------------------------------------------------------------------------ */

/* A task that cannot store its message has failed all the same, with its code and "". Said again, the last call counts. */
typedef struct report {
    counter   dropped;
    tp_status first, last;
} report;

static void *fail_twice(void *arg) {
    report *r = (report *)arg;
    ARMED(r->first = tp_task_fail_with(43, "a message that is replaced", &r->dropped, count_drop));
    if (r->first != TP_OK) CHECK_REFUSAL(tp_task_fail_with, r->first);
    ARMED(r->last = tp_task_fail_with(44, "a message that has to be copied", &r->dropped, count_drop));
    if (r->last != TP_OK) CHECK_REFUSAL(tp_task_fail_with, r->last);
    return NULL;
}

static void fail_a_task(void) {
    report          r = {.dropped = COUNTER_INIT};
    tp_executor    *executor = new_executor(1);
    const tp_error *error = NULL;
    tp_future      *future = submit(executor, fail_twice, &r);
    CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
    REQUIRE(error != NULL);
    CHECK_EQ(error->code, 44);
    CHECK_STR(error->message, r.last == TP_OK ? "a message that has to be copied" : "");
    /* A call that was refused took nothing: the payload stayed the caller's. */
    CHECK_PTR(error->payload, r.last == TP_OK ? &r.dropped : NULL);
    tp_future_release(future);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&r.dropped), (r.first == TP_OK) + (r.last == TP_OK));
}

/* The same where nobody could ask, so that the executor reports it. */
static void note_code(const tp_error *error, void *user_data) {
    CHECK_EQ(error->code, 44);
    CHECK(error->message != NULL);
    counter_add((counter *)user_data, 1);
}

static void fail_a_task_without_a_future(void) {
    report       r = {.dropped = COUNTER_INIT};
    counter      reported = COUNTER_INIT;
    tp_executor *executor =
        tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .unhandled_error = note_code, .user_data = &reported));
    REQUIRE(executor != NULL);
    CHECK_STATUS(tp_execute(executor, fail_twice, &r), TP_OK);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&reported), 1);
    CHECK_EQ(counter_get(&r.dropped), (r.first == TP_OK) + (r.last == TP_OK));
}

TEST(no_memory_tp_task_fail) {
    everywhere(fail_a_task);
    everywhere(fail_a_task_without_a_future);
}
