/* Memory and threads that cannot be had while executors are made, start their workers, and end. */
#include "attempts.h"
#include "forms.h"

static bool is_shortage(tp_status status) { return status == TP_ERR_NO_MEMORY || status == TP_ERR_SYSTEM; }

/* ---- tp_executor_new --------------------------------------------------------------------------------------------------- */

static void create_an_executor(void) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = NULL;
    ARMED(executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .thread_name_prefix = "short of memory",
                                                        .user_data = &dropped, .drop_user_data = count_drop)));
    if (executor == NULL) {
        CHECK_REFUSAL(tp_executor_new, tp_last_error());
        CHECK_EQ(counter_get(&dropped), 0); /* it stays the caller's */
        return;
    }
    result_of(submit(executor, return_arg, NULL));
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 1);
}

TEST(no_memory_tp_executor_new) { everywhere(create_an_executor); }

/* What names live executors grows in blocks and is kept: so many executors at once need more than one. */
TEST(no_memory_for_more_executors_than_ever_before) {
    enum { N = 130 };
    static tp_executor *executors[N];
    for (int i = 0; i < N; i++) {
        for (long at = 0; executors[i] == NULL; at++) {
            fail_at(at, false);
            ARMED(executors[i] = tp_executor_new(NULL));
            fail_nothing();
            if (executors[i] == NULL) CHECK_REFUSAL(tp_executor_new, tp_last_error());
        }
    }
    for (int i = 0; i < N; i++) CHECK_PTR(result_of(submit(executors[i], return_arg, &executors[i])), &executors[i]);
    for (int i = 0; i < N; i++) tp_executor_free(executors[i]);
}

/* ---- the first worker, and one more ------------------------------------------------------------------------------------ */

static const form *form_to_try;

/* Without a worker: a task that was refused never runs, and the executor is as it was. */
static void submit_first(void) {
    tally        t = TALLY_INIT;
    tp_executor *executor = new_executor(2);
    tp_status    status = offer(form_to_try, executor, &t);
    if (status != TP_OK) {
        CHECK(is_shortage(status));
        CHECK_EQ(tp_executor_pending_count(executor), 0);
    }
    fail_nothing();
    CHECK_STATUS(offer(form_to_try, executor, &t), TP_OK);
    tp_executor_free(executor);
    CHECK_TALLY(&t);
}

TEST(p04_no_memory_for_the_first_task_and_worker_in_every_form) {
    for (form_to_try = forms; form_to_try < forms + FORMS; form_to_try++) everywhere(submit_first);
}

/* With one worker, which is busy: what is refused is refused for its own memory; the other worker's comes with a later task. */
static void submit_second(void) {
    tally             t = TALLY_INIT;
    tp_executor      *executor = new_executor(3);
    blocker           busy;
    pthread_barrier_t together;
    tp_future        *futures[2];
    pthread_barrier_init(&together, NULL, 2);
    block(executor, &busy);
    tp_status status = offer(form_to_try, executor, &t);
    if (status != TP_OK) CHECK_STATUS(status, TP_ERR_NO_MEMORY);
    fail_nothing();
    for (int i = 0; i < 2; i++) futures[i] = submit(executor, meet, &together);
    for (int i = 0; i < 2; i++) result_of(futures[i]);
    CHECK_EQ(tp_executor_worker_count(executor), 3);
    unblock(&busy);
    tp_executor_free(executor);
    pthread_barrier_destroy(&together);
    CHECK_TALLY(&t);
}

TEST(p04_no_memory_for_another_worker_in_every_form) {
    for (form_to_try = forms; form_to_try < forms + FORMS; form_to_try++) everywhere(submit_second);
}

/* ---- a worker that starts while there is none -------------------------------------------------------------------------- */

typedef struct dive {
    tp_executor *executor;
    long         left; /* tasks to nest yet */
} dive;

/* How many tasks could be run, one on top of the other. */
static void *dive_on(void *arg) {
    const dive *here = (dive *)arg;
    dive        below = {here->executor, here->left - 1};
    void       *deeper = NULL;
    if (here->left == 0) return NULL;
    tp_future *future = submit(here->executor, dive_on, &below);
    tp_status  status = tp_future_result(future, TP_FOREVER, &deeper);
    if (status != TP_OK) {
        CHECK_STATUS(status, TP_ERR_DEADLOCK); /* the only worker's stack is full */
        CHECK(tp_future_cancel(future));
    }
    tp_future_release(future);
    return (void *)((intptr_t)deeper + (status == TP_OK));
}

/* The C library allocates to tell where a thread's stack is, without which nothing can be run on top of a task that waits. */
static long depth_of_nesting(size_t stack_size, long limit) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .stack_size = stack_size));
    dive         all = {executor, limit};
    REQUIRE(executor != NULL);
    fail_all(STACK);
    result_of(submit(executor, return_arg, NULL));
    CHECK_EQ(atomic_load(&fault.refused), 1);
    fail_nothing();
    long depth = (long)(intptr_t)result_of(submit(executor, dive_on, &all));
    tp_executor_free(executor);
    return depth;
}

TEST(n01_a_worker_that_started_short_of_memory_runs_what_its_tasks_wait_for) { CHECK_EQ(depth_of_nesting(0, 500), 500); }

/* What it takes for its stack is never more than there is. */
TEST(n01_a_worker_that_started_short_of_memory_does_not_overflow_its_stack) {
    for (size_t size = 64 * 1024; size <= 1024 * 1024; size *= 4) {
        long depth = depth_of_nesting(size, 100000);
        CHECK(depth > 0 && depth < 100000);
    }
}

static int initialize(void *user_data) { return counter_add((counter *)user_data, 1) < 0; }
static void finalize(void *user_data) { counter_add((counter *)user_data, 1000); }
static void *name_of_worker(void *arg) {
    (void)arg;
    return (void *)(intptr_t)tp_worker_name();
}

/* Once it has its thread a worker needs no memory: name, initializer and finalizer are as ever. */
static void start_a_worker(void) {
    const char  *prefix = "a name longer than the system's";
    counter      runs = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .thread_name_prefix = prefix, .user_data = &runs,
                                                               .initializer = initialize, .finalizer = finalize));
    tp_future   *future = NULL;
    REQUIRE(executor != NULL);
    atomic_store(&fault.everywhere, true);
    for (int i = 0; i < 2 && future == NULL; i++) future = tp_submit(executor, name_of_worker, NULL);
    if (future != NULL) CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    atomic_store(&fault.everywhere, false);
    if (future != NULL) CHECK_STR((const char *)result_of(future), "a name longer than the system's_0");
    bool started = tp_executor_worker_count(executor) == 1; /* which the task's own memory may have been refused after */
    CHECK(started || future == NULL);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&runs), started ? 1001 : 0);
}

TEST(no_memory_while_a_worker_starts) {
    start_a_worker();
    CHECK(at_every_place(start_a_worker) > 0);
}

/* ---- loading the library ----------------------------------------------------------------------------------------------- */

/* The C library's function behind pthread_atfork, which the library calls as it is loaded; this child's environment has it
 * refused. */
int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *library);
BEHIND(__register_atfork)
int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *library) {
    loading_from(CALLER, getenv("TPEXEC_TEST_NO_FORK_HANDLERS") != NULL);
    if (getenv("TPEXEC_TEST_NO_FORK_HANDLERS") != NULL) return ENOMEM;
    return behind___register_atfork()(before, parent, child, library);
}

CHILD(without_fork_handlers) {
    CHECK_NULL(tp_executor_new(NULL), TP_ERR_SYSTEM);
    CHECK(strstr(tp_last_error_message(), strerror(ENOMEM)) != NULL);
    CHECK_STATUS(tp_wait(NULL, 0, 0, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    return 0;
}

TEST(e02_without_memory_for_fork_handlers_there_is_no_executor) {
    REQUIRE(setenv("TPEXEC_TEST_NO_FORK_HANDLERS", "1", 1) == 0);
    CHECK_CHILD("without_fork_handlers", 0);
    unsetenv("TPEXEC_TEST_NO_FORK_HANDLERS");
}
