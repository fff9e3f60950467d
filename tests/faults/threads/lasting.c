/* Threads that cannot be started while an executor lives on: submits from inside tasks and hooks, workers that come and go,
 * shutdown. */
#include "staff.h"

/* ---- from inside ------------------------------------------------------------------------------------------------------- */

typedef struct inside {
    tp_executor *target;
    tally        t;
    tp_status    expected;
} inside;

static void *offer_every_form(void *arg) {
    inside *in = (inside *)arg;
    for (const form *how = forms; how < forms + FORMS; how++) CHECK_STATUS(offer(how, in->target, &in->t), in->expected);
    return NULL;
}
static void offer_in_a_callback(tp_future *future, void *user_data) {
    (void)future;
    offer_every_form(user_data);
}

TEST(p04_a_task_submits_to_its_own_executor_though_no_thread_can_be_started) {
    for (size_t size = 1; size <= 8; size *= 2) {
        staff  s;
        inside in = {NULL, TALLY_INIT, TP_OK}, later = {NULL, TALLY_INIT, TP_OK};
        hire(&s, size, 0);
        in.target = later.target = s.executor;
        result_of(submit(s.executor, return_arg, NULL));
        fail_threads(EAGAIN, 0, true);
        tp_future *future = submit(s.executor, offer_every_form, &in);
        CHECK_STATUS(tp_future_add_done_callback(future, offer_in_a_callback, &later), TP_OK);
        result_of(future);
        counter_wait(&in.t.ran, in.t.tasks);
        EVENTUALLY(counter_get(&later.t.ran) >= FORMS);
        fail_nothing();
        dismiss(&s, 1);
        CHECK_TALLY(&in.t);
        CHECK_TALLY(&later.t);
    }
}

TEST(p04_a_task_that_submits_to_an_executor_without_workers_is_refused) {
    staff  s, other;
    inside in = {NULL, TALLY_INIT, TP_ERR_SYSTEM};
    hire(&s, 2, 0);
    hire(&other, 2, 0);
    in.target = other.executor;
    result_of(submit(s.executor, return_arg, NULL));
    fail_threads(EPERM, 0, true);
    result_of(submit(s.executor, offer_every_form, &in));
    CHECK(atomic_load(&fault.refused) >= FORMS);
    fail_nothing();
    in.expected = TP_OK;
    result_of(submit(s.executor, offer_every_form, &in));
    dismiss(&other, -1);
    dismiss(&s, -1);
    CHECK_TALLY(&in.t);
}

/* ---- workers that come and go ------------------------------------------------------------------------------------------ */

enum { USERS = 3 };

typedef struct user {
    tp_executor *executor;
    tally        t;
    long         refused;
    unsigned     number;
} user;

static void *submit_for_a_while(void *arg) {
    user *u = (user *)arg;
    for (int i = 0; i < 200; i++) {
        tp_status status = offer(&forms[(u->number + (unsigned)i) % FORMS], u->executor, &u->t);
        if (status != TP_OK) CHECK_STATUS(status, TP_ERR_SYSTEM);
        u->refused += status != TP_OK;
        if (i % 20 == 19) sleep_ms(1); /* workers may become idle and end */
    }
    return NULL;
}

/* One start in two fails, whichever. */
TEST(p04_exact_accounting_while_workers_come_and_go_and_some_cannot_be_started) {
    long refused = 0, rounds = repeat(40);
    for (long round = 0; round < rounds; round++) {
        staff     s;
        user      users[USERS];
        pthread_t threads[USERS];
        hire(&s, 1 + (size_t)round % 4, 100000);
        for (unsigned i = 0; i < USERS; i++) {
            users[i] = (user){s.executor, TALLY_INIT, 0, i};
            threads[i] = start_thread(submit_for_a_while, &users[i]);
        }
        atomic_store(&fault.seed, (unsigned long)round);
        atomic_store(&fault.one_in, 2);
        fail_threads(EAGAIN, 0, false);
        for (int i = 0; i < USERS; i++) join_thread(threads[i]);
        refused += atomic_load(&fault.refused);
        fail_nothing();
        dismiss(&s, -1);
        for (int i = 0; i < USERS; i++) CHECK_TALLY(&users[i].t);
    }
    CHECK(refused > 0); /* or this test would test nothing */
}

/* Workers that were idle for too long have ended; the one that stays has whatever comes. */
TEST(p08_idle_workers_that_have_ended_and_cannot_come_back_leave_nothing_undone) {
    staff   s;
    tally   t = TALLY_INIT;
    blocker busy[4];
    hire(&s, 4, 1000000);
    for (int i = 0; i < 4; i++) block(s.executor, &busy[i]);
    for (int i = 0; i < 4; i++) unblock(&busy[i]);
    EVENTUALLY(tp_executor_worker_count(s.executor) == 1);
    fail_threads(EAGAIN, 0, true);
    for (int i = 0; i < 100; i++)
        for (const form *how = forms; how < forms + FORMS; how++) CHECK_STATUS(offer(how, s.executor, &t), TP_OK);
    counter_wait(&t.ran, t.tasks);
    fail_nothing();
    for (int i = 0; i < 4; i++) block(s.executor, &busy[i]);
    for (int i = 0; i < 4; i++) unblock(&busy[i]);
    dismiss(&s, -1);
    CHECK_TALLY(&t);
}

/* ---- shutdown ---------------------------------------------------------------------------------------------------------- */

/* An executor ends in each way, without a worker, and with one that has all the tasks. */
TEST(p04_an_executor_ends_though_no_thread_can_be_started) {
    for (int way = 0; way < 4; way++)
        for (int workers = 0; workers < 2; workers++) {
            staff   s;
            tally   t = TALLY_INIT;
            blocker busy;
            hire(&s, 3, 0);
            if (workers == 1) block(s.executor, &busy);
            fail_threads(ENOMEM, 0, true);
            for (const form *how = forms; how < forms + FORMS; how++)
                CHECK_STATUS(offer(how, s.executor, &t), workers == 1 ? TP_OK : TP_ERR_SYSTEM);
            if (workers == 1) gate_open(&busy.release);
            if (way > 1) CHECK_STATUS(tp_executor_shutdown(s.executor, way == 2 ? 0 : TP_SHUTDOWN_WAIT), TP_OK);
            if (way > 1) CHECK_NULL(tp_submit(s.executor, return_arg, NULL), TP_ERR_SHUTDOWN); /* before SYSTEM */
            if (way > 1) CHECK_STATUS(tp_executor_join(s.executor, TP_FOREVER), TP_OK);
            (way == 0 ? tp_executor_detach : tp_executor_free)(s.executor);
            counter_wait(&s.user_data, 1);
            fail_nothing();
            if (workers == 1) result_of(busy.future);
            check_staff(&s, workers);
            CHECK_TALLY(&t);
        }
}

/* Cancelled instead of run: what nobody could run is not missing to anybody. */
TEST(d05_what_one_worker_was_left_with_can_be_cancelled) {
    staff      s;
    blocker    busy;
    tp_future *futures[50];
    hire(&s, 8, 0);
    block(s.executor, &busy);
    fail_threads(EAGAIN, 0, true);
    for (int i = 0; i < 50; i++) futures[i] = submit(s.executor, return_arg, NULL);
    CHECK_STATUS(tp_executor_shutdown(s.executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    for (int i = 0; i < 50; i++) {
        CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, NULL), TP_ERR_CANCELLED);
        tp_future_release(futures[i]);
    }
    unblock(&busy);
    fail_nothing();
    dismiss(&s, 1);
}

/* ---- nothing is lost --------------------------------------------------------------------------------------------------- */

TEST(after_ten_thousand_threads_that_could_not_be_started_nothing_is_lost) {
    staff s;
    tally t = TALLY_INIT;
    hire(&s, 2, 0);
    fail_threads(EAGAIN, 0, true);
    CHECK_STATUS(offer(&forms[0], s.executor, &t), TP_ERR_SYSTEM); /* the place's ring is kept */
    long blocks = atomic_load(&library_blocks);
    for (long i = repeat(10000); i > 0; i--) CHECK_STATUS(offer(&forms[i % FORMS], s.executor, &t), TP_ERR_SYSTEM);
    CHECK_EQ(atomic_load(&library_blocks), blocks);
    fail_nothing();
    dismiss(&s, 0);
    CHECK_TALLY(&t);
}
