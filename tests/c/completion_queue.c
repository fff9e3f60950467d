/* Completion queues and as-completed. */
#include "harness.h"

#include <stdatomic.h>

static const int64_t every_timeout[] = {0, -1, INT64_MIN, 1, TP_MSEC(1), TP_SEC(3600), INT64_MAX - 1, TP_FOREVER};
enum { TIMEOUTS = sizeof every_timeout / sizeof every_timeout[0] };

static tp_completion_queue *new_queue(void) {
    tp_completion_queue *queue = tp_completion_queue_new();
    REQUIRE(queue != NULL);
    return queue;
}

static tp_completion_queue *as_completed(tp_future *const *futures, size_t n) {
    tp_completion_queue *queue = tp_as_completed(futures, n);
    REQUIRE(queue != NULL);
    return queue;
}

/* The next one has to be this. */
static void expect(tp_completion_queue *queue, int64_t timeout, tp_future *future, uint64_t tag) {
    tp_future *out = NULL;
    uint64_t   out_tag = ~tag;
    CHECK_STATUS(tp_completion_queue_next(queue, timeout, &out, &out_tag), TP_OK);
    CHECK_PTR(out, future);
    CHECK_EQ(out_tag, tag);
    tp_future_release(out);
}

static void expect_status(tp_completion_queue *queue, int64_t timeout, tp_status status) {
    tp_future *out = (tp_future *)queue;
    uint64_t   tag = 12345;
    CHECK_STATUS(tp_completion_queue_next(queue, timeout, &out, &tag), status);
    CHECK_PTR(out, queue);
    CHECK_EQ(tag, 12345);
}

/* ---- A1: once per add, in the order of completion ----------------------------------------------------------------------------------- */

typedef struct {
    gate go;
} held;

static void *finish_when_told(void *arg) {
    gate_wait(&((held *)arg)->go);
    return arg;
}

TEST(a01_futures_come_out_in_the_order_they_complete) {
    enum { N = 8 };
    static const int order[N] = {3, 0, 7, 1, 6, 2, 5, 4};
    tp_executor     *executor = new_executor(N);
    held             tasks[N];
    tp_future       *futures[N];
    for (int i = 0; i < N; i++) {
        gate_init(&tasks[i].go);
        futures[i] = submit(executor, finish_when_told, &tasks[i]);
    }
    tp_completion_queue *closed = as_completed(futures, N), *open = new_queue();
    for (int i = 0; i < N; i++) CHECK_STATUS(tp_completion_queue_add(open, futures[i], (uint64_t)i << 60 | 5), TP_OK);
    expect_status(closed, 0, TP_ERR_TIMEOUT);
    for (int i = 0; i < N; i++) {
        gate_open(&tasks[order[i]].go);
        expect(open, TP_FOREVER, futures[order[i]], (uint64_t)order[i] << 60 | 5);
    }
    for (int i = 0; i < N; i++) expect(closed, TP_FOREVER, futures[order[i]], (uint64_t)order[i]);
    expect_status(closed, TP_FOREVER, TP_END);
    expect_status(open, 0, TP_ERR_TIMEOUT);
    tp_completion_queue_free(closed);
    tp_completion_queue_free(open);
    for (int i = 0; i < N; i++) result_of(futures[i]);
    tp_executor_free(executor);
}

TEST(a01_those_done_already_come_first) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    tp_future   *done[3];
    for (int i = 0; i < 3; i++) {
        done[i] = submit(executor, i == 1 ? fail_with_seven : return_arg, NULL);
        CHECK_STATUS(tp_wait(&done[i], 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    }
    block(executor, &busy);
    tp_future *pending = submit(executor, return_arg, NULL), *cancelled = submit(executor, return_arg, NULL);
    CHECK(tp_future_cancel(cancelled));
    tp_future           *futures[] = {pending, done[2], busy.future, done[0], cancelled, done[1]};
    bool                 seen[6] = {false};
    tp_completion_queue *queue = as_completed(futures, 6);
    for (int i = 0; i < 4; i++) {
        tp_future *out = NULL;
        uint64_t   tag = 99;
        CHECK_STATUS(tp_completion_queue_next(queue, 0, &out, &tag), TP_OK);
        REQUIRE(tag < 6);
        CHECK_PTR(out, futures[tag]);
        CHECK(tag != 0 && tag != 2 && !seen[tag]);
        seen[tag] = true;
        tp_future_release(out);
    }
    expect_status(queue, 0, TP_ERR_TIMEOUT);
    gate_open(&busy.release);
    expect(queue, TP_FOREVER, busy.future, 2);
    expect(queue, TP_FOREVER, pending, 0);
    expect_status(queue, TP_FOREVER, TP_END);
    tp_completion_queue_free(queue);
    tp_future_result(done[1], 0, NULL);
    for (int i = 0; i < 3; i++) tp_future_release(done[i]);
    tp_future_release(pending);
    tp_future_release(cancelled);
    result_of(busy.future);
    tp_executor_free(executor);
}

TEST(a01_a_future_added_twice_comes_out_twice) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future           *future = submit(executor, return_arg, NULL);
    tp_completion_queue *queue = new_queue();
    uint64_t             sum = 0;
    for (uint64_t tag = 1; tag <= 3; tag++) CHECK_STATUS(tp_completion_queue_add(queue, future, tag), TP_OK);
    unblock(&busy);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_completion_queue_add(queue, future, 4), TP_OK); /* and once more when it is done */
    for (int i = 0; i < 4; i++) {
        tp_future *out = NULL;
        uint64_t   tag = 0;
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &out, &tag), TP_OK);
        CHECK_PTR(out, future);
        sum += tag;
        tp_future_release(out);
    }
    CHECK_EQ(sum, 10);
    expect_status(queue, 0, TP_ERR_TIMEOUT);
    tp_completion_queue_free(queue);
    tp_future *twice[2] = {future, future};
    queue = as_completed(twice, 2);
    CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), TP_OK); /* neither is wanted: fine too */
    CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), TP_OK);
    expect_status(queue, 0, TP_END);
    tp_completion_queue_free(queue);
    tp_future_release(future);
    tp_executor_free(executor);
}

TEST(a01_tags_are_64_bits) {
    static const uint64_t tags[] = {0, 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX};
    tp_executor          *executor = new_executor(1);
    tp_completion_queue  *queue = new_queue();
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        tp_future *future = submit(executor, return_arg, NULL);
        CHECK_STATUS(tp_completion_queue_add(queue, future, tags[i]), TP_OK);
        expect(queue, TP_FOREVER, future, tags[i]);
        tp_future_release(future);
    }
    tp_completion_queue_free(queue);
    tp_executor_free(executor);
}

/* ---- A2 --------------------------------------------------------------------------------------------------------------------------------- */

TEST(a02_a_ready_one_comes_out_whatever_the_timeout_then_end) {
    enum { N = TIMEOUTS };
    tp_executor *executor = new_executor(1);
    tp_future   *futures[N];
    for (int i = 0; i < N; i++) futures[i] = submit(executor, return_arg, NULL);
    CHECK_STATUS(tp_wait(futures, N, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    tp_completion_queue *queue = as_completed(futures, N);
    for (int i = 0; i < N; i++) CHECK_STATUS(tp_completion_queue_next(queue, every_timeout[i], NULL, NULL), TP_OK);
    for (int i = 0; i < TIMEOUTS; i++) expect_status(queue, every_timeout[i], TP_END);
    tp_completion_queue_free(queue);
    for (int i = 0; i < N; i++) result_of(futures[i]);
    tp_executor_free(executor);
}

TEST(a02_as_completed_of_none_ends_at_once) {
    tp_completion_queue *queue = as_completed(NULL, 0);
    for (int i = 0; i < TIMEOUTS; i++) expect_status(queue, every_timeout[i], TP_END);
    tp_completion_queue_free(queue);
}

TEST(a02_an_open_queue_waits_also_while_nothing_is_outstanding) {
    tp_completion_queue *queue = new_queue();
    static const int64_t limits[] = {0, -1, INT64_MIN, 1, TP_MSEC(10)};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        int64_t begin = now_ns();
        expect_status(queue, limits[i], TP_ERR_TIMEOUT);
        CHECK(now_ns() - begin >= limits[i]);
    }
    tp_completion_queue_free(queue);
}

typedef struct {
    tp_completion_queue *queue;
    counter             *waiting;
    atomic_long          taken;
    tp_status            last;
} taker;

static void *take_until_the_end(void *arg) {
    taker *t = (taker *)arg;
    counter_add(t->waiting, 1);
    for (;;) {
        tp_future *out = NULL;
        t->last = tp_completion_queue_next(t->queue, TP_FOREVER, &out, NULL);
        if (t->last != TP_OK) return NULL;
        CHECK(tp_future_done(out));
        tp_future_release(out);
        atomic_fetch_add(&t->taken, 1);
    }
}

TEST(a02_an_add_wakes_a_waiting_taker_and_close_ends_all) {
    enum { TAKERS = 4 };
    for (int round = 0; round < 50; round++) {
        tp_executor         *executor = new_executor(1);
        tp_completion_queue *queue = new_queue();
        counter              waiting = COUNTER_INIT;
        taker                takers[TAKERS];
        pthread_t            threads[TAKERS];
        for (int i = 0; i < TAKERS; i++) {
            takers[i] = (taker){queue, &waiting, 0, TP_OK};
            threads[i] = start_thread(take_until_the_end, &takers[i]);
        }
        counter_wait(&waiting, TAKERS);
        if (round % 2 == 0) sleep_ms(1);
        for (int i = 0; i < 10; i++) {
            tp_future *future = submit(executor, return_arg, NULL);
            CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
            tp_future_release(future);
        }
        CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
        CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
        long taken = 0;
        for (int i = 0; i < TAKERS; i++) {
            join_thread(threads[i]);
            CHECK_STATUS(takers[i].last, TP_END);
            taken += takers[i].taken;
        }
        CHECK_EQ(taken, 10);
        tp_completion_queue_free(queue);
        tp_executor_free(executor);
    }
}

TEST(a02_a_closed_queue_takes_no_more_and_gives_out_what_it_has) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_completion_queue *queue = new_queue();
    tp_future           *future = submit(executor, return_arg, NULL), *other = submit(executor, return_arg, NULL);
    CHECK_STATUS(tp_completion_queue_add(queue, future, 1), TP_OK);
    CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
    CHECK_FAILS(tp_completion_queue_add(queue, other, 2), TP_ERR_INVALID_STATE);
    expect_status(queue, 0, TP_ERR_TIMEOUT); /* not the end: one is outstanding */
    CHECK(tp_future_cancel(other));
    CHECK_FAILS(tp_completion_queue_add(queue, other, 3), TP_ERR_INVALID_STATE);
    unblock(&busy);
    expect(queue, TP_FOREVER, future, 1);
    expect_status(queue, TP_FOREVER, TP_END);
    CHECK_FAILS(tp_completion_queue_add(queue, future, 4), TP_ERR_INVALID_STATE);
    tp_completion_queue_free(queue);
    queue = as_completed(&future, 1); /* which is closed from the start */
    CHECK_FAILS(tp_completion_queue_add(queue, other, 2), TP_ERR_INVALID_STATE);
    tp_completion_queue_free(queue);
    tp_future_release(future);
    tp_future_release(other);
    tp_executor_free(executor);
}

/* ---- A3: freeing early -------------------------------------------------------------------------------------------------------------------- */

TEST(a03_freeing_a_queue_early_cancels_nothing) {
    enum { N = 100 };
    tp_executor *executor = new_executor(1);
    counter      ran = COUNTER_INIT;
    blocker      busy;
    tp_future   *futures[N];
    block(executor, &busy);
    for (int i = 0; i < N; i++) futures[i] = submit(executor, count_run, &ran);
    tp_completion_queue *queue = as_completed(futures, N), *open = new_queue();
    for (int i = 0; i < N; i++) CHECK_STATUS(tp_completion_queue_add(open, futures[i], 0), TP_OK);
    CHECK(tp_future_cancel(futures[0]));
    tp_completion_queue_free(queue); /* with one ready, the others outstanding */
    tp_completion_queue_free(open);
    unblock(&busy);
    for (int i = 1; i < N; i++) result_of(futures[i]);
    tp_future_release(futures[0]);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), N - 1);
}

TEST(a03_freeing_a_queue_while_futures_complete_is_safe) {
    enum { N = 24 };
    long         rounds = repeat(20000);
    tp_executor *executor = new_executor(2);
    for (long round = 0; round < rounds; round++) {
        tp_future *futures[N];
        for (int i = 0; i < N; i++) futures[i] = submit(executor, return_arg, NULL);
        tp_completion_queue *queue = as_completed(futures, N);
        for (long i = 0; i < round % N; i++) CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
        if (round % 3 == 0) tp_future_cancel(futures[N - 1]);
        if (round % 2 == 0)
            for (int i = 0; i < N; i++) tp_future_release(futures[i]); /* the queue's references are the last */
        tp_completion_queue_free(queue);
        if (round % 2 != 0)
            for (int i = 0; i < N; i++) tp_future_release(futures[i]);
    }
    tp_executor_free(executor);
}

TEST(a03_the_queue_keeps_a_future_until_it_comes_out_and_no_longer) {
    tp_executor         *executor = new_executor(1);
    tp_completion_queue *queue = new_queue();
    counter              dropped = COUNTER_INIT;
    for (int i = 0; i < 100; i++) {
        tp_future *future = NULL, *out = NULL;
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
        CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
        tp_future_release(future);
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &out, NULL), TP_OK);
        CHECK_EQ(counter_get(&dropped), i);
        void *result = NULL;
        CHECK_STATUS(tp_future_result(out, 0, &result), TP_OK);
        CHECK_PTR(result, &dropped);
        tp_future_release(out);
        counter_wait(&dropped, i + 1);
    }
    /* One that nobody wants to have comes out, and goes. */
    tp_future *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
    CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
    tp_future_release(future);
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
    counter_wait(&dropped, 101);
    tp_completion_queue_free(queue);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 101);
}

TEST(a03_a_freed_queue_lets_go_of_what_is_in_it) {
    tp_executor         *executor = new_executor(1);
    tp_completion_queue *queue = new_queue();
    counter              dropped = COUNTER_INIT;
    blocker              busy;
    for (int i = 0; i < 20; i++) {
        if (i == 10) block(executor, &busy); /* ten are ready, ten outstanding */
        tp_future *future = NULL;
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
        CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
        if (i < 10) CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
        tp_future_release(future);
    }
    CHECK_EQ(counter_get(&dropped), 0);
    tp_completion_queue_free(queue);
    counter_wait(&dropped, 10);
    unblock(&busy);
    counter_wait(&dropped, 20);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 20);
}

/* ---- A4 ----------------------------------------------------------------------------------------------------------------------------------- */

TEST(a04_two_queues_over_the_same_futures_each_see_all) {
    enum { N = 500 };
    static tp_future    *futures[N];
    tp_executor         *executor = new_executor(3);
    tp_completion_queue *queues[2];
    for (int i = 0; i < N; i++) futures[i] = submit(executor, return_arg, NULL);
    for (int q = 0; q < 2; q++) queues[q] = as_completed(futures, N);
    for (int q = 0; q < 2; q++) {
        static bool seen[N];
        memset(seen, 0, sizeof seen);
        for (int i = 0; i < N; i++) {
            uint64_t tag = N;
            CHECK_STATUS(tp_completion_queue_next(queues[q], TP_FOREVER, NULL, &tag), TP_OK);
            REQUIRE(tag < N);
            CHECK(!seen[tag]);
            seen[tag] = true;
        }
        expect_status(queues[q], 0, TP_END);
        tp_completion_queue_free(queues[q]);
    }
    for (int i = 0; i < N; i++) result_of(futures[i]);
    tp_executor_free(executor);
}

/* Several threads add, several take, workers and cancellers complete: each add comes out exactly once. */
enum { ADDERS = 3, TAKERS = 4, PER_ADDER = 20000 };
static atomic_uchar come_out[ADDERS * PER_ADDER];

typedef struct {
    tp_executor         *executor;
    tp_completion_queue *queue;
    int                  index;
} adder;

static void *add_many(void *arg) {
    adder *a = (adder *)arg;
    for (int i = 0; i < PER_ADDER; i++) {
        tp_future *future = submit(a->executor, return_arg, NULL);
        CHECK_STATUS(tp_completion_queue_add(a->queue, future, (uint64_t)(a->index * PER_ADDER + i)), TP_OK);
        if (i % 5 == 0) tp_future_cancel(future);
        tp_future_release(future);
    }
    return NULL;
}

static void *take_many(void *arg) {
    tp_completion_queue *queue = (tp_completion_queue *)arg;
    for (;;) {
        tp_future *out = NULL;
        uint64_t   tag = UINT64_MAX;
        tp_status  status = tp_completion_queue_next(queue, TP_FOREVER, &out, &tag);
        if (status == TP_END) return NULL;
        CHECK_STATUS(status, TP_OK);
        CHECK(tp_future_done(out));
        REQUIRE(tag < ADDERS * PER_ADDER);
        atomic_fetch_add(&come_out[tag], 1);
        tp_future_release(out);
    }
}

TEST(a04_many_adders_and_takers_each_add_comes_out_once) {
    tp_executor         *executor = new_executor(2);
    tp_completion_queue *queue = new_queue();
    adder                adders[ADDERS];
    pthread_t            adding[ADDERS], taking[TAKERS];
    memset(come_out, 0, sizeof come_out);
    for (int i = 0; i < TAKERS; i++) taking[i] = start_thread(take_many, queue);
    for (int i = 0; i < ADDERS; i++) {
        adders[i] = (adder){executor, queue, i};
        adding[i] = start_thread(add_many, &adders[i]);
    }
    for (int i = 0; i < ADDERS; i++) join_thread(adding[i]);
    CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
    for (int i = 0; i < TAKERS; i++) join_thread(taking[i]);
    for (int i = 0; i < ADDERS * PER_ADDER; i++) CHECK_EQ(come_out[i], 1);
    tp_completion_queue_free(queue);
    tp_executor_free(executor);
}

/* Takers with limits among patient ones: a timeout costs no other its item. */
static void *take_impatiently(void *arg) {
    taker   *t = (taker *)arg;
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (;;) {
        tp_future *out = NULL;
        t->last = tp_completion_queue_next(t->queue, rand_r(&seed) % 30000, &out, NULL);
        if (t->last == TP_ERR_TIMEOUT) continue;
        if (t->last != TP_OK) return NULL;
        tp_future_release(out);
        atomic_fetch_add(&t->taken, 1);
    }
}

TEST(a04_impatient_takers_lose_nothing) {
    enum { ITEMS = 20000 };
    tp_executor         *executor = new_executor(2);
    tp_completion_queue *queue = new_queue();
    counter              waiting = COUNTER_INIT;
    taker                takers[4];
    pthread_t            threads[4];
    for (int i = 0; i < 4; i++) {
        takers[i] = (taker){queue, &waiting, 0, TP_OK};
        threads[i] = start_thread(i % 2 == 0 ? take_impatiently : take_until_the_end, &takers[i]);
    }
    for (int i = 0; i < ITEMS; i++) {
        tp_future *future = submit(executor, return_arg, NULL);
        CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
        tp_future_release(future);
    }
    CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
    long taken = 0;
    for (int i = 0; i < 4; i++) {
        join_thread(threads[i]);
        CHECK_STATUS(takers[i].last, TP_END);
        taken += takers[i].taken;
    }
    CHECK_EQ(taken, ITEMS);
    tp_completion_queue_free(queue);
    tp_executor_free(executor);
}

/* A queue as a work loop: each completion submits the next, until all are through. */
TEST(a02_a_loop_that_feeds_itself) {
    long                 left = repeat(50000);
    tp_executor         *executor = new_executor(2);
    tp_completion_queue *queue = new_queue();
    long                 out_of = 0;
    for (int i = 0; i < 16; i++) {
        tp_future *future = submit(executor, return_arg, NULL);
        CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
        tp_future_release(future);
    }
    for (;;) {
        tp_status status = tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL);
        if (status == TP_END) break;
        CHECK_STATUS(status, TP_OK);
        out_of++;
        if (left-- > 0) {
            tp_future *future = submit(executor, return_arg, NULL);
            CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
            tp_future_release(future);
        } else {
            CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
        }
    }
    CHECK_EQ(out_of, 16 + repeat(50000));
    tp_completion_queue_free(queue);
    tp_executor_free(executor);
}

/* An outstanding future whose executor is shut down with CANCEL_FUTURES comes out cancelled. */
TEST(d05_a_cancelling_shutdown_fills_the_queues) {
    enum { N = 50 };
    tp_executor *executor = new_executor(1);
    blocker      busy;
    tp_future   *futures[N];
    block(executor, &busy);
    for (int i = 0; i < N; i++) futures[i] = submit(executor, return_arg, NULL);
    tp_completion_queue *queue = as_completed(futures, N);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    for (int i = 0; i < N; i++) {
        tp_future *out = NULL;
        CHECK_STATUS(tp_completion_queue_next(queue, 0, &out, NULL), TP_OK);
        CHECK(tp_future_cancelled(out));
        tp_future_release(out);
    }
    expect_status(queue, 0, TP_END);
    tp_completion_queue_free(queue);
    unblock(&busy);
    for (int i = 0; i < N; i++) tp_future_release(futures[i]);
    tp_executor_free(executor);
}
