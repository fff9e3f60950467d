/* Memory stays flat: cancelled tasks, results, polls and queues leave nothing behind.
 *
 * Each figure is the growth of the resident set over the second half of a run that is twice as long as it would need to be: what is kept once
 * (the recycled memory of tasks) is there by half-time, what leaks goes on growing. */
#include "harness.h"

#include <stdatomic.h>

static long resident_kib(void) {
    long  pages = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    REQUIRE(statm != NULL);
    REQUIRE(fscanf(statm, "%ld %ld", &pages, &resident) == 2);
    fclose(statm);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A hundred thousand leaks of a mere 16 bytes would be more than this. */
enum { SLACK_KIB = 1024 };

typedef struct {
    tp_executor *executor;
    tp_future   *slow;
    counter      dropped;
} surroundings;

/* Runs `step` n times, in two halves, and compares the resident set after the first with that after the second. */
static void stays_flat(const char *what, void (*step)(surroundings *, long), surroundings *s, long n) {
    for (long i = 0; i < n / 2; i++) step(s, i);
    long half = resident_kib();
    for (long i = n / 2; i < n; i++) step(s, i);
    long grown = resident_kib() - half;
    if (grown > SLACK_KIB) test_failed(__FILE__, __LINE__, "%s: %ld KiB more after %ld than after %ld", what, grown, n, n / 2);
}

/* The same on an executor whose only worker is kept busy by the task of `slow`. */
static void stays_flat_behind_a_slow_task(const char *what, void (*step)(surroundings *, long), long n) {
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    blocker      busy;
    block(s.executor, &busy);
    s.slow = busy.future;
    stays_flat(what, step, &s, n);
    unblock(&busy);
    tp_executor_free(s.executor);
}

/* ---- C8 ------------------------------------------------------------------------------------------------------------------------------------- */

static void submit_and_cancel(surroundings *s, long i) {
    (void)i;
    tp_future *future = submit(s->executor, return_arg, NULL);
    CHECK(tp_future_cancel(future));
    tp_future_release(future);
}

TEST(c08_ten_million_submits_and_cancels_behind_a_blocked_task) {
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    blocker      busy;
    block(s.executor, &busy);
    stays_flat("submit and cancel", submit_and_cancel, &s, repeat(10000000));
    CHECK_EQ(tp_executor_pending_count(s.executor), 0);
    unblock(&busy);
    tp_executor_free(s.executor);
}

/* Live tasks in between, so that the dead ones never stand at the head. */
static void submit_keep_some_and_cancel(surroundings *s, long i) {
    if (i % 2000 == 0) CHECK_STATUS(tp_execute(s->executor, count_run, &s->dropped), TP_OK);
    submit_and_cancel(s, i);
}

TEST(c08_also_with_live_tasks_among_the_cancelled) {
    long         n = repeat(2000000);
    surroundings s = {new_executor(2), NULL, COUNTER_INIT};
    blocker      busy[2];
    block(s.executor, &busy[0]);
    block(s.executor, &busy[1]);
    stays_flat("submit and cancel among live tasks", submit_keep_some_and_cancel, &s, n);
    CHECK_EQ(tp_executor_pending_count(s.executor), (n + 1999) / 2000);
    unblock(&busy[0]);
    unblock(&busy[1]);
    tp_executor_free(s.executor);
    CHECK_EQ(counter_get(&s.dropped), (n + 1999) / 2000);
}

/* Newest first: every cancelled one is at the tail. */
static void cancel_a_batch_from_the_back(surroundings *s, long i) {
    tp_future *futures[64];
    (void)i;
    for (int j = 0; j < 64; j++) futures[j] = submit(s->executor, return_arg, NULL);
    for (int j = 63; j >= 0; j--) {
        CHECK(tp_future_cancel(futures[j]));
        tp_future_release(futures[j]);
    }
}

TEST(c08_also_when_cancelled_from_the_back) {
    stays_flat_behind_a_slow_task("cancel from the back", cancel_a_batch_from_the_back, repeat(30000));
}

/* With hooks, names and callbacks, which cost memory of their own. */
static void submit_and_cancel_with_everything(surroundings *s, long i) {
    tp_future *future = NULL;
    (void)i;
    CHECK_STATUS(tp_submit_task(s->executor, TP_TASK(.fn = return_arg, .arg = &s->dropped, .drop_arg = count_drop, .drop_result = count_drop, .name = "a name"), &future), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, count_done, &s->dropped), TP_OK);
    CHECK(tp_future_cancel(future));
    tp_future_release(future);
}

TEST(c08_also_with_hooks_names_and_callbacks) {
    long         n = repeat(500000);
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    blocker      busy;
    block(s.executor, &busy);
    stays_flat("submit and cancel with hooks", submit_and_cancel_with_everything, &s, n);
    CHECK_EQ(counter_get(&s.dropped), 2 * n);
    unblock(&busy);
    tp_executor_free(s.executor);
}

/* Payloads of every kind of place, the large ones in allocations of their own. */
static tp_future *prepare_one(surroundings *s, long i) {
    static const size_t sizes[] = {24, 150, 5000};
    tp_future          *future = NULL;
    void               *payload = NULL;
    CHECK_STATUS(tp_task_prepare(s->executor, sizes[i % 3], 8, &future, &payload), TP_OK);
    memset(payload, 1, sizes[i % 3]);
    return future;
}

static void prepare_and_release(surroundings *s, long i) { tp_future_release(prepare_one(s, i)); }

static void launch_and_cancel(surroundings *s, long i) {
    tp_future *future = prepare_one(s, i);
    CHECK_STATUS(tp_task_launch(future, return_arg, NULL), TP_OK);
    CHECK(tp_future_cancel(future));
    tp_future_release(future);
}

TEST(c08_also_with_payloads) {
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    blocker      busy;
    block(s.executor, &busy);
    stays_flat("prepare and release", prepare_and_release, &s, repeat(1000000));
    stays_flat("launch and cancel", launch_and_cancel, &s, repeat(1000000));
    unblock(&busy);
    tp_executor_free(s.executor);
}

static void submit_and_result(surroundings *s, long i) {
    void *result = NULL;
    (void)i;
    tp_future *future = submit(s->executor, return_arg, s);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, s);
    tp_future_release(future);
}

static void *submit_and_result_inside(void *arg) {
    stays_flat("submit and result inside a task", submit_and_result, (surroundings *)arg, repeat(10000000));
    return arg;
}

TEST(c08_ten_million_submits_and_results_inside_one_task_of_a_one_worker_executor) {
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    CHECK_PTR(result_of(submit(s.executor, submit_and_result_inside, &s)), &s);
    tp_executor_free(s.executor);
}

/* The same with two workers, where the entries may be in the task's own ring. */
TEST(c08_also_with_two_workers) {
    surroundings s = {new_executor(2), NULL, COUNTER_INIT};
    blocker      busy;
    block(s.executor, &busy);
    CHECK_PTR(result_of(submit(s.executor, submit_and_result_inside, &s)), &s);
    unblock(&busy);
    tp_executor_free(s.executor);
}

/* ---- W4 -------------------------------------------------------------------------------------------------------------------------------------- */

static void poll_everything(surroundings *s, long i) {
    size_t     n_done = 99;
    tp_future *futures[3] = {s->slow, s->slow, s->slow};
    CHECK_STATUS(tp_wait(futures, 3, 0, (tp_wait_for)(i % 3), &n_done), TP_ERR_TIMEOUT);
    CHECK_EQ(n_done, 0);
    CHECK_STATUS(tp_future_result(s->slow, 0, NULL), TP_ERR_TIMEOUT);
}

TEST(w04_a_million_polls_of_one_slow_future) {
    stays_flat_behind_a_slow_task("polls", poll_everything, repeat(1000000));
}

/* Limits that are no polls: each registers and has to unregister. */
static void wait_a_moment(surroundings *s, long i) {
    tp_future *futures[3] = {s->slow, s->slow, s->slow};
    CHECK_STATUS(tp_wait(futures, 3, 1 + i % 100, (tp_wait_for)(i % 3), NULL), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_future_result(s->slow, 1, NULL), TP_ERR_TIMEOUT);
}

TEST(w04_short_waits_on_one_slow_future) {
    stays_flat_behind_a_slow_task("short waits", wait_a_moment, repeat(20000));
}

/* ---- A3 -------------------------------------------------------------------------------------------------------------------------------------- */

static void open_and_free_queues(surroundings *s, long i) {
    tp_completion_queue *queue = i % 2 == 0 ? tp_completion_queue_new() : tp_as_completed(&s->slow, 1);
    REQUIRE(queue != NULL);
    if (i % 2 == 0) CHECK_STATUS(tp_completion_queue_add(queue, s->slow, (uint64_t)i), TP_OK);
    CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), TP_ERR_TIMEOUT);
    tp_completion_queue_free(queue);
}

TEST(a03_freed_queues_leave_nothing_with_a_slow_future) {
    stays_flat_behind_a_slow_task("queues", open_and_free_queues, repeat(400000));
}

/* ---- tasks, executors, maps, failures: each gives back what it took -------------------------------------------------------------------------------- */

static void fail_with_message(surroundings *s, long i) {
    (void)i;
    tp_future *future = submit(s->executor, fail_with_seven, NULL);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_ERR_TASK);
    tp_future_release(future);
}

static void map_and_stop_early(surroundings *s, long i) {
    void   *args[8] = {NULL};
    tp_map *map = tp_map_new(s->executor, return_arg, args, 8, (size_t)(i % 4), NULL);
    REQUIRE(map != NULL);
    for (long j = 0; j < i % 9; j++) CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_OK);
    tp_map_free(map);
}

static void come_and_go(surroundings *s, long i) {
    tp_executor *executor = new_executor(1 + (size_t)(i % 3));
    (void)s;
    for (long j = 0; j < i % 4; j++) CHECK_STATUS(tp_execute(executor, return_arg, NULL), TP_OK);
    tp_executor_free(executor);
}

static void execute_in_bulk(surroundings *s, long i) {
    void *args[100] = {NULL};
    (void)i;
    CHECK_STATUS(tp_submit_many(s->executor, return_arg, args, 100, NULL), TP_OK);
    result_of(submit(s->executor, return_arg, NULL));
}

TEST(failed_tasks_give_their_records_back) {
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    stays_flat("failures", fail_with_message, &s, repeat(100000));
    tp_executor_free(s.executor);
}

TEST(maps_give_back_what_they_took) {
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    stays_flat("maps", map_and_stop_early, &s, repeat(20000));
    tp_executor_free(s.executor);
}

TEST(executors_give_back_what_they_took) {
    surroundings s = {NULL, NULL, COUNTER_INIT};
    stays_flat("executors", come_and_go, &s, repeat(10000));
}

TEST(bulk_submits_give_back_what_they_took) {
    surroundings s = {new_executor(1), NULL, COUNTER_INIT};
    stays_flat("bulk", execute_in_bulk, &s, repeat(20000));
    tp_executor_free(s.executor);
}
