/* Threads: when they start, how many, when they end, what idle ones cost. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

/* ---- P2: on demand -------------------------------------------------------------------------------------------------------------------------- */

TEST(p02_threads_start_on_demand) {
    tp_executor *executor = new_executor(8);
    blocker      busy[8];
    CHECK_EQ(tp_executor_worker_count(executor), 0);
    for (size_t i = 0; i < 8; i++) {
        block(executor, &busy[i]);
        CHECK_EQ(tp_executor_worker_count(executor), i + 1);
    }
    tp_future *pending = submit(executor, return_arg, NULL);
    CHECK_EQ(tp_executor_worker_count(executor), 8);
    CHECK_EQ(tp_future_state(pending), TP_STATE_PENDING);
    for (size_t i = 0; i < 8; i++) unblock(&busy[i]);
    result_of(pending);
    tp_executor_free(executor);
}

TEST(p02_submit_and_result_in_sequence_use_one_thread) {
    long         rounds = repeat(20000);
    tp_executor *executor = new_executor(8);
    for (long i = 0; i < rounds; i++) {
        result_of(submit(executor, return_arg, NULL));
        if (i % 1000 == 0) sleep_ms(1);
    }
    CHECK_EQ(tp_executor_worker_count(executor), 1);
    tp_executor_free(executor);
}

typedef struct {
    atomic_int inside, most;
} census;

static void *be_counted(void *arg) {
    census *c = (census *)arg;
    int     inside = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most);
    while (inside > most && !atomic_compare_exchange_weak(&c->most, &most, inside)) {}
    sched_yield();
    atomic_fetch_sub(&c->inside, 1);
    return NULL;
}

typedef struct {
    tp_executor *executor;
    census      *c;
} crowd;

static void *submit_a_crowd(void *arg) {
    crowd *c = (crowd *)arg;
    for (int i = 0; i < 3000; i++) {
        CHECK_STATUS(tp_execute(c->executor, be_counted, c->c), TP_OK);
        CHECK(tp_executor_worker_count(c->executor) <= tp_executor_max_workers(c->executor));
    }
    return NULL;
}

TEST(p02_never_more_threads_than_max_workers) {
    for (size_t workers = 1; workers <= 5; workers++) {
        census       c = {0, 0};
        tp_executor *executor = new_executor(workers);
        crowd        submitters[4];
        pthread_t    threads[4];
        for (int i = 0; i < 4; i++) {
            submitters[i] = (crowd){executor, &c};
            threads[i] = start_thread(submit_a_crowd, &submitters[i]);
        }
        for (int i = 0; i < 4; i++) join_thread(threads[i]);
        tp_executor_free(executor);
        CHECK(atomic_load(&c.most) <= (int)workers);
        CHECK_EQ(atomic_load(&c.inside), 0);
    }
}

/* ---- P2: tasks that need each other all get a thread ------------------------------------------------------------------------------------------ */

static void *meet(void *arg) {
    pthread_barrier_wait((pthread_barrier_t *)arg);
    return NULL;
}

typedef struct {
    tp_executor       *executor;
    pthread_barrier_t *together;
    int                n, form;
    counter           *done;
} party;

static void meet_done(tp_future *future, void *user_data) {
    (void)future;
    counter_add((counter *)user_data, 1);
}

static void *invite(void *arg) {
    party *p = (party *)arg;
    void  *args[16];
    for (int i = 0; i < p->n; i++) args[i] = p->together;
    if (p->form == 1 && p->n > 0) {
        tp_future *futures[16];
        CHECK_STATUS(tp_submit_many(p->executor, meet, args, (size_t)p->n, futures), TP_OK);
        for (int i = 0; i < p->n; i++) {
            CHECK_STATUS(tp_future_add_done_callback(futures[i], meet_done, p->done), TP_OK);
            tp_future_release(futures[i]);
        }
        return NULL;
    }
    for (int i = 0; i < p->n; i++) {
        tp_future *future = submit(p->executor, meet, p->together);
        CHECK_STATUS(tp_future_add_done_callback(future, meet_done, p->done), TP_OK);
        tp_future_release(future);
    }
    return NULL;
}

/* A root task that takes part itself: its children need all the other workers while it blocks. */
static void *invite_and_meet(void *arg) {
    invite(arg);
    return meet(((party *)arg)->together);
}

/* Every way to submit k tasks that wait for each other, on fresh and on used executors, with workers asleep, awake or not yet started. */
TEST(p02_tasks_that_wait_for_each_other_all_get_a_thread) {
    long    rounds = repeat(1500);
    counter done = COUNTER_INIT;
    long    expected = 0;
    for (long round = 0; round < rounds; round++) {
        int          k = 2 + (int)(round % 7);
        tp_executor *executor = new_executor((size_t)k);
        for (int turn = 0; turn < 4; turn++) {
            pthread_barrier_t together;
            pthread_barrier_init(&together, NULL, (unsigned)k);
            if (turn < 2) {
                party p = {executor, &together, k, turn, &done};
                invite(&p);
                expected += k;
                counter_wait(&done, expected);
            } else if (turn == 2) { /* from two threads at once */
                party     left = {executor, &together, k / 2, (int)round % 2, &done}, right = {executor, &together, k - k / 2, (int)round % 2, &done};
                pthread_t thread = start_thread(invite, &left);
                invite(&right);
                join_thread(thread);
                expected += k;
                counter_wait(&done, expected);
            } else { /* from inside */
                party p = {executor, &together, k - 1, (int)round % 2, &done};
                result_of(submit(executor, invite_and_meet, &p));
                expected += k - 1;
                counter_wait(&done, expected);
            }
            /* Done means that all have left the barrier's function; the barrier may go. */
            pthread_barrier_destroy(&together);
            if (round % 16 == 0) sleep_ms(1);
        }
        CHECK(tp_executor_worker_count(executor) <= (size_t)k);
        tp_executor_free(executor);
    }
}

/* The same against a stream of small tasks from elsewhere, so that searchers are always about. */
typedef struct {
    tp_executor *executor;
    atomic_bool *stop;
} noise;

static void *make_noise(void *arg) {
    noise *n = (noise *)arg;
    while (!atomic_load(n->stop)) {
        for (int i = 0; i < 8; i++) CHECK_STATUS(tp_execute(n->executor, return_arg, NULL), TP_OK);
        sched_yield();
    }
    return NULL;
}

TEST(p02_they_do_also_among_other_tasks) {
    enum { K = 4 };
    long         rounds = repeat(3000);
    counter      done = COUNTER_INIT;
    atomic_bool  stop = false;
    tp_executor *executor = new_executor(K);
    noise        n = {executor, &stop};
    pthread_t    thread = start_thread(make_noise, &n);
    for (long round = 0; round < rounds; round++) {
        pthread_barrier_t together;
        pthread_barrier_init(&together, NULL, K);
        party p = {executor, &together, K, (int)round % 2, &done};
        invite(&p);
        counter_wait(&done, (round + 1) * K);
        pthread_barrier_destroy(&together);
    }
    atomic_store(&stop, true);
    join_thread(thread);
    tp_executor_free(executor);
}

/* A chain: each task starts the next and waits, outside of the library's knowledge, until that one has started. */
typedef struct {
    tp_executor *executor;
    gate         started[8];
    gate         release;
} chain;
static chain the_chain;

static void *next_link(void *arg) {
    uintptr_t i = (uintptr_t)arg;
    gate_open(&the_chain.started[i]);
    if (i + 1 < 8) {
        CHECK_STATUS(tp_execute(the_chain.executor, next_link, (void *)(i + 1)), TP_OK);
        gate_wait(&the_chain.started[i + 1]);
    }
    gate_wait(&the_chain.release);
    return NULL;
}

TEST(p02_a_chain_of_blocking_tasks_gets_its_threads) {
    long rounds = repeat(500);
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < 8; i++) gate_init(&the_chain.started[i]);
        gate_init(&the_chain.release);
        the_chain.executor = new_executor(8);
        CHECK_STATUS(tp_execute(the_chain.executor, next_link, NULL), TP_OK);
        gate_wait(&the_chain.started[7]);
        gate_open(&the_chain.release);
        tp_executor_free(the_chain.executor);
    }
}

/* ---- P8: idle workers ---------------------------------------------------------------------------------------------------------------------------- */

static int64_t cpu_time_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

TEST(p08_idle_workers_use_no_cpu) {
    tp_executor *executor = new_executor(8);
    blocker      busy[8];
    for (int i = 0; i < 8; i++) block(executor, &busy[i]);
    for (int i = 0; i < 8; i++) unblock(&busy[i]);
    /* CPU time, so that a busy machine changes nothing: as soon as they sleep, a second costs nothing measurable. */
    for (;;) {
        int64_t before = cpu_time_ns();
        sleep_ms(1000);
        if (cpu_time_ns() - before < TP_MSEC(2)) break; /* or the watchdog ends this */
    }
    CHECK_EQ(tp_executor_worker_count(executor), 8);
    tp_executor_free(executor);
}

TEST(p08_with_an_idle_timeout_all_but_one_end_and_come_back) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 6, .idle_timeout_ns = TP_MSEC(10)));
    REQUIRE(executor != NULL);
    for (int round = 0; round < 4; round++) {
        blocker busy[6];
        for (int i = 0; i < 6; i++) block(executor, &busy[i]);
        CHECK_EQ(tp_executor_worker_count(executor), 6);
        for (int i = 0; i < 6; i++) unblock(&busy[i]);
        EVENTUALLY(tp_executor_worker_count(executor) == 1);
        sleep_ms(25);
        CHECK_EQ(tp_executor_worker_count(executor), 1); /* the last one stays */
        CHECK_EQ(tp_executor_max_workers(executor), 6);
    }
    tp_executor_free(executor);
}

/* Workers that end just while work comes: no task may be stranded. */
TEST(p08_idle_timeouts_race_with_submits) {
    long         rounds = repeat(3000);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .idle_timeout_ns = 100000));
    REQUIRE(executor != NULL);
    unsigned seed = 4711;
    for (long round = 0; round < rounds; round++) {
        pthread_barrier_t together;
        tp_future        *futures[4];
        int               k = 1 + (int)(round % 4);
        pthread_barrier_init(&together, NULL, (unsigned)k);
        for (int i = 0; i < k; i++) futures[i] = submit(executor, meet, &together);
        for (int i = 0; i < k; i++) result_of(futures[i]);
        pthread_barrier_destroy(&together);
        struct timespec pause = {0, (long)(rand_r(&seed) % 200000)};
        nanosleep(&pause, NULL); /* about the timeout, now shorter, now longer */
    }
    tp_executor_free(executor);
}

static int init_count(void *user_data) {
    counter_add((counter *)user_data, 1);
    return 0;
}
static void final_count(void *user_data) { counter_add((counter *)user_data, -1); }

TEST(p08_every_worker_that_ends_by_idling_is_finalized) {
    counter      alive = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .idle_timeout_ns = TP_MSEC(2), .initializer = init_count,
                                                               .finalizer = final_count, .user_data = &alive));
    REQUIRE(executor != NULL);
    for (int round = 0; round < 10; round++) {
        blocker busy[4];
        for (int i = 0; i < 4; i++) block(executor, &busy[i]);
        CHECK_EQ(counter_get(&alive), 4);
        for (int i = 0; i < 4; i++) unblock(&busy[i]);
        EVENTUALLY(tp_executor_worker_count(executor) == 1);
        EVENTUALLY(counter_get(&alive) == 1);
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&alive), 0);
}

/* Workers block no signals of the process that the application handles elsewhere, nor steal them: a signal for the process that the main
 * thread takes by sigwait is not lost to a worker. */
TEST(workers_inherit_the_signal_mask_of_their_starter) {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &set, &before) == 0);
    tp_executor *executor = new_executor(4);
    blocker      busy[4];
    for (int i = 0; i < 4; i++) block(executor, &busy[i]);
    for (int i = 0; i < 20; i++) {
        int signal_number = 0;
        kill(getpid(), SIGUSR2); /* unblocked in a worker it would end the process */
        CHECK_EQ(sigwait(&set, &signal_number), 0);
        CHECK_EQ(signal_number, SIGUSR2);
    }
    for (int i = 0; i < 4; i++) unblock(&busy[i]);
    tp_executor_free(executor);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}
