/* An initializer that fails, at the first, the second, the last worker, under load (I2): every task that was accepted runs or
 * ends broken, once. */
#include "harness.h"

enum { USERS = 3, MOST = 8 };

/* Workers are numbered as they come; that one's initializer fails. */
typedef struct crew {
    counter      initialized, finalized, user_data;
    long         to_fail;
    tp_executor *executor;
} crew;

static int initialize(void *user_data) {
    crew *c = (crew *)user_data;
    return counter_add(&c->initialized, 1) == c->to_fail;
}
static void finalize(void *user_data) { counter_add(&((crew *)user_data)->finalized, 1); }
static void count_user_data(void *user_data) { counter_add(&((crew *)user_data)->user_data, 1); }

static void gather(crew *c, size_t max_workers, long to_fail) {
    *c = (crew){COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, to_fail, NULL};
    c->executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = max_workers, .initializer = initialize, .finalizer = finalize,
                                                     .user_data = c, .drop_user_data = count_user_data));
    REQUIRE(c->executor != NULL);
}

/* Every worker but the failed one ends as one that was initialized. */
static void disband(crew *c) {
    tp_executor_free(c->executor);
    CHECK_EQ(counter_get(&c->finalized), counter_get(&c->initialized) - 1);
    CHECK_EQ(counter_get(&c->user_data), 1);
}

/* What a user submitted with a future, and heard of it. */
typedef struct user {
    crew   *c;
    counter ran, dropped, called;
    long    tasks, refused, finished, broken;
} user;

static void *run_for(void *arg) {
    counter_add(&((user *)arg)->ran, 1);
    return arg;
}
static void drop_for(void *arg) { counter_add(&((user *)arg)->dropped, 1); }

/* Submits until it is refused, a hundred times at least while it is not. */
static void *submit_until_broken(void *arg) {
    enum { N = 100 };
    user      *u = (user *)arg;
    tp_future *futures[N];
    while (u->refused == 0) {
        long n = 0;
        for (; n < N && u->refused == 0; n++) {
            const tp_task *task = TP_TASK(.fn = run_for, .arg = u, .drop_arg = drop_for);
            tp_status      status = tp_submit_task(u->c->executor, task, &futures[n]);
            if (status != TP_OK) {
                CHECK_STATUS(status, TP_ERR_BROKEN);
                u->refused++;
                break;
            }
            CHECK_STATUS(tp_future_add_done_callback(futures[n], count_done, &u->called), TP_OK);
        }
        u->tasks += n;
        for (long i = 0; i < n; i++) {
            tp_status status = tp_future_result(futures[i], TP_FOREVER, NULL);
            if (status == TP_OK) {
                u->finished++;
            } else {
                CHECK_STATUS(status, TP_ERR_BROKEN);
                u->broken++;
            }
            tp_future_release(futures[i]);
        }
    }
    return NULL;
}

static void *wait_for_gate(void *arg) {
    gate_wait((gate *)arg);
    return NULL;
}

static void break_under_load(size_t max_workers, long to_fail) {
    crew       c;
    user       users[USERS];
    pthread_t  threads[USERS];
    gate       there = GATE_INIT;
    tp_future *held[MOST];
    gather(&c, max_workers, to_fail);
    for (int i = 0; i < USERS; i++) {
        users[i] = (user){&c, COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, 0, 0, 0, 0};
        threads[i] = start_thread(submit_until_broken, &users[i]);
    }
    /* Those before it are held until the one that fails is there: it is started for want of another. */
    for (long i = 0; i < to_fail - 1; i++) held[i] = tp_submit(c.executor, wait_for_gate, &there);
    counter_wait(&c.initialized, to_fail);
    gate_open(&there);
    for (int i = 0; i < USERS; i++) join_thread(threads[i]);
    for (long i = 0; i < to_fail - 1; i++) {
        if (held[i] == NULL) continue;
        tp_status status = tp_future_result(held[i], TP_FOREVER, NULL);
        CHECK(status == TP_OK || status == TP_ERR_BROKEN);
        tp_future_release(held[i]);
    }
    CHECK_NULL(tp_submit(c.executor, return_arg, NULL), TP_ERR_BROKEN);
    disband(&c);
    for (int i = 0; i < USERS; i++) {
        CHECK_EQ(users[i].finished + users[i].broken, users[i].tasks);
        CHECK_EQ(counter_get(&users[i].ran), users[i].finished);
        CHECK_EQ(counter_get(&users[i].dropped), users[i].tasks);
        CHECK_EQ(counter_get(&users[i].called), users[i].tasks);
    }
}

TEST(i02_an_initializer_that_fails_at_any_worker_under_load_breaks_what_is_pending_and_no_more) {
    static const struct {
        size_t max_workers;
        long   to_fail;
    } cases[] = {{1, 1}, {2, 1}, {2, 2}, {MOST, 1}, {MOST, 2}, {MOST, MOST}};
    for (long round = repeat(50); round > 0; round--)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) break_under_load(cases[i].max_workers, cases[i].to_fail);
}
