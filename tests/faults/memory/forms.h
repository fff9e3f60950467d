/* Every form in which a task can be submitted, one called like the other. Included by the programs of tests/faults after
 * faults.h. */
#ifndef TPEXEC_TEST_FORMS_H
#define TPEXEC_TEST_FORMS_H

#include "faults.h"

/* What was accepted, counted by the one thread that submits, and what became of it. */
typedef struct tally {
    long    tasks, drops;
    counter ran, dropped;
} tally;

#define TALLY_INIT {0, 0, COUNTER_INIT, COUNTER_INIT}

/* Once nothing can run any more: everything that was accepted ran once, and every hook that goes with it. Nothing else did. */
#define CHECK_TALLY(t) (CHECK_EQ(counter_get(&(t)->ran), (t)->tasks), CHECK_EQ(counter_get(&(t)->dropped), (t)->drops))

static void *run_and_count(void *arg) {
    counter_add(&((tally *)arg)->ran, 1);
    return arg;
}
static void drop_and_count(void *arg) { counter_add(&((tally *)arg)->dropped, 1); }

/* With a payload the task has the tally's address there. */
static void *run_payload(void *payload) { return run_and_count(*(tally **)payload); }
static void  drop_payload(void *payload) { drop_and_count(*(tally **)payload); }

enum { FORM_MANY = 3, FORM_LARGE = 10000 };

/* Each form returns how its call ended; `futures` has room for FORM_MANY and is NULL where none came of it. A shortage is
 * checked here; what else may have refused the task is the test's to check. */
#define CHECK_SHORTAGE(function, status) \
    ((status) == TP_ERR_NO_MEMORY || (status) == TP_ERR_SYSTEM ? CHECK_REFUSAL(function, status) : (void)0)

static tp_status form_submit(tp_executor *executor, tally *t, tp_future **futures) {
    ARMED(futures[0] = tp_submit(executor, run_and_count, t));
    tp_status status = futures[0] == NULL ? tp_last_error() : TP_OK;
    CHECK_SHORTAGE(tp_submit, status);
    t->tasks += status == TP_OK;
    return status;
}

static tp_status form_execute(tp_executor *executor, tally *t, tp_future **futures) {
    tp_status status = TP_OK;
    (void)futures;
    ARMED(status = tp_execute(executor, run_and_count, t));
    CHECK_SHORTAGE(tp_execute, status);
    t->tasks += status == TP_OK;
    return status;
}

static tp_status submit_several(tp_executor *executor, tally *t, tp_future **futures) {
    void     *args[FORM_MANY] = {t, t, t};
    tp_status status = TP_OK;
    ARMED(status = tp_submit_many(executor, run_and_count, args, FORM_MANY, futures));
    CHECK_SHORTAGE(tp_submit_many, status);
    t->tasks += status == TP_OK ? FORM_MANY : 0;
    return status;
}
static tp_status form_many(tp_executor *executor, tally *t, tp_future **futures) {
    tp_future *const untouched = (tp_future *)t;
    for (int i = 0; i < FORM_MANY; i++) futures[i] = untouched;
    tp_status status = submit_several(executor, t, futures);
    for (int i = 0; i < FORM_MANY && status != TP_OK; i++) {
        CHECK_PTR(futures[i], untouched);
        futures[i] = NULL;
    }
    return status;
}
static tp_status form_many_unseen(tp_executor *executor, tally *t, tp_future **futures) {
    (void)futures;
    return submit_several(executor, t, NULL);
}

static tp_status form_task(tp_executor *executor, tally *t, tp_future **futures) {
    tp_future *const untouched = (tp_future *)t;
    const tp_task   *task = TP_TASK(.fn = run_and_count, .arg = t, .drop_arg = drop_and_count, .drop_result = drop_and_count,
                                    .name = "a name to be copied");
    tp_status        status = TP_OK;
    futures[0] = untouched;
    ARMED(status = tp_submit_task(executor, task, &futures[0]));
    CHECK_SHORTAGE(tp_submit_task, status);
    if (status == TP_OK) {
        t->tasks++;
        t->drops += 2; /* the argument's and the result's */
    } else {
        CHECK_PTR(futures[0], untouched);
        futures[0] = NULL;
    }
    return status;
}
static tp_status form_task_unseen(tp_executor *executor, tally *t, tp_future **futures) {
    tp_status status = TP_OK;
    (void)futures;
    ARMED(status = tp_submit_task(executor, TP_TASK(.fn = run_and_count, .arg = t, .drop_arg = drop_and_count), NULL));
    CHECK_SHORTAGE(tp_submit_task, status);
    t->tasks += status == TP_OK;
    t->drops += status == TP_OK;
    return status;
}

/* The call after a prepare that worked: launch or execute. */
typedef tp_status (*start_fn)(tp_future *, tp_task_fn, tp_drop_fn);

static tp_status prepare_and(start_fn start, size_t size, tp_executor *executor, tally *t, tp_future **futures) {
    tp_future *const untouched = (tp_future *)t;
    void            *payload = t;
    tp_status        status = TP_OK;
    futures[0] = untouched;
    ARMED(status = tp_task_prepare(executor, size, _Alignof(tally *), &futures[0], &payload));
    CHECK_SHORTAGE(tp_task_prepare, status);
    if (status != TP_OK) {
        CHECK_PTR(futures[0], untouched);
        CHECK_PTR(payload, t);
        futures[0] = NULL;
        return status;
    }
    *(tally **)payload = t;
    ARMED(status = start(futures[0], run_payload, drop_payload));
    if (status != TP_OK) {
        if (start == tp_task_launch) CHECK_SHORTAGE(tp_task_launch, status);
        else CHECK_SHORTAGE(tp_task_execute, status);
        CHECK_STATUS(tp_future_result(futures[0], 0, NULL), TP_ERR_INVALID_STATE); /* prepared, as before */
        CHECK_PTR(*(tally **)payload, t);
    } else if (start == tp_task_execute) {
        futures[0] = NULL;
    }
    t->tasks += status == TP_OK;
    t->drops += status == TP_OK;
    return status;
}
static tp_status form_launch(tp_executor *executor, tally *t, tp_future **futures) {
    return prepare_and(tp_task_launch, sizeof t, executor, t, futures);
}
static tp_status form_execute_prepared(tp_executor *executor, tally *t, tp_future **futures) {
    return prepare_and(tp_task_execute, FORM_LARGE, executor, t, futures);
}

/* A task that needs as many others at the same time as the barrier counts. */
static inline void *meet(void *barrier) {
    pthread_barrier_wait((pthread_barrier_t *)barrier);
    return NULL;
}

typedef struct form {
    const char *name;
    tp_status (*submit)(tp_executor *executor, tally *t, tp_future **futures);
} form;

static const form forms[] = {
    {"tp_submit", form_submit},
    {"tp_execute", form_execute},
    {"tp_submit_many", form_many},
    {"tp_submit_many without futures", form_many_unseen},
    {"tp_submit_task", form_task},
    {"tp_submit_task without a future", form_task_unseen},
    {"tp_task_launch", form_launch},
    {"tp_task_execute", form_execute_prepared},
};

enum { FORMS = sizeof forms / sizeof forms[0] };

/* Submits in that form and keeps no future. */
static tp_status offer(const form *how, tp_executor *executor, tally *t) {
    tp_future *futures[FORM_MANY] = {NULL};
    tp_status  status = how->submit(executor, t, futures);
    for (int i = 0; i < FORM_MANY; i++)
        if (futures[i] != NULL) tp_future_release(futures[i]);
    return status;
}

#endif
