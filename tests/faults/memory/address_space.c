/* A process that really has no more memory: its address space is limited (RLIMIT_AS), in child processes. Nothing is injected
 * here: what fails is what the kernel refuses, thread stacks that the C library maps by itself included. */
#include "../../c/harness.h"

#include <sys/resource.h>

static rlim_t unlimited;

/* Allows `more` bytes than the process has now. */
static void limit_memory(size_t more) {
    struct rlimit limit;
    long          pages = 0;
    FILE         *file = fopen("/proc/self/statm", "r");
    REQUIRE(file != NULL && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    unlimited = limit.rlim_max;
    limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void lift_limit(void) {
    struct rlimit limit = {unlimited, unlimited};
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

static bool is_shortage(tp_status status) { return status == TP_ERR_NO_MEMORY || status == TP_ERR_SYSTEM; }

/* ---- tasks until there is no memory for another ------------------------------------------------------------------------ */

enum { MOST = 4000000 };
static tp_future *futures[MOST];

CHILD(full_of_tasks) {
    counter      ran = COUNTER_INIT, called = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    long         n = 0, added = 0;
    block(executor, &busy);
    limit_memory(32 << 20);
    while (n < MOST && (futures[n] = tp_submit(executor, count_run, &ran)) != NULL) n++;
    CHECK_LAST_ERROR(TP_ERR_NO_MEMORY);
    CHECK(n > 1000 && n < MOST);
    while (tp_future_add_done_callback(futures[0], count_done, &called) == TP_OK) added++;
    CHECK_LAST_ERROR(TP_ERR_NO_MEMORY);
    /* Without another byte: one in two is cancelled, the others run. */
    for (long i = 0; i < n; i += 2) CHECK(tp_future_cancel(futures[i]));
    CHECK_EQ(counter_get(&called), added);
    gate_open(&busy.release);
    for (long i = 1; i < n; i += 2) CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, NULL), TP_OK);
    CHECK_EQ(counter_get(&ran), n / 2);
    for (long i = 0; i < n; i++) tp_future_release(futures[i]);
    /* Room again, and it is used again, under the same limit. */
    long again = 0;
    while (again < n / 2 && (futures[again] = tp_submit(executor, count_run, &ran)) != NULL) again++;
    CHECK_EQ(again, n / 2);
    for (long i = 0; i < again; i++) result_of(futures[i]);
    tp_future_release(busy.future);
    tp_executor_free(executor);
    return 0;
}

TEST(c08_a_process_that_tasks_have_filled_ends_them_and_goes_on) { CHECK_CHILD("full_of_tasks", 0); }

/* ---- threads whose stacks cannot be had -------------------------------------------------------------------------------- */

static void *meet(void *arg) {
    pthread_barrier_wait((pthread_barrier_t *)arg);
    return NULL;
}

/* Whatever is left, from nothing up, each call works wholly or is refused wholly; some of what is tried gets a worker. */
CHILD(no_room_for_stacks) {
    long refused = 0, accepted = 0;
    for (size_t more = 0; more <= 24 << 20; more += 512 << 10) {
        counter           ran = COUNTER_INIT;
        pthread_barrier_t together;
        tp_future        *met[3];
        /* Each time larger, so that none of the stacks that the C library keeps will do. */
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .stack_size = (4 << 20) + more / 2));
        REQUIRE(executor != NULL);
        limit_memory(more);
        tp_status first = tp_execute(executor, count_run, &ran), second = tp_execute(executor, count_run, &ran);
        CHECK(first == TP_OK || is_shortage(first));
        CHECK(second == TP_OK || is_shortage(second));
        CHECK((tp_executor_worker_count(executor) > 0) == (first == TP_OK || second == TP_OK));
        lift_limit();
        /* There are as many threads as are needed, as soon as there is room. */
        pthread_barrier_init(&together, NULL, 3);
        for (int i = 0; i < 3; i++) met[i] = submit(executor, meet, &together);
        for (int i = 0; i < 3; i++) result_of(met[i]);
        tp_executor_free(executor);
        pthread_barrier_destroy(&together);
        CHECK_EQ(counter_get(&ran), (first == TP_OK) + (second == TP_OK));
        refused += first != TP_OK;
        accepted += first == TP_OK;
    }
    CHECK(refused > 0 && accepted > 0); /* or this test would test nothing */
    return 0;
}

TEST(p04_threads_without_room_for_a_stack_come_when_there_is_room) { CHECK_CHILD("no_room_for_stacks", 0); }

/* ---- everything else, under every limit -------------------------------------------------------------------------------- */

/* Uses what there is memory for; gives the number of refusals. */
static long use_everything(void) {
    counter              called = COUNTER_INIT;
    void                *args[8] = {&called, &called, &called, &called, &called, &called, &called, &called};
    tp_executor         *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .stack_size = 64 << 10));
    tp_completion_queue *queue = tp_completion_queue_new();
    long                 expected = 0, promised = 0, refused = (executor == NULL) + (queue == NULL);
    if (executor == NULL) CHECK_LAST_ERROR(TP_ERR_NO_MEMORY);
    for (int i = 0; executor != NULL && i < 8; i++) {
        tp_future *future = NULL;
        refused++;
        const tp_task *task = TP_TASK(.fn = count_run, .arg = &called, .drop_arg = count_drop, .name = "a name");
        if (tp_submit_task(executor, task, &future) != TP_OK) continue;
        refused--;
        promised += 2;
        if (tp_future_add_done_callback(future, count_done, &called) == TP_OK) promised++;
        if (queue != NULL && tp_completion_queue_add(queue, future, 0) == TP_OK) expected++;
        tp_future_release(future);
    }
    tp_map *map = executor == NULL ? NULL : tp_map_new(executor, count_run, args, 8, 2, NULL);
    for (int i = 0; map != NULL && i < 8; i++) {
        tp_future *future = NULL;
        tp_status  status = tp_map_next(map, TP_FOREVER, &future);
        CHECK(status == TP_OK || is_shortage(status));
        promised += status == TP_OK;
        if (future != NULL) tp_future_release(future);
    }
    tp_map_free(map);
    for (; expected > 0; expected--) {
        tp_future *future = NULL;
        CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &future, NULL), TP_OK);
        tp_future_release(future);
    }
    tp_completion_queue_free(queue);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&called), promised);
    return refused;
}

/* From no memory beyond what the heap holds to enough. */
CHILD(every_limit) {
    long refused = 0;
    for (size_t more = 0; more < 8 << 20; more += more < 256 << 10 ? 4096 : 64 << 10) {
        limit_memory(more);
        refused += use_everything();
        lift_limit();
    }
    CHECK(refused > 0); /* or this test would test nothing */
    CHECK_EQ(use_everything(), 0);
    return 0;
}

TEST(no_memory_under_every_limit) { CHECK_CHILD("every_limit", 0); }
