/* Memory and threads that can and cannot be had, at random, on every thread, under a mix of all that the library offers: what
 * was accepted ends once and is heard of once, what was refused leaves no trace.
 *
 * TPEXEC_TEST_SEED repeats a run's choices (threads still take turns as they like); TPEXEC_TEST_ROUNDS says how long it goes
 * on. */
#include "forms.h"

enum { USERS = 3, STEPS = 60, KEPT = 16, MAPPED = 5 };

/* A thread that uses the executor. */
typedef struct user {
    tp_executor  *executor;
    unsigned long random;
    long          refused;
    tally         t, inside; /* of its own tasks, and of what those submit while it waits for them */
    long          callbacks; /* that were added */
    counter       called, failures, payloads;
    long          failed;    /* tasks that were accepted to fail */
    tp_future    *kept[KEPT]; /* made by keep_a_task */
    size_t        n_kept;
} user;

static unsigned long pick(user *u, unsigned long below) {
    u->random ^= u->random << 13;
    u->random ^= u->random >> 7;
    u->random ^= u->random << 17;
    return u->random % below;
}

static bool is_accepted(user *u, tp_status status) {
    if (status == TP_OK) return true;
    CHECK(status == TP_ERR_NO_MEMORY || status == TP_ERR_SYSTEM);
    u->refused++;
    return false;
}

/* ---- tasks ------------------------------------------------------------------------------------------------------------- */

static void submit_in_some_form(user *u) { is_accepted(u, offer(&forms[pick(u, FORMS)], u->executor, &u->t)); }

static void let_go(user *u, size_t i) {
    tp_future_release(u->kept[i]);
    u->kept[i] = u->kept[--u->n_kept];
}

static void keep_a_task(user *u) {
    tp_future *futures[FORM_MANY] = {NULL};
    if (u->n_kept == KEPT) let_go(u, pick(u, KEPT));
    if (is_accepted(u, form_task(u->executor, &u->t, futures))) u->kept[u->n_kept++] = futures[0];
}

static void cancel_a_task(user *u) {
    if (u->n_kept == 0) return;
    size_t i = pick(u, u->n_kept);
    if (tp_future_cancel(u->kept[i])) {
        u->t.tasks--;
        u->t.drops--; /* there is no result */
    }
    let_go(u, i);
}

static void *submit_more(void *arg) {
    user *u = (user *)arg;
    for (int i = 0; i < 5; i++) is_accepted(u, offer(&forms[pick(u, FORMS)], u->executor, &u->inside));
    return NULL;
}

static void submit_inside(user *u) {
    tp_future *future = NULL;
    ARMED(future = tp_submit(u->executor, submit_more, u));
    if (is_accepted(u, future == NULL ? tp_last_error() : TP_OK)) result_of(future);
}

static void *fail_and_count(void *arg) {
    user *u = (user *)arg;
    counter_add(&u->failures, 1);
    /* A refused call leaves the payload the caller's. */
    if (tp_task_fail_with(7, "a message", &u->payloads, count_drop) != TP_OK) count_drop(&u->payloads);
    return NULL;
}

static void fail_a_task(user *u) {
    tp_future *future = NULL;
    tp_status  status = TP_OK;
    ARMED(future = tp_submit(u->executor, fail_and_count, u));
    if (!is_accepted(u, future == NULL ? tp_last_error() : TP_OK)) return;
    status = tp_future_result(future, TP_FOREVER, NULL);
    CHECK_STATUS(status, TP_ERR_TASK);
    u->failed++;
    tp_future_release(future);
}

/* ---- what comes out of them -------------------------------------------------------------------------------------------- */

static void add_a_callback(user *u) {
    tp_status status = TP_OK;
    if (u->n_kept == 0) return;
    ARMED(status = tp_future_add_done_callback(u->kept[pick(u, u->n_kept)], count_done, &u->called));
    u->callbacks += is_accepted(u, status);
}

static void wait_for_some(user *u) {
    static const tp_wait_for ways[] = {TP_WAIT_ALL_COMPLETED, TP_WAIT_FIRST_COMPLETED, TP_WAIT_FIRST_FAILED};
    size_t                   n_done = 77;
    tp_status                status = TP_OK;
    tp_wait_for              what = ways[pick(u, 3)];
    ARMED(status = tp_wait(u->kept, u->n_kept, pick(u, 2) == 0 ? TP_FOREVER : TP_MSEC(1), what, &n_done));
    if (status == TP_OK || status == TP_ERR_TIMEOUT) {
        CHECK(n_done <= u->n_kept);
        return;
    }
    CHECK(what != TP_WAIT_ALL_COMPLETED && n_done == 77);
    is_accepted(u, status);
}

static void collect_all(user *u) {
    tp_completion_queue *queue = NULL;
    size_t               n = u->n_kept;
    ARMED(queue = tp_as_completed(u->kept, n));
    if (!is_accepted(u, queue == NULL ? tp_last_error() : TP_OK)) return;
    for (size_t i = 0; i < n; i++) {
        tp_future *future = NULL;
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &future, NULL), TP_OK);
        CHECK(tp_future_done(future));
        tp_future_release(future);
    }
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_END);
    tp_completion_queue_free(queue);
    while (u->n_kept > 0) let_go(u, 0);
}

static void map_some(user *u) {
    void   *args[MAPPED] = {&u->t, &u->t, &u->t, &u->t, &u->t};
    tp_map *map = NULL;
    ARMED(map = tp_map_new(u->executor, run_and_count, args, MAPPED, pick(u, MAPPED), NULL));
    if (!is_accepted(u, map == NULL ? tp_last_error() : TP_OK)) return;
    for (int i = 0; i < MAPPED; i++) {
        tp_future *future = NULL;
        tp_status  status = TP_OK;
        ARMED(status = tp_map_next(map, TP_FOREVER, &future));
        CHECK((status == TP_OK) == (future != NULL));
        if (!is_accepted(u, status)) continue;
        u->t.tasks++;
        tp_future_release(future);
    }
    CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_END);
    tp_map_free(map);
}

/* ---- executors --------------------------------------------------------------------------------------------------------- */

static void use_another_executor(user *u) {
    tp_executor *other = NULL, *own = u->executor;
    ARMED(other = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2)));
    if (!is_accepted(u, other == NULL ? tp_last_error() : TP_OK)) return;
    u->executor = other;
    for (int i = 0; i < 3; i++) submit_in_some_form(u);
    submit_inside(u);
    u->executor = own;
    tp_executor_free(other);
}

static void (*const steps[])(user *) = {submit_in_some_form, keep_a_task, keep_a_task, cancel_a_task, submit_inside, fail_a_task,
                                        add_a_callback, wait_for_some, collect_all, map_some, use_another_executor};

static gate begin;

static void *take_steps(void *arg) {
    user *u = (user *)arg;
    gate_wait(&begin);
    for (int i = 0; i < STEPS; i++) steps[pick(u, sizeof steps / sizeof steps[0])](u);
    while (u->n_kept > 0) let_go(u, 0);
    return NULL;
}

typedef struct workers {
    counter initialized, finalized, unhandled;
} workers;

static int  initialize(void *user_data) { return counter_add(&((workers *)user_data)->initialized, 1) < 0; }
static void finalize(void *user_data) { counter_add(&((workers *)user_data)->finalized, 1); }
static void count_unhandled(const tp_error *error, void *user_data) {
    (void)error;
    counter_add(&((workers *)user_data)->unhandled, 1);
}

/* Gives the number of refusals. */
static long run_mix(unsigned long seed) {
    static const unsigned rates[] = {2, 3, 10, 50};
    static user           users[USERS];
    pthread_t             threads[USERS];
    workers               w = {COUNTER_INIT, COUNTER_INIT, COUNTER_INIT};
    long                  refused = 0;
    user                  chooser = {.random = seed};
    tp_executor          *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1 + pick(&chooser, 4),
                                                                        .idle_timeout_ns = 200000,
                                                                        .initializer = initialize, .finalizer = finalize,
                                                                        .unhandled_error = count_unhandled, .user_data = &w));
    REQUIRE(executor != NULL);
    gate_init(&begin);
    for (int i = 0; i < USERS; i++) {
        users[i] = (user){.executor = executor, .random = seed + (unsigned long)i + 1, .t = TALLY_INIT, .inside = TALLY_INIT,
                          .called = COUNTER_INIT, .failures = COUNTER_INIT, .payloads = COUNTER_INIT};
        threads[i] = start_thread(take_steps, &users[i]);
    }
    fail_at(-1, false);
    atomic_store(&fault.seed, seed);
    atomic_store(&fault.one_in, rates[pick(&chooser, 4)]);
    atomic_store(&fault.everywhere, true);
    gate_open(&begin);
    for (int i = 0; i < USERS; i++) join_thread(threads[i]);
    tp_executor_free(executor);
    fail_nothing();
    for (int i = 0; i < USERS; i++) {
        CHECK_TALLY(&users[i].t);
        CHECK_TALLY(&users[i].inside);
        CHECK_EQ(counter_get(&users[i].called), users[i].callbacks);
        CHECK_EQ(counter_get(&users[i].failures), users[i].failed);
        CHECK_EQ(counter_get(&users[i].payloads), users[i].failed);
        refused += users[i].refused;
    }
    CHECK_EQ(counter_get(&w.finalized), counter_get(&w.initialized));
    CHECK_EQ(counter_get(&w.unhandled), 0); /* every failure was seen */
    return refused;
}

TEST(exact_accounting_while_memory_can_and_cannot_be_had) {
    const char   *given = getenv("TPEXEC_TEST_SEED"), *wanted = getenv("TPEXEC_TEST_ROUNDS");
    unsigned long first = given == NULL ? (unsigned long)now_ns() : strtoul(given, NULL, 10);
    long          rounds = wanted == NULL ? 100 : strtol(wanted, NULL, 10), refused = 0;
    printf("TPEXEC_TEST_SEED=%lu\n", first);
    run_mix(first);
    long blocks = atomic_load(&library_blocks);
    for (long round = 0; round < rounds; round++) {
        refused += run_mix((first + (unsigned long)round + 1) | 1);
        CHECK_EQ(atomic_load(&library_blocks), blocks);
        CHECK_EQ(atomic_load(&library_threads), 0);
        if (test_failures != 0) {
            fprintf(stderr, "in round %ld of seed %lu\n", round, first);
            break;
        }
    }
    CHECK(refused > rounds); /* or this test would test nothing */
}
