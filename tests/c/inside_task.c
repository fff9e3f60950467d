/* What a task can ask and say: failing, stop requests, who and where it is. */
#include "harness.h"

/* ---- tp_task_fail ----------------------------------------------------------------------------------------------------------------- */

typedef struct {
    int32_t     code;
    const char *message;
} failure;

static void *fail_as_told(void *arg) {
    failure *f = (failure *)arg;
    CHECK_STATUS(tp_task_fail(f->code, f->message), TP_OK);
    return arg;
}

TEST(fail_reports_code_and_message_exactly) {
    static const failure failures[] = {
        {0, NULL}, {0, ""}, {1, "one"}, {-1, "minus one"}, {INT32_MIN, "least"}, {INT32_MAX, "most"}, {42, "ünïcödé — 中文 🙂"}, {5, "%s %n %d"}, {6, "line\nbreak"},
    };
    tp_executor *executor = new_executor(2);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        failure         f = failures[i];
        tp_future      *future = submit(executor, fail_as_told, &f);
        const tp_error *error = NULL;
        CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
        REQUIRE(error != NULL);
        CHECK_EQ(error->code, f.code);
        CHECK_EQ(error->reserved, 0);
        CHECK_STR(error->message, f.message == NULL ? "" : f.message);
        CHECK_PTR(error->payload, NULL);
        tp_future_release(future);
    }
    tp_executor_free(executor);
}

TEST(o02_the_message_is_copied) {
    enum { LONG = 1 << 20 };
    char        *text = (char *)malloc(LONG + 1);
    tp_executor *executor = new_executor(1);
    REQUIRE(text != NULL);
    memset(text, 'm', LONG);
    text[LONG] = '\0';
    failure         f = {3, text};
    tp_future      *future = submit(executor, fail_as_told, &f);
    const tp_error *error = NULL, *again = NULL;
    CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
    memset(text, 'x', LONG);
    free(text);
    REQUIRE(error != NULL);
    CHECK_EQ(strlen(error->message), LONG);
    CHECK_EQ(strspn(error->message, "m"), LONG);
    tp_executor_free(executor);
    CHECK_STATUS(tp_future_error(future, 0, &again), TP_OK);
    CHECK_PTR(again, error); /* valid, and the same, as long as the reference is */
    CHECK_EQ(strspn(error->message, "m"), LONG);
    tp_future_release(future);
}

/* Bytes that are no UTF-8 are the task's fault, but no reason to fall over. */
TEST(a_message_that_is_no_utf8_breaks_nothing) {
    failure         f = {4, "\xff\xfe\x80 broken \xc3"};
    tp_executor    *executor = new_executor(1);
    tp_future      *future = submit(executor, fail_as_told, &f);
    const tp_error *error = NULL;
    CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
    REQUIRE(error != NULL);
    CHECK_EQ(error->code, 4);
    CHECK(strstr(error->message, " broken ") != NULL);
    tp_future_release(future);
    tp_executor_free(executor);
}

typedef struct {
    counter first, second;
} payloads;

static void *fail_thrice(void *arg) {
    payloads *p = (payloads *)arg;
    CHECK_STATUS(tp_task_fail_with(1, "first", &p->first, count_drop), TP_OK);
    CHECK_EQ(counter_get(&p->first), 0);
    CHECK_STATUS(tp_task_fail(2, "second"), TP_OK);
    CHECK_EQ(counter_get(&p->first), 1); /* replaced, so dropped */
    CHECK_STATUS(tp_task_fail_with(3, "third", &p->second, count_drop), TP_OK);
    return p;
}

TEST(o02_a_second_failure_replaces_the_first_and_the_payload_goes_with_the_future) {
    payloads        p = {COUNTER_INIT, COUNTER_INIT};
    tp_executor    *executor = new_executor(1);
    tp_future      *future = submit(executor, fail_thrice, &p);
    const tp_error *error = NULL;
    CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
    REQUIRE(error != NULL);
    CHECK_EQ(error->code, 3);
    CHECK_STR(error->message, "third");
    CHECK_PTR(error->payload, &p.second);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&p.second), 0);
    tp_future_retain(future);
    tp_future_release(future);
    CHECK_EQ(counter_get(&p.second), 0);
    tp_future_release(future);
    CHECK_EQ(counter_get(&p.first), 1);
    CHECK_EQ(counter_get(&p.second), 1);
}

static void *fail_with_a_bare_payload(void *arg) {
    CHECK_STATUS(tp_task_fail_with(1, NULL, arg, NULL), TP_OK);
    return NULL;
}
/* "drop, where given, frees payload": the contract excepts NULL for results only, so the hook sees it. */
static int  null_drops;
static void note_null_drop(void *payload) {
    CHECK_PTR(payload, NULL);
    null_drops++;
}
static void *fail_with_a_null_payload(void *arg) {
    (void)arg;
    CHECK_STATUS(tp_task_fail_with(2, NULL, NULL, note_null_drop), TP_OK);
    return NULL;
}

TEST(payloads_without_drop_and_drops_without_payload) {
    int             value;
    tp_executor    *executor = new_executor(1);
    const tp_error *error = NULL;
    tp_future      *bare = submit(executor, fail_with_a_bare_payload, &value), *null = submit(executor, fail_with_a_null_payload, NULL);
    CHECK_STATUS(tp_future_error(bare, TP_FOREVER, &error), TP_OK);
    CHECK(error != NULL && error->payload == &value);
    CHECK_STATUS(tp_future_error(null, TP_FOREVER, &error), TP_OK);
    CHECK(error != NULL && error->payload == NULL && error->code == 2);
    tp_future_release(bare);
    tp_executor_free(executor);
    CHECK_EQ(null_drops, 0);
    tp_future_release(null);
    CHECK_EQ(null_drops, 1);
}

TEST(fail_outside_of_a_task_is_refused_and_takes_nothing) {
    counter dropped = COUNTER_INIT;
    CHECK_FAILS(tp_task_fail(1, "x"), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_task_fail(1, NULL), TP_ERR_INVALID_STATE);
    CHECK_FAILS(tp_task_fail_with(1, "x", &dropped, count_drop), TP_ERR_INVALID_STATE);
    CHECK_EQ(counter_get(&dropped), 0);
}

/* A task that fails may still return something; drop_result is called for it. */
TEST(o01_the_value_of_a_failed_task_is_dropped_too) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = fail_with_seven, .arg = &dropped, .drop_result = count_drop), &future), TP_OK);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_TASK);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 0);
    tp_future_release(future);
    CHECK_EQ(counter_get(&dropped), 1);
}

/* A failure inside is the inner task's alone, also where it runs on the same stack. */
static void *wait_for_a_failing_one(void *arg) {
    tp_executor *executor = (tp_executor *)arg;
    tp_future   *me = tp_future_current();
    tp_future   *inner = submit(executor, fail_with_seven, NULL);
    CHECK_STATUS(tp_future_result(inner, TP_FOREVER, NULL), TP_ERR_TASK);
    CHECK_PTR(tp_future_current(), me);
    tp_future_release(inner);
    return arg;
}

TEST(a_failure_is_the_innermost_task_s) {
    tp_executor *executor = new_executor(1);
    CHECK_PTR(result_of(submit(executor, wait_for_a_failing_one, executor)), executor);
    tp_executor_free(executor);
}

/* ---- stop requests ------------------------------------------------------------------------------------------------------------------ */

static void *run_until_stopped(void *arg) {
    CHECK(!tp_task_stop_requested());
    gate_open((gate *)arg);
    while (!tp_task_stop_requested()) sleep_ms(1);
    CHECK(tp_task_stop_requested());
    return arg;
}

TEST(c02_request_stop_is_seen_by_a_running_task) {
    gate         started = GATE_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *future = submit(executor, run_until_stopped, &started);
    gate_wait(&started);
    tp_future_request_stop(future);
    tp_future_request_stop(future);
    CHECK_PTR(result_of(future), &started); /* it returned; it was not cancelled */
    gate again = GATE_INIT;                 /* and the next one starts afresh */
    future = submit(executor, run_until_stopped, &again);
    gate_wait(&again);
    CHECK_EQ(tp_future_state(future), TP_STATE_RUNNING);
    tp_future_request_stop(future);
    result_of(future);
    tp_executor_free(executor);
}

TEST(request_stop_cancels_a_pending_task_and_leaves_a_done_one) {
    counter      ran = COUNTER_INIT, called = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, count_run, &ran);
    CHECK_STATUS(tp_future_add_done_callback(future, count_done, &called), TP_OK);
    tp_future_request_stop(future);
    CHECK(tp_future_cancelled(future));
    CHECK_EQ(counter_get(&called), 1);
    tp_future_request_stop(future);
    tp_future_release(future);
    tp_future *done = tp_future_retain(busy.future);
    unblock(&busy);
    tp_future_request_stop(done);
    CHECK_EQ(tp_future_state(done), TP_STATE_FINISHED);
    tp_future_release(done);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 0);
}

TEST(d05_a_cancelling_shutdown_is_seen_by_running_tasks) {
    gate         started[3] = {GATE_INIT, GATE_INIT, GATE_INIT};
    tp_executor *executor = new_executor(3);
    tp_future   *futures[2];
    for (int i = 0; i < 2; i++) futures[i] = submit(executor, run_until_stopped, &started[i]);
    CHECK_STATUS(tp_execute(executor, run_until_stopped, &started[2]), TP_OK); /* one that has no future as well */
    for (int i = 0; i < 3; i++) gate_wait(&started[i]);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    sleep_ms(5);
    CHECK(tp_future_running(futures[0])); /* a plain shutdown stops nobody */
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES | TP_SHUTDOWN_WAIT), TP_OK);
    for (int i = 0; i < 2; i++) result_of(futures[i]);
    tp_executor_free(executor);
}

/* Each task sees its own requests. */
static void *look_at_the_request_of_the_inner(void *arg) {
    (void)arg;
    CHECK(!tp_task_stop_requested());
    return NULL;
}
static void *stopped_outer(void *arg) {
    tp_executor *executor = (tp_executor *)arg;
    tp_future_request_stop(tp_future_current());
    CHECK(tp_task_stop_requested());
    result_of(submit(executor, look_at_the_request_of_the_inner, NULL));
    CHECK(tp_task_stop_requested());
    return NULL;
}

TEST(a_stop_request_is_one_task_s_alone) {
    tp_executor *executor = new_executor(1);
    result_of(submit(executor, stopped_outer, executor));
    result_of(submit(executor, look_at_the_request_of_the_inner, NULL));
    tp_executor_free(executor);
}

/* ---- who and where ---------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    tp_future   *seen;
    char         name[64];
} self;

static void *look_around(void *arg) {
    self *s = (self *)arg;
    CHECK_PTR(tp_executor_current(), s->executor);
    s->seen = tp_future_current();
    CHECK(tp_worker_name() != NULL);
    CHECK(!tp_task_stop_requested());
    if (s->seen != NULL) CHECK_EQ(tp_future_state(s->seen), TP_STATE_RUNNING);
    return s;
}

TEST(a_task_knows_its_future_and_executor) {
    self         s = {new_executor(2), NULL, ""};
    tp_future   *future = submit(s.executor, look_around, &s);
    tp_executor *other = new_executor(1);
    self         t = {other, NULL, ""};
    CHECK_PTR(tp_future_current(), NULL);
    CHECK_PTR(tp_executor_current(), NULL);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    CHECK_PTR(s.seen, future);
    tp_future_release(future);
    CHECK_PTR(result_of(submit(other, look_around, &t)), &t);
    tp_executor_free(other);
    tp_executor_free(s.executor);
}

TEST(tasks_without_a_future_have_none) {
    self s = {new_executor(1), (tp_future *)&s, ""};
    CHECK_STATUS(tp_execute(s.executor, look_around, &s), TP_OK);
    result_of(submit(s.executor, return_null, NULL));
    CHECK_PTR(s.seen, NULL);
    s.seen = (tp_future *)&s;
    CHECK_STATUS(tp_submit_task(s.executor, TP_TASK(.fn = look_around, .arg = &s, .name = "no future"), NULL), TP_OK);
    result_of(submit(s.executor, return_null, NULL));
    CHECK_PTR(s.seen, NULL);
    void *args[1] = {&s};
    s.seen = (tp_future *)&s;
    CHECK_STATUS(tp_submit_many(s.executor, look_around, args, 1, NULL), TP_OK);
    tp_executor_free(s.executor);
    CHECK_PTR(s.seen, NULL);
}

/* The borrowed future may be kept by retaining it, also when its owner has let go. */
static void *keep_my_future(void *arg) {
    *(tp_future **)arg = tp_future_retain(tp_future_current());
    return arg;
}

TEST(a_task_may_keep_its_own_future) {
    tp_future   *kept = NULL;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future *future = submit(executor, keep_my_future, &kept);
    tp_future *second = tp_future_retain(future);
    tp_future_release(future);
    unblock(&busy);
    CHECK_PTR(result_of(second), &kept);
    tp_executor_free(executor);
    REQUIRE(kept != NULL);
    CHECK_EQ(tp_future_state(kept), TP_STATE_FINISHED);
    CHECK_PTR(result_of(kept), &kept);
}

/* The inner task is the current one while it runs on the outer's stack. */
typedef struct {
    tp_executor *executor;
    tp_future   *expected;
    int          depth;
} onion;

static void *peel(void *arg) {
    onion     *o = (onion *)arg;
    tp_future *me = tp_future_current();
    CHECK(me != NULL);
    CHECK_PTR(tp_executor_current(), o->executor);
    if (o->depth == 0) return me;
    onion      inner = {o->executor, NULL, o->depth - 1};
    tp_future *future = submit(o->executor, peel, &inner);
    CHECK(future != me);
    CHECK_PTR(tp_future_current(), me);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    tp_future_release(future);
    CHECK_PTR(tp_future_current(), me);
    return me;
}

TEST(the_current_future_is_the_innermost_task_s) {
    onion      o = {new_executor(1), NULL, 50};
    tp_future *future = submit(o.executor, peel, &o);
    void      *seen = NULL;
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, &seen), TP_OK);
    CHECK_PTR(seen, future);
    tp_future_release(future);
    tp_executor_free(o.executor);
}
