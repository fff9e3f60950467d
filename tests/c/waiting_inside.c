/* Waiting inside a worker: the awaited pending task is run right there, that one and no other. */
#include "harness.h"

#include <stdatomic.h>

static atomic_long the_clock; /* positions in the order in which things happened */

typedef struct {
    long      position;
    pthread_t thread;
    int       runs;
} trace;

static void *leave_trace(void *arg) {
    trace *t = (trace *)arg;
    t->position = atomic_fetch_add(&the_clock, 1);
    t->thread = pthread_self();
    t->runs++;
    return t;
}

/* What the task under test does, on an executor with one worker: so nobody else can run its tasks. */
typedef struct {
    tp_executor *executor, *other;
    trace        traces[8];
    void        *extra;
} scene;

static void play(tp_task_fn act, scene *s) {
    tp_executor *executor = new_executor(1);
    memset(s, 0, sizeof *s);
    s->executor = executor;
    atomic_store(&the_clock, 0);
    CHECK_PTR(result_of(submit(executor, act, s)), s);
    tp_executor_free(executor);
}

/* ---- one future -------------------------------------------------------------------------------------------------------------------------- */

static void *wait_for_the_second_of_three(void *arg) {
    scene     *s = (scene *)arg;
    tp_future *futures[3];
    void      *result = NULL;
    for (int i = 0; i < 3; i++) futures[i] = submit(s->executor, leave_trace, &s->traces[i]);
    CHECK_STATUS(tp_future_result(futures[1], TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, &s->traces[1]);
    CHECK_EQ(s->traces[1].position, 0);
    CHECK(pthread_equal(s->traces[1].thread, pthread_self()));
    CHECK_EQ(s->traces[0].runs + s->traces[2].runs, 0); /* exactly that task */
    CHECK_EQ(tp_future_state(futures[0]), TP_STATE_PENDING);
    CHECK_EQ(tp_future_state(futures[2]), TP_STATE_PENDING);
    for (int i = 0; i < 3; i++) tp_future_release(futures[i]);
    return s;
}

TEST(n01_a_worker_that_waits_runs_exactly_the_awaited_task_itself) {
    scene s;
    play(wait_for_the_second_of_three, &s);
    CHECK_EQ(s.traces[0].runs, 1);
    CHECK_EQ(s.traces[1].runs, 1); /* and it is not run a second time when its turn comes */
    CHECK_EQ(s.traces[2].runs, 1);
    CHECK_EQ(s.traces[0].position, 1);
    CHECK_EQ(s.traces[2].position, 2);
}

static void *wait_for_oldest_middle_newest(void *arg) {
    scene     *s = (scene *)arg;
    tp_future *futures[8];
    for (int i = 0; i < 8; i++) futures[i] = submit(s->executor, leave_trace, &s->traces[i]);
    static const int order[8] = {7, 0, 6, 3, 1, 5, 2, 4};
    for (int i = 0; i < 8; i++) {
        result_of(futures[order[i]]);
        CHECK_EQ(s->traces[order[i]].position, i);
    }
    return s;
}

TEST(n01_in_whatever_order_it_waits) {
    scene s;
    play(wait_for_oldest_middle_newest, &s);
}

static void *wait_with_a_limit(void *arg) {
    scene               *s = (scene *)arg;
    static const int64_t limits[4] = {1, 1000, INT64_MAX - 1, TP_SEC(1)};
    for (int i = 0; i < 4; i++) {
        tp_future *future = submit(s->executor, leave_trace, &s->traces[i]);
        CHECK_STATUS(tp_future_result(future, limits[i], NULL), TP_OK); /* no poll: it runs the task, whatever the limit */
        CHECK_EQ(s->traces[i].runs, 1);
        tp_future_release(future);
    }
    tp_future      *taken = submit(s->executor, leave_trace, &s->traces[4]), *looked_at = submit(s->executor, leave_trace, &s->traces[5]);
    void           *result = NULL;
    const tp_error *error = NULL;
    CHECK_STATUS(tp_future_take(taken, TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, &s->traces[4]);
    CHECK_STATUS(tp_future_error(looked_at, TP_FOREVER, &error), TP_OK);
    CHECK_PTR(error, NULL);
    CHECK_EQ(s->traces[5].runs, 1);
    tp_future_release(taken);
    tp_future_release(looked_at);
    return s;
}

TEST(n01_limited_waits_take_and_error_run_it_too) {
    scene s;
    play(wait_with_a_limit, &s);
}

static void *poll_only(void *arg) {
    scene               *s = (scene *)arg;
    static const int64_t polls[] = {0, -1, INT64_MIN};
    tp_future           *future = submit(s->executor, leave_trace, &s->traces[0]);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(tp_future_result(future, polls[i], NULL), TP_ERR_TIMEOUT);
        CHECK_STATUS(tp_future_error(future, polls[i], NULL), TP_ERR_TIMEOUT);
        CHECK_STATUS(tp_wait(&future, 1, polls[i], TP_WAIT_ALL_COMPLETED, NULL), TP_ERR_TIMEOUT);
        CHECK_EQ(tp_future_state(future), TP_STATE_PENDING);
    }
    tp_completion_queue *queue = tp_as_completed(&future, 1);
    CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), TP_ERR_TIMEOUT);
    tp_completion_queue_free(queue);
    CHECK_EQ(s->traces[0].runs, 0);
    tp_future_release(future);
    return s;
}

TEST(n01_a_poll_runs_nothing) {
    scene s;
    play(poll_only, &s);
    CHECK_EQ(s.traces[0].runs, 1);
}

/* Waiting for something else does not make the worker run what is pending: it is never lent out. */
static void *wait_for_another_executor_s_task(void *arg) {
    scene     *s = (scene *)arg;
    tp_future *unrelated = submit(s->executor, leave_trace, &s->traces[0]);
    tp_future *elsewhere = submit(s->other, leave_trace, &s->traces[1]);
    CHECK_STATUS(tp_future_result(elsewhere, TP_FOREVER, NULL), TP_OK);
    CHECK(!pthread_equal(s->traces[1].thread, pthread_self())); /* pending tasks of others are not run here either */
    CHECK_STATUS(tp_future_result((tp_future *)s->extra, TP_FOREVER, NULL), TP_OK);
    CHECK_EQ(s->traces[0].runs, 0);
    tp_future_release(unrelated);
    tp_future_release(elsewhere);
    return s;
}

static void *nap(void *arg) {
    sleep_ms(30);
    return arg;
}

TEST(n01_never_an_unrelated_task) {
    scene s;
    memset(&s, 0, sizeof s);
    s.executor = new_executor(1);
    s.other = new_executor(1);
    s.extra = submit(s.other, nap, NULL);
    CHECK_PTR(result_of(submit(s.executor, wait_for_another_executor_s_task, &s)), &s);
    tp_executor_free(s.executor);
    tp_executor_free(s.other);
    CHECK_EQ(s.traces[0].runs, 1);
    tp_future_release((tp_future *)s.extra);
}

/* ---- several ------------------------------------------------------------------------------------------------------------------------------- */

static void *wait_for_all_of_five(void *arg) {
    scene     *s = (scene *)arg;
    tp_future *futures[5], *asked[6];
    size_t     n_done = 0;
    for (int i = 0; i < 5; i++) futures[i] = submit(s->executor, leave_trace, &s->traces[i]);
    CHECK(tp_future_cancel(futures[1]));
    static const int order[6] = {3, 0, 1, 4, 3, 2};
    for (int i = 0; i < 6; i++) asked[i] = futures[order[i]];
    CHECK_STATUS(tp_wait(asked, 6, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_OK);
    CHECK_EQ(n_done, 6);
    CHECK_EQ(s->traces[3].position, 0); /* in the order given */
    CHECK_EQ(s->traces[0].position, 1);
    CHECK_EQ(s->traces[4].position, 2);
    CHECK_EQ(s->traces[2].position, 3);
    CHECK_EQ(s->traces[1].runs, 0);
    for (int i = 0; i < 5; i++) tp_future_release(futures[i]);
    return s;
}

TEST(n01_wait_runs_the_pending_ones_in_the_order_given) {
    scene s;
    play(wait_for_all_of_five, &s);
}

static void *wait_for_the_first(void *arg) {
    scene     *s = (scene *)arg;
    tp_future *futures[3];
    size_t     n_done = 0;
    for (int i = 0; i < 3; i++) futures[i] = submit(s->executor, leave_trace, &s->traces[i]);
    CHECK_STATUS(tp_wait(futures, 3, TP_FOREVER, TP_WAIT_FIRST_COMPLETED, &n_done), TP_OK);
    CHECK_EQ(n_done, 1); /* the condition is checked before each */
    CHECK_EQ(s->traces[0].runs, 1);
    CHECK_EQ(s->traces[1].runs + s->traces[2].runs, 0);
    CHECK_STATUS(tp_wait(futures, 3, TP_FOREVER, TP_WAIT_FIRST_COMPLETED, &n_done), TP_OK);
    CHECK_EQ(s->traces[1].runs + s->traces[2].runs, 0); /* it holds already: nothing is run */
    for (int i = 0; i < 3; i++) tp_future_release(futures[i]);
    return s;
}

TEST(n01_wait_checks_its_condition_before_each) {
    scene s;
    play(wait_for_the_first, &s);
    CHECK_EQ(s.traces[1].runs, 1);
    CHECK_EQ(s.traces[2].runs, 1);
}

static void *wait_for_the_first_failure(void *arg) {
    scene     *s = (scene *)arg;
    tp_future *futures[3] = {submit(s->executor, leave_trace, &s->traces[0]), submit(s->executor, fail_with_seven, NULL),
                             submit(s->executor, leave_trace, &s->traces[2])};
    size_t     n_done = 0;
    CHECK_STATUS(tp_wait(futures, 3, TP_FOREVER, TP_WAIT_FIRST_FAILED, &n_done), TP_OK);
    CHECK_EQ(n_done, 2);
    CHECK_EQ(s->traces[2].runs, 0);
    CHECK_STATUS(tp_future_result(futures[1], 0, NULL), TP_ERR_TASK);
    for (int i = 0; i < 3; i++) tp_future_release(futures[i]);
    return s;
}

TEST(n01_wait_for_the_first_failure_stops_there) {
    scene s;
    play(wait_for_the_first_failure, &s);
}

static void *take_from_queues(void *arg) {
    scene     *s = (scene *)arg;
    tp_future *futures[4];
    for (int i = 0; i < 4; i++) futures[i] = submit(s->executor, leave_trace, &s->traces[i]);
    tp_completion_queue *queue = tp_as_completed(futures, 4);
    REQUIRE(queue != NULL);
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t tag = 99;
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, &tag), TP_OK);
        CHECK_EQ(tag, i); /* in the order given, one at a time */
        CHECK_EQ(atomic_load(&the_clock), i + 1);
    }
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_END);
    tp_completion_queue_free(queue);
    for (int i = 0; i < 4; i++) tp_future_release(futures[i]);

    /* An open queue, filled from inside. */
    queue = tp_completion_queue_new();
    REQUIRE(queue != NULL);
    for (int i = 4; i < 8; i++) {
        tp_future *future = submit(s->executor, leave_trace, &s->traces[i]);
        CHECK_STATUS(tp_completion_queue_add(queue, future, (uint64_t)i), TP_OK);
        tp_future_release(future);
    }
    for (int i = 4; i < 8; i++) CHECK_STATUS(tp_completion_queue_next(queue, TP_SEC(3600), NULL, NULL), TP_OK);
    tp_completion_queue_free(queue);
    CHECK_EQ(atomic_load(&the_clock), 8);
    return s;
}

TEST(n01_completion_queues_run_the_pending_ones_too) {
    scene s;
    play(take_from_queues, &s);
}

static void *map_inside(void *arg) {
    scene *s = (scene *)arg;
    void  *args[8];
    for (int i = 0; i < 8; i++) args[i] = &s->traces[i];
    for (size_t lookahead = 0; lookahead < 4; lookahead++) {
        memset(s->traces, 0, sizeof s->traces);
        atomic_store(&the_clock, 0);
        tp_map *map = tp_map_new(s->executor, leave_trace, args, 8, lookahead, NULL);
        REQUIRE(map != NULL);
        for (int i = 0; i < 8; i++) {
            tp_future *future = NULL;
            CHECK_STATUS(tp_map_next(map, i % 2 == 0 ? TP_FOREVER : TP_SEC(3600), &future), TP_OK);
            CHECK_PTR(result_of(future), &s->traces[i]);
            CHECK_EQ(s->traces[i].position, i);
            CHECK_EQ(atomic_load(&the_clock), i + 1); /* only the awaited one */
        }
        CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_END);
        tp_map_free(map);
    }
    return s;
}

TEST(n01_a_map_runs_the_awaited_one_too) {
    scene s;
    play(map_inside, &s);
}

/* Waits in callbacks and drop hooks on a worker are waits inside a worker. */
static void wait_in_callback(tp_future *future, void *user_data) {
    scene *s = (scene *)user_data;
    (void)future;
    result_of(submit(s->executor, leave_trace, &s->traces[0]));
    CHECK(pthread_equal(s->traces[0].thread, pthread_self()));
    gate_open((gate *)s->extra);
}
static void wait_in_drop(void *arg) {
    scene *s = (scene *)arg;
    result_of(submit(s->executor, leave_trace, &s->traces[1]));
}

TEST(n01_callbacks_and_hooks_on_a_worker_may_wait_too) {
    scene      s;
    gate       called = GATE_INIT;
    tp_future *future = NULL;
    blocker    busy;
    memset(&s, 0, sizeof s);
    s.executor = new_executor(1);
    s.extra = &called;
    block(s.executor, &busy);
    CHECK_STATUS(tp_submit_task(s.executor, TP_TASK(.fn = return_arg, .arg = &s, .drop_arg = wait_in_drop), &future), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, wait_in_callback, &s), TP_OK);
    unblock(&busy);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    tp_future_release(future);
    gate_wait(&called); /* a shut executor would refuse what the callback submits */
    tp_executor_free(s.executor);
    CHECK_EQ(s.traces[0].runs, 1);
    CHECK_EQ(s.traces[1].runs, 1);
}

/* ---- nesting ----------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    long         depth;
    int          how;
} nested;

static void *go_deeper(void *arg) {
    nested *n = (nested *)arg;
    if (n->depth == 0) return (void *)1;
    nested     inner = {n->executor, n->depth - 1, n->how};
    tp_future *future = submit(n->executor, go_deeper, &inner), *out = NULL;
    void      *below = NULL;
    if (n->how == 0) {
        CHECK_STATUS(tp_future_result(future, TP_FOREVER, &below), TP_OK);
    } else if (n->how == 1) {
        CHECK_STATUS(tp_wait(&future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
        CHECK_STATUS(tp_future_take(future, 0, &below), TP_OK);
    } else {
        tp_completion_queue *queue = tp_as_completed(&future, 1);
        REQUIRE(queue != NULL);
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &out, NULL), TP_OK);
        CHECK_STATUS(tp_future_result(out, 0, &below), TP_OK);
        tp_future_release(out);
        tp_completion_queue_free(queue);
    }
    tp_future_release(future);
    return (void *)((uintptr_t)below + 1);
}

TEST(n01_submit_and_result_nested_two_thousand_deep_on_one_worker) {
    for (int how = 0; how < 3; how++) {
        tp_executor *executor = new_executor(1);
        for (int again = 0; again < 3; again++) { /* whatever counts the depth comes back down */
            nested n = {executor, 2000, how};
            CHECK_EQ((uintptr_t)result_of(submit(executor, go_deeper, &n)), 2001);
        }
        CHECK_EQ(tp_executor_worker_count(executor), 1);
        tp_executor_free(executor);
    }
}

TEST(n01_nested_on_many_workers_from_many_roots) {
    for (size_t workers = 2; workers <= 4; workers++) {
        tp_executor *executor = new_executor(workers);
        nested       n[12];
        tp_future   *futures[12];
        for (int i = 0; i < 12; i++) {
            n[i] = (nested){executor, 500, i % 3};
            futures[i] = submit(executor, go_deeper, &n[i]);
        }
        for (int i = 0; i < 12; i++) CHECK_EQ((uintptr_t)result_of(futures[i]), 501);
        tp_executor_free(executor);
    }
}

typedef struct {
    tp_executor *executor;
    long         n, value;
} fib;

static void *fibonacci(void *arg) {
    fib *f = (fib *)arg;
    if (f->n < 2) {
        f->value = f->n;
        return f;
    }
    fib        left = {f->executor, f->n - 1, 0}, right = {f->executor, f->n - 2, 0};
    tp_future *future = submit(f->executor, fibonacci, &left);
    fibonacci(&right);
    CHECK_PTR(result_of(future), &left);
    f->value = left.value + right.value;
    return f;
}

TEST(n01_fork_and_join_recursively_on_every_number_of_workers) {
    for (size_t workers = 1; workers <= 8; workers++) {
        tp_executor *executor = new_executor(workers);
        fib          f = {executor, 19, 0};
        result_of(submit(executor, fibonacci, &f));
        CHECK_EQ(f.value, 4181);
        tp_executor_free(executor);
    }
}

/* Both branches are submitted and awaited, in either order: no worker may block for ever on what sits in another's ring. */
static void *fibonacci_twice(void *arg) {
    fib *f = (fib *)arg;
    if (f->n < 2) {
        f->value = f->n;
        return f;
    }
    fib        branches[2] = {{f->executor, f->n - 1, 0}, {f->executor, f->n - 2, 0}};
    tp_future *futures[2];
    for (int i = 0; i < 2; i++) futures[i] = submit(f->executor, fibonacci_twice, &branches[i]);
    if (f->n % 3 == 0) CHECK_STATUS(tp_wait(futures, 2, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    for (int i = 0; i < 2; i++) result_of(futures[(f->n + i) % 2]);
    f->value = branches[0].value + branches[1].value;
    return f;
}

TEST(n01_waiting_for_both_branches_in_either_order) {
    for (size_t workers = 1; workers <= 6; workers++) {
        tp_executor *executor = new_executor(workers);
        for (int again = 0; again < 4; again++) {
            fib f = {executor, 16, 0};
            result_of(submit(executor, fibonacci_twice, &f));
            CHECK_EQ(f.value, 987);
        }
        tp_executor_free(executor);
    }
}
