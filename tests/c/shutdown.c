/* Shutting down, joining, freeing, detaching. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

static const uint32_t every_flags[] = {0, TP_SHUTDOWN_WAIT, TP_SHUTDOWN_CANCEL_FUTURES, TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES};

/* ---- D1 --------------------------------------------------------------------------------------------------------------------------------- */

TEST(d01_submitting_after_shutdown_is_refused_in_every_form) {
    for (int i = 0; i < 4; i++) {
        counter      touched = COUNTER_INIT;
        void        *args[2] = {&touched, &touched};
        tp_future   *futures[2] = {(tp_future *)args, (tp_future *)args};
        tp_executor *executor = new_executor(2);
        CHECK_STATUS(tp_executor_shutdown(executor, every_flags[i]), TP_OK);
        CHECK_NULL(tp_submit(executor, count_run, &touched), TP_ERR_SHUTDOWN);
        CHECK_FAILS(tp_execute(executor, count_run, &touched), TP_ERR_SHUTDOWN);
        CHECK_FAILS(tp_submit_many(executor, count_run, args, 2, futures), TP_ERR_SHUTDOWN);
        CHECK_FAILS(tp_submit_many(executor, count_run, args, 2, NULL), TP_ERR_SHUTDOWN);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .drop_arg = count_drop, .drop_result = count_drop), &futures[0]),
                    TP_ERR_SHUTDOWN);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .drop_arg = count_drop), NULL), TP_ERR_SHUTDOWN);
        CHECK_PTR(futures[0], args);
        CHECK_EQ(tp_executor_pending_count(executor), 0);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&touched), 0);
    }
}

/* ---- D2 --------------------------------------------------------------------------------------------------------------------------------- */

TEST(d02_shutdown_may_be_repeated_with_any_flags) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            counter      ran = COUNTER_INIT;
            tp_executor *executor = new_executor(2);
            for (int n = 0; n < 10; n++) CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
            CHECK_STATUS(tp_executor_shutdown(executor, every_flags[i]), TP_OK);
            CHECK_STATUS(tp_executor_shutdown(executor, every_flags[j]), TP_OK);
            CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
            CHECK_EQ(tp_executor_worker_count(executor), 0);
            tp_executor_free(executor);
            if ((every_flags[i] & TP_SHUTDOWN_CANCEL_FUTURES) == 0 && (every_flags[j] & TP_SHUTDOWN_CANCEL_FUTURES) == 0) CHECK_EQ(counter_get(&ran), 10);
        }
}

TEST(d02_shutdown_of_an_executor_that_never_started_a_thread) {
    for (int i = 0; i < 4; i++) {
        tp_executor *executor = new_executor(4);
        CHECK_STATUS(tp_executor_shutdown(executor, every_flags[i]), TP_OK);
        CHECK_STATUS(tp_executor_join(executor, 0), TP_OK);
        CHECK_STATUS(tp_executor_join(executor, TP_FOREVER), TP_OK);
        CHECK_EQ(tp_executor_worker_count(executor), 0);
        tp_executor_free(executor);
        executor = new_executor(4);
        if (i % 2 == 0) tp_executor_free(executor);
        else tp_executor_detach(executor);
    }
}

typedef struct {
    tp_executor *executor;
    uint32_t     flags;
    counter     *about_to, *back;
    atomic_int  *tasks_done;
    int          expected;
} stopper;

static void *stop_and_look(void *arg) {
    stopper *s = (stopper *)arg;
    counter_add(s->about_to, 1);
    CHECK_STATUS(tp_executor_shutdown(s->executor, s->flags), TP_OK);
    CHECK_EQ(atomic_load(s->tasks_done), s->expected);
    counter_add(s->back, 1);
    return NULL;
}

typedef struct {
    gate        go;
    atomic_int *tasks_done;
} held;

static void *finish_when_told(void *arg) {
    held *h = (held *)arg;
    gate_wait(&h->go);
    atomic_fetch_add(h->tasks_done, 1);
    return NULL;
}

TEST(d02_all_concurrent_waiting_callers_wait) {
    enum { CALLERS = 6 };
    for (int round = 0; round < 50; round++) {
        tp_executor *executor = new_executor(2);
        atomic_int   tasks_done = 0;
        counter      about_to = COUNTER_INIT, back = COUNTER_INIT;
        held         tasks[3];
        stopper      stoppers[CALLERS];
        pthread_t    threads[CALLERS];
        for (int i = 0; i < 3; i++) {
            gate_init(&tasks[i].go);
            tasks[i].tasks_done = &tasks_done;
            CHECK_STATUS(tp_execute(executor, finish_when_told, &tasks[i]), TP_OK);
        }
        for (int i = 0; i < CALLERS; i++) {
            stoppers[i] = (stopper){executor, TP_SHUTDOWN_WAIT, &about_to, &back, &tasks_done, 3};
            threads[i] = start_thread(stop_and_look, &stoppers[i]);
        }
        counter_wait(&about_to, CALLERS);
        sleep_ms(1);
        CHECK_EQ(counter_get(&back), 0);
        for (int i = 0; i < 3; i++) gate_open(&tasks[i].go);
        for (int i = 0; i < CALLERS; i++) join_thread(threads[i]);
        tp_executor_free(executor);
    }
}

/* ---- D3, D4 --------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    atomic_int ran, called_back, finalized;
} ledger;

static void *slow_task(void *arg) {
    sleep_ms(1);
    atomic_fetch_add(&((ledger *)arg)->ran, 1);
    return NULL;
}
static void slow_callback(tp_future *future, void *user_data) {
    (void)future;
    sleep_ms(1);
    atomic_fetch_add(&((ledger *)user_data)->called_back, 1);
}
static int initialize(void *user_data) {
    (void)user_data;
    return 0;
}
static void finalize_slowly(void *user_data) {
    sleep_ms(10);
    atomic_fetch_add(&((ledger *)user_data)->finalized, 1);
}

static long threads_of_this_process(void) {
    long  threads = -1;
    char  line[256];
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "Threads: %ld", &threads) == 1) break;
    fclose(status);
    return threads;
}

TEST(d03_waiting_shutdown_returns_after_tasks_callbacks_finalizers_with_every_thread_ended) {
    /* A joined thread is gone from the process; one that merely said that it ends may be there still. */
    long before = threads_of_this_process();
    for (int way = 0; way < 3; way++) {
        ledger       l = {0, 0, 0};
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .initializer = initialize, .finalizer = finalize_slowly, .user_data = &l));
        REQUIRE(executor != NULL);
        for (int i = 0; i < 40; i++) {
            tp_future *future = submit(executor, slow_task, &l);
            CHECK_STATUS(tp_future_add_done_callback(future, slow_callback, &l), TP_OK);
            tp_future_release(future);
        }
        int workers = (int)tp_executor_worker_count(executor);
        if (way == 0) CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
        if (way == 1) {
            CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
            CHECK_STATUS(tp_executor_join(executor, TP_FOREVER), TP_OK);
        }
        if (way == 2) tp_executor_free(executor);
        else CHECK_EQ(tp_executor_worker_count(executor), 0);
        CHECK_EQ(l.ran, 40);
        CHECK_EQ(l.called_back, 40);
        CHECK(l.finalized >= workers && l.finalized <= 4);
        CHECK_EQ(threads_of_this_process(), before);
        if (way != 2) tp_executor_free(executor);
    }
}

TEST(d04_shutdown_without_wait_returns_at_once_and_pending_tasks_still_run) {
    counter      ran = COUNTER_INIT;
    blocker      busy;
    tp_executor *executor = new_executor(1);
    block(executor, &busy);
    tp_future *future = submit(executor, count_run, &ran);
    for (int i = 0; i < 1000; i++) CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK); /* while the worker cannot go on */
    CHECK_EQ(counter_get(&ran), 0);
    CHECK_EQ(tp_future_state(future), TP_STATE_PENDING);
    CHECK_EQ(tp_executor_worker_count(executor), 1);
    unblock(&busy);
    result_of(future);
    CHECK_STATUS(tp_executor_join(executor, TP_FOREVER), TP_OK);
    CHECK_EQ(counter_get(&ran), 1001);
    CHECK_EQ(tp_executor_worker_count(executor), 0);
    tp_executor_free(executor);
}

TEST(d04_the_threads_end_by_themselves) {
    tp_executor *executor = new_executor(3);
    blocker      busy[3];
    for (int i = 0; i < 3; i++) block(executor, &busy[i]);
    for (int i = 0; i < 3; i++) unblock(&busy[i]);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    EVENTUALLY(tp_executor_worker_count(executor) == 0);
    tp_executor_free(executor);
}

/* ---- D5 --------------------------------------------------------------------------------------------------------------------------------------- */

TEST(d05_cancel_futures_cancels_all_pending_and_lets_running_ones_finish) {
    enum { N = 2000 };
    static tp_future *futures[N];
    counter           ran = COUNTER_INIT, called = COUNTER_INIT;
    blocker           busy[2];
    tp_executor      *executor = new_executor(2);
    for (int i = 0; i < 2; i++) block(executor, &busy[i]);
    for (int i = 0; i < N; i++) {
        futures[i] = submit(executor, count_run, &ran);
        CHECK_STATUS(tp_future_add_done_callback(futures[i], count_done, &called), TP_OK);
        if (i % 2 == 0) CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
    }
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_EQ(tp_executor_pending_count(executor), 0);
    CHECK_EQ(counter_get(&called), N);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(tp_future_state(futures[i]), TP_STATE_CANCELLED);
        tp_future_release(futures[i]);
    }
    CHECK(tp_future_running(busy[0].future));
    unblock(&busy[0]);
    unblock(&busy[1]);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 0);
}

TEST(d05_wait_first_and_cancel_later_still_cancels) {
    counter      ran = COUNTER_INIT, about_to = COUNTER_INIT, back = COUNTER_INIT;
    atomic_int   none = 0;
    blocker      busy;
    tp_executor *executor = new_executor(1);
    block(executor, &busy);
    tp_future *future = submit(executor, count_run, &ran);
    stopper    s = {executor, TP_SHUTDOWN_WAIT, &about_to, &back, &none, 0};
    pthread_t  thread = start_thread(stop_and_look, &s);
    counter_wait(&about_to, 1);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_EQ(tp_future_state(future), TP_STATE_PENDING);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_EQ(tp_future_state(future), TP_STATE_CANCELLED);
    CHECK_EQ(counter_get(&back), 0);
    unblock(&busy);
    join_thread(thread);
    tp_future_release(future);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 0);
}

/* Tasks in a worker's own ring are reached too. */
typedef struct {
    tp_executor *executor;
    counter     *ran; /* and dropped */
    gate         submitted, go;
    tp_future   *futures[50];
} nest;

static void *fill_own_ring_and_stay(void *arg) {
    nest *n = (nest *)arg;
    for (int i = 0; i < 50; i++)
        CHECK_STATUS(tp_submit_task(n->executor, TP_TASK(.fn = count_run, .arg = n->ran, .drop_arg = count_drop), &n->futures[i]), TP_OK);
    gate_open(&n->submitted);
    gate_wait(&n->go);
    return NULL;
}

TEST(d05_tasks_submitted_from_inside_are_cancelled_too) {
    counter      ran = COUNTER_INIT;
    nest         n = {new_executor(2), &ran, GATE_INIT, GATE_INIT, {NULL}};
    blocker      busy;
    block(n.executor, &busy); /* or the other worker would take them */
    tp_future *root = submit(n.executor, fill_own_ring_and_stay, &n);
    gate_wait(&n.submitted);
    CHECK_STATUS(tp_executor_shutdown(n.executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    gate_open(&n.go);
    unblock(&busy);
    CHECK_STATUS(tp_executor_join(n.executor, TP_FOREVER), TP_OK);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(tp_future_state(n.futures[i]), TP_STATE_CANCELLED);
        tp_future_release(n.futures[i]);
    }
    CHECK_EQ(counter_get(&ran), 50); /* the arguments dropped; nothing ran */
    result_of(root);
    tp_executor_free(n.executor);
}

/* drop_arg of what tp_execute and tp_submit_task without a future accepted, when it is cancelled. */
TEST(d05_cancelling_drops_the_arguments_of_forgotten_tasks) {
    counter      dropped = COUNTER_INIT;
    blocker      busy;
    tp_executor *executor = new_executor(1);
    block(executor, &busy);
    for (int i = 0; i < 100; i++) CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_null, .arg = &dropped, .drop_arg = count_drop), NULL), TP_OK);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    CHECK_EQ(counter_get(&dropped), 100);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 100);
}

/* ---- D6, D7, D8 ---------------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    gate         go;
    tp_future   *pending;
    bool         cancels;
} insider;

static void *shut_down_from_inside(void *arg) {
    insider *i = (insider *)arg;
    gate_wait(&i->go);
    CHECK_FAILS(tp_executor_shutdown(i->executor, TP_SHUTDOWN_WAIT | (i->cancels ? TP_SHUTDOWN_CANCEL_FUTURES : 0)), TP_ERR_DEADLOCK);
    /* Everything but the waiting is done. */
    CHECK_EQ(tp_future_state(i->pending), i->cancels ? TP_STATE_CANCELLED : TP_STATE_PENDING);
    CHECK_NULL(tp_submit(i->executor, return_arg, NULL), TP_ERR_SHUTDOWN);              /* D7 */
    CHECK_FAILS(tp_execute(i->executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    CHECK_STATUS(tp_executor_shutdown(i->executor, 0), TP_OK);
    CHECK_FAILS(tp_executor_join(i->executor, TP_FOREVER), TP_ERR_DEADLOCK);
    CHECK_FAILS(tp_executor_join(i->executor, 0), TP_ERR_DEADLOCK);
    return i;
}

TEST(d06_waiting_shutdown_from_an_own_worker_is_a_deadlock_with_all_else_done) {
    for (int cancels = 0; cancels < 2; cancels++) {
        insider    i = {new_executor(1), GATE_INIT, NULL, cancels != 0};
        tp_future *task = submit(i.executor, shut_down_from_inside, &i);
        i.pending = submit(i.executor, return_arg, NULL);
        gate_open(&i.go);
        CHECK_PTR(result_of(task), &i);
        CHECK_STATUS(tp_executor_join(i.executor, TP_FOREVER), TP_OK);
        CHECK_EQ(tp_future_state(i.pending), cancels ? TP_STATE_CANCELLED : TP_STATE_FINISHED);
        tp_future_release(i.pending);
        tp_executor_free(i.executor);
    }
}

static void *submit_to_my_shut_executor(void *arg) {
    insider    *i = (insider *)arg;
    void       *args[1] = {i};
    tp_future  *out = (tp_future *)i;
    gate_wait(&i->go); /* it is shut by now */
    CHECK_NULL(tp_submit(i->executor, return_arg, i), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_execute(i->executor, return_arg, i), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_submit_many(i->executor, return_arg, args, 1, &out), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_submit_task(i->executor, TP_TASK(.fn = return_arg, .arg = i), &out), TP_ERR_SHUTDOWN);
    CHECK_PTR(out, i);
    return i;
}

TEST(d07_a_task_that_submits_to_its_own_shut_executor_is_refused) {
    for (size_t workers = 1; workers <= 3; workers++) /* with one worker, and with rings of their own */
        for (int flags = 0; flags < 4; flags += 2) {
            insider    i = {new_executor(workers), GATE_INIT, NULL, false};
            tp_future *task = submit(i.executor, submit_to_my_shut_executor, &i);
            EVENTUALLY(tp_future_running(task)); /* or CANCEL_FUTURES would take it */
            CHECK_STATUS(tp_executor_shutdown(i.executor, every_flags[flags]), TP_OK);
            gate_open(&i.go);
            CHECK_PTR(result_of(task), &i);
            tp_executor_free(i.executor);
        }
}

static void *join_without_shutdown(void *arg) {
    /* INVALID_STATE comes before DEADLOCK. */
    CHECK_FAILS(tp_executor_join((tp_executor *)arg, TP_FOREVER), TP_ERR_INVALID_STATE);
    return arg;
}

TEST(d08_join_without_shutdown_is_invalid_state) {
    tp_executor *executor = new_executor(1);
    CHECK_FAILS(tp_executor_join(executor, 0), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_executor_join(executor, TP_FOREVER), TP_ERR_INVALID_STATE);
    result_of(submit(executor, join_without_shutdown, executor));
    CHECK_FAILS(tp_executor_join(executor, TP_MSEC(1)), TP_ERR_INVALID_STATE);
    tp_executor_free(executor);
}

TEST(d08_join_has_a_deadline) {
    static const int64_t polls[] = {0, -1, INT64_MIN};
    tp_executor         *executor = new_executor(2);
    blocker              busy;
    block(executor, &busy);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    for (int i = 0; i < 3; i++) CHECK_STATUS(tp_executor_join(executor, polls[i]), TP_ERR_TIMEOUT);
    int64_t begin = now_ns();
    CHECK_STATUS(tp_executor_join(executor, TP_MSEC(15)), TP_ERR_TIMEOUT);
    CHECK(now_ns() - begin >= TP_MSEC(15));
    unblock(&busy);
    CHECK_STATUS(tp_executor_join(executor, INT64_MAX - 1), TP_OK);
    for (int i = 0; i < 3; i++) CHECK_STATUS(tp_executor_join(executor, polls[i]), TP_OK);
    tp_executor_free(executor);
}

/* ---- D9: free and detach everywhere ---------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    bool         detaches, used_after;
    gate         submitted; /* no other call on the handle may be running when it is freed: not the submit either */
    counter      ran, dropped;
} suicide;

static void *free_from_inside(void *arg) {
    suicide *s = (suicide *)arg;
    gate_wait(&s->submitted);
    for (int i = 0; i < 10; i++) CHECK_STATUS(tp_execute(s->executor, count_run, &s->ran), TP_OK);
    if (s->detaches) tp_executor_detach(s->executor);
    else tp_executor_free(s->executor); /* does not wait: it returns although this worker runs */
    /* For the executor's own tasks the handle stays valid until they return. */
    CHECK_NULL(tp_submit(s->executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_execute(s->executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    CHECK_PTR(tp_executor_current(), s->executor);
    CHECK_EQ(tp_executor_max_workers(s->executor), 1);
    CHECK_EQ(tp_executor_worker_count(s->executor), 1);
    CHECK_EQ(tp_executor_pending_count(s->executor), 10);
    s->used_after = true;
    return NULL;
}

TEST(d09_free_and_detach_inside_a_task) {
    for (int detaches = 0; detaches < 2; detaches++) {
        suicide s = {NULL, detaches != 0, false, GATE_INIT, COUNTER_INIT, COUNTER_INIT};
        s.executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .user_data = &s.dropped, .drop_user_data = count_drop));
        REQUIRE(s.executor != NULL);
        tp_future *future = submit(s.executor, free_from_inside, &s);
        gate_open(&s.submitted);
        result_of(future);
        counter_wait(&s.dropped, 1);
        CHECK(s.used_after);
        CHECK_EQ(counter_get(&s.ran), 10); /* what was pending still ran */
    }
}

/* The second-to-last word: other tasks of the freed executor may go on using it. */
typedef struct {
    tp_executor *executor;
    gate         submitted, freed;
    counter      dropped, refused;
} others;

static void *use_when_freed(void *arg) {
    others *o = (others *)arg;
    gate_wait(&o->freed);
    for (int i = 0; i < 100; i++)
        if (tp_submit(o->executor, return_arg, NULL) == NULL && tp_last_error() == TP_ERR_SHUTDOWN) counter_add(&o->refused, 1);
    return NULL;
}
static void use_when_freed_in_callback(tp_future *future, void *user_data) {
    (void)future;
    use_when_freed(user_data);
}
static void *free_and_tell(void *arg) {
    others *o = (others *)arg;
    gate_wait(&o->submitted);
    tp_executor_free(o->executor);
    gate_open(&o->freed);
    return NULL;
}

TEST(d09_the_handle_stays_valid_for_the_executor_s_own_tasks_and_callbacks) {
    for (int round = 0; round < 30; round++) {
        others o = {NULL, GATE_INIT, GATE_INIT, COUNTER_INIT, COUNTER_INIT};
        o.executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .user_data = &o.dropped, .drop_user_data = count_drop));
        REQUIRE(o.executor != NULL);
        blocker busy;
        block(o.executor, &busy);
        CHECK_STATUS(tp_future_add_done_callback(busy.future, use_when_freed_in_callback, &o), TP_OK);
        CHECK_STATUS(tp_execute(o.executor, use_when_freed, &o), TP_OK);
        tp_future *freeing = submit(o.executor, free_and_tell, &o);
        gate_open(&o.submitted);
        unblock(&busy);
        result_of(freeing);
        counter_wait(&o.dropped, 1);
        CHECK_EQ(counter_get(&o.refused), 200);
    }
}

static void free_in_callback(tp_future *future, void *user_data) {
    (void)future;
    tp_executor_free((tp_executor *)user_data);
}

TEST(d09_free_in_a_callback_on_the_worker) {
    for (int round = 0; round < 200; round++) {
        counter      dropped = COUNTER_INIT;
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .user_data = &dropped, .drop_user_data = count_drop));
        REQUIRE(executor != NULL);
        blocker busy;
        block(executor, &busy);
        CHECK_STATUS(tp_future_add_done_callback(busy.future, free_in_callback, executor), TP_OK);
        unblock(&busy);
        counter_wait(&dropped, 1);
    }
}

static void free_in_drop(void *arg) { tp_executor_free((tp_executor *)arg); }

TEST(d09_free_in_a_drop_hook_on_the_worker_and_on_another_thread) {
    for (int round = 0; round < 200; round++) {
        counter      dropped = COUNTER_INIT;
        tp_future   *future = NULL;
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .user_data = &dropped, .drop_user_data = count_drop));
        REQUIRE(executor != NULL);
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = executor, .drop_result = free_in_drop), &future), TP_OK);
        if (round % 2 == 0) CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK); /* then the hook, and free, run here */
        tp_future_release(future);
        counter_wait(&dropped, 1);
    }
}

TEST(d09_free_of_null_does_nothing) {
    tp_executor_free(NULL);
    tp_executor_detach(NULL);
}

TEST(d09_free_waits_on_any_other_thread) {
    ledger       l = {0, 0, 0};
    tp_executor *executor = new_executor(2), *other = new_executor(1);
    for (int i = 0; i < 20; i++) CHECK_STATUS(tp_execute(executor, slow_task, &l), TP_OK);
    /* A worker of another executor is no own worker: it waits. */
    others o = {executor, GATE_INIT, GATE_INIT, COUNTER_INIT, COUNTER_INIT};
    gate_open(&o.submitted);
    result_of(submit(other, free_and_tell, &o));
    CHECK_EQ(l.ran, 20);
    tp_executor_free(other);
}

TEST(d09_detach_lets_pending_tasks_run) {
    counter      ran = COUNTER_INIT, dropped = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .user_data = &dropped, .drop_user_data = count_drop));
    REQUIRE(executor != NULL);
    for (int i = 0; i < 5000; i++) CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
    tp_executor_detach(executor);
    counter_wait(&dropped, 1);
    CHECK_EQ(counter_get(&ran), 5000);
}

/* ---- shutdown against everything ------------------------------------------------------------------------------------------------------------------- */

/* Workers that are just falling asleep, starting, stealing, waiting: shutdown must never miss one (a hang is the failure). */
static void *child_task(void *arg) { return arg; }
static void *spread(void *arg) {
    tp_executor *executor = (tp_executor *)arg;
    for (int i = 0; i < 8; i++)
        if (tp_execute(executor, child_task, NULL) != TP_OK) break;
    return NULL;
}

TEST(d03_shutdown_misses_no_worker_in_thousands_of_lives) {
    long rounds = repeat(15000);
    for (long round = 0; round < rounds; round++) {
        tp_executor *executor = new_executor(1 + (size_t)(round % 4));
        for (long i = 0; i < round % 5; i++) CHECK_STATUS(tp_execute(executor, round % 3 == 0 ? spread : child_task, executor), TP_OK);
        if (round % 7 == 0) sched_yield();
        if (round % 11 == 0) sleep_ms(1); /* asleep by now */
        CHECK_STATUS(tp_executor_shutdown(executor, round % 2 == 0 ? TP_SHUTDOWN_WAIT : TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
        CHECK_EQ(tp_executor_worker_count(executor), 0);
        CHECK_EQ(tp_executor_pending_count(executor), 0);
        tp_executor_free(executor);
    }
}
