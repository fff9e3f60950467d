/* R2: clocks are monotonic. While CLOCK_REALTIME is set by hours, forwards and back (clock_shim.c), limited waits end at their
 * time: not before it, and long before the hours are over. */
#include "clock_shim.h"
#include "harness.h"

#include <stdatomic.h>

static const int64_t LIMIT = TP_MSEC(100), HOUR = TP_SEC(3600);

/* Each case is run this often, so that the clock is set in all ways while it waits. */
enum { ROUNDS = 8 };

static int64_t realtime(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

TEST(the_shim_is_loaded_and_sets_the_clock) {
    REQUIRE(clock_shim_calls != NULL);
    bool    forwards = false, back = false;
    int64_t before = realtime();
    while (!forwards || !back) { /* the watchdog goes by another clock */
        int64_t now = realtime();
        forwards |= now - before >= HOUR;
        back |= before - now >= HOUR;
        before = now;
    }
}

/* The canary: a wait by CLOCK_REALTIME, which the shim must spoil. One that begins while the clock is as late as it gets is not
 * spoiled, and ends when the clock is there again: the pause before the next takes it to another setting. */
TEST(a_wait_by_the_clock_that_is_set_ends_at_a_wrong_time) {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t  never = PTHREAD_COND_INITIALIZER;
    bool            early = false;
    pthread_mutex_lock(&lock);
    while (!early) {
        int64_t         begin = now_ns(), at = realtime() + LIMIT;
        struct timespec until = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
        CHECK_EQ(pthread_cond_timedwait(&never, &lock, &until), ETIMEDOUT);
        early = now_ns() - begin < LIMIT;
        sleep_ms(early ? 0 : CLOCK_SHIM_HELD_MS + 3);
    }
    pthread_mutex_unlock(&lock);
}

#define CHECK_TIMES_OUT(call)                          \
    do {                                               \
        int64_t begin = now_ns();                      \
        CHECK_STATUS((call), TP_ERR_TIMEOUT);          \
        int64_t waited = now_ns() - begin;             \
        CHECK(waited >= LIMIT && waited < HOUR);       \
    } while (0)

TEST(r02_limited_waits_do_not_go_by_the_clock_that_is_set) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    void           *arg = executor;
    tp_future      *out;
    const tp_error *error;
    tp_map         *map = tp_map_new(executor, return_arg, &arg, 1, 1, NULL);
    tp_completion_queue *queue = tp_as_completed(&busy.future, 1);
    REQUIRE(map != NULL && queue != NULL);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_TIMES_OUT(tp_future_result(busy.future, LIMIT, NULL));
        CHECK_TIMES_OUT(tp_future_error(busy.future, LIMIT, &error));
        CHECK_TIMES_OUT(tp_wait(&busy.future, 1, LIMIT, TP_WAIT_ALL_COMPLETED, NULL));
        CHECK_TIMES_OUT(tp_wait(&busy.future, 1, LIMIT, TP_WAIT_FIRST_COMPLETED, NULL));
        CHECK_TIMES_OUT(tp_completion_queue_next(queue, LIMIT, &out, NULL));
        CHECK_TIMES_OUT(tp_map_next(map, LIMIT, &out));
    }
    tp_completion_queue_free(queue);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    for (int i = 0; i < ROUNDS; i++) CHECK_TIMES_OUT(tp_executor_join(executor, LIMIT));
    unblock(&busy);
    tp_map_free(map);
    tp_executor_free(executor);
}

static void *sleep_for_the_limit(void *arg) {
    sleep_ms(LIMIT / 1000000);
    return arg;
}

/* The clock jumps past the limit while the task runs, again and again; the limit is still an hour away. */
TEST(r02_limits_are_not_reached_by_setting_the_clock) {
    tp_executor *executor = new_executor(2);
    for (int i = 0; i < ROUNDS; i++) {
        tp_future *future = submit(executor, sleep_for_the_limit, executor);
        void      *result = NULL;
        CHECK_STATUS(tp_future_result(future, HOUR, &result), TP_OK);
        CHECK_PTR(result, executor);
        tp_future_release(future);
        future = submit(executor, sleep_for_the_limit, executor);
        CHECK_STATUS(tp_wait(&future, 1, HOUR, TP_WAIT_FIRST_COMPLETED, NULL), TP_OK);
        tp_future_release(future);
    }
    tp_executor_free(executor);
}

static atomic_long finalized;
static void note_end(void *user_data) {
    (void)user_data;
    atomic_fetch_add(&finalized, 1);
}

/* With an hour to idle no worker ends; with little, all but one do. */
TEST(p08_idle_workers_end_by_their_own_clock) {
    static const struct {
        int64_t idle_ns;
        long    ended;
    } cases[] = {{TP_SEC(3600), 0}, {TP_MSEC(50), 2}};
    for (int c = 0; c < 2; c++) {
        atomic_store(&finalized, 0);
        tp_executor *executor =
            tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .finalizer = note_end, .idle_timeout_ns = cases[c].idle_ns));
        blocker busy[3];
        REQUIRE(executor != NULL);
        for (int i = 0; i < 3; i++) block(executor, &busy[i]);
        for (int i = 0; i < 3; i++) unblock(&busy[i]);
        EVENTUALLY(atomic_load(&finalized) >= cases[c].ended);
        sleep_ms(ROUNDS * 20); /* so that one too many would show */
        CHECK_EQ(atomic_load(&finalized), cases[c].ended);
        tp_executor_free(executor);
    }
}

/* Last: of all that the library did above. */
TEST(the_library_never_asks_for_the_clock_that_can_be_set) {
    printf("    libtpexec used monotonic clocks %ld times, CLOCK_REALTIME %ld times\n", clock_shim_calls(false),
           clock_shim_calls(true));
    CHECK(clock_shim_calls(false) > 0);
    CHECK_EQ(clock_shim_calls(true), 0);
}
