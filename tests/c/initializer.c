/* Initializers, finalizers, broken executors. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

/* ---- I1 ---------------------------------------------------------------------------------------------------------------------------------- */

/* What a worker went through, in its own thread-local memory. */
static _Thread_local int initialized, finalized, tasks_run;

typedef struct {
    atomic_int initializers, finalizers;
    counter    dropped;
} ledger;

static int initialize(void *user_data) {
    CHECK_EQ(initialized, 0);
    CHECK_EQ(tasks_run, 0);
    initialized++;
    CHECK(tp_worker_name() != NULL);
    CHECK(tp_executor_current() != NULL);
    CHECK_PTR(tp_future_current(), NULL);
    CHECK_FAILS(tp_task_fail(1, "no task yet"), TP_ERR_INVALID_STATE);
    /* One that ends while the executor is shut down may be replaced, but there are never more than max_workers at a time. */
    int started = atomic_fetch_add(&((ledger *)user_data)->initializers, 1) + 1;
    CHECK(started - atomic_load(&((ledger *)user_data)->finalizers) <= 4);
    return 0;
}

static void finalize(void *user_data) {
    CHECK_EQ(initialized, 1);
    CHECK_EQ(finalized, 0);
    finalized++;
    CHECK(tp_worker_name() != NULL);
    CHECK_PTR(tp_future_current(), NULL);
    CHECK_FAILS(tp_task_fail(1, "no task any more"), TP_ERR_INVALID_STATE);
    CHECK_EQ(counter_get(&((ledger *)user_data)->dropped), 0);
    atomic_fetch_add(&((ledger *)user_data)->finalizers, 1);
}

static void drop_ledger(void *user_data) { counter_add(&((ledger *)user_data)->dropped, 1); }

static void *run_initialized(void *arg) {
    CHECK_EQ(initialized, 1);
    CHECK_EQ(finalized, 0);
    tasks_run++;
    return arg;
}

TEST(i01_once_on_each_worker_before_its_first_task_and_after_its_last) {
    for (int round = 0; round < 100; round++) {
        ledger       l = {0, 0, COUNTER_INIT};
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .initializer = initialize, .finalizer = finalize, .user_data = &l,
                                                                   .drop_user_data = drop_ledger));
        REQUIRE(executor != NULL);
        for (int i = 0; i < 200; i++) CHECK_STATUS(tp_execute(executor, run_initialized, NULL), TP_OK);
        blocker busy[4];
        if (round % 2 == 0) {
            for (int i = 0; i < 4; i++) block(executor, &busy[i]);
            CHECK_EQ(atomic_load(&l.initializers), 4);
            for (int i = 0; i < 4; i++) unblock(&busy[i]);
        }
        if (round % 3 == 0) tp_executor_detach(executor);
        else tp_executor_free(executor);
        counter_wait(&l.dropped, 1);
        CHECK_EQ(atomic_load(&l.initializers), atomic_load(&l.finalizers));
        CHECK(atomic_load(&l.initializers) >= 1);
    }
}

TEST(i01_no_worker_no_initializer) {
    ledger       l = {0, 0, COUNTER_INIT};
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.initializer = initialize, .finalizer = finalize, .user_data = &l));
    REQUIRE(executor != NULL);
    tp_executor_free(executor);
    CHECK_EQ(l.initializers, 0);
    CHECK_EQ(l.finalizers, 0);
}

TEST(i01_a_finalizer_without_an_initializer) {
    counter      finals = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .finalizer = count_drop, .user_data = &finals));
    REQUIRE(executor != NULL);
    blocker busy[3];
    for (int i = 0; i < 3; i++) block(executor, &busy[i]);
    for (int i = 0; i < 3; i++) unblock(&busy[i]);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&finals), 3);
}

/* Any function may be called, also from these. */
typedef struct {
    tp_executor *executor;
    counter      ran, refused;
} user;

static int submit_in_initializer(void *user_data) {
    user *u = (user *)user_data;
    CHECK_STATUS(tp_execute(tp_executor_current(), count_run, &u->ran), TP_OK);
    CHECK(tp_executor_worker_count(tp_executor_current()) >= 1);
    return 0;
}
static void submit_in_finalizer(void *user_data) {
    user *u = (user *)user_data;
    CHECK_FAILS(tp_execute(tp_executor_current(), count_run, &u->ran), TP_ERR_SHUTDOWN);
    counter_add(&u->refused, 1);
}

TEST(i01_initializers_and_finalizers_may_call_anything) {
    user         u = {NULL, COUNTER_INIT, COUNTER_INIT};
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .initializer = submit_in_initializer, .finalizer = submit_in_finalizer, .user_data = &u));
    REQUIRE(executor != NULL);
    CHECK_STATUS(tp_execute(executor, count_run, &u.ran), TP_OK);
    counter_wait(&u.ran, 2);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&u.ran), 2);
    CHECK_EQ(counter_get(&u.refused), 1);
}

/* ---- I2: broken --------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    gate       started, go;
    pthread_t  thread;
    int        code;
    counter    unhandled, finalized, dropped;
    atomic_int calls, succeed_first;
} breaker;

static int break_when_told(void *user_data) {
    breaker *b = (breaker *)user_data;
    if (atomic_fetch_add(&b->calls, 1) < atomic_load(&b->succeed_first)) return 0;
    b->thread = pthread_self();
    gate_open(&b->started);
    gate_wait(&b->go);
    return b->code;
}
static void count_finalized(void *user_data) { counter_add(&((breaker *)user_data)->finalized, 1); }
static void count_unhandled(const tp_error *error, void *user_data) {
    (void)error;
    counter_add(&((breaker *)user_data)->unhandled, 1);
}
static void count_breaker_dropped(void *user_data) { counter_add(&((breaker *)user_data)->dropped, 1); }

static void breaker_init(breaker *b, int code, int succeed_first) {
    memset(b, 0, sizeof *b);
    gate_init(&b->started);
    gate_init(&b->go);
    counter_init(&b->unhandled);
    counter_init(&b->finalized);
    counter_init(&b->dropped);
    b->code = code;
    b->thread = pthread_self();
    atomic_store(&b->succeed_first, succeed_first);
}

static tp_executor *breaking_executor(breaker *b, size_t workers) {
    tp_executor *executor =
        tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = workers, .initializer = break_when_told, .finalizer = count_finalized, .unhandled_error = count_unhandled,
                                           .user_data = b, .drop_user_data = count_breaker_dropped));
    REQUIRE(executor != NULL);
    return executor;
}

typedef struct {
    tp_executor *executor;
    tp_state     state;
    pthread_t    thread;
    int          calls;
} caller;

static void look_broken(tp_future *future, void *user_data) {
    caller         *c = (caller *)user_data;
    void           *result = NULL;
    const tp_error *error = NULL;
    c->thread = pthread_self();
    c->state = tp_future_state(future);
    c->calls++;
    if (c->state == TP_STATE_CANCELLED) return;
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, &result), TP_ERR_BROKEN);
    CHECK_STATUS(tp_future_error(future, 0, &error), TP_ERR_BROKEN);
    /* no lock is held */
    CHECK_NULL(tp_submit(c->executor, return_arg, NULL), TP_ERR_BROKEN);
    CHECK(tp_executor_pending_count(c->executor) <= 8);
    CHECK(tp_executor_worker_count(c->executor) <= 1);
    CHECK(!tp_future_cancel(future));
}

TEST(i02_a_failed_initializer_breaks_all_pending_and_cancelled_ones_stay_cancelled) {
    static const int codes[] = {1, -1, INT32_MAX, INT32_MIN, 256};
    for (size_t round = 0; round < sizeof codes / sizeof codes[0]; round++) {
        enum { N = 8 };
        breaker    b;
        counter    ran = COUNTER_INIT, dropped = COUNTER_INIT;
        tp_future *futures[N];
        caller     callers[N];
        breaker_init(&b, codes[round], 0);
        tp_executor *executor = breaking_executor(&b, 1);
        for (int i = 0; i < N; i++) {
            callers[i] = (caller){executor, TP_STATE_PENDING, pthread_self(), 0};
            CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &ran, .drop_arg = NULL, .name = "doomed"), &futures[i]), TP_OK);
            CHECK_STATUS(tp_future_add_done_callback(futures[i], look_broken, &callers[i]), TP_OK);
        }
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_arg = count_drop, .drop_result = count_drop), NULL), TP_OK);
        gate_wait(&b.started);
        CHECK(tp_future_cancel(futures[3]));
        CHECK_EQ(callers[3].calls, 1);
        tp_completion_queue *queue = tp_as_completed(futures, N);
        REQUIRE(queue != NULL);
        gate_open(&b.go);
        size_t n_done = 0;
        CHECK_STATUS(tp_wait(futures, N, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_OK);
        CHECK_EQ(n_done, N);
        CHECK_STATUS(tp_wait(&futures[0], 1, TP_FOREVER, TP_WAIT_FIRST_FAILED, NULL), TP_OK);
        for (int i = 0; i < N; i++) CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_END);
        tp_completion_queue_free(queue);
        for (int i = 0; i < N; i++) {
            void           *result = &b;
            const tp_error *error = (const tp_error *)&b;
            tp_status       expected = i == 3 ? TP_ERR_CANCELLED : TP_ERR_BROKEN;
            CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, &result), expected);
            CHECK_STATUS(tp_future_take(futures[i], 0, &result), expected);
            CHECK_STATUS(tp_future_error(futures[i], -1, &error), expected);
            CHECK_EQ(tp_future_state(futures[i]), i == 3 ? TP_STATE_CANCELLED : TP_STATE_FINISHED);
            CHECK(tp_future_done(futures[i]));
            CHECK_PTR(result, &b);
            CHECK_PTR(error, &b);
        }
        tp_executor_free(executor); /* I3: returns */
        for (int i = 0; i < N; i++) {
            CHECK_EQ(callers[i].calls, 1);
            CHECK_EQ(callers[i].state, i == 3 ? TP_STATE_CANCELLED : TP_STATE_FINISHED);
            CHECK(pthread_equal(callers[i].thread, i == 3 ? pthread_self() : b.thread)); /* the worker whose initializer failed */
            tp_future_release(futures[i]);
        }
        CHECK_EQ(counter_get(&ran), 0);
        CHECK_EQ(counter_get(&dropped), 1);     /* the argument of one that never ran */
        CHECK_EQ(counter_get(&b.finalized), 0); /* only initialized workers are finalized */
        CHECK_EQ(counter_get(&b.unhandled), 0); /* no task failed */
        counter_wait(&b.dropped, 1);
    }
}

TEST(i02_later_submits_give_broken_which_comes_before_shutdown) {
    breaker b;
    breaker_init(&b, 5, 0);
    tp_executor *executor = breaking_executor(&b, 2);
    tp_future   *future = submit(executor, return_arg, NULL), *out = (tp_future *)&b;
    void        *args[2] = {&b, &b};
    counter      touched = COUNTER_INIT;
    gate_open(&b.go);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_BROKEN);
    tp_future_release(future);
    for (int shut = 0; shut < 2; shut++) {
        CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_BROKEN);
        CHECK_FAILS(tp_execute(executor, return_arg, NULL), TP_ERR_BROKEN);
        CHECK_FAILS(tp_submit_many(executor, return_arg, args, 2, &out), TP_ERR_BROKEN);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .drop_arg = count_drop), &out), TP_ERR_BROKEN);
        /* What comes before it in the order of failures: */
        CHECK_NULL(tp_submit(executor, NULL, NULL), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .delay_ns = 1), &out), TP_ERR_UNSUPPORTED);
        tp_map *map = tp_map_new(executor, return_arg, args, 2, 0, NULL);
        REQUIRE(map != NULL);
        for (int i = 0; i < 2; i++) {
            tp_future *item = (tp_future *)map;
            CHECK_FAILS(tp_map_next(map, TP_FOREVER, &item), TP_ERR_BROKEN);
            CHECK_PTR(item, NULL);
        }
        CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_END);
        tp_map_free(map);
        CHECK_EQ(tp_executor_pending_count(executor), 0);
        CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    }
    CHECK_PTR(out, &b);
    CHECK_EQ(counter_get(&touched), 0);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&b.finalized), 0);
}

TEST(i02_running_tasks_finish_as_usual) {
    for (int round = 0; round < 20; round++) {
        breaker b;
        blocker busy;
        breaker_init(&b, 1, 1);
        tp_executor *executor = breaking_executor(&b, 2);
        block(executor, &busy); /* on the worker whose initializer succeeds */
        tp_future *doomed = submit(executor, return_arg, NULL);
        gate_wait(&b.started); /* the second worker is about to fail */
        gate_open(&b.go);
        CHECK_STATUS(tp_future_result(doomed, TP_FOREVER, NULL), TP_ERR_BROKEN);
        CHECK(tp_future_running(busy.future));
        CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_BROKEN);
        unblock(&busy); /* checks that its result comes */
        tp_future_release(doomed);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&b.finalized), 1);
        CHECK_EQ(counter_get(&b.dropped), 1);
    }
}

/* I3, without anything but shutdown. */
static int fail_at_once(void *user_data) {
    (void)user_data;
    return 1;
}

TEST(i03_shutdown_join_free_and_detach_of_a_broken_executor_return) {
    long rounds = repeat(500);
    for (long round = 0; round < rounds; round++) {
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1 + (size_t)round % 3, .initializer = fail_at_once));
        REQUIRE(executor != NULL);
        for (int i = 0; i < 5; i++) {
            tp_status status = tp_execute(executor, return_arg, NULL);
            CHECK(status == TP_OK || status == TP_ERR_BROKEN);
        }
        switch (round % 4) {
        case 0: CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK); break;
        case 1:
            CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
            CHECK_STATUS(tp_executor_join(executor, TP_FOREVER), TP_OK);
            break;
        case 2: CHECK_FAILS(tp_executor_join(executor, TP_FOREVER), TP_ERR_INVALID_STATE); break; /* broken is not shut down */
        default: break;
        }
        if (round % 5 == 0) tp_executor_detach(executor);
        else tp_executor_free(executor);
    }
}

/* Submits that race with the break: accepted means BROKEN in the end (nothing can run), refused means refused. Nothing hangs. */
typedef struct {
    tp_executor *executor;
    counter     *ran;
} racer;

static void *submit_against_the_break(void *arg) {
    racer *r = (racer *)arg;
    for (int i = 0; i < 2000; i++) {
        tp_future *future = tp_submit(r->executor, count_run, r->ran);
        if (future == NULL) {
            CHECK_LAST_ERROR(TP_ERR_BROKEN);
            return NULL;
        }
        if (i % 8 == 0) CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_BROKEN);
        tp_future_release(future);
    }
    return NULL;
}

TEST(i02_submits_race_with_the_break) {
    long rounds = repeat(500);
    for (long round = 0; round < rounds; round++) {
        counter      ran = COUNTER_INIT;
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1 + (size_t)round % 2, .initializer = fail_at_once));
        REQUIRE(executor != NULL);
        racer     r = {executor, &ran};
        pthread_t threads[3];
        for (int i = 0; i < 3; i++) threads[i] = start_thread(submit_against_the_break, &r);
        for (int i = 0; i < 3; i++) join_thread(threads[i]);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&ran), 0);
    }
}

/* A worker that waits for a task which the break takes away is woken. */
static void *wait_for_a_doomed_one(void *arg) {
    CHECK_STATUS(tp_future_result((tp_future *)arg, TP_FOREVER, NULL), TP_ERR_BROKEN);
    return NULL;
}

TEST(r08_waiters_of_a_broken_executor_s_futures_wake) {
    for (int round = 0; round < 50; round++) {
        breaker b;
        breaker_init(&b, 1, 0);
        tp_executor *executor = breaking_executor(&b, 1), *other = new_executor(1);
        tp_future   *doomed = submit(executor, return_arg, NULL);
        pthread_t    thread = start_thread(wait_for_a_doomed_one, doomed);
        tp_future   *waiting = submit(other, wait_for_a_doomed_one, doomed);
        gate_wait(&b.started);
        if (round % 2 == 0) sleep_ms(1);
        gate_open(&b.go);
        join_thread(thread);
        result_of(waiting);
        tp_future_release(doomed);
        tp_executor_free(executor);
        tp_executor_free(other);
    }
}
