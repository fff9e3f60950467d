/* States, results and errors of futures; many waiters. */
#include "harness.h"

#include <stdatomic.h>

/* ---- S: states -------------------------------------------------------------------------------------------------------------- */

static void check_state(const tp_future *future, tp_state state) {
    CHECK_EQ(tp_future_state(future), state);
    CHECK_EQ(tp_future_running(future), state == TP_STATE_RUNNING);
    CHECK_EQ(tp_future_cancelled(future), state == TP_STATE_CANCELLED);
    CHECK_EQ(tp_future_done(future), state == TP_STATE_CANCELLED || state == TP_STATE_FINISHED);
}

TEST(s01_a_new_future_is_pending) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, return_arg, NULL);
    check_state(future, TP_STATE_PENDING);
    unblock(&busy);
    result_of(future);
    tp_executor_free(executor);
}

TEST(s02_pending_running_finished) {
    tp_executor *executor = new_executor(1);
    blocker      first, second = {GATE_INIT, GATE_INIT, NULL};
    block(executor, &first);
    second.future = submit(executor, blocker_run, &second);
    check_state(second.future, TP_STATE_PENDING);
    check_state(first.future, TP_STATE_RUNNING);
    tp_future *kept = tp_future_retain(first.future);
    CHECK_PTR(kept, first.future);
    unblock(&first);
    check_state(kept, TP_STATE_FINISHED);
    gate_wait(&second.started);
    check_state(second.future, TP_STATE_RUNNING);
    unblock(&second);
    check_state(kept, TP_STATE_FINISHED);
    tp_future_release(kept);
    tp_executor_free(executor);
}

TEST(s02_pending_cancelled_is_final) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, return_arg, NULL);
    CHECK(tp_future_cancel(future));
    check_state(future, TP_STATE_CANCELLED);
    unblock(&busy);
    tp_executor_free(executor);
    check_state(future, TP_STATE_CANCELLED);
    tp_future_release(future);
}

TEST(s03_failed_is_finished) {
    tp_executor *executor = new_executor(1);
    tp_future   *future = submit(executor, fail_with_seven, NULL);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_TASK);
    check_state(future, TP_STATE_FINISHED);
    tp_future_release(future);
    tp_executor_free(executor);
}

/* A state only ever moves forward, whoever looks while it does. */
typedef struct {
    tp_future   *future;
    atomic_bool *stop;
} observer;

static void *watch_states(void *arg) {
    observer *o = (observer *)arg;
    tp_state  before = TP_STATE_PENDING;
    for (;;) {
        bool     last = atomic_load(o->stop);
        tp_state now = tp_future_state(o->future);
        CHECK(now == before || before == TP_STATE_PENDING || (before == TP_STATE_RUNNING && now == TP_STATE_FINISHED));
        before = now;
        if (last) return NULL;
    }
}

TEST(s02_observers_see_only_legal_transitions) {
    enum { OBSERVERS = 3 };
    long         rounds = repeat(2000);
    tp_executor *executor = new_executor(1);
    for (long round = 0; round < rounds; round++) {
        atomic_bool stop = false;
        observer    o;
        pthread_t   threads[OBSERVERS];
        o.future = submit(executor, return_arg, NULL);
        o.stop = &stop;
        for (int i = 0; i < OBSERVERS; i++) threads[i] = start_thread(watch_states, &o);
        if (round % 2 == 0) tp_future_cancel(o.future);
        tp_wait(&o.future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL);
        atomic_store(&stop, true);
        for (int i = 0; i < OBSERVERS; i++) join_thread(threads[i]);
        tp_future_release(o.future);
    }
    tp_executor_free(executor);
}

static void *fail_with_nothing(void *arg) {
    CHECK_STATUS(tp_task_fail(0, NULL), TP_OK);
    return arg;
}

TEST(s06_success_and_failure_are_never_deduced_from_values) {
    tp_executor    *executor = new_executor(1);
    const tp_error *error = (const tp_error *)executor;
    void           *result = executor;

    tp_future *null_result = submit(executor, return_null, executor);
    CHECK_STATUS(tp_future_result(null_result, TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, NULL);
    CHECK_STATUS(tp_future_error(null_result, TP_FOREVER, &error), TP_OK);
    CHECK_PTR(error, NULL);
    CHECK_STATUS(tp_future_take(null_result, TP_FOREVER, &result), TP_OK);
    tp_future_release(null_result);

    tp_future *null_failure = submit(executor, fail_with_nothing, executor);
    result = &error;
    CHECK_STATUS(tp_future_result(null_failure, TP_FOREVER, &result), TP_ERR_TASK);
    CHECK_PTR(result, &error); /* outputs are written only on TP_OK */
    CHECK_STATUS(tp_future_error(null_failure, TP_FOREVER, &error), TP_OK);
    REQUIRE(error != NULL);
    CHECK_EQ(error->code, 0);
    CHECK_STR(error->message, "");
    CHECK_PTR(error->payload, NULL);
    tp_future_release(null_failure);
    tp_executor_free(executor);
}

/* ---- R: result and error ----------------------------------------------------------------------------------------------------- */

static const int64_t every_timeout[] = {0, -1, 1, 1000, INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX, TP_SEC(1), TP_MSEC(1)};
enum { TIMEOUTS = sizeof every_timeout / sizeof every_timeout[0] };

TEST(r01_a_done_future_answers_at_once_whatever_the_timeout) {
    tp_executor *executor = new_executor(1);
    tp_future   *ok = submit(executor, return_arg, executor), *failed = submit(executor, fail_with_seven, NULL);
    CHECK_STATUS(tp_future_result(failed, TP_FOREVER, NULL), TP_ERR_TASK);
    for (int i = 0; i < TIMEOUTS; i++) {
        void           *result = NULL;
        const tp_error *error = NULL;
        CHECK_STATUS(tp_future_result(ok, every_timeout[i], &result), TP_OK);
        CHECK_PTR(result, executor);
        CHECK_STATUS(tp_future_result(ok, every_timeout[i], NULL), TP_OK);
        CHECK_STATUS(tp_future_error(ok, every_timeout[i], &error), TP_OK);
        CHECK_PTR(error, NULL);
        CHECK_STATUS(tp_future_result(failed, every_timeout[i], &result), TP_ERR_TASK);
        CHECK_STATUS(tp_future_take(failed, every_timeout[i], &result), TP_ERR_TASK);
        CHECK_STATUS(tp_future_error(failed, every_timeout[i], &error), TP_OK);
        REQUIRE(error != NULL);
        CHECK_EQ(error->code, 7);
        CHECK_STR(error->message, "seven");
        CHECK_STATUS(tp_future_error(failed, every_timeout[i], NULL), TP_OK);
    }
    tp_future_release(ok);
    tp_future_release(failed);
    tp_executor_free(executor);
}

TEST(r02_a_poll_of_an_unfinished_future_changes_nothing) {
    static const int64_t polls[] = {0, -1, -1000000000, INT64_MIN};
    tp_executor         *executor = new_executor(1);
    blocker              busy;
    block(executor, &busy);
    tp_future *pending = submit(executor, return_arg, executor);
    for (size_t i = 0; i < sizeof polls / sizeof polls[0]; i++) {
        void           *result = &busy;
        const tp_error *error = (const tp_error *)&busy;
        CHECK_STATUS(tp_future_result(pending, polls[i], &result), TP_ERR_TIMEOUT);
        CHECK_STATUS(tp_future_take(pending, polls[i], &result), TP_ERR_TIMEOUT);
        CHECK_STATUS(tp_future_error(pending, polls[i], &error), TP_ERR_TIMEOUT);
        CHECK_STATUS(tp_future_result(busy.future, polls[i], &result), TP_ERR_TIMEOUT);
        CHECK_PTR(result, &busy);
        CHECK_PTR(error, &busy);
        CHECK_EQ(tp_future_state(pending), TP_STATE_PENDING);
        CHECK_EQ(tp_future_state(busy.future), TP_STATE_RUNNING);
    }
    unblock(&busy);
    CHECK_PTR(result_of(pending), executor);
    tp_executor_free(executor);
}

TEST(r02_no_wait_times_out_before_its_time) {
    static const int64_t limits[] = {1, 1000, 50000, 1000000, 3000000, 20000001, 60000000};
    tp_executor         *executor = new_executor(1);
    blocker              busy;
    block(executor, &busy);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        int64_t begin = now_ns();
        CHECK_STATUS(tp_future_result(busy.future, limits[i], NULL), TP_ERR_TIMEOUT);
        CHECK(now_ns() - begin >= limits[i]);
        begin = now_ns();
        CHECK_STATUS(tp_future_error(busy.future, limits[i], NULL), TP_ERR_TIMEOUT);
        CHECK(now_ns() - begin >= limits[i]);
        begin = now_ns();
        CHECK_STATUS(tp_wait(&busy.future, 1, limits[i], TP_WAIT_FIRST_COMPLETED, NULL), TP_ERR_TIMEOUT);
        CHECK(now_ns() - begin >= limits[i]);
    }
    unblock(&busy);
    tp_executor_free(executor);
}

/* A timeout of centuries must not wrap round to one in the past. */
typedef struct {
    tp_future *future;
    int64_t    timeout;
    gate       about_to_wait;
} patient;

static void *wait_patiently(void *arg) {
    patient *p = (patient *)arg;
    gate_open(&p->about_to_wait);
    CHECK_STATUS(tp_future_result(p->future, p->timeout, NULL), TP_OK);
    CHECK_STATUS(tp_wait(&p->future, 1, p->timeout, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    return NULL;
}

TEST(r02_a_huge_timeout_does_not_overflow) {
    static const int64_t huge[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX - 1000000000, INT64_MAX / 2, INT64_MAX / 2 + 1, TP_SEC(4294967296)};
    enum { N = sizeof huge / sizeof huge[0] };
    tp_executor *executor = new_executor(1);
    blocker      busy;
    patient      patients[N];
    pthread_t    threads[N];
    block(executor, &busy);
    for (int i = 0; i < N; i++) {
        patients[i] = (patient){tp_future_retain(busy.future), huge[i], GATE_INIT};
        threads[i] = start_thread(wait_patiently, &patients[i]);
        gate_wait(&patients[i].about_to_wait);
    }
    sleep_ms(30); /* for those that would come back at once */
    unblock(&busy);
    for (int i = 0; i < N; i++) {
        join_thread(threads[i]);
        tp_future_release(patients[i].future);
    }
    tp_executor_free(executor);
}

/* Signals interrupt system calls, not waits. */
static void on_usr1(int signal_number) { (void)signal_number; }

TEST(r02_signals_do_not_end_a_wait) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_usr1; /* without SA_RESTART */
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    patient   p = {busy.future, TP_SEC(3600), GATE_INIT}, q = {busy.future, TP_FOREVER, GATE_INIT};
    pthread_t limited = start_thread(wait_patiently, &p), unlimited = start_thread(wait_patiently, &q);
    gate_wait(&p.about_to_wait);
    gate_wait(&q.about_to_wait);
    for (int i = 0; i < 50; i++) {
        pthread_kill(limited, SIGUSR1);
        pthread_kill(unlimited, SIGUSR1);
        kill(getpid(), SIGUSR1);
        sleep_ms(1);
    }
    gate_open(&busy.release);
    join_thread(limited);
    join_thread(unlimited);
    result_of(busy.future);
    tp_executor_free(executor);
    signal(SIGUSR1, SIG_DFL);
}

TEST(r03_a_cancelled_future_gives_cancelled_from_all) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, return_arg, NULL);
    CHECK(tp_future_cancel(future));
    for (int i = 0; i < TIMEOUTS; i++) {
        void           *result = &busy;
        const tp_error *error = (const tp_error *)&busy;
        CHECK_STATUS(tp_future_result(future, every_timeout[i], &result), TP_ERR_CANCELLED);
        CHECK_STATUS(tp_future_take(future, every_timeout[i], &result), TP_ERR_CANCELLED);
        CHECK_STATUS(tp_future_error(future, every_timeout[i], &error), TP_ERR_CANCELLED);
        CHECK_PTR(result, &busy);
        CHECK_PTR(error, &busy);
    }
    unblock(&busy);
    tp_future_release(future);
    tp_executor_free(executor);
}

TEST(r04_error_of_a_success_is_null_and_of_a_failure_is_no_status) {
    tp_executor    *executor = new_executor(2);
    const tp_error *error = (const tp_error *)executor;
    tp_future      *ok = submit(executor, return_arg, NULL), *failed = submit(executor, fail_with_seven, NULL);
    CHECK_STATUS(tp_future_error(ok, TP_FOREVER, &error), TP_OK);
    CHECK_PTR(error, NULL);
    CHECK_STATUS(tp_future_error(failed, TP_FOREVER, &error), TP_OK);
    CHECK(error != NULL && error->code == 7 && error->reserved == 0);
    tp_future_release(ok);
    tp_future_release(failed);
    tp_executor_free(executor);
}

/* ---- R5: many waiters --------------------------------------------------------------------------------------------------------- */

enum { WAITERS = 16 };
typedef struct {
    tp_future *future;
    int        how;
    tp_status  status;
    void      *result;
    int32_t    code;
    gate      *about_to_wait;
} waiter;

static void *wait_somehow(void *arg) {
    waiter         *w = (waiter *)arg;
    const tp_error *error = NULL;
    gate_open(w->about_to_wait);
    switch (w->how % 4) {
    case 0: w->status = tp_future_result(w->future, TP_FOREVER, &w->result); break;
    case 1: w->status = tp_future_result(w->future, TP_SEC(3600), &w->result); break;
    case 2:
        w->status = tp_future_error(w->future, TP_FOREVER, &error);
        if (w->status == TP_OK && error != NULL) {
            w->status = TP_ERR_TASK;
            w->code = error->code;
        }
        break;
    default:
        w->status = tp_wait(&w->future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL);
        CHECK_STATUS(w->status, TP_OK);
        w->status = tp_future_result(w->future, 0, &w->result);
    }
    return NULL;
}

typedef struct {
    gate go;
    int  outcome; /* 0 success, 1 failure */
} held;

static void *finish_when_told(void *arg) {
    held *h = (held *)arg;
    gate_wait(&h->go);
    if (h->outcome == 1) CHECK_STATUS(tp_task_fail(-12, "told"), TP_OK);
    return h;
}

static void sixteen_waiters(int outcome) {
    long         rounds = repeat(100);
    tp_executor *executor = new_executor(1);
    for (long round = 0; round < rounds; round++) {
        blocker   busy;
        held      h = {GATE_INIT, outcome};
        waiter    waiters[WAITERS];
        pthread_t threads[WAITERS];
        counter   waiting = COUNTER_INIT;
        block(executor, &busy);
        tp_future *future = submit(executor, finish_when_told, &h);
        for (int i = 0; i < WAITERS; i++) {
            waiters[i] = (waiter){future, i, TP_END, NULL, 0, &waiting};
            threads[i] = start_thread(wait_somehow, &waiters[i]);
        }
        counter_wait(&waiting, WAITERS);
        if (round % 2 == 0) sleep_ms(1); /* asleep in one round, still on their way in the next */
        if (outcome == 2) CHECK(tp_future_cancel(future));
        gate_open(&h.go);
        unblock(&busy);
        tp_status expected = outcome == 0 ? TP_OK : outcome == 1 ? TP_ERR_TASK : TP_ERR_CANCELLED;
        for (int i = 0; i < WAITERS; i++) {
            join_thread(threads[i]);
            CHECK_STATUS(waiters[i].status, expected);
            if (outcome == 0 && i % 4 != 2) CHECK_PTR(waiters[i].result, &h);
            if (outcome == 1 && i % 4 == 2) CHECK_EQ(waiters[i].code, -12);
        }
        tp_future_release(future);
    }
    tp_executor_free(executor);
}

TEST(r05_sixteen_waiters_all_wake_on_success) { sixteen_waiters(0); }
TEST(r05_sixteen_waiters_all_wake_on_failure) { sixteen_waiters(1); }
TEST(r05_sixteen_waiters_all_wake_on_cancel) { sixteen_waiters(2); }

/* One waiter's timeout never costs another its wake-up: waiters with short limits come and go while others wait for good. */
typedef struct {
    tp_future   *future;
    atomic_bool *stop;
} impatient;

static void *wait_impatiently(void *arg) {
    impatient *w = (impatient *)arg;
    int64_t    limit = 1;
    while (!atomic_load(w->stop)) {
        tp_status status = tp_future_result(w->future, limit, NULL);
        CHECK(status == TP_ERR_TIMEOUT || status == TP_OK);
        limit = limit * 3 % 700001 + 1;
    }
    return NULL;
}

TEST(r05_timeouts_of_some_cost_others_nothing) {
    long         rounds = repeat(60);
    tp_executor *executor = new_executor(1);
    for (long round = 0; round < rounds; round++) {
        blocker     busy;
        atomic_bool stop = false;
        counter     waiting = COUNTER_INIT;
        waiter      good[6];
        pthread_t   good_threads[6], bad_threads[4];
        block(executor, &busy);
        impatient w = {tp_future_retain(busy.future), &stop};
        for (int i = 0; i < 6; i++) {
            good[i] = (waiter){w.future, i, TP_END, NULL, 0, &waiting};
            good_threads[i] = start_thread(wait_somehow, &good[i]);
            if (i < 4) bad_threads[i] = start_thread(wait_impatiently, &w);
        }
        counter_wait(&waiting, 6);
        sleep_ms(2);
        unblock(&busy);
        for (int i = 0; i < 6; i++) {
            join_thread(good_threads[i]);
            CHECK_STATUS(good[i].status, TP_OK);
        }
        atomic_store(&stop, true);
        for (int i = 0; i < 4; i++) join_thread(bad_threads[i]);
        tp_future_release(w.future);
    }
    tp_executor_free(executor);
}

/* The shortest race of all: complete against one waiter that is just about to sleep. */
TEST(r05_no_wake_up_is_lost_in_two_hundred_thousand_round_trips) {
    long         rounds = repeat(200000);
    tp_executor *executor = new_executor(2);
    for (long i = 0; i < rounds; i++) {
        tp_future *future = submit(executor, return_arg, &i);
        void      *result = NULL;
        tp_status  status = i % 2 == 0 ? tp_future_result(future, TP_FOREVER, &result) : tp_future_take(future, TP_SEC(3600), &result);
        CHECK_STATUS(status, TP_OK);
        CHECK_PTR(result, &i);
        tp_future_release(future);
    }
    tp_executor_free(executor);
}

static void *fail_like_a_status(void *arg) {
    CHECK_STATUS(tp_task_fail((int32_t)(intptr_t)arg, "a status as a code"), TP_OK);
    return NULL;
}

TEST(r06_a_task_may_fail_with_the_number_of_a_status) {
    tp_executor *executor = new_executor(1);
    for (intptr_t code = -1; code <= 16; code++) {
        tp_future      *future = submit(executor, fail_like_a_status, (void *)code);
        const tp_error *error = NULL;
        CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_TASK);
        CHECK_STATUS(tp_future_take(future, TP_FOREVER, (void *[]){NULL}), TP_ERR_TASK);
        CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
        REQUIRE(error != NULL);
        CHECK_EQ(error->code, code);
        tp_future_release(future);
    }
    tp_executor_free(executor);
}

/* ---- R7: tasks that misbehave --------------------------------------------------------------------------------------------------- */

static void *misbehave(void *arg) {
    switch ((intptr_t)arg % 8) {
    case 0: tp_task_fail(1, "once"), tp_task_fail(2, "twice"); break;
    case 1: errno = EINTR; break;
    case 2: {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        break;
    }
    case 3: pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); break;
    case 4: pthread_setname_np(pthread_self(), "impostor"); break;
    case 5: tp_future_cancel(tp_future_current()), tp_future_request_stop(tp_future_current()); break;
    case 6: tp_future_result(tp_future_current(), 0, NULL); break;
    default: tp_execute(NULL, NULL, NULL), tp_executor_shutdown(NULL, 77), tp_wait(NULL, 5, 5, (tp_wait_for)99, NULL); break;
    }
    return arg;
}

TEST(r07_a_worker_survives_whatever_a_task_does) {
    tp_executor *executor = new_executor(1);
    for (intptr_t i = 0; i < 80; i++) {
        tp_future *future = submit(executor, misbehave, (void *)i);
        CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), i % 8 == 0 ? TP_ERR_TASK : TP_OK);
        tp_future_release(future);
        CHECK_PTR(result_of(submit(executor, return_arg, executor)), executor);
    }
    CHECK_EQ(tp_executor_worker_count(executor), 1);
    tp_executor_free(executor);
}

/* ---- R9: take ------------------------------------------------------------------------------------------------------------------- */

TEST(r09_take_hands_the_result_out_once) {
    tp_executor *executor = new_executor(1);
    counter      dropped = COUNTER_INIT;
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
    void *before = NULL, *taken = NULL, *after = executor;
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, &before), TP_OK);
    CHECK_STATUS(tp_future_take(future, TP_FOREVER, &taken), TP_OK);
    CHECK_PTR(before, &dropped);
    CHECK_PTR(taken, &dropped);
    CHECK_FAILS(tp_future_take(future, TP_FOREVER, &after), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_future_take(future, 0, &after), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_future_result(future, TP_FOREVER, &after), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_future_result(future, 0, NULL), TP_ERR_INVALID_STATE);
    CHECK_PTR(after, executor);
    /* It is done, and it succeeded, all the same. */
    const tp_error *error = (const tp_error *)executor;
    CHECK_STATUS(tp_future_error(future, 0, &error), TP_OK);
    CHECK_PTR(error, NULL);
    CHECK(tp_future_done(future));
    tp_future_release(future);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 0);
}

static void *take_once(void *arg) {
    waiter *w = (waiter *)arg;
    w->status = tp_future_take(w->future, TP_FOREVER, &w->result);
    return NULL;
}

TEST(r09_of_many_takers_exactly_one_wins) {
    long         rounds = repeat(2000);
    tp_executor *executor = new_executor(2);
    for (long round = 0; round < rounds; round++) {
        enum { TAKERS = 4 };
        waiter     takers[TAKERS];
        pthread_t  threads[TAKERS];
        counter    dropped = COUNTER_INIT;
        tp_future *future = NULL;
        int        won = 0;
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
        for (int i = 0; i < TAKERS; i++) {
            takers[i] = (waiter){future, i, TP_END, NULL, 0, NULL};
            threads[i] = start_thread(take_once, &takers[i]);
        }
        for (int i = 0; i < TAKERS; i++) {
            join_thread(threads[i]);
            if (takers[i].status == TP_OK) {
                won++;
                CHECK_PTR(takers[i].result, &dropped);
            } else {
                CHECK_STATUS(takers[i].status, TP_ERR_INVALID_STATE);
            }
        }
        CHECK_EQ(won, 1);
        tp_future_release(future);
        CHECK_EQ(counter_get(&dropped), 0);
    }
    tp_executor_free(executor);
}

/* ---- reference counts ------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_future         *future;
    pthread_barrier_t *start;
} holder;

static void *retain_and_release(void *arg) {
    holder *h = (holder *)arg;
    pthread_barrier_wait(h->start);
    for (int i = 0; i < 200; i++) {
        CHECK_PTR(tp_future_retain(h->future), h->future);
        tp_future_state(h->future);
        tp_future_release(h->future);
    }
    tp_future_release(h->future); /* the one that was retained for this thread */
    return NULL;
}

TEST(references_are_counted_exactly_among_threads) {
    long         rounds = repeat(500);
    tp_executor *executor = new_executor(1);
    counter      dropped = COUNTER_INIT;
    for (long round = 0; round < rounds; round++) {
        enum { HOLDERS = 4 };
        pthread_t         threads[HOLDERS];
        pthread_barrier_t start;
        holder            h = {NULL, &start};
        pthread_barrier_init(&start, NULL, HOLDERS);
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &h.future), TP_OK);
        for (int i = 0; i < HOLDERS; i++) tp_future_retain(h.future);
        for (int i = 0; i < HOLDERS; i++) threads[i] = start_thread(retain_and_release, &h);
        tp_future_result(h.future, TP_FOREVER, NULL);
        CHECK_EQ(counter_get(&dropped), round);
        tp_future_release(h.future);
        for (int i = 0; i < HOLDERS; i++) join_thread(threads[i]);
        counter_wait(&dropped, round + 1);
        pthread_barrier_destroy(&start);
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), rounds);
}

/* Many references to one future: the count is no byte. */
TEST(a_million_references_to_one_future) {
    long         n = repeat(1000000);
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
    for (long i = 0; i < n; i++) tp_future_retain(future);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    for (long i = 0; i < n; i++) tp_future_release(future);
    CHECK_EQ(counter_get(&dropped), 0);
    CHECK_EQ(tp_future_state(future), TP_STATE_FINISHED);
    tp_future_release(future);
    counter_wait(&dropped, 1);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 1);
}
