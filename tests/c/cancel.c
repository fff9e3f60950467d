/* Cancelling. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

TEST(c01_cancel_of_a_pending_task_is_true_and_final) {
    tp_executor *executor = new_executor(1);
    counter      ran = COUNTER_INIT, called = COUNTER_INIT;
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, count_run, &ran);
    CHECK_STATUS(tp_future_add_done_callback(future, count_done, &called), TP_OK);
    for (int i = 0; i < 5; i++) CHECK(tp_future_cancel(future));
    CHECK_EQ(counter_get(&called), 1);
    unblock(&busy);
    for (int i = 0; i < 5; i++) CHECK(tp_future_cancel(future));
    tp_executor_free(executor);
    CHECK(tp_future_cancel(future));
    CHECK_EQ(counter_get(&ran), 0);
    CHECK_EQ(counter_get(&called), 1);
    tp_future_release(future);
}

TEST(c02_cancel_of_a_running_or_finished_task_is_false) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = tp_future_retain(busy.future);
    CHECK(!tp_future_cancel(future));
    CHECK_EQ(tp_future_state(future), TP_STATE_RUNNING);
    unblock(&busy);
    CHECK(!tp_future_cancel(future));
    CHECK(!tp_future_cancelled(future));
    CHECK_STATUS(tp_future_result(future, 0, NULL), TP_OK);
    tp_future_release(future);
    tp_future *failed = submit(executor, fail_with_seven, NULL);
    CHECK_STATUS(tp_future_result(failed, TP_FOREVER, NULL), TP_ERR_TASK);
    CHECK(!tp_future_cancel(failed));
    CHECK_STATUS(tp_future_result(failed, TP_FOREVER, NULL), TP_ERR_TASK);
    tp_future_release(failed);
    tp_executor_free(executor);
}

/* ---- C3: exactly one of "entered once" and "a cancel returned true" ------------------------------------------------------------- */

typedef struct {
    atomic_uchar entered, cancelled_true, called_back, arg_dropped;
} fate;

static void *enter(void *arg) {
    atomic_fetch_add(&((fate *)arg)->entered, 1);
    return arg;
}
static void note_callback(tp_future *future, void *user_data) {
    (void)future;
    atomic_fetch_add(&((fate *)user_data)->called_back, 1);
}
static void note_drop(void *arg) { atomic_fetch_add(&((fate *)arg)->arg_dropped, 1); }

/* A window of futures that the submitter fills and the cancellers run over, always at the edge where tasks are being started. */
enum { WINDOW = 64 };
typedef struct {
    tp_future         *futures[WINDOW];
    fate              *fates[WINDOW];
    pthread_barrier_t *turn;
    bool               last;
    int                stride; /* which way this canceller runs */
} window;

typedef struct {
    window *w;
    int     direction;
} canceller;

static void *cancel_windows(void *arg) {
    canceller *c = (canceller *)arg;
    for (;;) {
        pthread_barrier_wait(c->w->turn);
        if (c->w->last) return NULL;
        for (int i = 0; i < WINDOW; i++) {
            int at = c->direction > 0 ? i : WINDOW - 1 - i;
            if (tp_future_cancel(c->w->futures[at])) atomic_store(&c->w->fates[at]->cancelled_true, 1);
        }
        pthread_barrier_wait(c->w->turn);
    }
}

static void cancel_race(size_t workers, int cancellers, long tasks) {
    fate             *fates = (fate *)calloc((size_t)tasks, sizeof *fates);
    tp_executor      *executor = new_executor(workers);
    pthread_barrier_t turn;
    window            w;
    canceller         c[4];
    pthread_t         threads[4];
    REQUIRE(fates != NULL && cancellers <= 4);
    memset(&w, 0, sizeof w);
    pthread_barrier_init(&turn, NULL, (unsigned)cancellers + 1);
    w.turn = &turn;
    for (int i = 0; i < cancellers; i++) {
        c[i] = (canceller){&w, i % 2 == 0 ? 1 : -1};
        threads[i] = start_thread(cancel_windows, &c[i]);
    }
    for (long begin = 0; begin + WINDOW <= tasks; begin += WINDOW) {
        for (int i = 0; i < WINDOW; i++) {
            w.fates[i] = &fates[begin + i];
            CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = enter, .arg = w.fates[i], .drop_arg = note_drop), &w.futures[i]), TP_OK);
            CHECK_STATUS(tp_future_add_done_callback(w.futures[i], note_callback, w.fates[i]), TP_OK);
        }
        pthread_barrier_wait(&turn);
        for (int i = 0; i < WINDOW; i += 3) /* the submitter takes part */
            if (tp_future_cancel(w.futures[i])) atomic_store(&w.fates[i]->cancelled_true, 1);
        pthread_barrier_wait(&turn);
        for (int i = 0; i < WINDOW; i++) {
            tp_status status = tp_future_result(w.futures[i], TP_FOREVER, NULL);
            CHECK_STATUS(status, atomic_load(&w.fates[i]->cancelled_true) ? TP_ERR_CANCELLED : TP_OK);
            CHECK_EQ(tp_future_cancel(w.futures[i]), status == TP_ERR_CANCELLED);
            tp_future_release(w.futures[i]);
        }
    }
    w.last = true;
    pthread_barrier_wait(&turn);
    for (int i = 0; i < cancellers; i++) join_thread(threads[i]);
    tp_executor_free(executor);
    for (long i = 0; i < tasks / WINDOW * WINDOW; i++) {
        CHECK_EQ(fates[i].entered + fates[i].cancelled_true, 1);
        CHECK_EQ(fates[i].called_back, 1);
        CHECK_EQ(fates[i].arg_dropped, 1);
    }
    pthread_barrier_destroy(&turn);
    free(fates);
}

TEST(c03_hundred_thousand_cancels_race_with_one_worker) { cancel_race(1, 1, repeat(100000)); }
TEST(c03_hundred_thousand_cancels_by_three_threads_race_with_three_workers) { cancel_race(3, 3, repeat(100000)); }

/* The same against a worker that waits for the task and runs it itself. */
typedef struct {
    tp_executor *executor;
    tp_future   *future;
    gate         submitted;
    fate         fate;
} awaited;

static void *submit_and_wait(void *arg) {
    awaited *a = (awaited *)arg;
    a->future = submit(a->executor, enter, &a->fate);
    tp_future_retain(a->future); /* for the canceller */
    gate_open(&a->submitted);
    tp_status status = tp_future_result(a->future, TP_FOREVER, NULL);
    CHECK(status == TP_OK || status == TP_ERR_CANCELLED);
    CHECK_EQ(status == TP_OK, atomic_load(&a->fate.entered) == 1);
    tp_future_release(a->future);
    return NULL;
}

TEST(c03_cancel_races_with_the_worker_that_runs_it_inline) {
    long rounds = repeat(50000);
    for (int workers = 1; workers <= 2; workers++) {
        tp_executor *executor = new_executor((size_t)workers);
        for (long round = 0; round < rounds; round++) {
            awaited a;
            memset(&a, 0, sizeof a);
            a.executor = executor;
            gate_init(&a.submitted);
            tp_future *outer = submit(executor, submit_and_wait, &a);
            gate_wait(&a.submitted);
            bool cancelled = tp_future_cancel(a.future);
            result_of(outer);
            CHECK_EQ(atomic_load(&a.fate.entered) + cancelled, 1);
            tp_future_release(a.future);
        }
        tp_executor_free(executor);
    }
}

/* And against shutdown(CANCEL_FUTURES) by two threads while others submit: each accepted task ran or is cancelled, each refused neither. */
typedef struct {
    tp_executor *executor;
    fate        *fates;
    tp_future  **futures;
    long         n;
} flood;

static void *submit_flood(void *arg) {
    flood *f = (flood *)arg;
    for (long i = 0; i < f->n; i++) {
        f->futures[i] = tp_submit(f->executor, enter, &f->fates[i]);
        if (f->futures[i] == NULL) {
            CHECK_LAST_ERROR(TP_ERR_SHUTDOWN);
            break;
        }
    }
    return NULL;
}

static void *shut_down_and_cancel(void *arg) {
    CHECK_STATUS(tp_executor_shutdown((tp_executor *)arg, TP_SHUTDOWN_CANCEL_FUTURES | TP_SHUTDOWN_WAIT), TP_OK);
    return NULL;
}

TEST(c03_shutdown_with_cancel_races_with_workers_and_submitters) {
    enum { N = 3000 };
    static fate       fates[2][N];
    static tp_future *futures[2][N];
    long              rounds = repeat(300);
    for (long round = 0; round < rounds; round++) {
        tp_executor *executor = new_executor(1 + (size_t)round % 4);
        memset(fates, 0, sizeof fates);
        memset(futures, 0, sizeof futures);
        flood     floods[2];
        pthread_t submitting[2], stopping[2];
        for (int i = 0; i < 2; i++) {
            floods[i] = (flood){executor, fates[i], futures[i], N};
            submitting[i] = start_thread(submit_flood, &floods[i]);
        }
        for (long spin = 0; spin < round % 40; spin++) sched_yield();
        for (int i = 0; i < 2; i++) stopping[i] = start_thread(shut_down_and_cancel, executor);
        for (int i = 0; i < 2; i++) join_thread(stopping[i]);
        for (int i = 0; i < 2; i++) join_thread(submitting[i]);
        for (int t = 0; t < 2; t++)
            for (long i = 0; i < N; i++) {
                if (futures[t][i] == NULL) {
                    CHECK_EQ(fates[t][i].entered, 0);
                    continue;
                }
                tp_state state = tp_future_state(futures[t][i]);
                CHECK_EQ(state, fates[t][i].entered ? TP_STATE_FINISHED : TP_STATE_CANCELLED);
                tp_future_release(futures[t][i]);
            }
        tp_executor_free(executor);
    }
}

/* ---- C4, C5 --------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    pthread_t thread;
    int       calls;
} caller;

static void note_caller(tp_future *future, void *user_data) {
    caller *c = (caller *)user_data;
    CHECK(tp_future_cancelled(future));
    c->thread = pthread_self();
    c->calls++;
}

TEST(c04_cancel_runs_the_callbacks_on_its_own_thread_before_it_returns) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    caller       callers[10];
    block(executor, &busy);
    tp_future *future = submit(executor, return_arg, NULL);
    memset(callers, 0, sizeof callers);
    for (int i = 0; i < 10; i++) CHECK_STATUS(tp_future_add_done_callback(future, note_caller, &callers[i]), TP_OK);
    CHECK(tp_future_cancel(future));
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(callers[i].calls, 1);
        CHECK(pthread_equal(callers[i].thread, pthread_self()));
    }
    unblock(&busy);
    tp_future_release(future);
    tp_executor_free(executor);
}

/* Whatever it does, also to the same executor and to the same future. */
static void do_everything(tp_future *future, void *user_data) {
    tp_executor *executor = (tp_executor *)user_data;
    counter      called = COUNTER_INIT;
    CHECK(tp_future_cancel(future));
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_CANCELLED);
    CHECK_STATUS(tp_future_add_done_callback(future, count_done, &called), TP_OK);
    CHECK_EQ(counter_get(&called), 1);
    tp_future *other = submit(executor, return_arg, NULL);
    CHECK_STATUS(tp_future_add_done_callback(other, count_done, &called), TP_OK);
    CHECK(tp_future_cancel(other));
    CHECK_EQ(counter_get(&called), 2);
    tp_future_release(other);
    CHECK(tp_executor_pending_count(executor) < 10);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_SHUTDOWN);
}

TEST(c04_callbacks_of_a_cancel_run_outside_of_all_locks) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, return_arg, NULL), *sibling = submit(executor, return_arg, NULL);
    CHECK_STATUS(tp_future_add_done_callback(future, do_everything, executor), TP_OK);
    CHECK(tp_future_cancel(future));
    CHECK(tp_future_cancelled(sibling));
    unblock(&busy);
    tp_future_release(future);
    tp_future_release(sibling);
    tp_executor_free(executor);
}

static void note_drop_caller(void *arg) {
    caller *c = (caller *)arg;
    c->thread = pthread_self();
    c->calls++;
}

TEST(c05_cancel_drops_the_argument_at_once) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    for (int i = 0; i < 100; i++) {
        caller     c;
        tp_future *future = NULL;
        memset(&c, 0, sizeof c);
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &c, .drop_arg = note_drop_caller), &future), TP_OK);
        CHECK(tp_future_cancel(future));
        CHECK_EQ(c.calls, 1);
        CHECK(pthread_equal(c.thread, pthread_self()));
        CHECK(tp_future_cancel(future));
        tp_future_release(future);
        CHECK_EQ(c.calls, 1);
    }
    unblock(&busy);
    tp_executor_free(executor);
}

/* The hook may call anything too. */
static tp_executor *hook_executor;
static void cancel_and_submit(void *arg) {
    tp_future *other = (tp_future *)arg;
    CHECK(tp_future_cancel(other));
    tp_future_release(other);
    CHECK_STATUS(tp_execute(hook_executor, return_arg, NULL), TP_OK);
}

TEST(c05_the_drop_hook_runs_outside_of_all_locks) {
    hook_executor = new_executor(1);
    blocker busy;
    block(hook_executor, &busy);
    tp_future *future = NULL, *other = submit(hook_executor, return_arg, NULL);
    CHECK_STATUS(tp_submit_task(hook_executor, TP_TASK(.fn = return_arg, .arg = tp_future_retain(other), .drop_arg = cancel_and_submit), &future), TP_OK);
    CHECK(tp_future_cancel(future));
    CHECK(tp_future_cancelled(other));
    tp_future_release(other);
    tp_future_release(future);
    unblock(&busy);
    tp_executor_free(hook_executor);
}

/* ---- C6: those who wait hear of a cancel at once, however it came about ------------------------------------------------------------ */

enum { BY_CANCEL, BY_REQUEST_STOP, BY_SHUTDOWN, WAYS };
static void cancel_by(int way, tp_executor *executor, tp_future *future) {
    if (way == BY_CANCEL) CHECK(tp_future_cancel(future));
    else if (way == BY_REQUEST_STOP) tp_future_request_stop(future);
    else CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
}

TEST(c06_wait_queues_and_as_completed_count_a_cancelled_future_at_once) {
    for (int way = 0; way < WAYS; way++) {
        tp_executor *executor = new_executor(1);
        blocker      busy;
        block(executor, &busy);
        tp_future           *future = submit(executor, return_arg, NULL), *out = NULL;
        tp_completion_queue *queue = tp_completion_queue_new(), *as_completed = tp_as_completed(&future, 1);
        uint64_t             tag = 0;
        size_t               done = 99;
        REQUIRE(queue != NULL && as_completed != NULL);
        CHECK_STATUS(tp_completion_queue_add(queue, future, 17), TP_OK);
        cancel_by(way, executor, future); /* the worker stays busy: nobody dequeues anything */
        CHECK_STATUS(tp_wait(&future, 1, 0, TP_WAIT_ALL_COMPLETED, &done), TP_OK);
        CHECK_EQ(done, 1);
        CHECK_STATUS(tp_completion_queue_next(queue, 0, &out, &tag), TP_OK);
        CHECK_PTR(out, future);
        CHECK_EQ(tag, 17);
        tp_future_release(out);
        CHECK_STATUS(tp_completion_queue_next(as_completed, 0, &out, &tag), TP_OK);
        CHECK_PTR(out, future);
        CHECK_EQ(tag, 0);
        tp_future_release(out);
        CHECK_STATUS(tp_completion_queue_next(as_completed, TP_FOREVER, &out, &tag), TP_END);
        tp_completion_queue_free(queue);
        tp_completion_queue_free(as_completed);
        tp_future_release(future);
        unblock(&busy);
        tp_executor_free(executor);
    }
}

/* And those that sleep already. */
typedef struct {
    tp_future           *future;
    tp_completion_queue *queue;
    int                  how;
    counter             *about_to_wait;
} sleeper;

static void *sleep_on_it(void *arg) {
    sleeper   *s = (sleeper *)arg;
    tp_future *out = NULL;
    counter_add(s->about_to_wait, 1);
    if (s->how == 0) CHECK_STATUS(tp_wait(&s->future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    else if (s->how == 1) CHECK_STATUS(tp_future_result(s->future, TP_FOREVER, NULL), TP_ERR_CANCELLED);
    else {
        CHECK_STATUS(tp_completion_queue_next(s->queue, TP_FOREVER, &out, NULL), TP_OK);
        CHECK_PTR(out, s->future);
        tp_future_release(out);
    }
    return NULL;
}

TEST(c06_sleeping_waiters_wake_when_it_is_cancelled) {
    for (int way = 0; way < WAYS; way++) {
        for (int round = 0; round < 20; round++) {
            tp_executor *executor = new_executor(1);
            blocker      busy;
            block(executor, &busy);
            tp_future           *future = submit(executor, return_arg, NULL);
            tp_completion_queue *queue = tp_as_completed(&future, 1);
            counter              about_to_wait = COUNTER_INIT;
            sleeper              sleepers[3];
            pthread_t            threads[3];
            REQUIRE(queue != NULL);
            for (int how = 0; how < 3; how++) {
                sleepers[how] = (sleeper){future, queue, how, &about_to_wait};
                threads[how] = start_thread(sleep_on_it, &sleepers[how]);
            }
            counter_wait(&about_to_wait, 3);
            if (round % 2 == 0) sleep_ms(1);
            cancel_by(way, executor, future);
            for (int how = 0; how < 3; how++) join_thread(threads[how]); /* while the worker is busy still */
            unblock(&busy);
            tp_completion_queue_free(queue);
            tp_future_release(future);
            tp_executor_free(executor);
        }
    }
}

/* ---- C7 --------------------------------------------------------------------------------------------------------------------------- */

static void *cancel_myself(void *arg) {
    CHECK(!tp_future_cancel(tp_future_current()));
    CHECK_EQ(tp_future_state(tp_future_current()), TP_STATE_RUNNING);
    return arg;
}

TEST(c07_a_task_cannot_cancel_itself) {
    tp_executor *executor = new_executor(1);
    CHECK_PTR(result_of(submit(executor, cancel_myself, executor)), executor);
    tp_executor_free(executor);
}

TEST(c07_releasing_every_reference_cancels_nothing) {
    tp_executor *executor = new_executor(1);
    counter      ran = COUNTER_INIT;
    blocker      busy;
    block(executor, &busy);
    for (int i = 0; i < 10000; i++) tp_future_release(submit(executor, count_run, &ran));
    CHECK_EQ(tp_executor_pending_count(executor), 10000);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 10000);
}

/* Cancelled tasks among others do not hold those up, wherever they stand. */
TEST(cancelled_tasks_are_skipped) {
    enum { N = 30000 };
    static tp_future *futures[N];
    for (int pattern = 1; pattern <= 4; pattern++) {
        tp_executor *executor = new_executor(2);
        counter      ran = COUNTER_INIT;
        blocker      busy[2];
        long         expected = 0;
        block(executor, &busy[0]);
        block(executor, &busy[1]);
        for (int i = 0; i < N; i++) futures[i] = submit(executor, count_run, &ran);
        for (int i = N - 1; i >= 0; i--) {
            bool keep = i % (pattern * pattern * pattern) == 0 && pattern > 1;
            if (!keep) CHECK(tp_future_cancel(futures[i]));
            expected += keep;
        }
        CHECK_EQ(tp_executor_pending_count(executor), expected);
        unblock(&busy[0]);
        unblock(&busy[1]);
        for (int i = 0; i < N; i++) {
            CHECK_STATUS(tp_wait(&futures[i], 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
            tp_future_release(futures[i]);
        }
        CHECK_EQ(counter_get(&ran), expected);
        tp_executor_free(executor);
    }
}
