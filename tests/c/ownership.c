/* Who drops what, when, how often: arguments, results, payloads, errors that nobody looked at. */
#include "harness.h"

#include <stdatomic.h>

/* ---- O1: drop_arg and drop_result --------------------------------------------------------------------------------------------------- */

typedef struct {
    gate        entered, leave;
    atomic_bool fn_returned;
} slow_drop;

static void *return_and_note(void *arg) {
    atomic_store(&((slow_drop *)arg)->fn_returned, true);
    return arg;
}
static void drop_slowly(void *arg) {
    slow_drop *d = (slow_drop *)arg;
    CHECK(atomic_load(&d->fn_returned));
    gate_open(&d->entered);
    gate_wait(&d->leave);
}

TEST(o01_drop_arg_runs_after_the_task_and_before_the_future_is_done) {
    slow_drop    d = {GATE_INIT, GATE_INIT, false};
    tp_executor *executor = new_executor(1);
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_and_note, .arg = &d, .drop_arg = drop_slowly), &future), TP_OK);
    gate_wait(&d.entered);
    CHECK(!tp_future_done(future));
    CHECK_STATUS(tp_future_result(future, TP_MSEC(10), NULL), TP_ERR_TIMEOUT);
    gate_open(&d.leave);
    CHECK_PTR(result_of(future), &d);
    tp_executor_free(executor);
}

TEST(o01_drop_arg_has_run_when_the_result_is_there) {
    long         rounds = repeat(20000);
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(2);
    for (long i = 0; i < rounds; i++) {
        tp_future *future = NULL;
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_arg = count_drop), &future), TP_OK);
        result_of(future);
        CHECK_EQ(counter_get(&dropped), i + 1);
    }
    tp_executor_free(executor);
}

/* "Exactly once for an accepted task": the contract excepts NULL for results, not for arguments, so the hook sees it. */
static atomic_int null_drops;
static void note_null_drop(void *arg) {
    CHECK_PTR(arg, NULL);
    atomic_fetch_add(&null_drops, 1);
}

TEST(o01_drop_arg_runs_for_a_null_argument_too) {
    tp_executor *executor = new_executor(1);
    tp_future   *future = NULL;
    blocker      busy;
    atomic_store(&null_drops, 0);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = NULL, .drop_arg = note_null_drop), &future), TP_OK);
    result_of(future);
    CHECK_EQ(atomic_load(&null_drops), 1);
    block(executor, &busy);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = NULL, .drop_arg = note_null_drop), &future), TP_OK);
    CHECK(tp_future_cancel(future));
    CHECK_EQ(atomic_load(&null_drops), 2);
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(executor);
}

TEST(o01_drop_result_runs_once_when_the_last_reference_goes) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    tp_executor_free(executor);
    tp_future_retain(future);
    tp_future_release(future);
    CHECK_EQ(counter_get(&dropped), 0);
    tp_future_release(future);
    CHECK_EQ(counter_get(&dropped), 1);
}

TEST(o01_drop_result_runs_when_nobody_holds_the_future_any_more) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(2);
    for (int i = 0; i < 1000; i++) {
        tp_future *future = NULL;
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
        tp_future_release(future);
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 1000);
}

TEST(o01_drop_result_does_not_run_for_null_or_for_a_cancelled_task) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_null, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
    result_of(future); /* count_drop(NULL) would crash */
    block(executor, &busy);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
    CHECK(tp_future_cancel(future));
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 0);
}

/* Every way a task can end, at random, by many threads: each hook exactly as often as promised. */
typedef struct {
    atomic_int ran, arg_dropped, result_dropped, taken, cancelled;
} life;

static void *live(void *arg) {
    atomic_fetch_add(&((life *)arg)->ran, 1);
    if ((uintptr_t)arg / sizeof(life) % 7 == 0) tp_task_fail(1, "some fail");
    return arg;
}
static void drop_life_arg(void *arg) { atomic_fetch_add(&((life *)arg)->arg_dropped, 1); }
static void drop_life_result(void *arg) { atomic_fetch_add(&((life *)arg)->result_dropped, 1); }

typedef struct {
    tp_executor *executor;
    life        *lives;
    long         n;
    unsigned     seed;
} liver;

static void *live_many(void *arg) {
    liver *l = (liver *)arg;
    for (long i = 0; i < l->n; i++) {
        life      *life = &l->lives[i];
        tp_future *future = NULL;
        tp_task    task = {.size = sizeof task, .fn = live, .arg = life, .drop_arg = drop_life_arg, .drop_result = drop_life_result, .name = i % 2 ? "odd" : NULL};
        int        fate = rand_r(&l->seed) % 6;
        CHECK_STATUS(tp_submit_task(l->executor, &task, fate == 0 ? NULL : &future), TP_OK);
        switch (fate) {
        case 0: break; /* forgotten */
        case 1: break; /* released at once */
        case 2: tp_future_result(future, TP_FOREVER, NULL); break;
        case 3: {
            void *result = NULL;
            if (tp_future_take(future, TP_FOREVER, &result) == TP_OK) atomic_store(&life->taken, 1);
            break;
        }
        case 4: atomic_store(&life->cancelled, tp_future_cancel(future)); break;
        default: tp_future_request_stop(future); break;
        }
        if (fate == 5) atomic_store(&life->cancelled, tp_future_cancelled(future));
        tp_future_release(future);
    }
    return NULL;
}

TEST(o01_every_hook_runs_exactly_as_often_as_promised_whatever_happens) {
    enum { LIVERS = 4 };
    long  n = repeat(40000);
    life *lives = (life *)calloc((size_t)n * LIVERS, sizeof *lives);
    REQUIRE(lives != NULL);
    tp_executor *executor = new_executor(3);
    liver        livers[LIVERS];
    pthread_t    threads[LIVERS];
    for (int i = 0; i < LIVERS; i++) {
        livers[i] = (liver){executor, lives + i * n, n, (unsigned)i * 77u + 5};
        threads[i] = start_thread(live_many, &livers[i]);
    }
    for (int i = 0; i < LIVERS; i++) join_thread(threads[i]);
    tp_executor_free(executor);
    for (long i = 0; i < n * LIVERS; i++) {
        CHECK_EQ(lives[i].ran, lives[i].cancelled ? 0 : 1);
        CHECK_EQ(lives[i].arg_dropped, 1);
        CHECK_EQ(lives[i].result_dropped, lives[i].cancelled || lives[i].taken ? 0 : 1);
    }
    free(lives);
}

TEST(o01_a_rejected_submit_runs_no_hook) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *future = (tp_future *)&dropped;
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &dropped, .drop_arg = count_drop, .drop_result = count_drop), &future), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &dropped, .drop_arg = count_drop), NULL), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = NULL, .arg = &dropped, .drop_arg = count_drop), &future), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &dropped, .drop_arg = count_drop, .delay_ns = 1), &future), TP_ERR_UNSUPPORTED);
    CHECK_PTR(future, &dropped);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 0);
}

/* The hooks of a task run outside of all locks: they may do what callbacks may. */
typedef struct {
    tp_executor *executor;
    tp_future   *pending;
    counter      ran;
} hooked;

static void do_much(void *arg) {
    hooked *h = (hooked *)arg;
    if (h->pending != NULL) {
        tp_future *pending = h->pending;
        h->pending = NULL;
        CHECK(tp_future_cancel(pending));
        tp_future_release(pending);
    }
    CHECK_STATUS(tp_execute(h->executor, count_run, &h->ran), TP_OK);
    CHECK(tp_executor_worker_count(h->executor) <= 1);
}

TEST(o01_hooks_run_with_no_lock_held) {
    hooked     h = {new_executor(1), NULL, COUNTER_INIT};
    tp_future *future = NULL;
    blocker    busy;
    block(h.executor, &busy);
    CHECK_STATUS(tp_submit_task(h.executor, TP_TASK(.fn = return_arg, .arg = &h, .drop_arg = do_much, .drop_result = do_much), &future), TP_OK);
    h.pending = submit(h.executor, return_arg, NULL);
    unblock(&busy);
    CHECK_PTR(result_of(future), &h); /* releases it: drop_result, here or on the worker */
    counter_wait(&h.ran, 2);
    tp_executor_free(h.executor);
    CHECK_EQ(counter_get(&h.ran), 2);
}

/* ---- P6 ------------------------------------------------------------------------------------------------------------------------------ */

TEST(p06_a_worker_keeps_nothing_of_a_task_once_it_is_done) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(3);
    for (int i = 0; i < 2000; i++) {
        tp_future *future = NULL;
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_arg = count_drop, .drop_result = count_drop), &future), TP_OK);
        CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
        tp_future_release(future);
        /* No further task comes that could push the last one out. */
        counter_wait(&dropped, 2 * (i + 1));
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 4000);
}

/* ---- O3: errors that nobody looked at ------------------------------------------------------------------------------------------------- */

typedef struct {
    counter         errors, dropped;
    pthread_mutex_t lock; /* for what follows: two workers may report at once */
    int32_t         code;
    char            message[32];
    void           *payload;
    pthread_t       thread;
    bool            late; /* unhandled_error after drop_user_data: must never be */
} witness;

static void note_unhandled(const tp_error *error, void *user_data) {
    witness *w = (witness *)user_data;
    pthread_mutex_lock(&w->lock);
    w->code = error->code;
    snprintf(w->message, sizeof w->message, "%s", error->message);
    w->payload = error->payload;
    w->thread = pthread_self();
    if (counter_get(&w->dropped) > 0) w->late = true;
    pthread_mutex_unlock(&w->lock);
    counter_add(&w->errors, 1);
}
static void note_user_data_dropped(void *user_data) { counter_add(&((witness *)user_data)->dropped, 1); }

static void witness_init(witness *w) {
    memset(w, 0, sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    counter_init(&w->errors);
    counter_init(&w->dropped);
    w->thread = pthread_self();
}

static tp_executor *executor_with_witness(witness *w, size_t workers) {
    tp_executor *executor = tp_executor_new(
        TP_EXECUTOR_CONFIG(.max_workers = workers, .unhandled_error = note_unhandled, .user_data = w, .drop_user_data = note_user_data_dropped));
    REQUIRE(executor != NULL);
    return executor;
}

static void *fail_with_payload(void *arg) {
    CHECK_STATUS(tp_task_fail_with(33, "unseen", arg, count_drop), TP_OK);
    return NULL;
}

TEST(o03_unhandled_error_runs_on_the_releasing_thread_when_nobody_saw_the_error) {
    witness w;
    counter payload = COUNTER_INIT;
    witness_init(&w);
    tp_executor *executor = executor_with_witness(&w, 1);
    tp_future   *future = submit(executor, fail_with_payload, &payload);
    CHECK_STATUS(tp_wait(&future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK); /* done, but not looked at */
    CHECK_EQ(tp_future_state(future), TP_STATE_FINISHED);
    result_of(submit(executor, return_null, NULL)); /* the worker has let go of it */
    CHECK_EQ(counter_get(&w.errors), 0);
    tp_future_release(future);
    CHECK_EQ(counter_get(&w.errors), 1);
    CHECK(pthread_equal(w.thread, pthread_self()));
    CHECK_EQ(w.code, 33);
    CHECK_STR(w.message, "unseen");
    CHECK_PTR(w.payload, &payload);
    CHECK_EQ(counter_get(&payload), 1); /* after unhandled_error, which still saw it */
    CHECK_EQ(counter_get(&w.dropped), 0);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&w.dropped), 1);
    CHECK_EQ(counter_get(&w.errors), 1);
}

TEST(o03_an_error_seen_in_any_way_is_handled) {
    for (int way = 0; way < 4; way++) {
        witness         w;
        void           *result = NULL;
        const tp_error *error = NULL;
        witness_init(&w);
        tp_executor *executor = executor_with_witness(&w, 1);
        tp_future   *future = submit(executor, fail_with_seven, NULL);
        switch (way) {
        case 0: CHECK_STATUS(tp_future_result(future, TP_FOREVER, &result), TP_ERR_TASK); break;
        case 1: CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_TASK); break;
        case 2: CHECK_STATUS(tp_future_take(future, TP_FOREVER, &result), TP_ERR_TASK); break;
        default: CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK); CHECK(error != NULL);
        }
        tp_future_release(future);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&w.errors), 0);
        CHECK_EQ(counter_get(&w.dropped), 1);
    }
}

TEST(o03_cancelled_and_successful_futures_are_no_unhandled_errors) {
    witness w;
    blocker busy;
    witness_init(&w);
    tp_executor *executor = executor_with_witness(&w, 1);
    tp_future_release(submit(executor, return_null, NULL));
    block(executor, &busy);
    tp_future *future = submit(executor, fail_with_seven, NULL);
    CHECK(tp_future_cancel(future));
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&w.errors), 0);
    CHECK_EQ(counter_get(&w.dropped), 1);
}

TEST(o03_a_failed_execute_is_reported_at_once_on_its_worker) {
    witness w;
    counter payload = COUNTER_INIT;
    witness_init(&w);
    tp_executor *executor = executor_with_witness(&w, 1);
    CHECK_STATUS(tp_execute(executor, fail_with_payload, &payload), TP_OK);
    result_of(submit(executor, return_null, NULL)); /* the next task on the same worker */
    CHECK_EQ(counter_get(&w.errors), 1);
    CHECK_EQ(counter_get(&payload), 1);
    CHECK(!pthread_equal(w.thread, pthread_self()));
    CHECK_EQ(w.code, 33);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = fail_with_payload, .arg = &payload), NULL), TP_OK);
    result_of(submit(executor, return_null, NULL));
    CHECK_EQ(counter_get(&w.errors), 2);
    CHECK_EQ(counter_get(&payload), 2);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&w.dropped), 1);
}

TEST(o03_a_failed_task_whose_future_was_released_is_reported) {
    witness w;
    witness_init(&w);
    tp_executor *executor = executor_with_witness(&w, 2);
    for (int i = 0; i < 1000; i++) tp_future_release(submit(executor, fail_with_seven, NULL));
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&w.errors), 1000);
    CHECK_EQ(counter_get(&w.dropped), 1);
    CHECK(!w.late);
}

/* "Possibly after tp_executor_free": and drop_user_data after the last of them. */
TEST(o03_unhandled_error_after_the_executor_is_gone_and_drop_user_data_after_it) {
    enum { N = 10 };
    witness    w;
    tp_future *futures[N];
    witness_init(&w);
    tp_executor *executor = executor_with_witness(&w, 2);
    for (int i = 0; i < N; i++) futures[i] = submit(executor, fail_with_seven, NULL);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&w.dropped), 0);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(counter_get(&w.errors), i);
        CHECK_EQ(counter_get(&w.dropped), 0);
        tp_future_release(futures[i]);
    }
    CHECK_EQ(counter_get(&w.errors), N);
    CHECK_EQ(counter_get(&w.dropped), 1);
    CHECK(!w.late);
}

TEST(o03_an_error_read_after_the_executor_is_gone_lets_user_data_go) {
    witness         w;
    const tp_error *error = NULL;
    witness_init(&w);
    tp_executor *executor = executor_with_witness(&w, 1);
    tp_future   *future = submit(executor, fail_with_seven, NULL);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&w.dropped), 0);
    CHECK_STATUS(tp_future_error(future, 0, &error), TP_OK);
    CHECK(error != NULL && error->code == 7);
    tp_future_release(future);
    CHECK_EQ(counter_get(&w.errors), 0);
    CHECK_EQ(counter_get(&w.dropped), 1);
}

TEST(o03_failed_items_of_a_map_that_never_came_out_are_reported) {
    witness w;
    witness_init(&w);
    tp_executor *executor = executor_with_witness(&w, 1);
    void        *args[5] = {NULL, NULL, NULL, NULL, NULL};
    tp_map      *map = tp_map_new(executor, fail_with_seven, args, 5, 0, NULL);
    REQUIRE(map != NULL);
    tp_future *first = NULL;
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, &first), TP_OK);
    CHECK_STATUS(tp_future_result(first, 0, NULL), TP_ERR_TASK);
    result_of(submit(executor, return_null, NULL)); /* all five have run */
    tp_map_free(map);
    tp_future_release(first);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&w.errors), 4);
    CHECK_EQ(counter_get(&w.dropped), 1);
    CHECK(!w.late);
}

/* Last references to failed futures go on many threads while the executor is freed: drop_user_data once, after all. */
typedef struct {
    tp_future        **futures;
    int                n;
    pthread_barrier_t *start;
} releaser;

static void *release_all(void *arg) {
    releaser *r = (releaser *)arg;
    pthread_barrier_wait(r->start);
    for (int i = 0; i < r->n; i++) tp_future_release(r->futures[i]);
    return NULL;
}

TEST(o03_drop_user_data_runs_once_after_all_in_every_race) {
    enum { RELEASERS = 3, EACH = 20 };
    long rounds = repeat(1000);
    for (long round = 0; round < rounds; round++) {
        witness           w;
        tp_future        *futures[RELEASERS][EACH];
        releaser          releasers[RELEASERS];
        pthread_t         threads[RELEASERS];
        pthread_barrier_t start;
        pthread_barrier_init(&start, NULL, RELEASERS + 1);
        witness_init(&w);
        tp_executor *executor = executor_with_witness(&w, 2);
        for (int i = 0; i < RELEASERS; i++) {
            for (int j = 0; j < EACH; j++) futures[i][j] = submit(executor, fail_with_seven, NULL);
            releasers[i] = (releaser){futures[i], EACH, &start};
            threads[i] = start_thread(release_all, &releasers[i]);
        }
        pthread_barrier_wait(&start);
        if (round % 2 == 0) tp_executor_free(executor);
        else tp_executor_detach(executor);
        for (int i = 0; i < RELEASERS; i++) join_thread(threads[i]);
        counter_wait(&w.dropped, 1);
        CHECK_EQ(counter_get(&w.errors), RELEASERS * EACH);
        CHECK_EQ(counter_get(&w.dropped), 1);
        CHECK(!w.late);
        pthread_barrier_destroy(&start);
    }
}
