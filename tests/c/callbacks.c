/* Done callbacks. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

/* ---- K1 --------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    atomic_long *next;
    tp_future   *expected;
    long         position;
    int          calls;
    pthread_t    thread;
} called;

static void note_call(tp_future *future, void *user_data) {
    called *c = (called *)user_data;
    CHECK_PTR(future, c->expected);
    CHECK(tp_future_done(future));
    c->position = atomic_fetch_add(c->next, 1);
    c->calls++;
    c->thread = pthread_self();
}

TEST(k01_each_runs_once_with_its_own_user_data_in_the_order_added) {
    enum { N = 1000 };
    static called calls[N + 10];
    atomic_long   next = 0;
    tp_executor  *executor = new_executor(1);
    blocker       busy;
    block(executor, &busy);
    tp_future *future = submit(executor, return_arg, NULL);
    memset(calls, 0, sizeof calls);
    for (int i = 0; i < N; i++) {
        calls[i].next = &next;
        calls[i].expected = future;
        CHECK_STATUS(tp_future_add_done_callback(future, note_call, &calls[i]), TP_OK);
    }
    CHECK_EQ(atomic_load(&next), 0);
    unblock(&busy);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(calls[i].calls, 1);
        CHECK_EQ(calls[i].position, i);
    }
    /* Later ones at once, here. */
    for (int i = N; i < N + 10; i++) {
        calls[i].next = &next;
        calls[i].expected = future;
        CHECK_STATUS(tp_future_add_done_callback(future, note_call, &calls[i]), TP_OK);
        CHECK_EQ(calls[i].calls, 1);
        CHECK_EQ(calls[i].position, i);
        CHECK(pthread_equal(calls[i].thread, pthread_self()));
    }
    tp_future_release(future);
    tp_executor_free(executor);
}

TEST(k01_the_same_function_added_twice_runs_twice) {
    counter      n = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    for (int i = 0; i < 3; i++) CHECK_STATUS(tp_future_add_done_callback(busy.future, count_done, &n), TP_OK);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&n), 3);
}

/* Adders race with the completion. Each of an adder's callbacks runs exactly once; those that run on the worker were added before the future
 * was done and run in the adder's order; those after it run on the adder before its call returns. */
enum { ADDERS = 3, PER_ADDER = 24 };
typedef struct {
    tp_future         *future;
    pthread_barrier_t *start;
    called             calls[PER_ADDER];
} adder;

static void *add_callbacks(void *arg) {
    adder *a = (adder *)arg;
    pthread_barrier_wait(a->start);
    for (int i = 0; i < PER_ADDER; i++) CHECK_STATUS(tp_future_add_done_callback(a->future, note_call, &a->calls[i]), TP_OK);
    return NULL;
}

static void *meet(void *arg) {
    pthread_barrier_wait((pthread_barrier_t *)arg);
    return NULL;
}

static void adders_race(bool cancelled) {
    long         rounds = repeat(3000);
    tp_executor *executor = new_executor(1);
    for (long round = 0; round < rounds; round++) {
        static adder      adders[ADDERS];
        atomic_long       next = 0;
        pthread_t         threads[ADDERS], here = pthread_self();
        pthread_barrier_t start;
        blocker           busy;
        pthread_barrier_init(&start, NULL, ADDERS + 1);
        if (cancelled) block(executor, &busy);
        tp_future *future = submit(executor, cancelled ? return_null : meet, &start);
        memset(adders, 0, sizeof adders);
        for (int a = 0; a < ADDERS; a++) {
            adders[a].future = future;
            adders[a].start = &start;
            for (int i = 0; i < PER_ADDER; i++) {
                adders[a].calls[i].next = &next;
                adders[a].calls[i].expected = future;
            }
            threads[a] = start_thread(add_callbacks, &adders[a]);
        }
        if (cancelled) {
            pthread_barrier_wait(&start);
            CHECK(tp_future_cancel(future));
            unblock(&busy);
        }
        for (int a = 0; a < ADDERS; a++) join_thread(threads[a]);
        EVENTUALLY(atomic_load(&next) == ADDERS * PER_ADDER);
        result_of(submit(executor, return_null, NULL)); /* the worker is past the callbacks */
        for (int a = 0; a < ADDERS; a++) {
            long before_on_worker = -1, before_here = -1;
            for (int i = 0; i < PER_ADDER; i++) {
                called *c = &adders[a].calls[i];
                CHECK_EQ(c->calls, 1);
                long *before = pthread_equal(c->thread, threads[a]) ? &before_here : &before_on_worker;
                if (before == &before_on_worker) {
                    CHECK_EQ(before_here, -1); /* done stays done: once one ran late, all later ones do */
                    if (cancelled) CHECK(pthread_equal(c->thread, here));
                }
                CHECK(c->position > *before);
                *before = c->position;
            }
        }
        CHECK_EQ(atomic_load(&next), ADDERS * PER_ADDER);
        tp_future_release(future);
        pthread_barrier_destroy(&start);
    }
    tp_executor_free(executor);
}

TEST(k01_adders_racing_with_completion_each_run_once_in_order) { adders_race(false); }
TEST(k01_adders_racing_with_cancel_each_run_once_in_order) { adders_race(true); }

/* ---- K2: threads -------------------------------------------------------------------------------------------------------------------- */

static void *whoami(void *arg) {
    *(pthread_t *)arg = pthread_self();
    return NULL;
}

TEST(k02_on_the_worker_that_ran_the_task_the_canceller_or_the_adder) {
    tp_executor *executor = new_executor(4);
    atomic_long  next = 0;
    for (int round = 0; round < 200; round++) {
        blocker   busy[4];
        pthread_t ran_on;
        for (int i = 0; i < 4; i++) block(executor, &busy[i]);
        tp_future *future = submit(executor, whoami, &ran_on);
        called     early = {&next, future, 0, 0, pthread_self()}, late = {&next, future, 0, 0, ran_on};
        CHECK_STATUS(tp_future_add_done_callback(future, note_call, &early), TP_OK);
        for (int i = 0; i < 4; i++) unblock(&busy[i]);
        CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
        CHECK_STATUS(tp_future_add_done_callback(future, note_call, &late), TP_OK);
        CHECK(pthread_equal(late.thread, pthread_self()));
        EVENTUALLY(atomic_load(&next) == 2 * (round + 1));
        CHECK_EQ(early.calls, 1);
        CHECK(pthread_equal(early.thread, ran_on));
        CHECK(!pthread_equal(early.thread, pthread_self()));
        tp_future_release(future);
    }
    tp_executor_free(executor);
}

/* ---- K3: everything is allowed ------------------------------------------------------------------------------------------------------ */

typedef struct {
    tp_executor *executor;
    tp_future   *finished, *pending;
    counter      ran, nested, dropped;
    gate         done;
    bool         frees;
    blocker      busy; /* holds the executor's worker where the callback runs on another thread */
} busybody;

static void do_everything(tp_future *future, void *user_data) {
    busybody *b = (busybody *)user_data;
    void     *result = NULL;
    /* the same future */
    CHECK(tp_future_done(future));
    CHECK(tp_future_state(future) == TP_STATE_FINISHED || tp_future_state(future) == TP_STATE_CANCELLED);
    CHECK_EQ(tp_future_cancel(future), tp_future_cancelled(future));
    CHECK_STATUS(tp_future_add_done_callback(future, count_done, &b->nested), TP_OK);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, &result), tp_future_cancelled(future) ? TP_ERR_CANCELLED : TP_OK);
    CHECK_STATUS(tp_wait(&future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    tp_future_release(tp_future_retain(future));
    tp_completion_queue *queue = tp_as_completed(&future, 1);
    tp_future           *out = NULL;
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &out, NULL), TP_OK);
    CHECK_PTR(out, future);
    tp_future_release(out);
    tp_completion_queue_free(queue);
    /* others */
    CHECK_STATUS(tp_future_result(b->finished, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(b->pending, count_done, &b->nested), TP_OK);
    CHECK(tp_future_cancel(b->pending));
    tp_future_release(b->pending);
    /* the executor */
    CHECK_STATUS(tp_execute(b->executor, count_run, &b->ran), TP_OK);
    tp_future *submitted = submit(b->executor, count_run, &b->ran);
    CHECK_STATUS(tp_future_add_done_callback(submitted, count_done, &b->nested), TP_OK);
    tp_future_release(submitted);
    tp_map *map = tp_map_new(b->executor, return_arg, (void *const[]){NULL, NULL}, 2, 0, NULL);
    CHECK(map != NULL);
    tp_map_free(map);
    CHECK(tp_executor_worker_count(b->executor) >= 1);
    CHECK_STATUS(tp_executor_shutdown(b->executor, 0), TP_OK);
    CHECK_NULL(tp_submit(b->executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    /* the last reference to this very future, and the executor itself */
    tp_future_release(future);
    gate_open(&b->busy.release); /* or free would wait for ever where this is no worker */
    if (b->frees) tp_executor_free(b->executor);
    gate_open(&b->done);
}

/* Where the callback runs. */
enum { ON_WORKER, ON_CANCELLER, ON_ADDER };

static void everything(int where, bool frees) {
    busybody b;
    memset(&b, 0, sizeof b);
    counter_init(&b.ran);
    counter_init(&b.nested);
    counter_init(&b.dropped);
    gate_init(&b.done);
    b.frees = frees;
    b.executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .user_data = &b.dropped, .drop_user_data = count_drop));
    REQUIRE(b.executor != NULL);
    b.finished = submit(b.executor, return_arg, NULL);
    CHECK_STATUS(tp_future_result(b.finished, TP_FOREVER, NULL), TP_OK);
    block(b.executor, &b.busy);
    tp_future *future = submit(b.executor, return_arg, NULL);
    b.pending = submit(b.executor, return_arg, NULL);
    /* The callback takes over the reference that it is called with. */
    if (where == ON_WORKER) {
        CHECK_STATUS(tp_future_add_done_callback(future, do_everything, &b), TP_OK);
        gate_open(&b.busy.release);
    } else if (where == ON_CANCELLER) {
        CHECK_STATUS(tp_future_add_done_callback(future, do_everything, &b), TP_OK);
        CHECK(tp_future_cancel(future));
    } else {
        CHECK(tp_future_cancel(future));
        tp_future_release(future);
        CHECK_STATUS(tp_future_add_done_callback(tp_future_retain(b.finished), do_everything, &b), TP_OK);
    }
    gate_wait(&b.done);
    result_of(b.busy.future);
    if (!frees) tp_executor_free(b.executor);
    counter_wait(&b.dropped, 1); /* every worker is gone */
    CHECK_EQ(counter_get(&b.ran), 2);
    CHECK_EQ(counter_get(&b.nested), 3);
    tp_future_release(b.finished);
}

TEST(k03_a_callback_on_a_worker_may_do_everything) { everything(ON_WORKER, false); }
TEST(k03_a_callback_on_a_worker_may_free_the_executor) { everything(ON_WORKER, true); }
TEST(k03_a_callback_on_a_canceller_may_do_everything) { everything(ON_CANCELLER, false); }
TEST(k03_a_callback_on_a_canceller_may_free_the_executor) { everything(ON_CANCELLER, true); }
TEST(k03_a_callback_on_an_adder_may_do_everything) { everything(ON_ADDER, false); }
TEST(k03_a_callback_on_an_adder_may_free_the_executor) { everything(ON_ADDER, true); }

/* ---- K4 ----------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    int       depth, running;
    gate      done;
    pthread_t thread;
} nesting;

static void nest(tp_future *future, void *user_data) {
    nesting *n = (nesting *)user_data;
    if (n->depth == 0) n->thread = pthread_self();
    CHECK(pthread_equal(n->thread, pthread_self()));
    n->running++;
    if (++n->depth < 100) {
        CHECK_STATUS(tp_future_add_done_callback(future, nest, n), TP_OK);
        CHECK_EQ(n->depth, 100); /* the inner ones have run */
    }
    if (--n->running == 0) gate_open(&n->done);
}

TEST(k04_a_callback_added_in_a_callback_runs_at_once_nested) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    nesting      on_worker = {0, 0, GATE_INIT, pthread_self()}, here = {0, 0, GATE_INIT, pthread_self()}, by_cancel = {0, 0, GATE_INIT, pthread_self()};
    block(executor, &busy);
    tp_future *future = tp_future_retain(busy.future), *cancelled = submit(executor, return_arg, NULL);
    CHECK_STATUS(tp_future_add_done_callback(future, nest, &on_worker), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(cancelled, nest, &by_cancel), TP_OK);
    CHECK(tp_future_cancel(cancelled));
    CHECK_EQ(by_cancel.depth, 100);
    unblock(&busy);
    gate_wait(&on_worker.done);
    CHECK_EQ(on_worker.depth, 100);
    CHECK_STATUS(tp_future_add_done_callback(future, nest, &here), TP_OK);
    CHECK_EQ(here.depth, 100);
    tp_future_release(future);
    tp_future_release(cancelled);
    tp_executor_free(executor);
}

/* A callback added while others of the same future are still to run runs at once, before those. */
typedef struct {
    atomic_long *next;
    called      *inner;
} adding;

static void add_another(tp_future *future, void *user_data) {
    adding *a = (adding *)user_data;
    CHECK_STATUS(tp_future_add_done_callback(future, note_call, a->inner), TP_OK);
    CHECK_EQ(a->inner->calls, 1);
}

TEST(k04_the_nested_one_overtakes_those_that_are_waiting_to_run) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    atomic_long  next = 0;
    block(executor, &busy);
    called inner = {&next, busy.future, 0, 0, pthread_self()}, after = inner;
    adding a = {&next, &inner};
    CHECK_STATUS(tp_future_add_done_callback(busy.future, add_another, &a), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(busy.future, note_call, &after), TP_OK);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(inner.position, 0);
    CHECK_EQ(after.position, 1);
}

/* ---- K5, K6 --------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    gate entered, leave;
    bool left;
} slow;

static void be_slow(tp_future *future, void *user_data) {
    slow *s = (slow *)user_data;
    (void)future;
    gate_open(&s->entered);
    gate_wait(&s->leave);
    sleep_ms(20); /* a shutdown that does not wait would be back before */
    s->left = true;
}

TEST(k05_waiters_are_released_before_callbacks_run) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    slow         s = {GATE_INIT, GATE_INIT, false};
    block(executor, &busy);
    CHECK_STATUS(tp_future_add_done_callback(busy.future, be_slow, &s), TP_OK);
    unblock(&busy); /* gives the result although the callback cannot return yet */
    gate_wait(&s.entered);
    gate_open(&s.leave);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK(s.left);
    tp_executor_free(executor);
}

static void *wait_for_it(void *arg) {
    CHECK_STATUS(tp_future_result((tp_future *)arg, TP_FOREVER, NULL), TP_ERR_CANCELLED);
    return NULL;
}
static void wait_for_the_waiter(tp_future *future, void *user_data) {
    (void)future;
    join_thread(*(pthread_t *)user_data);
}

TEST(k05_a_cancel_too_releases_waiters_before_callbacks_run) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, return_arg, NULL);
    pthread_t  waiting = start_thread(wait_for_it, future);
    CHECK_STATUS(tp_future_add_done_callback(future, wait_for_the_waiter, &waiting), TP_OK);
    CHECK(tp_future_cancel(future)); /* the callback returns only when the waiter has */
    unblock(&busy);
    tp_future_release(future);
    tp_executor_free(executor);
}

TEST(k06_while_a_slow_callback_runs_the_future_is_done_and_the_worker_is_busy) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    slow         s = {GATE_INIT, GATE_INIT, false};
    block(executor, &busy);
    tp_future *future = tp_future_retain(busy.future);
    CHECK_STATUS(tp_future_add_done_callback(future, be_slow, &s), TP_OK);
    tp_future *next = submit(executor, return_arg, NULL);
    unblock(&busy);
    gate_wait(&s.entered);
    CHECK_EQ(tp_future_state(future), TP_STATE_FINISHED);
    CHECK_STATUS(tp_future_result(next, TP_MSEC(20), NULL), TP_ERR_TIMEOUT);
    CHECK_EQ(tp_future_state(next), TP_STATE_PENDING);
    gate_open(&s.leave);
    result_of(next);
    CHECK(s.left);
    tp_future_release(future);
    tp_executor_free(executor);
}

/* ---- K7 ------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    tp_future   *others[10];
    counter      calls;
} aftermath;

static void after_shutdown(tp_future *future, void *user_data) {
    aftermath *a = (aftermath *)user_data;
    CHECK(tp_future_cancelled(future));
    CHECK_NULL(tp_submit(a->executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    CHECK_STATUS(tp_executor_shutdown(a->executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK(tp_executor_pending_count(a->executor) <= 10);
    CHECK(tp_executor_worker_count(a->executor) <= 1);
    for (int i = 0; i < 10; i++) {
        CHECK(tp_future_cancel(a->others[i]));
        CHECK_STATUS(tp_future_result(a->others[i], 0, NULL), TP_ERR_CANCELLED);
    }
    counter_add(&a->calls, 1);
}

TEST(k07_callbacks_of_a_cancelling_shutdown_run_with_no_lock_held) {
    aftermath a = {new_executor(1), {NULL}, COUNTER_INIT};
    blocker   busy;
    block(a.executor, &busy);
    for (int i = 0; i < 10; i++) {
        a.others[i] = submit(a.executor, return_arg, NULL);
        CHECK_STATUS(tp_future_add_done_callback(a.others[i], after_shutdown, &a), TP_OK);
    }
    CHECK_STATUS(tp_executor_shutdown(a.executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_EQ(counter_get(&a.calls), 10);
    unblock(&busy);
    for (int i = 0; i < 10; i++) tp_future_release(a.others[i]);
    tp_executor_free(a.executor);
    CHECK_EQ(counter_get(&a.calls), 10);
}

/* ---- K8: no current task -------------------------------------------------------------------------------------------------------------- */

static void check_no_current_task(counter *calls) {
    CHECK_PTR(tp_future_current(), NULL);
    CHECK(!tp_task_stop_requested());
    CHECK_FAILS(tp_task_fail(99, "not a task"), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_task_fail_with(99, "not a task", calls, count_drop), TP_ERR_INVALID_STATE); /* and the payload stays ours */
    counter_add(calls, 1);
}
static void callback_without_task(tp_future *future, void *user_data) {
    (void)future;
    check_no_current_task((counter *)user_data);
}
static void drop_without_task(void *arg) { check_no_current_task((counter *)arg); }
static void unhandled_without_task(const tp_error *error, void *user_data) {
    (void)error;
    check_no_current_task((counter *)user_data);
}

typedef struct {
    tp_executor *executor;
    tp_future   *to_cancel, *failed, *finished;
    counter     *calls;
} canceller;

static void *cancel_inside_a_task(void *arg) {
    canceller *c = (canceller *)arg;
    tp_future *me = tp_future_current();
    CHECK(me != NULL);
    tp_future_request_stop(me);
    CHECK(tp_task_stop_requested());
    CHECK(tp_future_cancel(c->to_cancel));                                                        /* + drop_arg + callback */
    CHECK_STATUS(tp_future_add_done_callback(c->finished, callback_without_task, c->calls), TP_OK); /* + callback */
    tp_future_release(c->finished);                                                               /* + drop_result */
    tp_future_release(c->failed);                                                                 /* + unhandled_error */
    CHECK_EQ(counter_get(c->calls), 5);
    CHECK_PTR(tp_future_current(), me);
    CHECK(tp_task_stop_requested());
    return c;
}

TEST(k08_there_is_no_current_task_in_callbacks_and_hooks) {
    counter      calls = COUNTER_INIT;
    canceller    c = {NULL, NULL, NULL, NULL, &calls};
    tp_executor *executor = tp_executor_new(
        TP_EXECUTOR_CONFIG(.max_workers = 1, .user_data = &calls, .unhandled_error = unhandled_without_task, .drop_user_data = drop_without_task));
    REQUIRE(executor != NULL);
    blocker busy;
    c.executor = executor;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &calls, .drop_result = drop_without_task), &c.finished), TP_OK);
    CHECK_STATUS(tp_future_result(c.finished, TP_FOREVER, NULL), TP_OK);
    c.failed = submit(executor, fail_with_seven, NULL);
    CHECK_STATUS(tp_wait(&c.failed, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK); /* done, and nobody has seen how */
    block(executor, &busy);
    tp_future *cancelling = submit(executor, cancel_inside_a_task, &c);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &calls, .drop_arg = drop_without_task), &c.to_cancel), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(c.to_cancel, callback_without_task, &calls), TP_OK);
    unblock(&busy);
    CHECK_PTR(result_of(cancelling), &c); /* which none of those made fail */
    tp_future_release(c.to_cancel);
    CHECK_EQ(counter_get(&calls), 5);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&calls), 6); /* drop_user_data */
}

/* On the worker right after the task: neither is there one. */
TEST(k08_nor_in_what_runs_after_the_task_on_its_worker) {
    counter      calls = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *future = NULL;
    blocker      busy;
    block(executor, &busy);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &calls, .drop_arg = drop_without_task, .drop_result = drop_without_task), &future),
                 TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, callback_without_task, &calls), TP_OK);
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&calls), 3);
}

static void note_executor(tp_future *future, void *user_data) {
    (void)future;
    *(tp_executor **)user_data = tp_executor_current();
}

TEST(callbacks_on_a_worker_know_its_executor_and_others_none) {
    tp_executor *executor = new_executor(1), *on_worker = NULL, *here = executor;
    blocker      busy;
    block(executor, &busy);
    tp_future *future = tp_future_retain(busy.future);
    CHECK_STATUS(tp_future_add_done_callback(future, note_executor, &on_worker), TP_OK);
    unblock(&busy);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, note_executor, &here), TP_OK);
    CHECK_PTR(on_worker, executor);
    CHECK_PTR(here, NULL);
    tp_future_release(future);
    tp_executor_free(executor);
}
