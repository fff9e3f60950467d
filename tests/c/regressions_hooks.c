/* What once went wrong with hooks and callbacks: they came late or not at all, got the wrong pointer, or took away what was still in use. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ---- W4, O1, O3: hooks after an observer has left ------------------------------------------------------------------------------------------ */

static counter dropped_results, unhandled_errors, dropped_user_data;

static void count_result(void *result) {
    (void)result;
    counter_add(&dropped_results, 1);
}
static void count_unhandled(const tp_error *error, void *user_data) {
    (void)user_data;
    CHECK_EQ(error->code, 7);
    counter_add(&unhandled_errors, 1);
}
static void count_user_data(void *user_data) {
    (void)user_data;
    counter_add(&dropped_user_data, 1);
}

/* Who waited with a limit, or freed a queue, was registered with the future and is no more. The task's end then gives up the library's own
 * reference as ever, so that result, failure and user data go. */
TEST(w04_a_timed_out_wait_leaves_the_hooks_alone) {
    for (int way = 0; way < 6; way++) {
        blocker busy;
        counter_init(&dropped_results);
        counter_init(&unhandled_errors);
        counter_init(&dropped_user_data);
        tp_executor *executor = tp_executor_new(
            TP_EXECUTOR_CONFIG(.max_workers = 1, .unhandled_error = count_unhandled, .user_data = &busy, .drop_user_data = count_user_data));
        REQUIRE(executor != NULL);
        block(executor, &busy);
        tp_future *future = NULL;
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = fail_with_seven, .arg = &busy, .drop_result = count_result), &future), TP_OK);
        bool released_first = way >= 3;
        if (way % 3 < 2) {
            tp_wait_for what = way % 3 == 0 ? TP_WAIT_FIRST_COMPLETED : TP_WAIT_FIRST_FAILED;
            CHECK_STATUS(tp_wait(&future, 1, TP_MSEC(2), what, NULL), TP_ERR_TIMEOUT);
        } else {
            tp_completion_queue *queue = tp_as_completed(&future, 1);
            REQUIRE(queue != NULL);
            CHECK_STATUS(tp_completion_queue_next(queue, TP_MSEC(2), NULL, NULL), TP_ERR_TIMEOUT);
            tp_completion_queue_free(queue);
        }
        /* Released before the task runs, or after; by the last of those who know the future, this one or the worker. */
        if (released_first) tp_future_release(future);
        unblock(&busy);
        CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
        CHECK_EQ(counter_get(&dropped_results), released_first);
        CHECK_EQ(counter_get(&unhandled_errors), released_first);
        if (!released_first) tp_future_release(future);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&dropped_results), 1);
        CHECK_EQ(counter_get(&unhandled_errors), 1);
        CHECK_EQ(counter_get(&dropped_user_data), 1);
    }
}

/* ---- O1: at the last release --------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    tp_executor *others;
    bool         fails;
    long         rounds;
} inline_runs;

typedef struct {
    tp_future  *future;
    atomic_int *arrived;
} holder;

static void *release_at_once(void *arg) {
    holder *h = arg;
    atomic_fetch_add(h->arrived, 1);
    while (atomic_load(h->arrived) < 2) sched_yield();
    tp_future_release(h->future);
    return arg;
}

/* What this runs inline leaves a dead entry in the queue, behind a live one that has to wait for this very worker. */
static void *run_inline_and_release(void *arg) {
    inline_runs *r = arg;
    tp_future   *live = submit(r->executor, return_null, NULL);
    for (long i = 1; i <= r->rounds; i++) {
        tp_future *future = NULL;
        tp_task    task = {.size = sizeof task, .fn = r->fails ? fail_with_seven : return_arg, .arg = r, .drop_result = count_result};
        CHECK_STATUS(tp_submit_task(r->executor, &task, &future), TP_OK);
        CHECK_STATUS(tp_wait(&future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
        CHECK_EQ(counter_get(&dropped_results), i - 1);
        if (r->others != NULL) { /* two holders, which release at the same time */
            atomic_int arrived = 0;
            holder     h = {tp_future_retain(future), &arrived}, own = {future, &arrived};
            tp_future *other = submit(r->others, release_at_once, &h);
            release_at_once(&own);
            result_of(other);
        } else {
            tp_future_release(future);
        }
        CHECK_EQ(counter_get(&dropped_results), i);
        CHECK_EQ(counter_get(&unhandled_errors), r->fails ? i : 0);
    }
    CHECK(!tp_future_done(live));
    tp_future_release(live);
    return arg;
}

static void runs_hooks_at_the_last_release(bool two_holders, long rounds) {
    tp_executor *others = two_holders ? new_executor(1) : NULL;
    for (int fails = 0; fails < 2; fails++) {
        counter_init(&dropped_results);
        counter_init(&unhandled_errors);
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .unhandled_error = count_unhandled));
        REQUIRE(executor != NULL);
        inline_runs r = {executor, others, fails == 1, rounds};
        CHECK_PTR(result_of(submit(executor, run_inline_and_release, &r)), &r);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&dropped_results), rounds);
        CHECK_EQ(counter_get(&unhandled_errors), r.fails ? rounds : 0);
    }
    tp_executor_free(others);
}

TEST(o01_hooks_run_at_the_last_release_beside_a_tombstone) { runs_hooks_at_the_last_release(false, 20); }
TEST(o01_of_two_that_release_at_once_beside_a_tombstone_one_runs_the_hooks) { runs_hooks_at_the_last_release(true, repeat(20000)); }

/* ---- O1: what a task that fails without memory returned ------------------------------------------------------------------------------------ */

static char *long_message;
static void *dropped_last;

static void keep_dropped(void *result) { dropped_last = result; }

static void *fail_at_length(void *arg) {
    CHECK_FAILS(tp_task_fail(7, long_message), TP_ERR_NO_MEMORY);
    return (char *)arg + 1;
}

/* In a process of its own, that gets no memory for a copy of the message. */
CHILD(fail_without_memory) {
    size_t      length = (size_t)64 << 20;
    char        argument[2] = {0, 0};
    const tp_error *error = NULL;
    tp_future  *future = NULL;
    long_message = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(long_message != MAP_FAILED);
    memset(long_message, 'x', length - 1);
    tp_executor *executor = new_executor(1);
    result_of(submit(executor, return_null, NULL)); /* its thread is there */
    long  pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    REQUIRE(statm != NULL && fscanf(statm, "%ld", &pages) == 1);
    fclose(statm);
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + length / 2;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = fail_at_length, .arg = argument, .drop_result = keep_dropped), &future), TP_OK);
    CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
    REQUIRE(error != NULL);
    CHECK_EQ(error->code, 7);
    CHECK_STR(error->message, "");
    tp_future_release(future);
    tp_executor_free(executor);
    CHECK_PTR(dropped_last, argument + 1);
    return 0;
}
TEST(o01_a_failure_without_memory_drops_the_result_and_not_the_argument) { CHECK_CHILD("fail_without_memory", 0); }

/* ---- O3: drop_user_data --------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    int          way; /* what the hook does */
    bool         on_a_worker;
    gate         dropped;
} wait_for_end;

static void end_the_executor(void *user_data) {
    wait_for_end *w = user_data;
    tp_status     expected = w->on_a_worker ? TP_ERR_DEADLOCK : TP_OK;
    CHECK_EQ(tp_executor_current() == w->executor, w->on_a_worker);
    switch (w->way) {
    case 0: CHECK_STATUS(tp_executor_shutdown(w->executor, TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES), expected); break;
    case 1: CHECK_STATUS(tp_executor_join(w->executor, TP_FOREVER), expected); break;
    default: tp_executor_free(w->executor); break;
    }
    gate_open(&w->dropped);
}

static void *shut_down_inside(void *arg) {
    CHECK_STATUS(tp_executor_shutdown(((wait_for_end *)arg)->executor, 0), TP_OK);
    return arg;
}

/* It may call any function, so it must not be a part of what they wait for: on the last worker it is told that, and where there never was a worker
 * there is nothing to wait for. */
TEST(o03_drop_user_data_may_wait_for_the_end) {
    for (int variant = 0; variant < 6; variant++) {
        wait_for_end w = {.way = variant % 3, .on_a_worker = variant >= 3};
        gate_init(&w.dropped);
        w.executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .user_data = &w, .drop_user_data = end_the_executor));
        REQUIRE(w.executor != NULL);
        if (w.on_a_worker) result_of(submit(w.executor, shut_down_inside, &w));
        else CHECK_STATUS(tp_executor_shutdown(w.executor, 0), TP_OK);
        gate_wait(&w.dropped);
        if (w.way < 2) tp_executor_free(w.executor);
    }
}

/* ---- K3, K7: callbacks that release and free ------------------------------------------------------------------------------------------------ */

typedef struct {
    tp_executor *executor;
    tp_future   *future;
    tp_state     end;
    int          calls, drops;
} last_handle;

/* What has been given back is used again, at once: whoever looks at a future that is gone sees another task. */
static void reuse_what_is_free(tp_executor *executor) {
    tp_future *futures[300];
    for (int i = 0; i < 300; i++) futures[i] = submit(executor, return_null, NULL);
    for (int i = 0; i < 300; i++) {
        tp_future_cancel(futures[i]);
        tp_future_release(futures[i]);
    }
}

static void release_in_callback(tp_future *future, void *user_data) {
    last_handle *l = user_data;
    if (l->future != NULL) {
        tp_future_release(l->future);
        l->future = NULL;
        reuse_what_is_free(l->executor);
    }
    CHECK_EQ(tp_future_state(future), l->end);
    CHECK_STATUS(tp_future_result(future, 0, NULL), l->end == TP_STATE_CANCELLED ? TP_ERR_CANCELLED : TP_OK);
    l->calls++;
}

static void release_in_drop(void *arg) {
    last_handle *l = arg;
    l->drops++;
    if (l->end != TP_STATE_CANCELLED) return;
    tp_future_release(l->future);
    l->future = NULL;
    reuse_what_is_free(l->executor);
}

/* In cancel and in adding to a done future the library has no more than the caller's reference, so it needs one of its own. */
TEST(k03_a_callback_may_release_the_last_handle) {
    for (int variant = 0; variant < 3; variant++) {
        for (int round = 0; round < 50; round++) {
            tp_executor *executor = new_executor(1);
            last_handle  l = {executor, NULL, variant < 2 ? TP_STATE_CANCELLED : TP_STATE_FINISHED, 0, 0};
            blocker      busy;
            block(executor, &busy);
            /* 0: the first callback of a cancel, 1: drop_arg in a cancel, 2: a callback that is added when it is done. */
            tp_task task = {.size = sizeof task, .fn = return_arg, .arg = &l, .drop_arg = variant == 1 ? release_in_drop : NULL};
            CHECK_STATUS(tp_submit_task(executor, &task, &l.future), TP_OK);
            if (variant < 2) {
                for (int i = 0; i < 3; i++) CHECK_STATUS(tp_future_add_done_callback(l.future, release_in_callback, &l), TP_OK);
                CHECK(tp_future_cancel(l.future));
                unblock(&busy);
            } else {
                unblock(&busy);
                CHECK_STATUS(tp_future_result(l.future, TP_FOREVER, NULL), TP_OK);
                result_of(submit(executor, return_null, NULL)); /* its worker has let go of it */
                CHECK_STATUS(tp_future_add_done_callback(l.future, release_in_callback, &l), TP_OK);
            }
            CHECK_PTR(l.future, NULL);
            CHECK_EQ(l.calls, variant < 2 ? 3 : 1);
            CHECK_EQ(l.drops, variant == 1);
            tp_executor_free(executor);
        }
    }
}

typedef struct {
    tp_executor *executor;
    blocker      busy;
    atomic_int   calls;
    pthread_t    caller;
} free_inside;

static void free_the_executor(tp_future *future, void *user_data) {
    free_inside *f = user_data;
    CHECK(tp_future_cancelled(future));
    if (atomic_fetch_add(&f->calls, 1) != 0) return;
    CHECK(pthread_equal(pthread_self(), f->caller)); /* the one worker is held, so this is in the call */
    gate_open(&f->busy.release);
    tp_executor_free(f->executor);
}

TEST(k07_a_callback_of_a_cancelling_shutdown_may_free_the_executor) {
    enum { N = 100 };
    for (int round = 0; round < 50; round++) {
        free_inside f = {.executor = new_executor(1), .calls = 0, .caller = pthread_self()};
        tp_future  *futures[N];
        block(f.executor, &f.busy);
        for (int i = 0; i < N; i++) {
            futures[i] = submit(f.executor, return_null, NULL);
            CHECK_STATUS(tp_future_add_done_callback(futures[i], free_the_executor, &f), TP_OK);
        }
        CHECK_STATUS(tp_executor_shutdown(f.executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
        for (int i = 0; i < N; i++) {
            CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, NULL), TP_ERR_CANCELLED);
            tp_future_release(futures[i]);
        }
        result_of(f.busy.future);
        EVENTUALLY(atomic_load(&f.calls) == N); /* those that the worker cancelled may still run there */
    }
}
