/* The ordered map with lookahead. */
#include "harness.h"

#include <stdatomic.h>

static tp_map *new_map(tp_executor *executor, tp_task_fn fn, void *const *args, size_t n, size_t lookahead) {
    tp_map *map = tp_map_new(executor, fn, args, n, lookahead, NULL);
    REQUIRE(map != NULL);
    return map;
}

static void expect_status(tp_map *map, int64_t timeout, tp_status status) {
    tp_future *out = (tp_future *)map;
    CHECK_STATUS(tp_map_next(map, timeout, &out), status);
    CHECK_PTR(out, map);
}

static void *next_of(tp_map *map) {
    tp_future *out = NULL;
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, &out), TP_OK);
    REQUIRE(out != NULL);
    CHECK(tp_future_done(out));
    return result_of(out);
}

/* ---- M1 --------------------------------------------------------------------------------------------------------------------------------- */

TEST(m01_futures_come_out_in_input_order_each_done) {
    enum { N = 3000 };
    static void        *args[N];
    static const size_t lookaheads[] = {0, 1, 2, 3, 7, 100, N - 2, N - 1, N, N + 1, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX};
    tp_executor        *executor = new_executor(3);
    for (int i = 0; i < N; i++) args[i] = &args[i];
    for (size_t l = 0; l < sizeof lookaheads / sizeof lookaheads[0]; l++) {
        tp_map *map = new_map(executor, return_arg, args, N, lookaheads[l]);
        for (int i = 0; i < N; i++) CHECK_PTR(next_of(map), &args[i]);
        for (int i = 0; i < 3; i++) expect_status(map, TP_FOREVER, TP_END);
        expect_status(map, 0, TP_END);
        tp_map_free(map);
    }
    tp_executor_free(executor);
}

static void *fail_the_odd(void *arg) {
    if ((uintptr_t)arg % 2 != 0) CHECK_STATUS(tp_task_fail((int32_t)(uintptr_t)arg, "odd"), TP_OK);
    return arg;
}

TEST(m01_a_failed_one_does_not_end_the_iteration) {
    enum { N = 101 };
    void        *args[N];
    tp_executor *executor = new_executor(2);
    for (uintptr_t i = 0; i < N; i++) args[i] = (void *)i;
    for (size_t lookahead = 0; lookahead < 3; lookahead++) {
        tp_map *map = new_map(executor, fail_the_odd, args, N, lookahead);
        for (uintptr_t i = 0; i < N; i++) {
            tp_future *out = NULL;
            void      *result = NULL;
            CHECK_STATUS(tp_map_next(map, TP_FOREVER, &out), TP_OK);
            CHECK_STATUS(tp_future_result(out, 0, &result), i % 2 != 0 ? TP_ERR_TASK : TP_OK);
            if (i % 2 == 0) CHECK_PTR(result, (void *)i);
            tp_future_release(out);
        }
        expect_status(map, TP_FOREVER, TP_END);
        tp_map_free(map);
    }
    tp_executor_free(executor);
}

TEST(m01_a_map_over_nothing_ends_at_once) {
    tp_executor *executor = new_executor(1);
    tp_map      *map = new_map(executor, return_arg, NULL, 0, 0);
    expect_status(map, TP_FOREVER, TP_END);
    tp_map_free(map);
    void *args[1] = {NULL};
    map = new_map(executor, return_arg, args, 0, 5);
    expect_status(map, 0, TP_END);
    tp_map_free(map);
    CHECK_EQ(tp_executor_worker_count(executor), 0);
    tp_executor_free(executor);
}

TEST(m01_next_without_wanting_the_future) {
    enum { N = 20 };
    counter ran = COUNTER_INIT;
    void   *args[N];
    for (int i = 0; i < N; i++) args[i] = &ran;
    tp_executor *executor = new_executor(2);
    tp_map      *map = new_map(executor, count_run, args, N, 3);
    for (int i = 0; i < N; i++) CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_END);
    tp_map_free(map);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), N);
}

/* ---- M2: lookahead ------------------------------------------------------------------------------------------------------------------------ */

/* Each task notes that it started and stays until it is told; there is a worker for each, so what is submitted does start. */
enum { ITEMS = 24 };
typedef struct {
    counter *started;
    gate     go;
} item;

static void *start_and_stay(void *arg) {
    item *i = (item *)arg;
    counter_add(i->started, 1);
    gate_wait(&i->go);
    return i;
}

static void *next_in_thread(void *arg) { return next_of((tp_map *)arg); }

TEST(m02_never_more_than_lookahead_plus_one_are_submitted_and_not_handed_out) {
    for (long lookahead = 1; lookahead <= 5; lookahead += 2) {
        counter      started = COUNTER_INIT;
        item         items[ITEMS];
        void        *args[ITEMS];
        tp_executor *executor = new_executor(ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            items[i].started = &started;
            gate_init(&items[i].go);
            args[i] = &items[i];
        }
        tp_map *map = new_map(executor, start_and_stay, args, ITEMS, (size_t)lookahead);
        for (long out = 0; out < ITEMS; out++) {
            /* Nobody waits: `out` are handed out. */
            sleep_ms(1);
            CHECK(counter_get(&started) + (long)tp_executor_pending_count(executor) <= out + lookahead + 1);
            /* Somebody waits: the awaited one and `lookahead` more run, no less and no more. */
            pthread_t thread = start_thread(next_in_thread, map);
            long      want = out + lookahead + 1 < ITEMS ? out + lookahead + 1 : ITEMS;
            counter_wait(&started, want);
            sleep_ms(1);
            CHECK_EQ(counter_get(&started), want);
            CHECK_EQ(tp_executor_pending_count(executor), 0);
            gate_open(&items[out].go);
            CHECK_PTR(join_thread(thread), &items[out]);
        }
        expect_status(map, TP_FOREVER, TP_END);
        tp_map_free(map);
        tp_executor_free(executor);
    }
}

TEST(m02_lookahead_zero_submits_all_at_once) {
    counter      ran = COUNTER_INIT;
    void        *args[500];
    tp_executor *executor = new_executor(1);
    blocker      busy;
    for (int i = 0; i < 500; i++) args[i] = &ran;
    block(executor, &busy);
    tp_map *map = new_map(executor, count_run, args, 500, 0);
    CHECK_EQ(tp_executor_pending_count(executor), 500);
    unblock(&busy);
    counter_wait(&ran, 500); /* without a single next */
    tp_map_free(map);
    tp_executor_free(executor);
}

/* Fast tasks, an eager caller: the bound holds in every interleaving. A task sees at least as many handed out as are noted. */
typedef struct {
    atomic_long *returned;
    long         index, lookahead;
} bounded;

static void *check_the_bound(void *arg) {
    bounded *b = (bounded *)arg;
    /* One may have been handed out and not be noted yet. */
    CHECK(b->index < atomic_load(b->returned) + 1 + b->lookahead + 1);
    return arg;
}

TEST(m02_the_bound_holds_at_full_speed) {
    enum { N = 50000 };
    static bounded items[N];
    static void   *args[N];
    tp_executor   *executor = new_executor(2);
    long           n = repeat(N);
    for (long lookahead = 1; lookahead <= 64; lookahead *= 4) {
        atomic_long returned = 0;
        for (long i = 0; i < n; i++) {
            items[i] = (bounded){&returned, i, lookahead};
            args[i] = &items[i];
        }
        tp_map *map = new_map(executor, check_the_bound, args, (size_t)n, (size_t)lookahead);
        for (long i = 0; i < n; i++) {
            CHECK_PTR(next_of(map), &items[i]);
            atomic_store(&returned, i + 1);
        }
        tp_map_free(map);
    }
    tp_executor_free(executor);
}

/* ---- M3: timeouts ---------------------------------------------------------------------------------------------------------------------------- */

TEST(m03_a_timeout_leaves_the_map_as_it_was) {
    enum { N = 6 };
    static const int64_t limits[] = {0, -1, INT64_MIN, 1, TP_MSEC(2)};
    counter              started = COUNTER_INIT;
    item                 items[N];
    void                *args[N];
    tp_executor         *executor = new_executor(N);
    for (int i = 0; i < N; i++) {
        items[i].started = &started;
        gate_init(&items[i].go);
        args[i] = &items[i];
    }
    tp_map *map = new_map(executor, start_and_stay, args, N, 2);
    for (int i = 0; i < N; i++) {
        for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) expect_status(map, limits[l], TP_ERR_TIMEOUT);
        gate_open(&items[i].go);
        CHECK_PTR(next_of(map), &items[i]);
    }
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) expect_status(map, limits[l], TP_END);
    tp_map_free(map);
    tp_executor_free(executor);
}

TEST(m03_a_done_one_comes_out_whatever_the_timeout) {
    enum { N = 5 };
    static const int64_t timeouts[N] = {0, -1, INT64_MIN, TP_FOREVER, INT64_MAX - 1};
    void                *args[N];
    tp_executor         *executor = new_executor(1);
    for (int i = 0; i < N; i++) args[i] = &args[i];
    tp_map *map = new_map(executor, return_arg, args, N, 0);
    result_of(submit(executor, return_arg, NULL)); /* all before it are done */
    for (int i = 0; i < N; i++) {
        tp_future *out = NULL;
        CHECK_STATUS(tp_map_next(map, timeouts[i], &out), TP_OK);
        CHECK_PTR(result_of(out), &args[i]);
    }
    expect_status(map, 0, TP_END);
    tp_map_free(map);
    tp_executor_free(executor);
}

/* ---- M4: free ------------------------------------------------------------------------------------------------------------------------------- */

TEST(m04_free_cancels_what_is_pending_and_does_not_wait) {
    for (int nexts = 0; nexts < 2; nexts++) {
        item         items[4];
        counter      started = COUNTER_INIT;
        void        *args[4];
        tp_executor *executor = new_executor(1);
        for (int i = 0; i < 4; i++) {
            items[i].started = &started;
            gate_init(&items[i].go);
            args[i] = &items[i];
        }
        gate_open(&items[0].go);
        tp_map *map = new_map(executor, start_and_stay, args, 4, 0);
        if (nexts == 1) CHECK_PTR(next_of(map), &items[0]);
        counter_wait(&started, 2); /* the second runs, and stays */
        CHECK_EQ(tp_executor_pending_count(executor), 2);
        tp_map_free(map);
        CHECK_EQ(tp_executor_pending_count(executor), 0);
        CHECK_EQ(counter_get(&started), 2);
        gate_open(&items[1].go);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&started), 2);
    }
}

TEST(m04_free_races_with_the_workers) {
    enum { N = 200 };
    long         rounds = repeat(3000);
    tp_executor *executor = new_executor(2);
    counter      ran = COUNTER_INIT;
    void        *args[N];
    for (int i = 0; i < N; i++) args[i] = &ran;
    for (long round = 0; round < rounds; round++) {
        tp_map *map = tp_map_new(executor, count_run, args, N, (size_t)(round % 9), NULL);
        REQUIRE(map != NULL);
        for (long i = 0; i < round % 13; i++) next_of(map);
        tp_map_free(map);
    }
    tp_executor_free(executor);
    CHECK(counter_get(&ran) <= rounds * N);
}

/* Results that never came out are dropped; those that did are their holder's. */
TEST(m04_drop_result_runs_once_for_each_result) {
    enum { N = 50 };
    long rounds = repeat(500);
    for (long round = 0; round < rounds; round++) {
        counter      dropped = COUNTER_INIT;
        void        *args[N];
        tp_executor *executor = new_executor(2);
        for (int i = 0; i < N; i++) args[i] = &dropped;
        tp_map *map = tp_map_new(executor, return_arg, args, N, (size_t)(round % 5), count_drop);
        REQUIRE(map != NULL);
        tp_future *kept = NULL;
        CHECK_STATUS(tp_map_next(map, TP_FOREVER, &kept), TP_OK);
        long taken = 0;
        for (long i = 0; i < round % N; i++) {
            tp_future *out = NULL;
            tp_status  status = tp_map_next(map, TP_FOREVER, &out);
            if (status == TP_END) break;
            void *result = NULL;
            if (i % 2 == 0) {
                CHECK_STATUS(tp_future_take(out, 0, &result), TP_OK);
                taken++;
            }
            tp_future_release(out);
        }
        long before = counter_get(&dropped);
        CHECK(before <= round % N);
        if (round % 3 == 0) {
            while (tp_map_next(map, TP_FOREVER, NULL) != TP_END) {}
        }
        tp_map_free(map);
        tp_executor_free(executor);
        long after = counter_get(&dropped);
        if (round % 3 == 0) CHECK_EQ(after, N - 1 - taken);
        tp_future_release(kept);
        CHECK_EQ(counter_get(&dropped), after + 1);
    }
}

/* ---- M5: shutdown ------------------------------------------------------------------------------------------------------------------------------ */

TEST(m05_a_shut_executor_gives_a_map_whose_items_are_refused) {
    counter ran = COUNTER_INIT;
    void   *args[3] = {&ran, &ran, &ran};
    for (size_t lookahead = 0; lookahead < 3; lookahead++) {
        tp_executor *executor = new_executor(1);
        CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
        tp_map *map = new_map(executor, count_run, args, 3, lookahead);
        for (int i = 0; i < 3; i++) {
            tp_future *out = (tp_future *)map;
            CHECK_FAILS(tp_map_next(map, TP_FOREVER, &out), TP_ERR_SHUTDOWN);
            CHECK_PTR(out, NULL); /* the one output that a failure writes */
        }
        expect_status(map, TP_FOREVER, TP_END);
        tp_map_free(map);
        tp_executor_free(executor);
    }
    CHECK_EQ(counter_get(&ran), 0);
}

TEST(m05_items_refused_after_a_shutdown_are_refused_at_their_turn) {
    enum { N = 10 };
    counter      ran = COUNTER_INIT;
    void        *args[N];
    tp_executor *executor = new_executor(1);
    for (int i = 0; i < N; i++) args[i] = &ran;
    tp_map *map = new_map(executor, count_run, args, N, 2);
    CHECK_PTR(next_of(map), &ran);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    long ok = 1, refused = 0;
    for (;;) {
        tp_future *out = (tp_future *)map;
        tp_status  status = tp_map_next(map, 0, &out);
        if (status == TP_END) break;
        if (status == TP_OK) {
            CHECK_EQ(refused, 0); /* in input order: first those that were submitted */
            CHECK_PTR(result_of(out), &ran);
            ok++;
        } else {
            CHECK_STATUS(status, TP_ERR_SHUTDOWN);
            CHECK_PTR(out, NULL);
            refused++;
        }
    }
    CHECK_EQ(ok + refused, N);
    CHECK_EQ(ok, counter_get(&ran));
    CHECK(refused >= N - 4);
    tp_map_free(map);
    tp_executor_free(executor);
}

TEST(m05_items_cancelled_by_a_shutdown_come_out_cancelled) {
    enum { N = 10 };
    void        *args[N] = {NULL};
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_map *map = new_map(executor, return_arg, args, N, 0);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    for (int i = 0; i < N; i++) {
        tp_future *out = NULL;
        CHECK_STATUS(tp_map_next(map, 0, &out), TP_OK);
        CHECK_EQ(tp_future_state(out), TP_STATE_CANCELLED);
        tp_future_release(out);
    }
    expect_status(map, 0, TP_END);
    tp_map_free(map);
    unblock(&busy);
    tp_executor_free(executor);
}

TEST(m05_a_map_may_outlive_its_executor_s_tasks) {
    void        *args[4];
    tp_executor *executor = new_executor(1);
    for (int i = 0; i < 4; i++) args[i] = &args[i];
    tp_map *map = new_map(executor, return_arg, args, 4, 0);
    tp_executor_free(executor); /* all four were submitted, so all four run */
    for (int i = 0; i < 4; i++) CHECK_PTR(next_of(map), &args[i]);
    expect_status(map, TP_FOREVER, TP_END);
    tp_map_free(map);
}

/* ---- one thread at a time ------------------------------------------------------------------------------------------------------------------------ */

/* Either thread may find the other one inside; it then tries again. */
static void *next_unless_refused(void *arg) {
    tp_future *out = NULL;
    tp_status  status;
    while ((status = tp_map_next((tp_map *)arg, TP_FOREVER, &out)) == TP_ERR_INVALID_STATE) sleep_ms(1);
    CHECK_STATUS(status, TP_OK);
    return result_of(out);
}

TEST(a_concurrent_next_is_refused) {
    counter      started = COUNTER_INIT;
    item         it = {&started, GATE_INIT};
    void        *args[1] = {&it};
    tp_executor *executor = new_executor(1);
    tp_map      *map = new_map(executor, start_and_stay, args, 1, 0);
    pthread_t    thread = start_thread(next_unless_refused, map);
    tp_future   *out = (tp_future *)map;
    tp_status    status;
    /* A poll is TP_ERR_TIMEOUT until the other thread is inside, TP_ERR_INVALID_STATE from then on. */
    while ((status = tp_map_next(map, 0, &out)) == TP_ERR_TIMEOUT) sleep_ms(1);
    CHECK_STATUS(status, TP_ERR_INVALID_STATE);
    CHECK_LAST_ERROR(TP_ERR_INVALID_STATE);
    CHECK_PTR(out, map);
    gate_open(&it.go);
    CHECK_PTR(join_thread(thread), &it);
    expect_status(map, 0, TP_END);
    tp_map_free(map);
    tp_executor_free(executor);
}
