/* Creating executors: defaults, limits, names, counts, user data. */
#include "harness.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* ---- P1: how many workers --------------------------------------------------------------------------------------------------- */

/* With one CPU to run on, the quota of a cgroup cannot lower the figure any more: exactly 1 + 4. */
CHILD(on_one_cpu) {
    cpu_set_t all, one;
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        CPU_SET(cpu, &one);
        break;
    }
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    tp_executor *executor = tp_executor_new(NULL);
    REQUIRE(executor != NULL);
    CHECK_EQ(tp_executor_max_workers(executor), 5);
    tp_executor_free(executor);
    return 0;
}

TEST(p01_default_max_workers_follows_the_affinity) { CHECK_CHILD("on_one_cpu", 0); }

TEST(p01_default_max_workers_is_at_most_32_and_cpus_plus_4) {
    cpu_set_t all;
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    size_t most = (size_t)CPU_COUNT(&all) + 4;
    if (most > 32) most = 32;
    tp_executor *by_null = tp_executor_new(NULL), *by_zero = new_executor(0);
    REQUIRE(by_null != NULL);
    CHECK(tp_executor_max_workers(by_null) <= most);
    CHECK(tp_executor_max_workers(by_null) >= 5);
    CHECK_EQ(tp_executor_max_workers(by_zero), tp_executor_max_workers(by_null));
    tp_executor_free(by_null);
    tp_executor_free(by_zero);
}

TEST(p01_max_workers_is_kept_and_limited) {
    static const size_t good[] = {1, 2, 3, 31, 32, 33, 1000, TP_MAX_WORKERS - 1, TP_MAX_WORKERS};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        tp_executor *executor = new_executor(good[i]);
        CHECK_EQ(tp_executor_max_workers(executor), good[i]);
        CHECK_EQ(tp_executor_worker_count(executor), 0);
        CHECK_EQ(tp_executor_pending_count(executor), 0);
        tp_executor_free(executor);
    }
    static const size_t bad[] = {TP_MAX_WORKERS + 1, 65535, 65536, 1000000, (size_t)UINT32_MAX + 1, SIZE_MAX / 2, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = bad[i])), TP_ERR_INVALID_ARGUMENT);
}

TEST(executor_with_the_most_workers_allowed_works) {
    tp_executor *executor = new_executor(TP_MAX_WORKERS);
    int          value;
    CHECK_PTR(result_of(submit(executor, return_arg, &value)), &value);
    CHECK_EQ(tp_executor_worker_count(executor), 1);
    tp_executor_free(executor);
}

/* ---- P5: names ---------------------------------------------------------------------------------------------------------------- */

typedef struct {
    pthread_barrier_t *together;
    char               name[256], os_name[32];
} named;

static void *look_at_names(void *arg) {
    named *n = (named *)arg;
    if (n->together != NULL) pthread_barrier_wait(n->together);
    const char *name = tp_worker_name();
    snprintf(n->name, sizeof n->name, "%s", name == NULL ? "(null)" : name);
    prctl(PR_GET_NAME, n->os_name);
    return NULL;
}

static void names_of_one_worker(const char *prefix, named *out) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .thread_name_prefix = prefix));
    REQUIRE(executor != NULL);
    out->together = NULL;
    result_of(submit(executor, look_at_names, out));
    tp_executor_free(executor);
}

TEST(p05_workers_are_named_prefix_and_index) {
    enum { WORKERS = 12 };
    named             seen[WORKERS];
    tp_future        *futures[WORKERS];
    bool              index_seen[WORKERS] = {false};
    pthread_barrier_t together;
    pthread_barrier_init(&together, NULL, WORKERS);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = WORKERS, .thread_name_prefix = "crew"));
    REQUIRE(executor != NULL);
    for (int i = 0; i < WORKERS; i++) {
        seen[i].together = &together;
        futures[i] = submit(executor, look_at_names, &seen[i]);
    }
    for (int i = 0; i < WORKERS; i++) result_of(futures[i]);
    for (int i = 0; i < WORKERS; i++) {
        int  index = -1;
        char rest = 0;
        CHECK_EQ(sscanf(seen[i].name, "crew_%d%c", &index, &rest), 1);
        CHECK(index >= 0 && index < WORKERS);
        if (index < 0 || index >= WORKERS) continue;
        CHECK(!index_seen[index]);
        index_seen[index] = true;
        CHECK_STR(seen[i].os_name, seen[i].name);
    }
    tp_executor_free(executor);
    pthread_barrier_destroy(&together);
}

TEST(p05_the_os_name_is_cut_so_that_the_index_survives) {
    named seen;
    names_of_one_worker("a-prefix-that-is-far-too-long-for-linux", &seen);
    CHECK_STR(seen.name, "a-prefix-that-is-far-too-long-for-linux_0");
    CHECK_EQ(strlen(seen.os_name), 15);
    CHECK(strncmp(seen.os_name, "a-prefix-that", 13) == 0);
    CHECK_STR(seen.os_name + strlen(seen.os_name) - 2, "_0");

    names_of_one_worker("exactly-13-by", &seen);
    CHECK_STR(seen.os_name, "exactly-13-by_0");
    names_of_one_worker("fourteen-bytes", &seen);
    CHECK_STR(seen.name, "fourteen-bytes_0");
    CHECK_STR(seen.os_name + 13, "_0");
}

TEST(p05_default_names_count_executors) {
    named first, second;
    int   a = -1, b = -1, worker = -1;
    names_of_one_worker(NULL, &first);
    names_of_one_worker(NULL, &second);
    CHECK_EQ(sscanf(first.name, "tpexec-%d_%d", &a, &worker), 2);
    CHECK_EQ(worker, 0);
    CHECK_EQ(sscanf(second.name, "tpexec-%d_%d", &b, &worker), 2);
    CHECK_EQ(worker, 0);
    CHECK(b > a);
}

TEST(p05_empty_prefix_is_a_prefix) {
    named seen;
    names_of_one_worker("", &seen);
    CHECK_STR(seen.name, "_0");
    CHECK_STR(seen.os_name, "_0");
}

TEST(p05_very_long_prefix_is_whole_in_worker_name) {
    static char prefix[200];
    memset(prefix, 'x', sizeof prefix - 1);
    named seen;
    names_of_one_worker(prefix, &seen);
    CHECK_EQ(strlen(seen.name), sizeof prefix - 1 + 2);
    CHECK_EQ(strncmp(seen.name, prefix, sizeof prefix - 1), 0);
}

TEST(p05_prefix_is_copied) {
    char         prefix[] = "before";
    named        seen = {.together = NULL};
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .thread_name_prefix = prefix));
    REQUIRE(executor != NULL);
    memcpy(prefix, "AFTER!", 6);
    result_of(submit(executor, look_at_names, &seen));
    CHECK_STR(seen.name, "before_0");
    tp_executor_free(executor);
}

static void *give_worker_name(void *arg) {
    (void)arg;
    return (void *)(uintptr_t)tp_worker_name();
}

TEST(p05_worker_name_is_null_outside_of_a_worker) {
    CHECK_PTR(tp_worker_name(), NULL);
    CHECK_PTR(join_thread(start_thread(give_worker_name, NULL)), NULL);
}

/* ---- stack_size ------------------------------------------------------------------------------------------------------------- */

enum { MIB = 1 << 20 };

static void *touch_48_mib_of_stack(void *arg) {
    volatile char big[48 * MIB];
    for (size_t i = 0; i < sizeof big; i += 4096) big[i] = 1;
    return big[sizeof big - 4096] == 1 ? arg : NULL;
}

TEST(stack_size_is_what_a_task_can_use) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .stack_size = 64u * MIB));
    REQUIRE(executor != NULL);
    CHECK_PTR(result_of(submit(executor, touch_48_mib_of_stack, executor)), executor);
    tp_executor_free(executor);
}

/* Whether a tiny or an enormous stack is refused at once or only when the thread cannot be had, nothing crashes and no task is lost. */
TEST(absurd_stack_sizes_are_refused_or_work) {
    static const size_t sizes[] = {1, 100, 4097, 20001, (size_t)1 << 46, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .stack_size = sizes[i]));
        if (executor == NULL) {
            CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);
            continue;
        }
        tp_future *future = tp_submit(executor, return_arg, executor);
        if (future != NULL) {
            CHECK(sizes[i] < (size_t)1 << 46);
            CHECK_PTR(result_of(future), executor);
        } else {
            CHECK(tp_last_error() == TP_ERR_SYSTEM || tp_last_error() == TP_ERR_INVALID_ARGUMENT || tp_last_error() == TP_ERR_NO_MEMORY);
            CHECK_EQ(tp_executor_pending_count(executor), 0);
            CHECK_EQ(tp_executor_worker_count(executor), 0);
        }
        tp_executor_free(executor);
    }
}

/* ---- counts ----------------------------------------------------------------------------------------------------------------- */

TEST(pending_count_is_accepted_not_started_not_cancelled) {
    enum { N = 1000 };
    static tp_future *futures[N];
    tp_executor      *executor = new_executor(1);
    blocker           busy;
    block(executor, &busy);
    CHECK_EQ(tp_executor_pending_count(executor), 0);
    for (int i = 0; i < N; i++) {
        futures[i] = submit(executor, return_arg, NULL);
        CHECK_EQ(tp_executor_pending_count(executor), i + 1);
    }
    CHECK_STATUS(tp_execute(executor, return_arg, NULL), TP_OK);
    CHECK_EQ(tp_executor_pending_count(executor), N + 1);
    for (int i = 0; i < N / 2; i++) {
        CHECK(tp_future_cancel(futures[2 * i]));
        CHECK_EQ(tp_executor_pending_count(executor), N - i);
    }
    unblock(&busy);
    for (int i = 0; i < N; i++) {
        CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, NULL), i % 2 == 0 ? TP_ERR_CANCELLED : TP_OK);
        tp_future_release(futures[i]);
    }
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_EQ(tp_executor_pending_count(executor), 0);
    CHECK_EQ(tp_executor_worker_count(executor), 0);
    CHECK_EQ(tp_executor_max_workers(executor), 1);
    tp_executor_free(executor);
}

TEST(refused_submits_are_not_pending) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    CHECK_NULL(tp_submit(executor, NULL, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(tp_submit_many(executor, return_arg, NULL, 3, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_EQ(tp_executor_pending_count(executor), 0);
    unblock(&busy);
    tp_executor_free(executor);
}

/* ---- user data -------------------------------------------------------------------------------------------------------------- */

TEST(o03_drop_user_data_runs_once_when_the_executor_is_gone) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .user_data = &dropped, .drop_user_data = count_drop));
    REQUIRE(executor != NULL);
    for (int i = 0; i < 100; i++) result_of(submit(executor, return_arg, NULL));
    CHECK_EQ(counter_get(&dropped), 0);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 1);
}

TEST(o03_drop_user_data_runs_once_for_an_executor_never_used) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.user_data = &dropped, .drop_user_data = count_drop));
    REQUIRE(executor != NULL);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 1);

    executor = tp_executor_new(TP_EXECUTOR_CONFIG(.user_data = &dropped, .drop_user_data = count_drop));
    REQUIRE(executor != NULL);
    tp_executor_detach(executor);
    EVENTUALLY(counter_get(&dropped) == 2);
}

TEST(o03_drop_user_data_runs_after_a_detached_executor_s_last_worker) {
    counter      dropped = COUNTER_INIT, ran = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .user_data = &dropped, .drop_user_data = count_drop));
    REQUIRE(executor != NULL);
    blocker busy;
    block(executor, &busy);
    for (int i = 0; i < 50; i++) CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
    tp_executor_detach(executor);
    CHECK_EQ(counter_get(&dropped), 0);
    unblock(&busy);
    counter_wait(&dropped, 1);
    CHECK_EQ(counter_get(&ran), 50);
}

TEST(refused_executor_takes_no_user_data) {
    counter dropped = COUNTER_INIT;
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = TP_MAX_WORKERS + 1, .user_data = &dropped, .drop_user_data = count_drop)),
               TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.queue_capacity = 1, .user_data = &dropped, .drop_user_data = count_drop)),
               TP_ERR_UNSUPPORTED);
    CHECK_EQ(counter_get(&dropped), 0);
}

/* ---- many of them ----------------------------------------------------------------------------------------------------------- */

TEST(a_hundred_executors_at_once_are_independent) {
    enum { N = 100 };
    tp_executor *executors[N];
    counter      ran = COUNTER_INIT;
    for (int i = 0; i < N; i++) executors[i] = new_executor(2);
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < N; i++) CHECK_STATUS(tp_execute(executors[i], count_run, &ran), TP_OK);
    for (int i = 0; i < N; i++) tp_executor_free(executors[N - 1 - i]);
    CHECK_EQ(counter_get(&ran), 20 * N);
}

/* More than any table of live executors could hold, were slots not reused. */
TEST(executors_come_and_go_thousandfold) {
    long rounds = repeat(20000);
    int  value;
    for (long i = 0; i < rounds; i++) {
        tp_executor *executor = new_executor(1 + (size_t)i % 3);
        if (i % 16 == 0) CHECK_PTR(result_of(submit(executor, return_arg, &value)), &value);
        tp_executor_free(executor);
    }
}

/* Futures outlive their executor, and their answers do not change when its place is taken by another. */
TEST(futures_outlive_their_executor) {
    enum { N = 200 };
    tp_future *futures[N];
    for (int i = 0; i < N; i++) {
        tp_executor *executor = new_executor(1);
        futures[i] = submit(executor, i % 2 == 0 ? return_arg : fail_with_seven, &futures[i]);
        tp_executor_free(executor);
    }
    for (int i = 0; i < N; i++) {
        void           *result = NULL;
        const tp_error *error = NULL;
        CHECK_STATUS(tp_future_result(futures[i], 0, &result), i % 2 == 0 ? TP_OK : TP_ERR_TASK);
        if (i % 2 == 0) CHECK_PTR(result, &futures[i]);
        CHECK_STATUS(tp_future_error(futures[i], 0, &error), TP_OK);
        CHECK((error == NULL) == (i % 2 == 0));
        tp_future_release(futures[i]);
    }
}
