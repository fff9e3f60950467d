/* What there is in each process of parking.c: two executors, futures, books about them, and what the other threads do while
 * one is parked. */
#ifndef TPEXEC_TEST_PARKING_WORLD_H
#define TPEXEC_TEST_PARKING_WORLD_H

#include "stepping.h"

/* ---- what is there -------------------------------------------------------------------------------------------------- */

enum { WORKERS = 2, BATCH = 6 };

static tp_executor *pool, *other_pool;
static blocker      held[WORKERS]; /* the workers, until they are let go */
static bool         let_go;
static tp_future   *pending, *second; /* behind them */
static tp_future   *finished;
static tp_future   *made[BATCH]; /* by the victim */
static int          n_made;
static atomic_long  drops, accepted, cancelled, ran, callbacks_due, callbacks;

static void *run(void *arg) {
    atomic_fetch_add(&ran, 1);
    return arg;
}

static void drop(void *arg) { atomic_fetch_add((atomic_long *)arg, 1); }

static void call_back(tp_future *future, void *user_data) {
    (void)future;
    (void)user_data;
    atomic_fetch_add(&callbacks, 1);
}

static void add_callback(tp_future *future) {
    if (tp_future_add_done_callback(future, call_back, NULL) == TP_OK) atomic_fetch_add(&callbacks_due, 1);
}

/* Counts a submission that may have been refused, if only because of shutdown. */
static tp_future *accepted_or_shut(tp_future *future) {
    if (future != NULL) atomic_fetch_add(&accepted, 1);
    else CHECK_LAST_ERROR(TP_ERR_SHUTDOWN);
    return future;
}

static tp_future *submit_hooked(tp_executor *executor) {
    tp_future *future = NULL;
    REQUIRE(tp_submit_task(executor, TP_TASK(.fn = run, .arg = &drops, .drop_arg = drop), &future) == TP_OK);
    return accepted_or_shut(future);
}

static void cancel(tp_future *future) {
    static atomic_flag counted[2] = {ATOMIC_FLAG_INIT, ATOMIC_FLAG_INIT};
    if (!tp_future_cancel(future)) return;
    bool shared = future == pending || future == second; /* several threads may hear that they have cancelled it */
    if (!shared || !atomic_flag_test_and_set(&counted[future == second])) atomic_fetch_add(&cancelled, 1);
}

static void let_workers_go(void) {
    for (int i = 0; i < WORKERS && !let_go; i++) gate_open(&held[i].release);
    let_go = true;
}

static atomic_int victim_ended;
static void       end_the_steps(void *unused) {
    (void)unused;
    step_end();
    set_word(&victim_ended);
}

/* Its destructor is the last thing that a thread runs: the key is younger than the library's. */
static pthread_key_t end_of_thread;

/* For a worker as the victim: the first held one, from the end of its task on. */
static bool       step_a_worker;
static atomic_int other_worker; /* the second one's thread */
static void *hold(void *arg) {
    blocker *b = (blocker *)arg;
    if (b != held) atomic_store(&other_worker, (int)syscall(SYS_gettid));
    gate_open(&b->started);
    gate_wait(&b->release);
    if (step_a_worker && b == held) {
        pthread_setspecific(end_of_thread, b);
        step_begin();
    }
    return b;
}

static void build(void) {
    pool = new_executor(WORKERS);
    other_pool = new_executor(1);
    finished = submit(other_pool, return_arg, NULL);
    CHECK_STATUS(tp_future_result(finished, TP_FOREVER, NULL), TP_OK);
    REQUIRE(pthread_key_create(&end_of_thread, end_the_steps) == 0);
    for (int i = 0; i < WORKERS; i++) {
        gate_init(&held[i].started);
        gate_init(&held[i].release);
        held[i].future = submit(pool, hold, &held[i]);
    }
    for (int i = 0; i < WORKERS; i++) gate_wait(&held[i].started);
    pending = submit_hooked(pool);
    second = submit_hooked(pool);
    add_callback(pending);
}

/* Everything has come to its end, and the books are right. */
static void close_the_books(void) {
    let_workers_go();
    for (int i = 0; i < WORKERS; i++) CHECK_PTR(result_of(held[i].future), &held[i]);
    for (int i = 0; i < n_made; i++) {
        CHECK_STATUS(tp_future_result(made[i], TP_FOREVER, NULL), TP_OK);
        tp_future_release(made[i]);
    }
    tp_wait((tp_future *[]){pending, second}, 2, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL);
    tp_executor_free(pool);
    tp_executor_free(other_pool);
    CHECK(tp_future_done(pending) && tp_future_done(second));
    tp_future_release(pending);
    tp_future_release(second);
    tp_future_release(finished); /* or NULL */
    CHECK_EQ(atomic_load(&ran) + atomic_load(&cancelled), atomic_load(&accepted));
    CHECK_EQ(atomic_load(&callbacks), atomic_load(&callbacks_due));
    CHECK_EQ(atomic_load(&drops), 2);
}

/* ---- what the others do while it is parked -------------------------------------------------------------------------- */

/* The latest thing that the others were at when the victim's time was up. */
static const char *others_at;
static void at(const char *what) {
    if (!stepping.timed_out) others_at = what;
}

static void *wait_for_another(void *arg) {
    tp_future *inner = accepted_or_shut(tp_submit((tp_executor *)arg, run, NULL));
    if (inner != NULL) result_of(inner);
    return run(arg);
}

static void use(tp_executor *executor) {
    tp_future *futures[BATCH], *out;
    int        n = 0;
    for (int i = 0; i < BATCH; i++) {
        futures[n] = accepted_or_shut(tp_submit(executor, i == 0 ? wait_for_another : run, executor));
        n += futures[n] != NULL;
    }
    if (n < BATCH) { /* it has been shut down */
        for (int i = 0; i < n; i++) result_of(futures[i]);
        return;
    }
    if (tp_execute(executor, run, NULL) == TP_OK) atomic_fetch_add(&accepted, 1);
    add_callback(futures[1]);
    cancel(futures[BATCH - 1]);
    CHECK_STATUS(tp_wait(futures, BATCH, TP_FOREVER, TP_WAIT_FIRST_COMPLETED, NULL), TP_OK);
    tp_completion_queue *queue = tp_as_completed(futures, BATCH);
    REQUIRE(queue != NULL);
    while (tp_completion_queue_next(queue, TP_FOREVER, &out, NULL) == TP_OK) tp_future_release(out);
    tp_completion_queue_free(queue);
    CHECK_STATUS(tp_wait(futures, BATCH, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    for (int i = 0; i < BATCH; i++) tp_future_release(futures[i]);
}

static void others(void) {
    let_workers_go();
    at("using another executor");
    use(other_pool);
    /* Nobody else is awake then, and a wake-up that is lost is missed. But the other worker may wait for the parked one. */
    for (int i = 0; i < 200 && !sleeps(atomic_load(&other_worker)); i++) sleep_ms(1);
    at("using the same executor");
    use(pool);
    at("using the same future");
    add_callback(pending);
    tp_future_result(pending, TP_MSEC(1), NULL);
    cancel(second);
    at("shutting down");
    CHECK_STATUS(tp_executor_shutdown(pool, 0), TP_OK);
    at("done");
}

#endif
