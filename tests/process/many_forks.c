/* E2 under load: thousands of forks while four threads run every mix of the soak test, so that the others are in the middle of
 * anything. Each child uses what it has from its parent, some of it changing hands at the moment of the fork; the parent
 * notices nothing.
 *
 * TPEXEC_TEST_FORKS in the environment says how many; the default is in CMakeLists.txt. */
#include "estate.h"

#include "crew.h"
#include "gauges.h"

#include <stdatomic.h>

/* Children at a time: on a busy machine one alone would get little of the processors. */
enum { AT_A_TIME = 8 };

/* A child in so many also makes executors with many tasks; all others one with a few. */
enum { THOROUGH_ONE_IN = 16 };

/* The watchdog of the test is for thousands of children, this for one. */
enum { CHILD_S = 60 };

enum { FORKS = 10000, FRESH = 8, SEED = 1 };

/* Tasks that were submitted a moment before the fork: each child finds them in states of its own. */
typedef struct fresh {
    tp_future           *futures[FRESH];
    tp_completion_queue *queue; /* closed, over all of them */
    tp_map              *map;   /* over so many items again */
    void                *args[FRESH];
    atomic_long          hooks; /* drop_arg, drop_result and callbacks */
} fresh;

static void count_hook(void *arg) { atomic_fetch_add((atomic_long *)arg, 1); }
static void count_callback(tp_future *future, void *user_data) {
    (void)future;
    count_hook(user_data);
}

static void fresh_init(fresh *f, tp_executor *executor) {
    for (int i = 0; i < FRESH; i++) {
        const tp_task *task = TP_TASK(.fn = return_arg, .arg = &f->hooks, .drop_arg = count_hook, .drop_result = count_hook);
        REQUIRE(tp_submit_task(executor, task, &f->futures[i]) == TP_OK);
        CHECK_STATUS(tp_future_add_done_callback(f->futures[i], count_callback, &f->hooks), TP_OK);
    }
    f->queue = tp_as_completed(f->futures, FRESH);
    f->map = tp_map_new(executor, return_arg, f->args, FRESH, 2, NULL);
    REQUIRE(f->queue != NULL && f->map != NULL);
}

/* In the parent: all goes on as if there had been no fork. */
static void fresh_end(fresh *f) {
    for (int i = 0; i < FRESH; i++) CHECK_STATUS(tp_completion_queue_next(f->queue, TP_FOREVER, NULL, NULL), TP_OK);
    CHECK_STATUS(tp_completion_queue_next(f->queue, TP_FOREVER, NULL, NULL), TP_END);
    tp_completion_queue_free(f->queue);
    for (int i = 0; i < FRESH; i++) CHECK_STATUS(tp_map_next(f->map, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_map_next(f->map, TP_FOREVER, NULL), TP_END);
    tp_map_free(f->map);
    for (int i = 0; i < FRESH; i++) {
        CHECK_STATUS(tp_future_result(f->futures[i], TP_FOREVER, NULL), TP_OK);
        tp_future_release(f->futures[i]);
    }
    EVENTUALLY(atomic_load(&f->hooks) >= 3 * FRESH);
    CHECK_EQ(atomic_load(&f->hooks), 3 * FRESH);
    atomic_store(&f->hooks, 0);
}

/* In a child: whatever state a future was caught in, it stays in it; done ones answer, the others are the parent's. */
static void future_answers(tp_future *future, atomic_long *hooks) {
    bool            done = tp_future_done(future);
    const tp_error *error = NULL;
    size_t          n_done = 0;
    tp_status       now = done ? TP_OK : TP_ERR_FORKED;
    CHECK_EQ(tp_future_state(future) == TP_STATE_FINISHED, done);
    for (int t = 0; t < TIMEOUTS; t++) {
        CHECK_STATUS(tp_future_result(future, every_timeout[t], NULL), now);
        CHECK_STATUS(tp_future_error(future, every_timeout[t], &error), now);
        for (int what = 0; what < 3; what++) CHECK_STATUS(tp_wait(&future, 1, every_timeout[t], (tp_wait_for)what, &n_done), now);
    }
    CHECK(!tp_future_cancel(future));
    tp_future_request_stop(future);
    long before = atomic_load(hooks);
    CHECK_STATUS(tp_future_add_done_callback(future, count_callback, hooks), now);
    CHECK_EQ(atomic_load(hooks), before + done);
    tp_completion_queue *queue = tp_as_completed(&future, 1);
    CHECK_EQ(queue != NULL, done);
    if (done) CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
    tp_completion_queue_free(queue);
    void *result = NULL;
    CHECK_STATUS(tp_future_take(future, TP_FOREVER, &result), now);
    CHECK_EQ(tp_future_done(future), done);
}

static void fresh_answers(fresh *f) {
    tp_status status;
    uint64_t  tag = 0;
    int       out = 0;
    for (int i = 0; i < FRESH; i++) future_answers(f->futures[i], &f->hooks);
    for (tp_future *future = NULL; (status = tp_completion_queue_next(f->queue, TP_FOREVER, &future, &tag)) == TP_OK; out++) {
        CHECK(tag < FRESH && f->futures[tag] == future && tp_future_done(future));
        tp_future_release(future);
    }
    CHECK_STATUS(status, out == FRESH ? TP_END : TP_ERR_FORKED);
    out = 0;
    for (tp_future *future = NULL; (status = tp_map_next(f->map, TP_FOREVER, &future)) == TP_OK; out++) {
        CHECK_STATUS(tp_future_result(future, 0, NULL), TP_OK);
        tp_future_release(future);
    }
    CHECK_STATUS(status, out == FRESH ? TP_END : TP_ERR_FORKED);
    long before = atomic_load(&f->hooks);
    tp_completion_queue_free(f->queue);
    tp_map_free(f->map);
    for (int i = 0; i < FRESH; i++) tp_future_release(f->futures[i]);
    CHECK_EQ(atomic_load(&f->hooks), before); /* free and release run no hook */
}

static void common_executor_is_the_parent_s(tp_executor *executor) {
    CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_FORKED);
    CHECK_FAILS(tp_execute(executor, return_arg, NULL), TP_ERR_FORKED);
    CHECK_FAILS(tp_submit_many(executor, return_arg, NULL, 0, NULL), TP_ERR_FORKED);
    for (uint32_t flags = 0; flags < 4; flags++) CHECK_FAILS(tp_executor_shutdown(executor, flags), TP_ERR_FORKED);
    CHECK_FAILS(tp_executor_join(executor, TP_FOREVER), TP_ERR_FORKED);
    CHECK(tp_executor_worker_count(executor) <= tp_executor_max_workers(executor));
    CHECK(tp_executor_pending_count(executor) < 1000000);
    tp_executor_free(executor);
}

/* Little enough for every child: a worker, an order of tasks, a queue, a cancel. */
static void a_new_executor_works(void) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    tp_future   *futures[4];
    block(executor, &busy);
    for (int i = 0; i < 4; i++) futures[i] = submit(executor, return_arg, &futures[i]);
    CHECK(tp_future_cancel(futures[0]));
    tp_completion_queue *queue = tp_as_completed(futures, 4);
    REQUIRE(queue != NULL);
    unblock(&busy);
    for (int i = 0; i < 4; i++) CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_END);
    tp_completion_queue_free(queue);
    for (int i = 0; i < 4; i++) tp_future_release(futures[i]);
    tp_executor_free(executor);
}

__attribute__((noreturn)) static void be_a_child(estate *e, fresh *f, const common *shared, bool thorough) {
    alarm(CHILD_S);
    fresh_answers(f);
    unfinished_futures_are_the_parent_s(e);
    the_executor_is_the_parent_s(e);
    queues_and_maps_of_the_parent_answer(e);
    done_futures_answer(e);
    a_new_executor_works();
    common_executor_is_the_parent_s(shared->wide);
    common_executor_is_the_parent_s(shared->fleeting);
    common_executor_is_the_parent_s(shared->single);
    release_everything(e, thorough);
    if (thorough) new_executors_work();
    end_child();
}

static long forks_wanted(void) {
    const char *text = getenv("TPEXEC_TEST_FORKS");
    long        forks = text == NULL ? FORKS : strtol(text, NULL, 10);
    REQUIRE(forks > 0);
    return repeat(forks);
}

/* Step by step what the soak test's main.c allows itself for memory; here the parent's copies of pages after each fork come on
 * top. */
enum { SLACK_KIB = 16 * 1024 };

TEST(e02_ten_thousand_forks_while_four_threads_do_everything) {
    static crew load;
    long        forks = forks_wanted(), threads = gauge_threads(), descriptors = gauge_descriptors(), half = 0;
    estate      e;
    fresh       f = {{NULL}, NULL, NULL, {NULL}, 0};
    pid_t       children[AT_A_TIME] = {0};
    estate_init(&e);
    crew_init(&load, SEED);
    crew_start(&load);
    for (long i = 0; i < forks + AT_A_TIME; i++) {
        pid_t *place = &children[i % AT_A_TIME];
        if (*place != 0) CHECK_CHILD_OK(*place);
        *place = 0;
        if (i == forks / 2) half = gauge_resident_kib();
        if (i >= forks) continue;
        fresh_init(&f, i % 2 == 0 ? load.shared.wide : load.shared.single);
        *place = fork_child();
        if (*place == 0) be_a_child(&e, &f, &load.shared, i % THOROUGH_ONE_IN == 0);
        fresh_end(&f);
    }
    long grown = gauge_resident_kib() - half;
    crew_stop(&load);
    CHECK(books_balance());
    CHECK(books_accepted() > forks); /* there was a load */
    estate_end(&e);
    EVENTUALLY(gauge_threads() == threads);
    CHECK_EQ(gauge_descriptors(), descriptors);
    if (grown > SLACK_KIB)
        test_failed(__FILE__, __LINE__, "%ld KiB more after %ld forks than after %ld", grown, forks, forks / 2);
    printf("%ld forks while %ld tasks were accepted; memory %+ld KiB in the second half\n", forks, books_accepted(), grown);
}
