/* What once went wrong with threads: tasks that were stranded or lost, one thread too many, stacks and processors that were used up. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ---- P2: a thread for each that needs one ------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    counter      finalizing;
    gate         finalize, go, end;
    gate         needed; /* opened by the task that only a second worker can run */
    bool         inside;
} slow_end;

static void finalize_slowly(void *user_data) {
    slow_end *s = user_data;
    counter_add(&s->finalizing, 1);
    gate_wait(&s->finalize);
}

static void *open_needed(void *arg) {
    gate_open(&((slow_end *)arg)->needed);
    return arg;
}

/* Holds its worker until another one has run open_needed. */
static void *need_another(void *arg) {
    slow_end *s = arg;
    gate_wait(&s->go);
    if (s->inside) CHECK_STATUS(tp_execute(s->executor, open_needed, s), TP_OK);
    gate_open(&s->end);
    gate_wait(&s->needed);
    return s;
}

/* Of two workers one is ending, and held in its finalizer; the other is busy and waits for a task that was submitted meanwhile. That task gets
 * the place of the worker that ends, at the latest when the finalizer is over; also if the executor is shut down by then. */
static void strands_no_task(bool inside, bool shut) {
    slow_end s = {.inside = inside};
    blocker  busy[2];
    counter_init(&s.finalizing);
    gate_init(&s.finalize);
    gate_init(&s.go);
    gate_init(&s.end);
    gate_init(&s.needed);
    s.executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .idle_timeout_ns = TP_MSEC(1), .finalizer = finalize_slowly, .user_data = &s));
    REQUIRE(s.executor != NULL);
    for (int i = 0; i < 2; i++) block(s.executor, &busy[i]);
    for (int i = 0; i < 2; i++) unblock(&busy[i]);
    counter_wait(&s.finalizing, 1);
    tp_future *waiting = submit(s.executor, need_another, &s);
    gate_open(&s.go);
    gate_wait(&s.end);
    if (!inside) CHECK_STATUS(tp_execute(s.executor, open_needed, &s), TP_OK);
    if (shut) CHECK_STATUS(tp_executor_shutdown(s.executor, 0), TP_OK);
    sleep_ms(5); /* whoever was to start a thread has given up */
    gate_open(&s.finalize);
    CHECK_PTR(result_of(waiting), &s); /* or the watchdog */
    tp_executor_free(s.executor);
}

TEST(p02_a_slow_finalizer_strands_no_task) {
    for (int i = 0; i < 5; i++) strands_no_task(false, false);
}
TEST(p02_a_slow_finalizer_strands_no_task_submitted_from_inside) {
    for (int i = 0; i < 5; i++) strands_no_task(true, false);
}
TEST(p02_a_slow_finalizer_strands_no_task_of_a_shut_executor) {
    for (int i = 0; i < 5; i++) strands_no_task(i % 2 == 0, true);
}

enum { MEMBERS = 4, SUBMITTERS = 2 };

typedef struct {
    tp_executor *executor;
    counter     *meetings;
    tp_future   *futures[MEMBERS];
    int          first;
} submitter;

static void finalize_for_a_moment(void *user_data) {
    struct timespec moment = {0, 50000};
    (void)user_data;
    nanosleep(&moment, NULL);
}

static void *meet(void *arg) {
    counter *arrived = arg;
    counter_add(arrived, 1);
    counter_wait(arrived, MEMBERS);
    return arg;
}

static void *submit_a_share(void *arg) {
    submitter *s = arg;
    for (int i = s->first; i < MEMBERS; i += SUBMITTERS) s->futures[i] = submit(s->executor, meet, s->meetings);
    return arg;
}

/* As many tasks as there may be workers wait for each other, submitted from two sides at once, while idle workers retire at any moment and
 * keep their place for a while: the place that one leaves must not be lost on a submission that has just found none. */
TEST(p02_meetings_come_about_while_workers_retire_through_finalizers) {
    tp_executor *sides = new_executor(SUBMITTERS);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = MEMBERS, .idle_timeout_ns = 20000, .finalizer = finalize_for_a_moment));
    REQUIRE(executor != NULL);
    long rounds = repeat(4000);
    for (long round = 0; round < rounds; round++) {
        counter    arrived;
        submitter  s[SUBMITTERS];
        tp_future *done[SUBMITTERS];
        counter_init(&arrived);
        for (int i = 0; i < SUBMITTERS; i++) {
            s[i] = (submitter){.executor = executor, .meetings = &arrived, .first = i};
            done[i] = submit(sides, submit_a_share, &s[i]);
        }
        for (int i = 0; i < SUBMITTERS; i++) result_of(done[i]);
        for (int i = 0; i < MEMBERS; i++) CHECK_PTR(result_of(s[i % SUBMITTERS].futures[i]), &arrived);
        struct timespec pause = {0, round * 7919 % 100000};
        nanosleep(&pause, NULL);
    }
    tp_executor_free(executor);
    tp_executor_free(sides);
}

/* Who learns of a task's end through an observer is often faster than its worker, which must be counted as idle all the same. */
TEST(p02_sequential_use_through_observers_needs_one_thread) {
    long rounds = repeat(1000);
    for (int way = 0; way < 4; way++) {
        tp_executor *executor = new_executor(8);
        for (long i = 0; i < rounds; i++) {
            tp_future *future = submit(executor, return_arg, executor);
            if (way < 2) {
                CHECK_STATUS(tp_wait(&future, 1, TP_FOREVER, way == 0 ? TP_WAIT_FIRST_COMPLETED : TP_WAIT_FIRST_FAILED, NULL), TP_OK);
            } else {
                tp_completion_queue *queue = way == 2 ? tp_as_completed(&future, 1) : tp_completion_queue_new();
                REQUIRE(queue != NULL);
                if (way == 3) CHECK_STATUS(tp_completion_queue_add(queue, future, 0), TP_OK);
                CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
                tp_completion_queue_free(queue);
            }
            tp_future_release(future);
        }
        CHECK_EQ(tp_executor_worker_count(executor), 1);
        tp_executor_free(executor);
    }
}

/* ---- P3: nothing is lost, in whatever heap ------------------------------------------------------------------------------------------------ */

enum { MANY = 20000 };

typedef struct {
    tp_executor *executor;
    atomic_int   ran[MANY];
    counter      all;
    bool         with_futures;
} heap;

typedef struct {
    heap *of;
    int   index;
} item;

static void *run_item(void *arg) {
    item *i = arg;
    atomic_fetch_add(&i->of->ran[i->index], 1);
    counter_add(&i->of->all, 1);
    return arg;
}

static void *push_all(void *arg) {
    item *items = arg;
    heap *h = items[0].of;
    for (int i = 0; i < MANY; i++) {
        if (h->with_futures) tp_future_release(submit(h->executor, run_item, &items[i]));
        else CHECK_STATUS(tp_execute(h->executor, run_item, &items[i]), TP_OK);
    }
    CHECK_EQ(counter_get(&h->all), 0); /* nobody else could run one, so all of them were kept somewhere */
    return arg;
}

TEST(p03_a_worker_that_pushes_much_loses_nothing) {
    for (int variant = 0; variant < 2; variant++) {
        heap *h = calloc(1, sizeof *h);
        item *items = calloc(MANY, sizeof *items);
        REQUIRE(h != NULL && items != NULL);
        blocker busy;
        counter_init(&h->all);
        h->with_futures = variant == 1;
        h->executor = new_executor(2);
        for (int i = 0; i < MANY; i++) items[i] = (item){h, i};
        block(h->executor, &busy);
        result_of(submit(h->executor, push_all, items));
        counter_wait(&h->all, MANY);
        unblock(&busy);
        tp_executor_free(h->executor);
        for (int i = 0; i < MANY; i++) CHECK_EQ(atomic_load(&h->ran[i]), 1);
        free(items);
        free(h);
    }
}

/* ---- P8: idle workers sleep --------------------------------------------------------------------------------------------------------------- */

static int64_t used_ns(const struct timeval *t) { return (int64_t)t->tv_sec * 1000000000 + (int64_t)t->tv_usec * 1000; }

/* The last worker stays whatever the timeout, and does not look at the clock for it. One quiet half second of many is enough: a library that
 * wakes up every microsecond, or as often as the system lets it, has none. */
TEST(p08_an_idle_timeout_of_1us_burns_nothing) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .idle_timeout_ns = 1000));
    REQUIRE(executor != NULL);
    CHECK_PTR(result_of(submit(executor, return_arg, executor)), executor);
    bool quiet = false;
    for (int i = 0; i < 40 && !quiet; i++) {
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        sleep_ms(500);
        getrusage(RUSAGE_SELF, &after);
        int64_t used = used_ns(&after.ru_utime) + used_ns(&after.ru_stime) - used_ns(&before.ru_utime) - used_ns(&before.ru_stime);
        quiet = used < TP_MSEC(10) && after.ru_nvcsw - before.ru_nvcsw < 100;
    }
    CHECK(quiet);
    CHECK_EQ(tp_executor_worker_count(executor), 1);
    tp_executor_free(executor);
}

/* ---- N1: waits inside of tasks ------------------------------------------------------------------------------------------------------------ */

typedef struct {
    tp_executor *executor;
    size_t       frame;
    long         depth, deepest;
} nest;

static void *nest_with_a_large_frame(void *arg) {
    nest         *n = arg;
    volatile char frame[n->frame];
    for (size_t i = 0; i < n->frame; i += 512) frame[i] = 1;
    long depth = ++n->depth;
    if (depth > n->deepest) n->deepest = depth;
    if (depth < 300) {
        tp_future *inner = submit(n->executor, nest_with_a_large_frame, n);
        tp_status  status = tp_future_result(inner, TP_FOREVER, NULL);
        CHECK(status == TP_OK || status == TP_ERR_DEADLOCK);
        if (status != TP_OK) tp_future_cancel(inner);
        tp_future_release(inner);
    }
    for (size_t i = 0; i < n->frame; i += 512) CHECK_EQ(frame[i], 1);
    return arg;
}

/* How deep waits may nest is a matter of the stack that is left, and not of a level's share in the library: past that the one worker is told. */
TEST(n01_a_task_with_large_frames_nests_safely) {
    static const size_t stacks[] = {(size_t)1 << 20, (size_t)8 << 20}, parts[] = {64, 27, 4};
    for (size_t s = 0; s < sizeof stacks / sizeof *stacks; s++) {
        for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
            nest n = {tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .stack_size = stacks[s])), stacks[s] / parts[p], 0, 0};
            REQUIRE(n.executor != NULL);
            CHECK_PTR(result_of(submit(n.executor, nest_with_a_large_frame, &n)), &n);
            CHECK(n.deepest >= 2 && n.deepest < 300);
            tp_executor_free(n.executor);
        }
    }
}

typedef struct {
    tp_executor *executor;
    gate         both_submitted, second_ran;
    long         delay;
} pair;

static void *wait_for_second(void *arg) {
    gate_wait(&((pair *)arg)->second_ran);
    return arg;
}
static void *be_second(void *arg) {
    gate_open(&((pair *)arg)->second_ran);
    return arg;
}
static void *hold_until_submitted(void *arg) {
    gate_wait(&((pair *)arg)->both_submitted);
    return arg;
}

static void *take_both(void *arg) {
    pair                *p = arg;
    tp_future           *futures[2] = {submit(p->executor, wait_for_second, p), submit(p->executor, be_second, p)};
    tp_completion_queue *queue = tp_as_completed(futures, 2);
    REQUIRE(queue != NULL);
    gate_open(&p->both_submitted);
    for (volatile long i = 0; i < p->delay; i++) {}
    for (int i = 0; i < 2; i++) CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
    tp_completion_queue_free(queue);
    for (int i = 0; i < 2; i++) tp_future_release(futures[i]);
    return arg;
}

/* A worker takes from a queue of two tasks that are pending in its own executor; the first waits for the second. Whether it runs the first
 * itself or another worker snatches that at the last moment: somebody runs the second. */
TEST(n01_a_queue_goes_on_with_the_next_when_another_worker_takes_the_first) {
    long rounds = repeat(2000);
    for (long round = 0; round < rounds; round++) {
        pair p = {.delay = round * 13 % 4000};
        gate_init(&p.both_submitted);
        gate_init(&p.second_ran);
        p.executor = new_executor(2);
        tp_future *other = submit(p.executor, hold_until_submitted, &p);
        EVENTUALLY(tp_future_running(other) || tp_future_done(other));
        CHECK_PTR(result_of(submit(p.executor, take_both, &p)), &p);
        result_of(other);
        tp_executor_free(p.executor);
    }
}

/* ---- D3: until the threads have ended ----------------------------------------------------------------------------------------------------- */

static pthread_key_t ending_key;
static counter       destructors = COUNTER_INIT;

static void shut_down_at_thread_end(void *value) {
    tp_executor *executor = value;
    sleep_ms(20); /* whoever joins this thread is waiting by now */
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_FAILS(tp_execute(executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    (void)tp_executor_worker_count(executor);
    counter_add(&destructors, 1);
}

static void *leave_a_destructor(void *arg) {
    CHECK_EQ(pthread_setspecific(ending_key, arg), 0);
    return arg;
}

/* The destructors of a worker's thread local data run while others wait for the end of that thread, which must hold no lock for it. */
TEST(d03_thread_local_destructors_may_shut_down) {
    REQUIRE(pthread_key_create(&ending_key, shut_down_at_thread_end) == 0);
    for (int i = 0; i < 10; i++) {
        tp_executor *executor = new_executor(1);
        result_of(submit(executor, leave_a_destructor, executor));
        CHECK_STATUS(tp_executor_shutdown(executor, i % 2 == 0 ? TP_SHUTDOWN_WAIT : 0), TP_OK);
        if (i % 2 == 1) CHECK_STATUS(tp_executor_join(executor, TP_FOREVER), TP_OK);
        CHECK_EQ(counter_get(&destructors), i + 1); /* the thread has ended */
        tp_executor_free(executor);
    }
    REQUIRE(pthread_key_delete(ending_key) == 0);
}
