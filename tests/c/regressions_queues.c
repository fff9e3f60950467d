/* What once went wrong with completion queues, and with iterations in forked processes: takers that nobody woke up, and answers of the wrong kind. */
#include "harness.h"

#include <stdatomic.h>

/* ---- A2: all takers hear of it -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_completion_queue *queue;
    int64_t              timeout; /* of one look */
    counter             *taking, *taken, *ended;
} taker;

static void *take_until_the_end(void *arg) {
    taker *t = arg;
    counter_add(t->taking, 1);
    for (;;) {
        tp_status status = tp_completion_queue_next(t->queue, t->timeout, NULL, NULL);
        if (status == TP_OK) {
            counter_add(t->taken, 1);
        } else if (status == TP_END) {
            break;
        } else {
            CHECK_STATUS(status, TP_ERR_TIMEOUT);
            if (status != TP_ERR_TIMEOUT) break;
        }
    }
    counter_add(t->ended, 1);
    return arg;
}

static void *take_once(void *arg) {
    taker    *t = arg;
    counter_add(t->taking, 1);
    tp_status status = tp_completion_queue_next(t->queue, t->timeout, NULL, NULL);
    CHECK(status == TP_OK || status == TP_END);
    counter_add(status == TP_OK ? t->taken : t->ended, 1);
    return arg;
}

/* The taker that has the last one does not come back; the others are to learn from it that it was the last. */
TEST(a02_every_taker_hears_of_the_end) {
    enum { TAKERS = 6 };
    for (int round = 0; round < 20; round++) {
        counter      taking = COUNTER_INIT, taken = COUNTER_INIT, ended = COUNTER_INIT;
        tp_executor *executor = new_executor(1);
        blocker      busy;
        pthread_t    threads[TAKERS];
        block(executor, &busy);
        taker t = {tp_as_completed(&busy.future, 1), TP_FOREVER, &taking, &taken, &ended};
        REQUIRE(t.queue != NULL);
        for (int i = 0; i < TAKERS; i++) threads[i] = start_thread(take_once, &t);
        counter_wait(&taking, TAKERS);
        sleep_ms(5); /* they sleep */
        if (round % 2 == 0) unblock(&busy);
        else gate_open(&busy.release);
        for (int i = 0; i < TAKERS; i++) join_thread(threads[i]); /* or the watchdog */
        CHECK_EQ(counter_get(&taken), 1);
        CHECK_EQ(counter_get(&ended), TAKERS - 1);
        tp_completion_queue_free(t.queue);
        if (round % 2 != 0) result_of(busy.future);
        tp_executor_free(executor);
    }
}

typedef struct {
    tp_completion_queue *queue;
    tp_executor         *executors[2];
    long                 n;
} producer;

static void *spin(void *arg) {
    for (volatile long i = *(long *)arg; i > 0; i--) {}
    return arg;
}

static void *produce(void *arg) {
    static long lengths[400];
    producer   *p = arg;
    for (long i = 0; i < p->n; i++) {
        tp_future *future = submit(p->executors[i % 3 == 0], spin, &lengths[i]);
        CHECK_STATUS(tp_completion_queue_add(p->queue, future, (uint64_t)i), TP_OK);
        if (i % 9 == 0) tp_future_cancel(future);
        tp_future_release(future);
    }
    return arg;
}

/* Patient and impatient takers, on threads and on workers of the executors whose tasks they take: a worker that is woken up to run something and
 * then leaves must not take a wake-up with it that was another's. */
TEST(a02_threads_and_workers_take_together_and_no_wake_up_is_lost) {
    enum { THREADS = 3, PRODUCERS = 2, N = 400 };
    long rounds = repeat(200);
    for (long round = 0; round < rounds; round++) {
        counter   taking = COUNTER_INIT, taken = COUNTER_INIT, ended = COUNTER_INIT;
        producer  p = {tp_completion_queue_new(), {new_executor(3), new_executor(2)}, N};
        taker     patient = {p.queue, TP_FOREVER, &taking, &taken, &ended}, impatient = patient;
        pthread_t threads[THREADS], producers[PRODUCERS];
        int       workers = (int)(round % 4); /* fewer than there are, so that some run the tasks */
        REQUIRE(p.queue != NULL);
        impatient.timeout = 1000 + round * 977 % 200000;
        for (int i = 0; i < workers; i++)
            CHECK_STATUS(tp_execute(p.executors[i == 2], take_until_the_end, i == 1 ? &impatient : &patient), TP_OK);
        for (int i = 0; i < THREADS; i++) threads[i] = start_thread(take_until_the_end, i == 1 ? &impatient : &patient);
        for (int i = 0; i < PRODUCERS; i++) producers[i] = start_thread(produce, &p);
        for (int i = 0; i < PRODUCERS; i++) join_thread(producers[i]);
        counter_wait(&taken, (long)PRODUCERS * N);
        CHECK_STATUS(tp_completion_queue_close(p.queue), TP_OK);
        counter_wait(&ended, THREADS + workers);
        for (int i = 0; i < THREADS; i++) join_thread(threads[i]);
        for (int i = 0; i < 2; i++) tp_executor_free(p.executors[i]);
        CHECK_EQ(counter_get(&taken), PRODUCERS * N);
        tp_completion_queue_free(p.queue);
    }
}

/* The one worker sleeps in an open queue when a task that only it can run is added. Threads that take too, and may hear of it first, pass it on. */
TEST(a02_a_worker_in_next_runs_what_is_added_later) {
    enum { N = 3 };
    for (int threads = 0; threads < 3; threads++) {
        for (int round = 0; round < 10; round++) {
            counter      taking = COUNTER_INIT, taken = COUNTER_INIT, ended = COUNTER_INIT;
            tp_executor *executor = new_executor(1);
            taker        t = {tp_completion_queue_new(), TP_FOREVER, &taking, &taken, &ended};
            pthread_t    beside[2];
            tp_future   *futures[N];
            REQUIRE(t.queue != NULL);
            if (round % 2 == 0) /* before the worker, or after it */
                for (int i = 0; i < threads; i++) beside[i] = start_thread(take_until_the_end, &t);
            if (round % 2 == 0) counter_wait(&taking, threads);
            tp_future *worker = submit(executor, take_until_the_end, &t);
            counter_wait(&taking, round % 2 == 0 ? threads + 1 : 1);
            sleep_ms(5); /* they sleep */
            if (round % 2 == 1)
                for (int i = 0; i < threads; i++) beside[i] = start_thread(take_until_the_end, &t);
            counter_wait(&taking, threads + 1);
            for (int i = 0; i < N; i++) {
                futures[i] = submit(executor, return_arg, executor);
                CHECK_STATUS(tp_completion_queue_add(t.queue, futures[i], 0), TP_OK);
            }
            for (int i = 0; i < N; i++) CHECK_PTR(result_of(futures[i]), executor); /* or the watchdog */
            counter_wait(&taken, N);
            CHECK_STATUS(tp_completion_queue_close(t.queue), TP_OK);
            for (int i = 0; i < threads; i++) join_thread(beside[i]);
            CHECK_PTR(result_of(worker), &t);
            CHECK_EQ(counter_get(&ended), threads + 1);
            tp_completion_queue_free(t.queue);
            tp_executor_free(executor);
        }
    }
}

/* ---- E2: iterations of the parent ------------------------------------------------------------------------------------------------------------ */

static void *take_from_map(void *arg) {
    tp_future *future = NULL;
    CHECK_STATUS(tp_map_next(arg, TP_FOREVER, &future), TP_OK);
    tp_future_release(future);
    return arg;
}

/* Ends as the exit status of a forked process: the number of the first check that failed. */
#define IN_CHILD(n, condition) ((condition) ? (void)0 : _exit(n))

/* A thread of the parent is in tp_map_next() at the fork; that thread is not in the child, where the map is the parent's before all else. And a
 * queue that was closed before the fork stays closed. */
TEST(e02_in_the_child_a_map_in_use_is_forked_and_a_closed_queue_is_closed) {
    tp_executor         *executor = new_executor(1);
    blocker              busy;
    void                *args[2] = {executor, executor};
    block(executor, &busy);
    tp_completion_queue *closed = tp_as_completed(&busy.future, 1), *open = tp_completion_queue_new();
    tp_map              *map = tp_map_new(executor, return_arg, args, 2, 0, NULL);
    REQUIRE(closed != NULL && open != NULL && map != NULL);
    pthread_t            thread = start_thread(take_from_map, map);
    EVENTUALLY(tp_map_next(map, 0, NULL) == TP_ERR_INVALID_STATE); /* the thread is inside */
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        watch();
        IN_CHILD(1, tp_map_next(map, 0, NULL) == TP_ERR_FORKED);
        IN_CHILD(2, tp_map_next(map, TP_FOREVER, NULL) == TP_ERR_FORKED);
        IN_CHILD(3, tp_completion_queue_close(closed) == TP_OK);
        IN_CHILD(4, tp_completion_queue_close(open) == TP_ERR_FORKED);
        IN_CHILD(5, tp_completion_queue_next(closed, TP_FOREVER, NULL, NULL) == TP_ERR_FORKED);
        _exit(0);
    }
    test_check_child(__FILE__, __LINE__, "(forked)", test_wait_for_child(pid), 0);
    unblock(&busy);
    join_thread(thread);
    tp_map_free(map);
    tp_completion_queue_free(closed);
    tp_completion_queue_free(open);
    tp_executor_free(executor);
}
