/* What must work when there is no memory at all: completing, cancelling, taking results, shutting down, letting go (A6). */
#include "faults.h"

/* ---- everything that was set up comes to its end ----------------------------------------------------------------------- */

enum { TASKS = 200, WAITERS = 4, MAPPED = 50 };

/* What hears of the end of each task, and what is dropped. */
typedef struct heard {
    counter called, arguments, results, payloads, reported, finalized, user_data;
} heard;

#define HEARD_INIT {COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, COUNTER_INIT}

static void *maybe_fail(void *arg) {
    heard *h = (heard *)arg;
    static atomic_long number;
    if (atomic_fetch_add(&number, 1) % 2 == 0) (void)tp_task_fail_with(7, "refused for want of memory", &h->payloads, count_drop);
    return arg;
}
static void count_argument(void *arg) { counter_add(&((heard *)arg)->arguments, 1); }
static void count_result(void *arg) { counter_add(&((heard *)arg)->results, 1); }
static void count_report(const tp_error *error, void *user_data) {
    CHECK_EQ(error->code, 7);
    counter_add(&((heard *)user_data)->reported, 1);
}
static void count_final(void *user_data) { counter_add(&((heard *)user_data)->finalized, 1); }
static void count_user_data(void *user_data) { counter_add(&((heard *)user_data)->user_data, 1); }

typedef struct waiter {
    tp_future *const *futures;
    tp_wait_for       what;
} waiter;

static void *wait_for_all(void *arg) {
    waiter *w = (waiter *)arg;
    size_t  n_done = 0;
    tp_status status = TP_OK;
    ARMED(status = tp_wait(w->futures, TASKS, TP_FOREVER, w->what, &n_done));
    CHECK_STATUS(status, TP_OK);
    CHECK(n_done > 0);
    return NULL;
}

static tp_future *new_task(tp_executor *executor, heard *h) {
    tp_future     *future = NULL;
    const tp_task *task = TP_TASK(.fn = maybe_fail, .arg = h, .drop_arg = count_argument, .drop_result = count_result,
                                  .name = "named");
    REQUIRE(tp_submit_task(executor, task, &future) == TP_OK);
    return future;
}

/* Ends everything with all of the process without memory and without new threads: cancels some, runs the rest, takes what
 * comes out, lets go. */
static void end_everything(bool detach) {
    static const tp_wait_for ways[] = {TP_WAIT_ALL_COMPLETED, TP_WAIT_FIRST_COMPLETED};
    heard        h = HEARD_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .finalizer = count_final, .user_data = &h,
                                                               .unhandled_error = count_report,
                                                               .drop_user_data = count_user_data));
    tp_completion_queue *queue = tp_completion_queue_new();
    blocker              busy;
    tp_future           *futures[TASKS];
    void                *args[MAPPED];
    waiter               waiters[WAITERS];
    pthread_t            threads[WAITERS];
    REQUIRE(executor != NULL && queue != NULL);
    block(executor, &busy);
    for (int i = 0; i < TASKS; i++) {
        futures[i] = new_task(executor, &h);
        CHECK_STATUS(tp_completion_queue_add(queue, futures[i], (uint64_t)i), TP_OK);
        CHECK_STATUS(tp_future_add_done_callback(futures[i], count_done, &h.called), TP_OK);
    }
    for (int i = 0; i < MAPPED; i++) args[i] = &h;
    tp_map *map = tp_map_new(executor, maybe_fail, args, MAPPED, 0, NULL);
    REQUIRE(map != NULL);
    fail_at(-1, false);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){futures, ways[i % 2]};
        threads[i] = start_thread(wait_for_all, &waiters[i]);
    }
    /* A wait for the first of several begins with two requests, and needs no memory from there on. */
    EVENTUALLY(atomic_load(&fault.requests) == 2 * WAITERS / 2);

    fail_all(MEMORY);
    for (int i = 0; i < TASKS; i += 4) CHECK(tp_future_cancel(futures[i]));
    CHECK_EQ(counter_get(&h.called), TASKS / 4);
    CHECK_EQ(counter_get(&h.arguments), TASKS / 4);
    gate_open(&busy.release);
    for (int i = 1; i < TASKS; i++) {
        void     *value = NULL;
        tp_status status = tp_future_take(futures[i], TP_FOREVER, &value);
        if (i % 4 == 0) CHECK_STATUS(status, TP_ERR_CANCELLED);
        else CHECK(status == TP_ERR_TASK || (status == TP_OK && value == &h));
    }
    for (int i = 0; i < WAITERS; i++) join_thread(threads[i]);
    for (int i = 0; i < TASKS; i += 2) tp_future_release(futures[i]);
    for (int i = 0; i < TASKS; i++) {
        tp_future *out = NULL;
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &out, NULL), TP_OK);
        tp_future_release(out);
    }
    CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), TP_ERR_TIMEOUT);
    tp_completion_queue_free(queue);
    for (int i = 0; i < MAPPED / 2; i++) {
        tp_future *out = NULL;
        CHECK_STATUS(tp_map_next(map, TP_FOREVER, &out), TP_OK);
        tp_future_release(out);
    }
    tp_map_free(map);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_STATUS(tp_executor_join(executor, TP_FOREVER), TP_OK);
    CHECK_EQ(counter_get(&h.finalized), 1);
    (detach ? tp_executor_detach : tp_executor_free)(executor);
    for (int i = 1; i < TASKS; i += 2) tp_future_release(futures[i]);
    tp_future_release(busy.future);
    long refused = atomic_load(&fault.refused);
    fail_nothing();

    CHECK(refused > 0); /* the tasks' messages */
    CHECK_EQ(counter_get(&h.called), TASKS);
    CHECK_EQ(counter_get(&h.arguments), TASKS);
    CHECK_EQ(counter_get(&h.results), TASKS * 3 / 4 / 2); /* of those that ran half failed; the others were taken */
    CHECK(counter_get(&h.reported) > 0);                  /* the map's, which nobody looked at */
    CHECK_EQ(counter_get(&h.payloads), 0);                /* each report was refused, so its payload stayed the caller's */
    CHECK_EQ(counter_get(&h.user_data), 1);
}

TEST(a06_everything_ends_without_memory) {
    end_everything(false);
    end_everything(true);
}

/* ---- the same for executors that were never used, or are full of what never runs --------------------------------------- */

TEST(a06_an_executor_whose_tasks_are_all_cancelled_ends_without_memory) {
    heard        h = HEARD_INIT;
    tp_executor *unused = new_executor(3), *executor = new_executor(1);
    blocker      busy;
    tp_future   *futures[TASKS];
    block(executor, &busy);
    for (int i = 0; i < TASKS; i++) futures[i] = new_task(executor, &h);
    fail_all(MEMORY);
    tp_executor_free(unused);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_EQ(counter_get(&h.arguments), TASKS);
    for (int i = 0; i < TASKS; i++) {
        CHECK_STATUS(tp_future_result(futures[i], 0, NULL), TP_ERR_CANCELLED);
        tp_future_release(futures[i]);
    }
    gate_open(&busy.release);
    tp_executor_free(executor);
    fail_nothing();
    result_of(busy.future);
    CHECK_EQ(counter_get(&h.results), 0);
}

/* ---- an executor that breaks ------------------------------------------------------------------------------------------- */

static int fail_when_told(void *user_data) {
    gate_wait((gate *)user_data);
    return 1;
}

TEST(i02_an_executor_breaks_without_memory) {
    heard        h = HEARD_INIT;
    gate         told = GATE_INIT;
    tp_future   *futures[TASKS];
    tp_executor *executor =
        tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .initializer = fail_when_told, .user_data = &told));
    REQUIRE(executor != NULL);
    for (int i = 0; i < TASKS; i++) {
        futures[i] = new_task(executor, &h);
        CHECK_STATUS(tp_future_add_done_callback(futures[i], count_done, &h.called), TP_OK);
    }
    fail_all(MEMORY);
    gate_open(&told);
    for (int i = 0; i < TASKS; i++) {
        CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, NULL), TP_ERR_BROKEN);
        tp_future_release(futures[i]);
    }
    CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_BROKEN);
    tp_executor_free(executor);
    fail_nothing();
    CHECK_EQ(counter_get(&h.called), TASKS);
    CHECK_EQ(counter_get(&h.arguments), TASKS);
}
