/* Signals rained on all threads, with a handler that makes system calls fail with EINTR: no call ends early, none fails,
 * nothing is lost. And whose signal mask a worker has. */
#include "harness.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* ---- the rain ------------------------------------------------------------------------------------------------------- */

static _Thread_local atomic_long hits;
static atomic_bool               dry;

static void count_hit(int number) {
    (void)number;
    atomic_fetch_add(&hits, 1);
}

/* Sends the signal to every thread of the process but itself, again and again. */
static void *rain(void *arg) {
    long own = syscall(SYS_gettid);
    while (!atomic_load(&dry)) {
        DIR           *threads = opendir("/proc/self/task");
        struct dirent *entry;
        REQUIRE(threads != NULL);
        while ((entry = readdir(threads)) != NULL) {
            long thread = strtol(entry->d_name, NULL, 10);
            if (thread > 0 && thread != own) syscall(SYS_tgkill, getpid(), thread, SIGUSR1); /* or it has ended */
        }
        closedir(threads);
    }
    return arg;
}

/* ---- what goes on in it --------------------------------------------------------------------------------------------- */

enum { BATCH = 16, ROUNDS = 30, HITS = 200 };
static const int64_t LIMIT = TP_MSEC(3), NEVER_REACHED = TP_SEC(3600);

static tp_executor *pool;      /* whose tasks run */
static blocker      held;      /* never done while it rains */
static atomic_long  submitted; /* tasks of the pool that count_one() runs */
static atomic_long  ran;
static atomic_long  worker_hits;

static void *count_one(void *arg) {
    atomic_fetch_add(&ran, 1);
    return arg;
}

/* A task that is at work for longer than a signal takes to come. */
static void *count_one_slowly(void *arg) {
    long before = atomic_load(&hits);
    for (int i = 0; i < 1000 && atomic_load(&hits) == before; i++) sched_yield();
    atomic_fetch_add(&worker_hits, atomic_load(&hits) - before);
    return count_one(arg);
}

static tp_future *submit_one(tp_task_fn fn, void *arg) {
    atomic_fetch_add(&submitted, 1);
    return submit(pool, fn, arg);
}

static void submit_batch(tp_future **futures) {
    for (int i = 0; i < BATCH; i++) futures[i] = submit_one(i % 4 == 0 ? count_one_slowly : count_one, &futures[i]);
}

static void check_batch(tp_future **futures) {
    for (int i = 0; i < BATCH; i++) CHECK_PTR(result_of(futures[i]), &futures[i]);
}

/* A call with a time limit that is to end by it, and not before. */
#define CHECK_TIMES_OUT(call)                                \
    do {                                                     \
        int64_t begin = now_ns();                            \
        CHECK_STATUS((call), TP_ERR_TIMEOUT);                \
        CHECK(now_ns() - begin >= LIMIT);                    \
    } while (0)

static void results_without_limit(void) {
    tp_future *futures[BATCH];
    submit_batch(futures);
    check_batch(futures);
}

static void results_within_a_limit(void) {
    tp_future *future = submit_one(count_one_slowly, &held);
    void      *result = NULL;
    CHECK_STATUS(tp_future_take(future, NEVER_REACHED, &result), TP_OK);
    CHECK_PTR(result, &held);
    tp_future_release(future);
    const tp_error *error = NULL;
    future = submit(pool, fail_with_seven, NULL);
    CHECK_STATUS(tp_future_error(future, NEVER_REACHED, &error), TP_OK);
    CHECK_EQ(error->code, 7);
    tp_future_release(future);
}

static void results_too_late(void) {
    const tp_error *error;
    CHECK_TIMES_OUT(tp_future_result(held.future, LIMIT, NULL));
    CHECK_TIMES_OUT(tp_future_error(held.future, LIMIT, &error));
}

static void waits_for_several(void) {
    static const tp_wait_for kinds[] = {TP_WAIT_ALL_COMPLETED, TP_WAIT_FIRST_COMPLETED, TP_WAIT_FIRST_FAILED};
    for (int i = 0; i < 3; i++) {
        tp_future *futures[BATCH];
        size_t     done = 0;
        submit_batch(futures);
        CHECK_STATUS(tp_wait(futures, BATCH, i % 2 == 0 ? TP_FOREVER : NEVER_REACHED, kinds[i], &done), TP_OK);
        CHECK(done >= (kinds[i] == TP_WAIT_FIRST_COMPLETED ? 1 : BATCH));
        check_batch(futures);
        CHECK_TIMES_OUT(tp_wait(&held.future, 1, LIMIT, kinds[i], &done));
    }
}

static void queues(void) {
    tp_future *futures[BATCH], *out = NULL;
    submit_batch(futures);
    tp_completion_queue *queue = tp_completion_queue_new();
    REQUIRE(queue != NULL);
    for (int i = 0; i < BATCH; i++) CHECK_STATUS(tp_completion_queue_add(queue, futures[i], (uint64_t)i), TP_OK);
    for (int i = 0; i < BATCH; i++) {
        CHECK_STATUS(tp_completion_queue_next(queue, i % 2 == 0 ? TP_FOREVER : NEVER_REACHED, &out, NULL), TP_OK);
        tp_future_release(out);
    }
    CHECK_TIMES_OUT(tp_completion_queue_next(queue, LIMIT, &out, NULL));
    tp_completion_queue_free(queue);
    check_batch(futures);
}

static void *hold(void *arg) {
    gate_wait((gate *)arg);
    return arg;
}

static void maps(void) {
    void      *args[BATCH];
    tp_future *out = NULL;
    for (int i = 0; i < BATCH; i++) args[i] = &args[i];
    atomic_fetch_add(&submitted, BATCH);
    tp_map *map = tp_map_new(pool, count_one, args, BATCH, 4, NULL);
    REQUIRE(map != NULL);
    for (int i = 0; i < BATCH; i++) {
        CHECK_STATUS(tp_map_next(map, i % 2 == 0 ? TP_FOREVER : NEVER_REACHED, &out), TP_OK);
        CHECK_PTR(result_of(out), args[i]);
    }
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, &out), TP_END);
    tp_map_free(map);

    gate  closed = GATE_INIT;
    void *one = &closed;
    map = tp_map_new(pool, hold, &one, 1, 1, NULL);
    CHECK_TIMES_OUT(tp_map_next(map, LIMIT, &out));
    gate_open(&closed);
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, &out), TP_OK);
    CHECK_PTR(result_of(out), one);
    tp_map_free(map);
}

static void lives_of_executors(void) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .idle_timeout_ns = TP_MSEC(1)));
    blocker      busy;
    REQUIRE(executor != NULL);
    for (int i = 0; i < BATCH; i++) CHECK_STATUS(tp_execute(executor, return_arg, NULL), TP_OK);
    block(executor, &busy);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_TIMES_OUT(tp_executor_join(executor, LIMIT));
    unblock(&busy);
    CHECK_STATUS(tp_executor_join(executor, NEVER_REACHED), TP_OK);
    tp_executor_free(executor);
}

/* Waits inside tasks: of one that runs elsewhere, and of one that its waiter runs. */
static void *wait_in_a_task(void *arg) {
    CHECK_TIMES_OUT(tp_future_result(held.future, LIMIT, NULL));
    results_without_limit();
    return arg;
}

static void waits_in_tasks(void) { CHECK_PTR(result_of(submit(pool, wait_in_a_task, pool)), pool); }

static void cancels(void) {
    tp_future *futures[BATCH];
    long       cancelled = 0;
    submit_batch(futures);
    for (int i = 0; i < BATCH; i++) cancelled += tp_future_cancel(futures[i]);
    atomic_fetch_sub(&submitted, cancelled);
    for (int i = 0; i < BATCH; i++) {
        tp_status status = tp_future_result(futures[i], TP_FOREVER, NULL);
        CHECK(status == TP_OK || status == TP_ERR_CANCELLED);
        cancelled -= status == TP_ERR_CANCELLED;
        tp_future_release(futures[i]);
    }
    CHECK_EQ(cancelled, 0);
}

typedef struct {
    const char *name;
    void      (*round)(void);
    atomic_long rounds, hits;
} activity;

static activity activities[] = {
    {"results without limit", results_without_limit, 0, 0},
    {"results within a limit", results_within_a_limit, 0, 0},
    {"results too late", results_too_late, 0, 0},
    {"waits for several", waits_for_several, 0, 0},
    {"queues", queues, 0, 0},
    {"maps", maps, 0, 0},
    {"lives of executors", lives_of_executors, 0, 0},
    {"waits in tasks", waits_in_tasks, 0, 0},
    {"cancels", cancels, 0, 0},
};
enum { ACTIVITIES = sizeof activities / sizeof *activities };

static void *be_active(void *arg) {
    activity *a = (activity *)arg;
    while (!atomic_load(&dry)) {
        a->round();
        atomic_fetch_add(&a->rounds, 1);
        atomic_store(&a->hits, atomic_load(&hits));
    }
    return arg;
}

TEST(r02_signals_end_no_wait_early_and_lose_nothing) {
    struct sigaction action;
    memset(&action, 0, sizeof action); /* no SA_RESTART */
    action.sa_handler = count_hit;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    pool = new_executor(6);
    block(pool, &held);
    pthread_t threads[ACTIVITIES];
    for (int i = 0; i < ACTIVITIES; i++) threads[i] = start_thread(be_active, &activities[i]);
    pthread_t cloud = start_thread(rain, NULL);
    for (int i = 0; i < ACTIVITIES; i++)
        EVENTUALLY(atomic_load(&activities[i].rounds) >= repeat(ROUNDS) && atomic_load(&activities[i].hits) >= repeat(HITS));
    EVENTUALLY(atomic_load(&worker_hits) >= repeat(HITS));
    atomic_store(&dry, true);
    join_thread(cloud);
    for (int i = 0; i < ACTIVITIES; i++) {
        join_thread(threads[i]);
        printf("    %-24s %6ld rounds %8ld signals\n", activities[i].name, atomic_load(&activities[i].rounds),
               atomic_load(&activities[i].hits));
    }
    printf("    %-24s %6ld tasks  %8ld signals\n", "workers", atomic_load(&ran), atomic_load(&worker_hits));
    unblock(&held);
    tp_executor_free(pool);
    CHECK_EQ(atomic_load(&ran), atomic_load(&submitted));
}

/* ---- masks ---------------------------------------------------------------------------------------------------------- */

static void *look_at_the_mask(void *arg) {
    pthread_sigmask(SIG_SETMASK, NULL, (sigset_t *)arg);
    return arg;
}

TEST(a_worker_has_the_signal_mask_of_the_thread_that_started_it) {
    for (int blocked = 0; blocked < 2; blocked++) {
        tp_executor *executor = new_executor(1);
        sigset_t     some, seen;
        sigemptyset(&some);
        sigaddset(&some, SIGUSR2);
        pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &some, NULL);
        tp_future *future = submit(executor, look_at_the_mask, &seen);
        pthread_sigmask(blocked ? SIG_UNBLOCK : SIG_BLOCK, &some, NULL); /* later is too late */
        CHECK_PTR(result_of(future), &seen);
        CHECK_EQ(sigismember(&seen, SIGUSR2), blocked);
        tp_executor_free(executor);
    }
}
