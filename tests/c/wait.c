/* tp_wait: several futures at once. */
#include "harness.h"

#include <stdatomic.h>

static const tp_wait_for every_what[] = {TP_WAIT_ALL_COMPLETED, TP_WAIT_FIRST_COMPLETED, TP_WAIT_FIRST_FAILED};
static const int64_t     every_timeout[] = {0, -1, INT64_MIN, 1, 1000, TP_SEC(3600), INT64_MAX - 1, TP_FOREVER};
enum { WHATS = 3, TIMEOUTS = sizeof every_timeout / sizeof every_timeout[0] };

/* ---- W1, W2 ------------------------------------------------------------------------------------------------------------------------- */

TEST(w01_n_done_counts_entries_and_duplicates_each) {
    tp_executor *first = new_executor(1), *second = new_executor(1);
    blocker      busy;
    block(first, &busy);
    tp_future *done = submit(second, return_arg, NULL), *pending = submit(first, return_arg, NULL), *cancelled = submit(first, return_arg, NULL);
    tp_future *failed = submit(second, fail_with_seven, NULL);
    CHECK(tp_future_cancel(cancelled));
    CHECK_STATUS(tp_wait(&done, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    CHECK_STATUS(tp_wait(&failed, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    tp_future *mixed[] = {done, pending, done, cancelled, done, pending, failed, cancelled};
    size_t     n_done = 99;
    CHECK_STATUS(tp_wait(mixed, 8, 0, TP_WAIT_ALL_COMPLETED, &n_done), TP_ERR_TIMEOUT);
    CHECK_EQ(n_done, 6);
    CHECK_STATUS(tp_wait(mixed, 8, 0, TP_WAIT_FIRST_COMPLETED, &n_done), TP_OK);
    CHECK_EQ(n_done, 6);
    CHECK_STATUS(tp_wait(mixed, 8, 0, TP_WAIT_FIRST_FAILED, &n_done), TP_OK);
    CHECK_EQ(n_done, 6);
    CHECK_STATUS(tp_wait(mixed, 6, 0, TP_WAIT_FIRST_FAILED, &n_done), TP_ERR_TIMEOUT);
    CHECK_EQ(n_done, 4);
    unblock(&busy);
    CHECK_STATUS(tp_wait(mixed, 8, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_OK);
    CHECK_EQ(n_done, 8);
    CHECK_STATUS(tp_wait(mixed, 8, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    tp_future_result(failed, 0, NULL);
    tp_future_release(done);
    tp_future_release(pending);
    tp_future_release(cancelled);
    tp_future_release(failed);
    tp_executor_free(first);
    tp_executor_free(second);
}

TEST(w02_waiting_for_none_returns_at_once) {
    for (int w = 0; w < WHATS; w++)
        for (int t = 0; t < TIMEOUTS; t++) {
            tp_future *nothing[1] = {NULL};
            size_t     n_done = 99;
            CHECK_STATUS(tp_wait(nothing, 0, every_timeout[t], every_what[w], &n_done), TP_OK);
            CHECK_EQ(n_done, 0);
            CHECK_STATUS(tp_wait(NULL, 0, every_timeout[t], every_what[w], NULL), TP_OK);
        }
}

TEST(w02_all_done_returns_at_once_whatever_the_timeout) {
    enum { N = 100 };
    tp_executor *executor = new_executor(2);
    tp_future   *futures[N];
    for (int i = 0; i < N; i++) futures[i] = submit(executor, return_arg, NULL);
    for (int i = 0; i < N; i++) CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, NULL), TP_OK);
    for (int w = 0; w < WHATS; w++)
        for (int t = 0; t < TIMEOUTS; t++) {
            size_t n_done = 0;
            CHECK_STATUS(tp_wait(futures, N, every_timeout[t], every_what[w], &n_done), TP_OK);
            CHECK_EQ(n_done, N);
        }
    for (int i = 0; i < N; i++) tp_future_release(futures[i]);
    tp_executor_free(executor);
}

TEST(w02_a_bad_what_is_refused_first) {
    tp_executor     *executor = new_executor(1);
    tp_future       *future = submit(executor, return_arg, NULL);
    static const int bad[] = {-1, 3, 4, 1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t n_done = 99;
        CHECK_FAILS(tp_wait(&future, 1, TP_FOREVER, (tp_wait_for)bad[i], &n_done), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_wait(NULL, 0, 0, (tp_wait_for)bad[i], &n_done), TP_ERR_INVALID_ARGUMENT);
        CHECK_EQ(n_done, 99);
    }
    result_of(future);
    tp_executor_free(executor);
}

/* ---- W3 -------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_future *const *futures;
    size_t            n;
    tp_wait_for       what;
    int64_t           timeout;
    tp_status         status;
    size_t            n_done;
    counter          *events; /* one when about to wait, one when back */
} wait_call;

static void *call_wait(void *arg) {
    wait_call *c = (wait_call *)arg;
    counter_add(c->events, 1);
    c->n_done = 99;
    c->status = tp_wait(c->futures, c->n, c->timeout, c->what, &c->n_done);
    counter_add(c->events, 1);
    return NULL;
}

typedef struct {
    gate go;
    bool fails;
} held;

static void *finish_when_told(void *arg) {
    held *h = (held *)arg;
    gate_wait(&h->go);
    if (h->fails) CHECK_STATUS(tp_task_fail(1, "told"), TP_OK);
    return h;
}

TEST(w03_first_completed_ends_with_the_first_done) {
    enum { N = 3 };
    for (int round = 0; round < 30; round++) {
        tp_executor *executor = new_executor(N);
        held         tasks[N];
        tp_future   *futures[N];
        counter      events = COUNTER_INIT;
        for (int i = 0; i < N; i++) {
            gate_init(&tasks[i].go);
            tasks[i].fails = false;
            futures[i] = submit(executor, finish_when_told, &tasks[i]);
        }
        wait_call call = {futures, N, TP_WAIT_FIRST_COMPLETED, TP_FOREVER, TP_END, 0, &events};
        pthread_t thread = start_thread(call_wait, &call);
        counter_wait(&events, 1);
        if (round % 2) sleep_ms(1);
        gate_open(&tasks[round % N].go);
        join_thread(thread);
        CHECK_STATUS(call.status, TP_OK);
        CHECK_EQ(call.n_done, 1);
        CHECK(tp_future_done(futures[round % N]));
        for (int i = 0; i < N; i++) gate_open(&tasks[i].go);
        for (int i = 0; i < N; i++) result_of(futures[i]);
        tp_executor_free(executor);
    }
}

TEST(w03_first_failed_ends_with_a_failure_not_with_a_success_or_a_cancel) {
    for (int round = 0; round < 30; round++) {
        tp_executor *executor = new_executor(3);
        held         tasks[3];
        tp_future   *futures[4];
        counter      events = COUNTER_INIT;
        for (int i = 0; i < 3; i++) {
            gate_init(&tasks[i].go);
            tasks[i].fails = i == 1;
            futures[i] = submit(executor, finish_when_told, &tasks[i]);
        }
        for (int i = 0; i < 3; i++) EVENTUALLY(tp_future_running(futures[i]));
        futures[3] = submit(executor, return_arg, NULL); /* pending: all three workers are held */
        wait_call call = {futures, 4, TP_WAIT_FIRST_FAILED, TP_FOREVER, TP_END, 0, &events};
        pthread_t thread = start_thread(call_wait, &call);
        counter_wait(&events, 1);
        CHECK(tp_future_cancel(futures[3]));
        gate_open(&tasks[0].go);
        CHECK_STATUS(tp_future_result(futures[0], TP_FOREVER, NULL), TP_OK);
        sleep_ms(2);
        CHECK_EQ(counter_get(&events), 1); /* still waiting */
        gate_open(&tasks[1].go);
        join_thread(thread);
        CHECK_STATUS(call.status, TP_OK);
        CHECK_EQ(call.n_done, 3);
        CHECK(tp_future_running(futures[2]));
        gate_open(&tasks[2].go);
        CHECK_STATUS(tp_future_result(futures[1], TP_FOREVER, NULL), TP_ERR_TASK);
        CHECK_STATUS(tp_future_result(futures[2], TP_FOREVER, NULL), TP_OK);
        for (int i = 0; i < 4; i++) tp_future_release(futures[i]);
        tp_executor_free(executor);
    }
}

TEST(w03_first_failed_without_failures_equals_all_completed) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    counter      events = COUNTER_INIT;
    block(executor, &busy);
    tp_future *futures[2] = {tp_future_retain(busy.future), submit(executor, return_arg, NULL)};
    wait_call  call = {futures, 2, TP_WAIT_FIRST_FAILED, TP_FOREVER, TP_END, 0, &events};
    pthread_t  thread = start_thread(call_wait, &call);
    counter_wait(&events, 1);
    CHECK(tp_future_cancel(futures[1]));
    sleep_ms(2);
    CHECK_EQ(counter_get(&events), 1);
    unblock(&busy);
    join_thread(thread);
    CHECK_STATUS(call.status, TP_OK);
    CHECK_EQ(call.n_done, 2);
    tp_future_release(futures[0]);
    tp_future_release(futures[1]);
    tp_executor_free(executor);
}

/* ---- W4 -------------------------------------------------------------------------------------------------------------------------------- */

TEST(w04_a_timeout_still_tells_n_done_and_cancels_nothing) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    tp_future   *done = submit(executor, return_arg, NULL);
    CHECK_STATUS(tp_future_result(done, TP_FOREVER, NULL), TP_OK);
    block(executor, &busy);
    tp_future *futures[4] = {submit(executor, return_arg, executor), done, busy.future, done};
    for (int w = 0; w < WHATS; w++)
        for (int i = 0; i < 3; i++) {
            static const int64_t limits[] = {0, 100000, TP_MSEC(3)};
            size_t               n_done = 99;
            if (every_what[w] == TP_WAIT_FIRST_COMPLETED) {
                tp_future *open[2] = {futures[0], futures[2]};
                CHECK_STATUS(tp_wait(open, 2, limits[i], every_what[w], &n_done), TP_ERR_TIMEOUT);
                CHECK_EQ(n_done, 0);
            } else {
                CHECK_STATUS(tp_wait(futures, 4, limits[i], every_what[w], &n_done), TP_ERR_TIMEOUT);
                CHECK_EQ(n_done, 2);
            }
            CHECK_STATUS(tp_wait(futures, 1, limits[i], every_what[w], NULL), TP_ERR_TIMEOUT);
        }
    CHECK_EQ(tp_future_state(futures[0]), TP_STATE_PENDING);
    CHECK_EQ(tp_future_state(futures[2]), TP_STATE_RUNNING);
    unblock(&busy);
    CHECK_PTR(result_of(futures[0]), executor);
    tp_future_release(done);
    tp_executor_free(executor);
}

/* A wait that gave up holds nothing of the futures: each goes with its last reference, its result with it. */
TEST(w04_a_wait_that_timed_out_keeps_no_future) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    for (int round = 0; round < 4; round++) {
        blocker    busy;
        tp_future *futures[2];
        block(executor, &busy);
        for (int i = 0; i < 2; i++)
            CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &futures[i]), TP_OK);
        for (int w = 0; w < WHATS; w++) CHECK_STATUS(tp_wait(futures, 2, round % 2 == 0 ? 0 : TP_MSEC(1), every_what[w], NULL), TP_ERR_TIMEOUT);
        CHECK_STATUS(tp_future_result(futures[0], TP_MSEC(1), NULL), TP_ERR_TIMEOUT);
        if (round >= 2) CHECK_STATUS(tp_wait(futures, 2, 1, TP_WAIT_FIRST_COMPLETED, NULL), TP_ERR_TIMEOUT);
        tp_future_release(futures[0]);
        unblock(&busy);
        CHECK_STATUS(tp_future_result(futures[1], TP_FOREVER, NULL), TP_OK);
        tp_future_release(futures[1]);
        result_of(submit(executor, return_null, NULL));
        CHECK_EQ(counter_get(&dropped), 2 * (round + 1));
    }
    tp_executor_free(executor);
}

/* Waits whose time runs out just while the futures complete leave nothing behind that could be called later. */
typedef struct {
    tp_future *const *futures;
    size_t            n;
    unsigned          seed;
    atomic_bool      *stop;
} poller;

static void *poll_with_limits(void *arg) {
    poller *p = (poller *)arg;
    while (!atomic_load(p->stop)) {
        size_t    n_done = 99;
        tp_status status = tp_wait(p->futures, p->n, rand_r(&p->seed) % 60000, every_what[(unsigned)rand_r(&p->seed) % WHATS], &n_done);
        CHECK(status == TP_OK || status == TP_ERR_TIMEOUT);
        CHECK(n_done <= p->n);
        if (status == TP_OK && n_done == 0) test_failed(__FILE__, __LINE__, "TP_OK with nothing done");
    }
    return NULL;
}

TEST(w04_timeouts_race_with_completion) {
    enum { N = 8, POLLERS = 3 };
    long         rounds = repeat(1000);
    tp_executor *executor = new_executor(2);
    for (long round = 0; round < rounds; round++) {
        held        tasks[N];
        tp_future  *futures[N];
        poller      pollers[POLLERS];
        pthread_t   threads[POLLERS];
        atomic_bool stop = false;
        for (int i = 0; i < N; i++) {
            gate_init(&tasks[i].go);
            tasks[i].fails = i % 3 == 2;
            futures[i] = submit(executor, finish_when_told, &tasks[i]);
        }
        for (int i = 0; i < POLLERS; i++) {
            pollers[i] = (poller){futures, N, (unsigned)(round * POLLERS + i + 1), &stop};
            threads[i] = start_thread(poll_with_limits, &pollers[i]);
        }
        for (int i = 0; i < N; i++) {
            if (i == N - 1 && tp_future_cancel(futures[i])) continue;
            gate_open(&tasks[i].go);
        }
        size_t n_done = 0;
        CHECK_STATUS(tp_wait(futures, N, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_OK);
        CHECK_EQ(n_done, N);
        atomic_store(&stop, true);
        for (int i = 0; i < POLLERS; i++) join_thread(threads[i]);
        for (int i = 0; i < N; i++) {
            tp_future_result(futures[i], 0, NULL);
            tp_future_release(futures[i]);
        }
        result_of(submit(executor, return_null, NULL));
    }
    tp_executor_free(executor);
}

/* ---- W5 -------------------------------------------------------------------------------------------------------------------------------- */

TEST(w05_one_waiter_s_timeout_never_costs_another_its_wake_up) {
    enum { N = 4, SHORT = 4, LONG = 6 };
    long         rounds = repeat(300);
    tp_executor *executor = new_executor(N);
    for (long round = 0; round < rounds; round++) {
        held        tasks[N];
        tp_future  *futures[N];
        wait_call   calls[LONG];
        poller      pollers[SHORT];
        pthread_t   long_threads[LONG], short_threads[SHORT];
        counter     events = COUNTER_INIT;
        atomic_bool stop = false;
        for (int i = 0; i < N; i++) {
            gate_init(&tasks[i].go);
            tasks[i].fails = false;
            futures[i] = submit(executor, finish_when_told, &tasks[i]);
        }
        for (int i = 0; i < LONG; i++) {
            calls[i] = (wait_call){futures, N, every_what[i % WHATS], i % 2 == 0 ? TP_FOREVER : TP_SEC(3600), TP_END, 0, &events};
            long_threads[i] = start_thread(call_wait, &calls[i]);
        }
        for (int i = 0; i < SHORT; i++) {
            pollers[i] = (poller){futures, N, (unsigned)(round * SHORT + i + 1), &stop};
            short_threads[i] = start_thread(poll_with_limits, &pollers[i]);
        }
        counter_wait(&events, LONG);
        if (round % 4 == 0) sleep_ms(1);
        for (int i = 0; i < N; i++) gate_open(&tasks[i].go);
        for (int i = 0; i < LONG; i++) {
            join_thread(long_threads[i]);
            CHECK_STATUS(calls[i].status, TP_OK);
            CHECK(calls[i].n_done >= (calls[i].what == TP_WAIT_FIRST_COMPLETED ? 1 : N));
        }
        atomic_store(&stop, true);
        for (int i = 0; i < SHORT; i++) join_thread(short_threads[i]);
        for (int i = 0; i < N; i++) result_of(futures[i]);
    }
    tp_executor_free(executor);
}

/* Concurrent waits over the same futures in opposite orders. */
typedef struct {
    tp_future *const *futures;
    size_t            n;
    int64_t           timeout;
    long              rounds;
} repeater;

static void *wait_again_and_again(void *arg) {
    repeater *r = (repeater *)arg;
    for (long i = 0; i < r->rounds; i++) {
        tp_status status = tp_wait(r->futures, r->n, r->timeout, every_what[i % WHATS], NULL);
        CHECK_STATUS(status, TP_ERR_TIMEOUT);
    }
    return NULL;
}

TEST(w05_waits_in_opposite_orders_do_not_deadlock) {
    enum { N = 50, THREADS = 4 };
    tp_executor *executor = new_executor(1);
    blocker      busy;
    tp_future   *forward[N], *backward[N];
    repeater     repeaters[THREADS];
    pthread_t    threads[THREADS];
    block(executor, &busy);
    for (int i = 0; i < N; i++) forward[i] = backward[N - 1 - i] = submit(executor, return_arg, NULL);
    for (int i = 0; i < THREADS; i++) {
        repeaters[i] = (repeater){i % 2 == 0 ? forward : backward, N, 20000, repeat(2000)};
        threads[i] = start_thread(wait_again_and_again, &repeaters[i]);
    }
    for (int i = 0; i < THREADS; i++) join_thread(threads[i]);
    unblock(&busy);
    for (int i = 0; i < N; i++) result_of(forward[i]);
    tp_executor_free(executor);
}

TEST(w05_a_wait_over_twenty_thousand_futures) {
    enum { N = 20000 };
    static tp_future *futures[N + 1];
    tp_executor      *executor = new_executor(2);
    for (int i = 0; i < N; i++) futures[i] = submit(executor, i % 100 == 3 ? fail_with_seven : return_arg, NULL);
    futures[N] = futures[0];
    size_t n_done = 0;
    CHECK_STATUS(tp_wait(futures, N + 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_OK);
    CHECK_EQ(n_done, N + 1);
    for (int i = 0; i < N; i++) {
        CHECK_STATUS(tp_future_result(futures[i], 0, NULL), i % 100 == 3 ? TP_ERR_TASK : TP_OK);
        tp_future_release(futures[i]);
    }
    tp_executor_free(executor);
}
