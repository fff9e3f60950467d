/* Tasks with a payload: tp_task_prepare and tp_task_launch. */
#include "harness.h"

#include <stdatomic.h>

/* What these tests put into a payload: what its task and its drop function count, and what they work on. */
typedef struct {
    counter *ran, *dropped;
    long     input, output;
} closure;

static void *closure_run(void *payload) {
    closure *c = (closure *)payload;
    c->output = c->input + 1;
    counter_add(c->ran, 1);
    return &c->output;
}
static void closure_drop(void *payload) {
    closure *c = (closure *)payload;
    counter_add(c->dropped, 1);
    memset(c, 0xdd, sizeof *c);
}

typedef struct {
    tp_executor *executor;
    counter      ran, dropped;
} stage;

static void stage_init(stage *s, size_t max_workers) {
    s->executor = new_executor(max_workers);
    counter_init(&s->ran);
    counter_init(&s->dropped);
}

static tp_future *prepare(stage *s) {
    tp_future *future = NULL;
    void      *payload = NULL;
    REQUIRE(tp_task_prepare(s->executor, sizeof(closure), _Alignof(closure), &future, &payload) == TP_OK);
    REQUIRE(future != NULL && payload != NULL);
    *(closure *)payload = (closure){&s->ran, &s->dropped, 41, 0};
    return future;
}

static tp_future *launch(stage *s) {
    tp_future *future = prepare(s);
    CHECK_STATUS(tp_task_launch(future, closure_run, closure_drop), TP_OK);
    return future;
}

/* ---- the payload --------------------------------------------------------------------------------------------------------------------------- */

TEST(a_launched_task_runs_once_with_its_payload) {
    stage s;
    stage_init(&s, 2);
    tp_future *future = launch(&s);
    void      *result = NULL;
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, &result), TP_OK);
    CHECK_EQ(*(long *)result, 42); /* which lies in the payload */
    CHECK_EQ(counter_get(&s.ran), 1);
    CHECK_EQ(counter_get(&s.dropped), 0);
    tp_future_release(future);
    CHECK_EQ(counter_get(&s.dropped), 1);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), 1);
}

static size_t         span; /* bytes of the payloads below */
static unsigned char  pattern(size_t i) { return (unsigned char)(i * 7 + span); }
static void          *check_pattern(void *payload) {
    size_t same = 0;
    while (same < span && ((unsigned char *)payload)[same] == pattern(same)) same++;
    CHECK_EQ(same, span);
    return payload;
}
static void *last_dropped;
static void  note_dropped(void *payload) { last_dropped = check_pattern(payload); }

TEST(a_payload_has_the_size_and_the_alignment_that_were_asked_for) {
    static const size_t large[] = {1000, 4095, 4096, 4097, 100000};
    tp_executor        *executor = new_executor(1);
    for (size_t align = 1; align <= 4096; align *= 2) {
        for (size_t i = 0; i < 300 + sizeof large / sizeof large[0]; i++) {
            tp_future *futures[3];
            void      *payloads[3], *result = NULL;
            span = i < 300 ? i : large[i - 300];
            /* Several at a time: none may reach into another. */
            for (int j = 0; j < 3; j++) {
                REQUIRE(tp_task_prepare(executor, span, align, &futures[j], &payloads[j]) == TP_OK);
                CHECK_EQ((uintptr_t)payloads[j] % align, 0);
                for (size_t k = 0; k < span; k++) ((unsigned char *)payloads[j])[k] = pattern(k);
            }
            for (int j = 0; j < 3; j++) {
                CHECK_STATUS(tp_task_launch(futures[j], check_pattern, note_dropped), TP_OK);
                CHECK_STATUS(tp_future_result(futures[j], TP_FOREVER, &result), TP_OK);
                CHECK_PTR(result, payloads[j]);
                tp_future_release(futures[j]);
                CHECK_PTR(last_dropped, payloads[j]);
            }
        }
    }
    tp_executor_free(executor);
}

TEST(drop_payload_may_be_null) {
    stage s;
    stage_init(&s, 1);
    tp_future *future = prepare(&s);
    CHECK_STATUS(tp_task_launch(future, closure_run, NULL), TP_OK);
    result_of(future);
    blocker busy;
    block(s.executor, &busy);
    future = prepare(&s);
    CHECK_STATUS(tp_task_launch(future, closure_run, NULL), TP_OK);
    CHECK(tp_future_cancel(future));
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), 1);
}

/* On the only worker, where waiters run tasks whose entries are queued; and on one of two, which push to their own rings. */
static void on_a_worker(tp_task_fn inside, long launched) {
    for (size_t workers = 1; workers <= 2; workers++) {
        stage s;
        stage_init(&s, workers);
        result_of(submit(s.executor, inside, &s));
        tp_executor_free(s.executor);
        CHECK_EQ(counter_get(&s.ran), launched);
        CHECK_EQ(counter_get(&s.dropped), launched);
    }
}

static void *launch_another(void *arg) {
    stage *s = (stage *)arg;
    result_of(launch(s));
    tp_future_release(launch(s));
    return NULL;
}

TEST(tasks_launch_too) { on_a_worker(launch_another, 2); }

/* ---- without a future ------------------------------------------------------------------------------------------------------------------------- */

static void execute(stage *s) { CHECK_STATUS(tp_task_execute(prepare(s), closure_run, closure_drop), TP_OK); }

static void *execute_another(void *arg) {
    execute((stage *)arg);
    return NULL;
}

TEST(executed_payloads_are_dropped_when_the_task_has_run) { on_a_worker(execute_another, 1); }

TEST(executed_payloads_are_dropped_by_the_shutdown_that_cancels_them) {
    stage   s;
    blocker busy;
    stage_init(&s, 1);
    block(s.executor, &busy);
    execute(&s);
    CHECK_EQ(tp_executor_pending_count(s.executor), 1);
    CHECK_STATUS(tp_executor_shutdown(s.executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_EQ(counter_get(&s.dropped), 1);
    unblock(&busy);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), 0);
}

TEST(executing_needs_the_only_reference) {
    stage s;
    stage_init(&s, 1);
    tp_future *future = prepare(&s);
    CHECK_PTR(tp_future_retain(future), future);
    CHECK_FAILS(tp_task_execute(future, closure_run, closure_drop), TP_ERR_INVALID_STATE);
    tp_future_release(future);
    CHECK_STATUS(tp_task_execute(future, closure_run, closure_drop), TP_OK);
    future = launch(&s);
    CHECK_FAILS(tp_task_execute(future, closure_run, closure_drop), TP_ERR_INVALID_STATE);
    result_of(future);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), 2);
    CHECK_EQ(counter_get(&s.dropped), 2);
}

TEST(a_refused_execution_changes_nothing) {
    stage s;
    stage_init(&s, 1);
    tp_future *future = prepare(&s);
    CHECK_STATUS(tp_executor_shutdown(s.executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_FAILS(tp_task_execute(future, closure_run, closure_drop), TP_ERR_SHUTDOWN);
    CHECK_EQ(tp_future_state(future), TP_STATE_PENDING);
    tp_future_release(future);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.dropped), 0);
}

/* ---- before the launch ------------------------------------------------------------------------------------------------------------------------ */

static const int64_t every_timeout[] = {0, -1, 1, TP_MSEC(1), TP_SEC(3600), TP_FOREVER};
enum { TIMEOUTS = sizeof every_timeout / sizeof every_timeout[0] };

/* All that a program can do with a future, tried on one that is not launched. */
static void is_not_launched(tp_future *future) {
    tp_future      *untouched = future, *pair[2] = {future, future};
    void           *result = &untouched;
    const tp_error *error = (const tp_error *)&untouched;
    size_t          n_done = 77;
    counter         called = COUNTER_INIT;
    CHECK_EQ(tp_future_state(future), TP_STATE_PENDING);
    CHECK(!tp_future_done(future) && !tp_future_running(future) && !tp_future_cancelled(future));
    CHECK(!tp_future_cancel(future));
    tp_future_request_stop(future);
    for (int t = 0; t < TIMEOUTS; t++) {
        CHECK_FAILS(tp_future_result(future, every_timeout[t], &result), TP_ERR_INVALID_STATE);
        CHECK_FAILS(tp_future_take(future, every_timeout[t], &result), TP_ERR_INVALID_STATE);
        CHECK_FAILS(tp_future_error(future, every_timeout[t], &error), TP_ERR_INVALID_STATE);
        for (int what = 0; what < 3; what++)
            CHECK_FAILS(tp_wait(pair, 2, every_timeout[t], (tp_wait_for)what, &n_done), TP_ERR_INVALID_STATE);
    }
    CHECK_PTR(result, &untouched);
    CHECK_PTR(error, &untouched);
    CHECK_EQ(n_done, 77);
    CHECK_FAILS(tp_future_add_done_callback(future, count_done, &called), TP_ERR_INVALID_STATE);
    CHECK_NULL(tp_as_completed(pair, 2), TP_ERR_INVALID_STATE);
    tp_completion_queue *queue = tp_completion_queue_new();
    REQUIRE(queue != NULL);
    CHECK_FAILS(tp_completion_queue_add(queue, future, 1), TP_ERR_INVALID_STATE);
    CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_END);
    tp_completion_queue_free(queue);
    CHECK_EQ(tp_future_state(future), TP_STATE_PENDING);
    CHECK_EQ(counter_get(&called), 0);
}

static void *try_unlaunched(void *arg) {
    is_not_launched((tp_future *)arg);
    return arg;
}

TEST(s01_a_prepared_task_is_pending_and_cannot_be_awaited_until_it_is_launched) {
    stage s;
    stage_init(&s, 1);
    tp_future *future = prepare(&s);
    is_not_launched(future);
    /* On a worker of its executor least of all: a wait there would run it. */
    result_of(submit(s.executor, try_unlaunched, future));
    CHECK_EQ(tp_executor_pending_count(s.executor), 0);
    CHECK_STATUS(tp_task_launch(future, closure_run, closure_drop), TP_OK);
    CHECK_EQ(*(long *)result_of(tp_future_retain(future)), 42);
    tp_future_release(future);
    CHECK_EQ(counter_get(&s.ran), 1);
    CHECK_EQ(counter_get(&s.dropped), 1);
    tp_executor_free(s.executor);
}

TEST(w03_a_wait_for_the_first_is_over_if_another_is_done) {
    stage s;
    stage_init(&s, 1);
    tp_future *futures[2] = {prepare(&s), submit(s.executor, return_arg, NULL)};
    size_t     n_done = 0;
    CHECK_STATUS(tp_future_result(futures[1], TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_wait(futures, 2, TP_FOREVER, TP_WAIT_FIRST_COMPLETED, &n_done), TP_OK);
    CHECK_EQ(n_done, 1);
    CHECK_FAILS(tp_wait(futures, 2, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_ERR_INVALID_STATE);
    for (int i = 0; i < 2; i++) tp_future_release(futures[i]);
    tp_executor_free(s.executor);
}

TEST(a_prepared_task_that_is_released_is_freed_and_nothing_is_called) {
    stage s;
    stage_init(&s, 1);
    for (size_t size = 1; size < 5000; size *= 3) {
        tp_future *future = NULL;
        void      *payload = NULL;
        CHECK_STATUS(tp_task_prepare(s.executor, size, 1, &future, &payload), TP_OK);
        CHECK_PTR(tp_future_retain(future), future);
        tp_future_release(future);
        tp_future_release(future);
    }
    tp_future_release(prepare(&s));
    CHECK_EQ(tp_executor_worker_count(s.executor), 0); /* P2: no thread was needed for that */
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), 0);
    CHECK_EQ(counter_get(&s.dropped), 0);
}

/* ---- launches that are refused ----------------------------------------------------------------------------------------------------------------- */

TEST(a_task_is_launched_once) {
    stage   s;
    blocker busy;
    stage_init(&s, 1);
    block(s.executor, &busy);
    tp_future *future = launch(&s), *cancelled = launch(&s), *plain = submit(s.executor, return_arg, NULL);
    CHECK(tp_future_cancel(cancelled));
    CHECK_FAILS(tp_task_launch(future, closure_run, closure_drop), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_task_launch(cancelled, closure_run, closure_drop), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_task_launch(plain, closure_run, closure_drop), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_task_launch(busy.future, closure_run, closure_drop), TP_ERR_INVALID_STATE);
    unblock(&busy);
    result_of(plain);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    CHECK_FAILS(tp_task_launch(future, closure_run, closure_drop), TP_ERR_INVALID_STATE);
    CHECK_EQ(counter_get(&s.ran), 1);
    CHECK_EQ(counter_get(&s.dropped), 1); /* the cancelled one's */
    tp_future_release(future);
    tp_future_release(cancelled);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.dropped), 2);
}

typedef struct {
    tp_future         *future;
    pthread_barrier_t *start;
} racer;

static void *race_to_launch(void *arg) {
    racer *r = (racer *)arg;
    pthread_barrier_wait(r->start);
    tp_status status = tp_task_launch(r->future, closure_run, closure_drop);
    CHECK(status == TP_OK || status == TP_ERR_INVALID_STATE);
    return status == TP_OK ? r : NULL;
}

TEST(of_several_threads_that_launch_a_task_one_succeeds) {
    enum { THREADS = 3 };
    pthread_barrier_t start;
    stage             s;
    stage_init(&s, 2);
    pthread_barrier_init(&start, NULL, THREADS);
    long n = repeat(1000);
    for (long i = 0; i < n; i++) {
        racer     r = {prepare(&s), &start};
        pthread_t threads[THREADS];
        long      launched = 0;
        for (int j = 0; j < THREADS; j++) threads[j] = start_thread(race_to_launch, &r);
        for (int j = 0; j < THREADS; j++) launched += join_thread(threads[j]) != NULL;
        CHECK_EQ(launched, 1);
        CHECK_EQ(*(long *)result_of(tp_future_retain(r.future)), 42);
        tp_future_release(r.future);
    }
    pthread_barrier_destroy(&start);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), n);
    CHECK_EQ(counter_get(&s.dropped), n);
}

/* The future of a refused launch is as it was before. */
static void is_refused(stage *s, tp_future *future, tp_status expected) {
    for (int i = 0; i < 2; i++) CHECK_FAILS(tp_task_launch(future, closure_run, closure_drop), expected);
    is_not_launched(future);
    tp_future_release(future);
    CHECK_EQ(counter_get(&s->ran), 0);
    CHECK_EQ(counter_get(&s->dropped), 0);
}

static void is_shut(stage *s, tp_status expected) {
    tp_future *future = (tp_future *)s;
    void      *payload = s;
    CHECK_FAILS(tp_task_prepare(s->executor, 8, 8, &future, &payload), expected);
    CHECK_PTR(future, s);
    CHECK_PTR(payload, s);
}

TEST(d01_after_shutdown_launch_and_prepare_are_refused) {
    for (unsigned flags = 0; flags < 4; flags++) {
        stage s;
        stage_init(&s, 1);
        tp_future *future = prepare(&s);
        if (flags & 1) result_of(submit(s.executor, return_arg, NULL)); /* with and without a worker */
        CHECK_STATUS(tp_executor_shutdown(s.executor, flags & 2 ? TP_SHUTDOWN_WAIT : TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
        is_shut(&s, TP_ERR_SHUTDOWN);
        is_refused(&s, future, TP_ERR_SHUTDOWN);
        tp_executor_free(s.executor);
    }
}

/* Whatever executors are made in its place. */
TEST(a_prepared_task_outlives_its_executor_and_cannot_be_launched_any_more) {
    for (int detached = 0; detached < 2; detached++) {
        stage s;
        stage_init(&s, 1);
        tp_future *future = prepare(&s);
        result_of(submit(s.executor, return_arg, NULL));
        if (detached) tp_executor_detach(s.executor);
        else tp_executor_free(s.executor);
        CHECK_FAILS(tp_task_launch(future, closure_run, closure_drop), TP_ERR_SHUTDOWN);
        for (int i = 0; i < 20; i++) {
            tp_executor *other = new_executor(1);
            result_of(submit(other, return_arg, NULL));
            CHECK_FAILS(tp_task_launch(future, closure_run, closure_drop), TP_ERR_SHUTDOWN);
            result_of(submit(other, try_unlaunched, future));
            tp_executor_free(other);
        }
        is_refused(&s, future, TP_ERR_SHUTDOWN);
    }
}

static int  fail_to_start(void *user_data) {
    gate_wait((gate *)user_data);
    return 1;
}

TEST(i02_a_broken_executor_refuses_launches_and_ends_what_was_launched) {
    gate  start = GATE_INIT;
    stage s;
    stage_init(&s, 1);
    tp_executor_free(s.executor);
    s.executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .initializer = fail_to_start, .user_data = &start));
    REQUIRE(s.executor != NULL);
    tp_future *unlaunched = prepare(&s), *launched = launch(&s);
    gate_open(&start);
    CHECK_STATUS(tp_future_result(launched, TP_FOREVER, NULL), TP_ERR_BROKEN);
    CHECK_STATUS(tp_executor_shutdown(s.executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_EQ(counter_get(&s.dropped), 0);
    is_shut(&s, TP_ERR_BROKEN);
    is_refused(&s, unlaunched, TP_ERR_BROKEN);
    tp_future_release(launched);
    CHECK_EQ(counter_get(&s.dropped), 1);
    CHECK_EQ(counter_get(&s.ran), 0);
    tp_executor_free(s.executor);
}

/* ---- when the payload goes --------------------------------------------------------------------------------------------------------------------- */

TEST(c05_cancel_drops_the_payload_at_once) {
    for (int way = 0; way < 3; way++) {
        stage   s;
        blocker busy;
        stage_init(&s, 1);
        block(s.executor, &busy);
        tp_future *future = launch(&s);
        if (way == 0) CHECK(tp_future_cancel(future));
        if (way == 1) tp_future_request_stop(future);
        if (way == 2) CHECK_STATUS(tp_executor_shutdown(s.executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
        CHECK_EQ(counter_get(&s.dropped), 1);
        CHECK(tp_future_cancel(future));
        tp_future_release(future);
        unblock(&busy);
        tp_executor_free(s.executor);
        CHECK_EQ(counter_get(&s.dropped), 1);
        CHECK_EQ(counter_get(&s.ran), 0);
    }
}

static void *fail_with_payload(void *payload) {
    tp_task_fail_with(7, "seven", payload, NULL);
    return closure_run(payload);
}
static void note_unhandled(const tp_error *error, void *user_data) {
    counter_add((counter *)user_data, 1);
    CHECK_EQ(((const closure *)error->payload)->output, 42); /* not dropped yet */
}

TEST(o03_the_payload_of_a_failed_task_outlives_the_report) {
    for (int seen = 0; seen < 2; seen++) {
        counter unhandled = COUNTER_INIT;
        stage   s;
        stage_init(&s, 1);
        tp_executor_free(s.executor);
        s.executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .unhandled_error = note_unhandled, .user_data = &unhandled));
        REQUIRE(s.executor != NULL);
        tp_future *future = prepare(&s);
        CHECK_STATUS(tp_task_launch(future, fail_with_payload, closure_drop), TP_OK);
        if (seen) CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_TASK);
        else CHECK_STATUS(tp_wait(&future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
        CHECK_EQ(counter_get(&s.dropped), 0);
        tp_future_release(future);
        CHECK_EQ(counter_get(&s.dropped), 1);
        CHECK_EQ(counter_get(&unhandled), !seen);
        tp_executor_free(s.executor);
    }
}

TEST(r09_a_taken_result_leaves_the_payload_to_the_last_reference) {
    stage s;
    stage_init(&s, 1);
    tp_future *future = launch(&s);
    void      *result = NULL;
    CHECK_STATUS(tp_future_take(future, TP_FOREVER, &result), TP_OK);
    CHECK_EQ(*(long *)result, 42);
    CHECK_EQ(counter_get(&s.dropped), 0);
    tp_future_release(future);
    CHECK_EQ(counter_get(&s.dropped), 1);
    tp_executor_free(s.executor);
}

TEST(c07_releasing_every_reference_cancels_nothing) {
    stage   s;
    blocker busy;
    stage_init(&s, 1);
    block(s.executor, &busy);
    for (int i = 0; i < 10; i++) tp_future_release(launch(&s));
    CHECK_EQ(counter_get(&s.dropped), 0);
    unblock(&busy);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), 10);
    CHECK_EQ(counter_get(&s.dropped), 10);
}

static void *run_inline(void *arg) {
    stage     *s = (stage *)arg;
    tp_future *ahead = submit(s->executor, return_arg, NULL), *future = launch(s);
    CHECK_EQ(*(long *)result_of(tp_future_retain(future)), 42);
    CHECK_EQ(counter_get(&s->dropped), 0);
    tp_future_release(future);
    CHECK_EQ(counter_get(&s->dropped), 1); /* though with one worker its entry is queued still, behind a live one */
    tp_future_release(ahead);
    return NULL;
}

TEST(n01_the_payload_of_a_task_that_its_waiter_ran_goes_with_the_last_reference) { on_a_worker(run_inline, 1); }

static void drop_outside_of_tasks(void *payload) {
    CHECK_PTR(tp_future_current(), NULL);
    CHECK_FAILS(tp_task_fail(1, "not here"), TP_ERR_INVALID_STATE);
    closure_drop(payload);
}
static void *cancel_one(void *arg) {
    CHECK(tp_future_cancel((tp_future *)arg));
    return arg;
}

TEST(k08_in_drop_payload_there_is_no_current_task) {
    stage s;
    stage_init(&s, 1);
    blocker busy;
    block(s.executor, &busy);
    tp_future *future = prepare(&s);
    tp_future *canceller = submit(s.executor, cancel_one, future);
    CHECK_STATUS(tp_task_launch(future, closure_run, drop_outside_of_tasks), TP_OK);
    unblock(&busy);
    CHECK_PTR(result_of(canceller), future);
    CHECK_EQ(counter_get(&s.dropped), 1);
    tp_future_release(future);
    future = prepare(&s);
    CHECK_STATUS(tp_task_launch(future, closure_run, drop_outside_of_tasks), TP_OK);
    tp_future_release(future);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.dropped), 2);
}

/* ---- launch, start, cancel and release at the same time ------------------------------------------------------------------------------------------ */

static void *cancel_and_release(void *arg) {
    racer *r = (racer *)arg;
    pthread_barrier_wait(r->start);
    bool cancelled = tp_future_cancel(r->future);
    tp_future_release(r->future);
    return cancelled ? r : NULL;
}

TEST(c03_a_launched_task_runs_or_is_cancelled_never_both) {
    pthread_barrier_t start;
    stage             s;
    long              cancelled = 0, n = repeat(5000);
    stage_init(&s, 2);
    pthread_barrier_init(&start, NULL, 2);
    for (long i = 0; i < n; i++) {
        racer     r = {tp_future_retain(prepare(&s)), &start};
        pthread_t thread = start_thread(cancel_and_release, &r);
        CHECK(race_to_launch(&r) != NULL);
        cancelled += join_thread(thread) != NULL;
        tp_future_release(r.future);
    }
    pthread_barrier_destroy(&start);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran) + cancelled, n);
    CHECK_EQ(counter_get(&s.dropped), n);
}

static void *launch_many(void *arg) {
    stage *s = (stage *)arg;
    for (long i = 0, n = repeat(20000); i < n; i++) tp_future_release(launch(s));
    return NULL;
}

TEST(o01_every_payload_of_many_threads_is_dropped_once) {
    enum { THREADS = 3 };
    stage     s;
    pthread_t threads[THREADS];
    stage_init(&s, 2);
    for (int i = 0; i < THREADS; i++) threads[i] = start_thread(launch_many, &s);
    for (int i = 0; i < THREADS; i++) join_thread(threads[i]);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.ran), THREADS * repeat(20000));
    CHECK_EQ(counter_get(&s.dropped), THREADS * repeat(20000));
}
