/* Functions of the program's that do not return: by pthread_exit, thread cancellation or longjmp. What tp_task_fn in tpexec.h
 * promises for each, at every place in which the library calls such a function; in child processes, since most of it is the
 * end of one. */
#include "stage.h"

#include <setjmp.h>
#include <stdatomic.h>

/* ---- pthread_exit and pthread_cancel -------------------------------------------------------------------------------- */

static void come_back(void) {}

static void exit_the_thread(void) { pthread_exit(NULL); }

static void enable_cancellation_and_be_cancelled(void) {
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_cancel(pthread_self());
    pthread_testcancel();
}

enum { COME_BACK, EXIT, BE_CANCELLED };
static void (*const ways[])(void) = {come_back, exit_the_thread, enable_cancellation_and_be_cancelled};

CHILD(actor) { return act_out(ways); }

TEST(r07_functions_that_return_let_the_process_go_on) {
    for (int at = 0; at < PLACES; at++) {
        ending end = act_in_a_child("actor", at, COME_BACK);
        if (!WIFEXITED(end.status) || WEXITSTATUS(end.status) != WENT_ON)
            test_failed(__FILE__, __LINE__, "%s: wait status %#x, %s", places[at].name, (unsigned)end.status, end.said);
    }
}

TEST(r07_pthread_exit_ends_the_process_with_a_message) {
    for (int at = 0; at < PLACES; at++) {
        ending end = act_in_a_child("actor", at, EXIT);
        CHECK_KILLED(places[at].name, &end, SIGABRT, UNWOUND);
    }
}

TEST(r07_cancellation_that_a_function_enables_ends_the_process_with_a_message) {
    for (int at = 0; at < PLACES; at++) {
        ending end = act_in_a_child("actor", at, BE_CANCELLED);
        CHECK_KILLED(places[at].name, &end, SIGABRT, UNWOUND);
    }
}

typedef struct {
    pthread_t thread;
    gate      named, cancelled;
    int       state;
} victim;

static void *name_the_thread_and_reach_a_cancellation_point(void *arg) {
    victim *v = (victim *)arg;
    v->thread = pthread_self();
    gate_open(&v->named);
    gate_wait(&v->cancelled);
    pthread_testcancel();
    sleep_ms(1);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &v->state);
    return arg;
}

static void *reach_a_cancellation_point(void *arg) {
    pthread_testcancel();
    sleep_ms(0);
    return arg;
}

CHILD(cancelled_workers) {
    enum { WORKERS = 4, AFTERWARDS = 300 };
    static victim victims[WORKERS];
    tp_executor  *executor = new_executor(WORKERS);
    tp_future    *futures[AFTERWARDS];
    for (int i = 0; i < WORKERS; i++) {
        gate_init(&victims[i].named);
        gate_init(&victims[i].cancelled);
        futures[i] = submit(executor, name_the_thread_and_reach_a_cancellation_point, &victims[i]);
    }
    for (int i = 0; i < WORKERS; i++) {
        gate_wait(&victims[i].named);
        CHECK_EQ(pthread_cancel(victims[i].thread), 0);
        gate_open(&victims[i].cancelled);
        CHECK_PTR(result_of(futures[i]), &victims[i]);
        CHECK_EQ(victims[i].state, PTHREAD_CANCEL_DISABLE);
    }
    /* The requests are still pending: searching, sleeping, waking, ending, none of it is their chance. */
    for (int i = 0; i < AFTERWARDS; i++) CHECK_PTR(result_of(submit(executor, reach_a_cancellation_point, executor)), executor);
    for (int i = 0; i < AFTERWARDS; i++) futures[i] = submit(executor, reach_a_cancellation_point, &futures[i]);
    for (int i = 0; i < AFTERWARDS; i++) CHECK_PTR(result_of(futures[i]), &futures[i]);
    CHECK_EQ(tp_executor_worker_count(executor), WORKERS);
    tp_executor_free(executor);
    return WENT_ON;
}

TEST(r07_pthread_cancel_of_a_worker_is_never_acted_upon) { CHECK_CHILD("cancelled_workers", WENT_ON); }

/* A worker whose thread takes its time to end, so that who joins it has to wait. */
static pthread_key_t slow_to_end;
static void          take_time(void *unused) {
    (void)unused;
    sleep_ms(50);
}
static void *be_slow_to_end(void *arg) {
    pthread_setspecific(slow_to_end, arg);
    return arg;
}

/* A thread of the program's that has been cancelled makes every call that blocks, or opens a file; it ends where the program
 * says. */
static atomic_int calls_survived;
static void *call_with_a_cancellation_pending(void *arg) {
    tp_executor *executor = (tp_executor *)arg, *others[3];
    pthread_cancel(pthread_self());
    others[0] = tp_executor_new(NULL); /* counts the processors, for which it reads files */
    for (int i = 1; i < 3; i++) others[i] = new_executor(2);
    for (int i = 0; i < 3; i++) result_of(submit(others[i], be_slow_to_end, executor));
    CHECK_STATUS(tp_executor_shutdown(others[0], TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_STATUS(tp_executor_shutdown(others[1], 0), TP_OK);
    CHECK_STATUS(tp_executor_join(others[1], TP_FOREVER), TP_OK);
    for (int i = 0; i < 3; i++) tp_executor_free(others[i]);

    blocker busy; /* makes waits sleep, all but the last one in vain */
    gate_init(&busy.started);
    gate_init(&busy.release);
    busy.future = submit(executor, blocker_run, &busy);
    CHECK_STATUS(tp_future_result(busy.future, TP_MSEC(1), NULL), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_wait(&busy.future, 1, TP_MSEC(1), TP_WAIT_FIRST_COMPLETED, NULL), TP_ERR_TIMEOUT);
    tp_completion_queue *queue = tp_as_completed(&busy.future, 1);
    tp_future           *out = NULL;
    CHECK_STATUS(tp_completion_queue_next(queue, TP_MSEC(1), &out, NULL), TP_ERR_TIMEOUT);
    tp_completion_queue_free(queue);
    gate_open(&busy.release); /* no cancellation point; a gate's wait would be one */
    CHECK_PTR(result_of(busy.future), &busy);
    atomic_fetch_add(&calls_survived, 1);
    pthread_testcancel();
    return arg;
}

CHILD(cancelled_callers) {
    REQUIRE(pthread_key_create(&slow_to_end, take_time) == 0);
    tp_executor *executor = new_executor(1);
    CHECK_PTR(join_thread(start_thread(call_with_a_cancellation_pending, executor)), PTHREAD_CANCELED);
    CHECK_EQ(atomic_load(&calls_survived), 1);
    result_of(submit(executor, return_arg, NULL));
    tp_executor_free(executor);
    return WENT_ON;
}

TEST(no_function_is_a_cancellation_point) { CHECK_CHILD("cancelled_callers", WENT_ON); }

/* ---- longjmp -------------------------------------------------------------------------------------------------------- */

static jmp_buf target;

static void jump(void) { longjmp(target, 1); }

/* Inside of a task: a function that runs inside of it leaves by longjmp into it, over what the library has on the stack in
 * between. */
static void *have_a_function_jump_here(void *arg) {
    const place *p = &places[strtol(getenv("STAGE_PLACE"), NULL, 10)];
    tp_executor *other = new_executor(1);
    if (setjmp(target) == 0) p->act_it_out(p->act_it_out == in_an_inline_task ? (tp_executor *)arg : other);
    return arg;
}

CHILD(jumper) {
    tp_executor *executor = new_executor(1);
    stage_act = jump;
    result_of(submit(executor, have_a_function_jump_here, executor));
    tp_executor_free(executor);
    return WENT_ON;
}

TEST(r07_longjmp_out_of_a_function_into_an_outer_one_ends_the_process_with_a_message) {
    int jumped = 0;
    for (int at = 0; at < PLACES; at++) {
        if (places[at].on_a_worker) continue; /* no outer function */
        ending end = act_in_a_child("jumper", at, COME_BACK);
        CHECK_KILLED(places[at].name, &end, SIGABRT, "libtpexec: longjmp() has left");
        jumped++;
    }
    CHECK(jumped > 0);
}

static void *jump_inside(void *arg) {
    if (setjmp(target) == 0) jump();
    return arg;
}

TEST(r07_longjmp_inside_a_function_is_fine) {
    tp_executor *executor = new_executor(1);
    for (int i = 0; i < 100; i++) CHECK_PTR(result_of(submit(executor, jump_inside, executor)), executor);
    tp_executor_free(executor);
}
