/* The tasks of stress.c, and the ledger in which it is entered what they, and all that is handed to the library, come to.
 *
 * What tasks and their users exchange is plain memory, and the counters are relaxed atomics: that the library orders is all
 * there is between a write and its read, so a race detector sees an ordering that it does not give. */
#ifndef TPEXEC_SANITIZERS_STRESS_TASKS_H
#define TPEXEC_SANITIZERS_STRESS_TASKS_H

#include "harness.h"

/* ---- the ledger ------------------------------------------------------------------------------------------------------------ */

typedef enum entry {
    TASKS,     /* accepted; ran, or was cancelled */
    ARGUMENTS, /* accepted with drop_arg or drop_payload; dropped */
    RESULTS,   /* made by tasks; dropped or taken */
    PAYLOADS,  /* of failures; dropped */
    CALLBACKS, /* added; run */
    QUEUED,    /* added to a completion queue; come out */
    WORKERS,   /* initialized; finalized */
    USER_DATA, /* given to an executor; dropped */
    ENTRIES
} entry;

static const char *const entry_names[ENTRIES] = {"tasks",     "arguments", "results", "payloads of failures",
                                                 "callbacks", "queued",    "workers", "user data"};

static long debit[ENTRIES], credit[ENTRIES];

static void begun(entry e, long n) { __atomic_add_fetch(&debit[e], n, __ATOMIC_RELAXED); }
static void ended(entry e) { __atomic_add_fetch(&credit[e], 1, __ATOMIC_RELAXED); }

static void check_ledger(void) {
    for (int e = 0; e < ENTRIES; e++) {
        long in = __atomic_load_n(&debit[e], __ATOMIC_RELAXED), out = __atomic_load_n(&credit[e], __ATOMIC_RELAXED);
        if (in != out) test_failed(__FILE__, __LINE__, "%s: %ld begun, %ld ended", entry_names[e], in, out);
    }
}

/* ---- tasks ----------------------------------------------------------------------------------------------------------------- */

typedef enum work { RETURN, NEST, FAIL, FAIL_WITH_PAYLOAD, LISTEN, ASK, WORKS } work;

typedef struct item {
    work what;
    long input;
    bool ran;
} item;

typedef struct answer {
    long input, output;
} answer;

static long answer_to(long input) { return 2 * input + 1; }

static void drop_answer(void *result) {
    CHECK_EQ(((answer *)result)->output, answer_to(((answer *)result)->input));
    free(result);
    ended(RESULTS);
}

static answer *answer_new(long input) {
    answer *result = (answer *)malloc(sizeof *result);
    REQUIRE(result != NULL);
    result->input = input;
    result->output = answer_to(input);
    begun(RESULTS, 1);
    return result;
}

static void end_item(item *i) {
    if (!i->ran) ended(TASKS); /* it was cancelled */
    ended(ARGUMENTS);
}

static void drop_item(void *arg) {
    end_item((item *)arg);
    free(arg);
}

static void drop_item_in_place(void *payload) { end_item((item *)payload); }

static void drop_failure(void *payload) {
    free(payload);
    ended(PAYLOADS);
}

static void fail_with_payload(long input) {
    long *payload = (long *)malloc(sizeof *payload);
    REQUIRE(payload != NULL);
    *payload = input;
    begun(PAYLOADS, 1);
    CHECK_STATUS(tp_task_fail_with((int32_t)input, "as it should", payload, drop_failure), TP_OK);
}

static void done(tp_future *future, void *user_data) {
    CHECK(tp_future_done(future));
    *(long *)user_data += 1; /* plain: callbacks of one future run one after the other */
    free(user_data);
    ended(CALLBACKS);
}

static void listen(tp_future *future) {
    long *count = (long *)calloc(1, sizeof *count);
    REQUIRE(count != NULL);
    begun(CALLBACKS, 1); /* first: it may run within the call */
    CHECK_STATUS(tp_future_add_done_callback(future, done, count), TP_OK);
}

static void *run_item(void *arg);

/* A task with a new item as its argument. NULL: not accepted, since the executor is shut down. */
static tp_future *submit_item(tp_executor *executor, work what, long input) {
    item *i = (item *)calloc(1, sizeof *i);
    REQUIRE(i != NULL);
    i->what = what;
    i->input = input;
    begun(TASKS, 1);
    begun(ARGUMENTS, 1);
    tp_task task;
    memset(&task, 0, sizeof task);
    task.size = sizeof task;
    task.fn = run_item;
    task.arg = i;
    task.drop_arg = drop_item;
    task.drop_result = drop_answer;
    tp_future *future = NULL;
    tp_status  status = tp_submit_task(executor, &task, &future);
    if (status != TP_OK) {
        CHECK_STATUS(status, TP_ERR_SHUTDOWN);
        drop_item(i); /* it is still ours */
    }
    return future;
}

/* Any of the ways in which a task that is not ours may stand, or end. */
static void check_outcome(tp_future *future, tp_status status, const void *result) {
    switch (status) {
        case TP_OK: CHECK_EQ(((const answer *)result)->output, answer_to(((const answer *)result)->input)); break;
        case TP_ERR_TASK: {
            const tp_error *error = NULL;
            CHECK_STATUS(tp_future_error(future, 0, &error), TP_OK);
            CHECK_STR(error->message, "as it should");
            break;
        }
        case TP_ERR_CANCELLED: CHECK(tp_future_cancelled(future)); break;
        default: CHECK_STATUS(status, TP_ERR_TIMEOUT);
    }
}

static void *run_item(void *arg) {
    item *i = (item *)arg;
    i->ran = true;
    ended(TASKS);
    switch (i->what) {
        case NEST: {
            tp_future *child = submit_item(tp_executor_current(), RETURN, i->input);
            if (child != NULL) {
                void     *result = NULL;
                tp_status status = tp_future_result(child, TP_FOREVER, &result);
                check_outcome(child, status, result);
                tp_future_release(child);
            }
            break;
        }
        case FAIL: CHECK_STATUS(tp_task_fail(1, "as it should"), TP_OK); break;
        case FAIL_WITH_PAYLOAD: fail_with_payload(i->input); break;
        case LISTEN:
            if (tp_future_current() != NULL) listen(tp_future_current());
            break;
        case ASK: (void)tp_task_stop_requested(); break;
        default: break;
    }
    return answer_new(i->input);
}

/* A task without drop hooks. */
static void *count_task(void *arg) {
    (void)arg;
    ended(TASKS);
    return NULL;
}

static void *answer_task(void *arg) { return answer_new((long)(intptr_t)arg); }

static void *fail_task(void *payload) {
    item *i = (item *)payload;
    i->ran = true;
    ended(TASKS);
    fail_with_payload(i->input);
    return NULL;
}

#endif
