/* Bad input: every function with NULL, zero, absurd and unknown values, structs of every size, and the order of failures. */
#include "harness.h"

#include <limits.h>
#include <stddef.h>
#include <sys/mman.h>

static const int unknown_enums[] = {-1, 3, 4, 5, 100, 255, 256, 65536, INT_MAX, INT_MIN};
enum { UNKNOWN_ENUMS = sizeof unknown_enums / sizeof unknown_enums[0] };

/* A pointer that nobody may follow. */
#define NOT_TO_BE_TOUCHED ((void *)16)

/* ---- NULL ---------------------------------------------------------------------------------------------------------------------------------- */

TEST(null_executor) {
    counter    touched = COUNTER_INIT;
    void      *args[1] = {&touched};
    tp_future *future = (tp_future *)&touched;
    CHECK_FAILS(tp_executor_shutdown(NULL, 0), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_executor_shutdown(NULL, TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_executor_join(NULL, TP_FOREVER), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_executor_join(NULL, 0), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_submit(NULL, count_run, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_submit(NULL, NULL, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_execute(NULL, count_run, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(NULL, count_run, args, 1, &future), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(NULL, count_run, args, 0, &future), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(NULL, TP_TASK(.fn = count_run, .arg = &touched, .drop_arg = count_drop), &future), TP_ERR_INVALID_ARGUMENT);
    void *payload = &touched;
    CHECK_FAILS(tp_task_prepare(NULL, 8, 8, &future, &payload), TP_ERR_INVALID_ARGUMENT);
    CHECK_PTR(payload, &touched);
    CHECK_NULL(tp_map_new(NULL, count_run, args, 1, 0, count_drop), TP_ERR_INVALID_ARGUMENT);
    CHECK_EQ(tp_executor_max_workers(NULL), 0);
    CHECK_EQ(tp_executor_worker_count(NULL), 0);
    CHECK_EQ(tp_executor_pending_count(NULL), 0);
    tp_executor_free(NULL);
    tp_executor_detach(NULL);
    CHECK_PTR(future, &touched);
    CHECK_EQ(counter_get(&touched), 0);
}

TEST(null_future) {
    void           *result = NOT_TO_BE_TOUCHED;
    const tp_error *error = (const tp_error *)NOT_TO_BE_TOUCHED;
    counter         touched = COUNTER_INIT;
    static const int64_t timeouts[] = {0, -1, 1, TP_FOREVER, INT64_MIN};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        CHECK_FAILS(tp_future_result(NULL, timeouts[i], &result), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_future_result(NULL, timeouts[i], NULL), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_future_take(NULL, timeouts[i], &result), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_future_error(NULL, timeouts[i], &error), TP_ERR_INVALID_ARGUMENT);
    }
    CHECK_PTR(result, NOT_TO_BE_TOUCHED);
    CHECK_PTR(error, NOT_TO_BE_TOUCHED);
    CHECK_EQ(tp_future_state(NULL), TP_STATE_PENDING);
    CHECK(!tp_future_cancel(NULL));
    CHECK(!tp_future_cancelled(NULL));
    CHECK(!tp_future_running(NULL));
    CHECK(!tp_future_done(NULL));
    CHECK_FAILS(tp_future_add_done_callback(NULL, count_done, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_task_launch(NULL, count_run, count_drop), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_task_execute(NULL, count_run, count_drop), TP_ERR_INVALID_ARGUMENT);
    tp_future_request_stop(NULL);
    CHECK_PTR(tp_future_retain(NULL), NULL);
    tp_future_release(NULL);
    CHECK_EQ(counter_get(&touched), 0);
}

TEST(null_function_and_null_output) {
    tp_executor *executor = new_executor(1);
    counter      touched = COUNTER_INIT;
    void        *args[1] = {&touched};
    tp_future   *future = submit(executor, return_arg, NULL), *out = (tp_future *)&touched;
    CHECK_NULL(tp_submit(executor, NULL, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_execute(executor, NULL, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(executor, NULL, args, 1, &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(executor, count_run, NULL, 1, &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(executor, NULL, args, 0, &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, NULL, &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, NULL, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = NULL, .arg = &touched, .drop_arg = count_drop), &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_map_new(executor, NULL, args, 1, 0, count_drop), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_map_new(executor, count_run, NULL, 1, 0, count_drop), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_future_add_done_callback(future, NULL, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_task_launch(future, NULL, count_drop), TP_ERR_INVALID_ARGUMENT); /* before INVALID_STATE */
    CHECK_FAILS(tp_task_execute(future, NULL, count_drop), TP_ERR_INVALID_ARGUMENT);
    void *payload = &touched;
    CHECK_FAILS(tp_task_prepare(executor, 8, 8, NULL, &payload), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_task_prepare(executor, 8, 8, &out, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_PTR(payload, &touched);
    CHECK_FAILS(tp_future_take(future, TP_FOREVER, NULL), TP_ERR_INVALID_ARGUMENT); /* take needs its result */
    CHECK_FAILS(tp_future_take(future, 0, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_PTR(out, &touched);
    result_of(future);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&touched), 0);
}

TEST(null_queue_map_and_lists) {
    tp_executor *executor = new_executor(1);
    tp_future   *future = submit(executor, return_arg, NULL), *out = (tp_future *)NOT_TO_BE_TOUCHED;
    uint64_t     tag = 77;
    size_t       n_done = 77;
    CHECK_FAILS(tp_completion_queue_add(NULL, future, 1), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_completion_queue_close(NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_completion_queue_next(NULL, TP_FOREVER, &out, &tag), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_completion_queue_next(NULL, 0, NULL, NULL), TP_ERR_INVALID_ARGUMENT);
    tp_completion_queue_free(NULL);
    CHECK_FAILS(tp_map_next(NULL, TP_FOREVER, &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_map_next(NULL, 0, NULL), TP_ERR_INVALID_ARGUMENT);
    tp_map_free(NULL);

    tp_completion_queue *queue = tp_completion_queue_new();
    REQUIRE(queue != NULL);
    CHECK_FAILS(tp_completion_queue_add(queue, NULL, 1), TP_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(tp_completion_queue_close(queue), TP_OK);
    CHECK_FAILS(tp_completion_queue_add(queue, NULL, 1), TP_ERR_INVALID_ARGUMENT); /* before INVALID_STATE */
    tp_completion_queue_free(queue);

    /* A NULL among the futures, at either end or between. */
    for (int at = 0; at < 3; at++) {
        tp_future *futures[3] = {future, future, future};
        futures[at] = NULL;
        for (int what = 0; what < 3; what++) CHECK_FAILS(tp_wait(futures, 3, TP_FOREVER, (tp_wait_for)what, &n_done), TP_ERR_INVALID_ARGUMENT);
        CHECK_NULL(tp_as_completed(futures, 3), TP_ERR_INVALID_ARGUMENT);
    }
    CHECK_FAILS(tp_wait(NULL, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_as_completed(NULL, 1), TP_ERR_INVALID_ARGUMENT);
    CHECK_PTR(out, NOT_TO_BE_TOUCHED);
    CHECK_EQ(tag, 77);
    CHECK_EQ(n_done, 77);
    result_of(future);
    tp_executor_free(executor);
}

/* ---- absurd counts ---------------------------------------------------------------------------------------------------------------------------- */

static void check_refused(tp_status status, const char *what) {
    if (status != TP_ERR_INVALID_ARGUMENT && status != TP_ERR_NO_MEMORY) test_failed(__FILE__, __LINE__, "%s gives %s", what, tp_status_name(status));
}

/* Arrays of such a length cannot exist; what is behind the pointer is not looked at before that is noticed. */
TEST(lengths_that_no_array_can_have) {
    static const size_t absurd[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 4, SIZE_MAX / sizeof(void *), SIZE_MAX / sizeof(void *) + 1};
    tp_executor        *executor = new_executor(1);
    void               *args[1] = {NULL};
    tp_future          *future = submit(executor, return_arg, NULL), *out = (tp_future *)NOT_TO_BE_TOUCHED;
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        size_t n_done = 77;
        check_refused(tp_submit_many(executor, return_arg, args, absurd[i], &out), "tp_submit_many");
        check_refused(tp_submit_many(executor, return_arg, args, absurd[i], NULL), "tp_submit_many without futures");
        check_refused(tp_wait(&future, absurd[i], 0, TP_WAIT_ALL_COMPLETED, &n_done), "tp_wait");
        CHECK_PTR(tp_as_completed(&future, absurd[i]), NULL);
        check_refused(tp_last_error(), "tp_as_completed");
        CHECK_PTR(tp_map_new(executor, return_arg, args, absurd[i], 1, NULL), NULL);
        check_refused(tp_last_error(), "tp_map_new");
        CHECK_EQ(n_done, 77);
        CHECK_PTR(out, NOT_TO_BE_TOUCHED);
    }
    CHECK_EQ(tp_executor_pending_count(executor), 0);
    result_of(future);
    tp_executor_free(executor);
}

TEST(payloads_that_cannot_be) {
    static const size_t bad_aligns[] = {0, 3, 5, 6, 7, 12, 4095, 4097, 6144, 8192, SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 2};
    static const size_t absurd[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 63, SIZE_MAX - 4095, SIZE_MAX / 2 + 2, SIZE_MAX / 2 + 1, SIZE_MAX / 2, SIZE_MAX / 2 - 4095};
    tp_executor        *executor = new_executor(1);
    tp_future          *out = (tp_future *)NOT_TO_BE_TOUCHED;
    void               *payload = NOT_TO_BE_TOUCHED;
    for (size_t i = 0; i < sizeof bad_aligns / sizeof bad_aligns[0]; i++)
        CHECK_FAILS(tp_task_prepare(executor, 8, bad_aligns[i], &out, &payload), TP_ERR_INVALID_ARGUMENT);
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++)
        for (size_t align = 1; align <= 4096; align *= 2) check_refused(tp_task_prepare(executor, absurd[i], align, &out, &payload), "tp_task_prepare");
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_FAILS(tp_task_prepare(executor, 8, 3, &out, &payload), TP_ERR_INVALID_ARGUMENT); /* before SHUTDOWN */
    CHECK_PTR(out, NOT_TO_BE_TOUCHED);
    CHECK_PTR(payload, NOT_TO_BE_TOUCHED);
    tp_executor_free(executor);
}

/* ---- flags and enums ------------------------------------------------------------------------------------------------------------------------------ */

TEST(unknown_shutdown_flags_are_refused_and_nothing_is_shut) {
    static const uint32_t bad[] = {4, 5, 7, 8, 0x100, 0x80000000u, UINT32_MAX, UINT32_MAX - 3};
    tp_executor          *executor = new_executor(1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK_FAILS(tp_executor_shutdown(executor, bad[i]), TP_ERR_INVALID_ARGUMENT);
    result_of(submit(executor, return_arg, NULL));
    tp_executor_free(executor);
}

TEST(unknown_enum_values_and_flags_in_structs) {
    tp_executor *executor = new_executor(1);
    tp_future   *out = (tp_future *)NOT_TO_BE_TOUCHED;
    for (int i = 0; i < UNKNOWN_ENUMS; i++) {
        if (unknown_enums[i] != 3) CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.full_policy = (tp_full_policy)unknown_enums[i])), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .priority = (tp_priority)unknown_enums[i]), &out), TP_ERR_INVALID_ARGUMENT);
    }
    static const uint32_t flags[] = {2, 3, 4, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.flags = flags[i])), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .flags = flags[i]), &out), TP_ERR_INVALID_ARGUMENT);
    }
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .flags = 1), &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_PTR(out, NOT_TO_BE_TOUCHED);
    tp_executor_free(executor);
}

TEST(negative_times_are_refused) {
    static const int64_t negative[] = {-1, -1000000000, INT64_MIN};
    tp_executor         *executor = new_executor(1);
    tp_future           *out = (tp_future *)NOT_TO_BE_TOUCHED;
    for (size_t i = 0; i < sizeof negative / sizeof negative[0]; i++) {
        CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.idle_timeout_ns = negative[i])), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .delay_ns = negative[i]), &out), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .period_ns = negative[i]), &out), TP_ERR_INVALID_ARGUMENT);
    }
    CHECK_PTR(out, NOT_TO_BE_TOUCHED);
    tp_executor_free(executor);
}

/* ---- features of later versions: nothing is ignored ------------------------------------------------------------------------------------------------- */

TEST(members_whose_feature_comes_later_are_unsupported) {
    counter      touched = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *out = (tp_future *)NOT_TO_BE_TOUCHED;
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.queue_capacity = 1)), TP_ERR_UNSUPPORTED);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.queue_capacity = SIZE_MAX)), TP_ERR_UNSUPPORTED);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.max_stand_ins = 1)), TP_ERR_UNSUPPORTED);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.full_policy = TP_FULL_REJECT)), TP_ERR_UNSUPPORTED);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.full_policy = TP_FULL_CALLER_RUNS)), TP_ERR_UNSUPPORTED);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.full_policy = TP_FULL_DROP_OLDEST)), TP_ERR_UNSUPPORTED);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.flags = TP_EXECUTOR_TIMES)), TP_ERR_UNSUPPORTED);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .group = (tp_group *)NOT_TO_BE_TOUCHED), &out), TP_ERR_UNSUPPORTED);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .delay_ns = 1), &out), TP_ERR_UNSUPPORTED);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .period_ns = TP_FOREVER), &out), TP_ERR_UNSUPPORTED);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .priority = TP_PRIORITY_HIGH), &out), TP_ERR_UNSUPPORTED);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .priority = TP_PRIORITY_LOW), NULL), TP_ERR_UNSUPPORTED);
    CHECK_PTR(out, NOT_TO_BE_TOUCHED);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&touched), 0);
}

/* ---- struct sizes -------------------------------------------------------------------------------------------------------------------------------------- */

/* Memory that ends at a page nobody may read: a struct placed at its very end shows whether the library reads beyond `size`. */
typedef struct {
    unsigned char *pages, *end;
} edge;

enum { EDGE = 2 * 4096 };

static edge new_edge(void) {
    edge e;
    e.pages = (unsigned char *)mmap(NULL, EDGE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(e.pages != MAP_FAILED);
    e.end = e.pages + EDGE;
    REQUIRE(mprotect(e.end, 4096, PROT_NONE) == 0);
    return e;
}

/* `size` bytes, the struct's own taken from `from`, zero otherwise, at the edge. */
static void *at_edge(edge *e, const void *from, size_t own, size_t size) {
    unsigned char *place = e->end - size;
    memset(e->pages, 0, EDGE);
    memcpy(place, from, own < size ? own : size);
    memcpy(place, &size, sizeof size < size ? sizeof size : size);
    return place;
}

TEST(config_of_every_size) {
    edge               e = new_edge();
    tp_executor_config config = {.size = sizeof config, .max_workers = 3, .thread_name_prefix = "sized"};
    for (size_t size = sizeof(size_t); size <= 4096 + 16; size += size < 300 || size > 4080 ? 1 : 61) {
        /* Structs lie at addresses that suit them; sizes in between occur only by mistake, but must not be read past either. */
        if (size % sizeof(size_t) != 0) continue;
        const tp_executor_config *sized = (const tp_executor_config *)at_edge(&e, &config, sizeof config, size);
        tp_executor              *executor = tp_executor_new(sized);
        if (size >= sizeof config && size <= 4096) {
            REQUIRE(executor != NULL);
            CHECK_EQ(tp_executor_max_workers(executor), 3);
            tp_executor_free(executor);
        } else {
            CHECK_PTR(executor, NULL);
            CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);
        }
    }
    munmap(e.pages, EDGE + 4096);
}

TEST(task_of_every_size) {
    edge         e = new_edge();
    counter      ran = COUNTER_INIT, wrong = COUNTER_INIT;
    long         expected = 0;
    tp_executor *executor = new_executor(1);
    tp_task      task = {.size = sizeof task, .fn = count_run, .arg = &ran, .name = "sized"};
    for (size_t size = sizeof(size_t); size <= 4096 + 16; size += size < 300 || size > 4080 ? 1 : 61) {
        if (size % sizeof(size_t) != 0) continue;
        const tp_task *sized = (const tp_task *)at_edge(&e, &task, sizeof task, size);
        tp_future     *future = (tp_future *)&wrong;
        if (size >= sizeof task && size <= 4096) {
            CHECK_STATUS(tp_submit_task(executor, sized, &future), TP_OK);
            CHECK_PTR(result_of(future), &ran);
            expected++;
        } else {
            CHECK_FAILS(tp_submit_task(executor, sized, &future), TP_ERR_INVALID_ARGUMENT);
            CHECK_PTR(future, &wrong);
        }
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), expected);
    munmap(e.pages, EDGE + 4096);
}

TEST(absurd_sizes_read_nothing) {
    static const size_t absurd[] = {0, 1, 7, sizeof(size_t), 4097, 8192, 1 << 20, SIZE_MAX / 2, SIZE_MAX - 7, SIZE_MAX};
    edge                e = new_edge();
    tp_executor        *executor = new_executor(1);
    size_t             *only_a_size = (size_t *)(void *)(e.end - sizeof(size_t)); /* the next byte is not readable */
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        *only_a_size = absurd[i];
        CHECK_NULL(tp_executor_new((const tp_executor_config *)only_a_size), TP_ERR_INVALID_ARGUMENT);
        CHECK_FAILS(tp_submit_task(executor, (const tp_task *)only_a_size, NULL), TP_ERR_INVALID_ARGUMENT);
    }
    tp_executor_free(executor);
    munmap(e.pages, EDGE + 4096);
}

/* A larger struct comes from a program that was written for a later version. Its tail, where not zero, asks for what this one cannot do. */
TEST(a_tail_that_is_not_zero_is_unsupported) {
    edge               e = new_edge();
    tp_executor       *executor = new_executor(1);
    tp_executor_config config = {.size = sizeof config};
    counter            ran = COUNTER_INIT;
    tp_task            task = {.size = sizeof task, .fn = count_run, .arg = &ran, .drop_arg = count_drop};
    static const size_t sizes[] = {8, 16, 64, 1000};
    for (size_t i = 0; i <= sizeof sizes / sizeof sizes[0]; i++) {
        size_t config_size = i < 4 ? sizeof config + sizes[i] : 4096, task_size = i < 4 ? sizeof task + sizes[i] : 4096;
        for (int last = 0; last < 2; last++) { /* the tail's first byte, its last byte */
            unsigned char *place = (unsigned char *)at_edge(&e, &config, sizeof config, config_size);
            place[last ? config_size - 1 : sizeof config] = 1;
            CHECK_NULL(tp_executor_new((const tp_executor_config *)(void *)place), TP_ERR_UNSUPPORTED);
            place = (unsigned char *)at_edge(&e, &task, sizeof task, task_size);
            place[last ? task_size - 1 : sizeof task] = 0x80;
            tp_future *future = (tp_future *)&ran;
            CHECK_FAILS(tp_submit_task(executor, (const tp_task *)(void *)place, &future), TP_ERR_UNSUPPORTED);
            CHECK_PTR(future, &ran);
        }
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 0);
    munmap(e.pages, EDGE + 4096);
}

/* Bytes behind the struct are none of the library's business. */
TEST(bytes_behind_the_struct_are_not_looked_at) {
    struct {
        tp_executor_config config;
        unsigned char      behind[64];
    } block;
    memset(&block, 0xff, sizeof block);
    memset(&block.config, 0, sizeof block.config);
    block.config.size = sizeof block.config;
    tp_executor *executor = tp_executor_new(&block.config);
    REQUIRE(executor != NULL);
    tp_executor_free(executor);
}

/* No implicit padding: all bytes belong to members. */
TEST(structs_have_no_padding) {
    CHECK_EQ(sizeof(tp_executor_config), offsetof(tp_executor_config, flags) + sizeof(uint32_t));
    CHECK_EQ(sizeof(tp_task), offsetof(tp_task, flags) + sizeof(uint32_t));
    CHECK_EQ(offsetof(tp_executor_config, size), 0);
    CHECK_EQ(offsetof(tp_task, size), 0);
    CHECK_EQ(offsetof(tp_executor_config, flags), offsetof(tp_executor_config, full_policy) + sizeof(tp_full_policy));
    CHECK_EQ(offsetof(tp_executor_config, full_policy), offsetof(tp_executor_config, max_stand_ins) + sizeof(size_t));
    CHECK_EQ(offsetof(tp_executor_config, queue_capacity), offsetof(tp_executor_config, idle_timeout_ns) + sizeof(int64_t));
    CHECK_EQ(offsetof(tp_task, flags), offsetof(tp_task, priority) + sizeof(tp_priority));
    CHECK_EQ(offsetof(tp_task, priority), offsetof(tp_task, period_ns) + sizeof(int64_t));
    CHECK_EQ(offsetof(tp_error, reserved), sizeof(int32_t));
    CHECK_EQ(offsetof(tp_error, message), 8);
    CHECK_EQ(offsetof(tp_error, payload), 8 + sizeof(char *));
}

/* ---- the order of failures ------------------------------------------------------------------------------------------------------------------------------ */

static void *order_from_inside(void *arg) {
    tp_executor *executor = (tp_executor *)arg;
    /* INVALID_ARGUMENT before DEADLOCK; INVALID_STATE before DEADLOCK */
    CHECK_FAILS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT | 64), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_executor_join(executor, TP_FOREVER), TP_ERR_INVALID_STATE);
    tp_future *me = tp_future_current();
    tp_future *list[2] = {me, NULL};
    CHECK_FAILS(tp_future_take(me, TP_FOREVER, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_wait(list, 2, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_wait(list, 1, TP_FOREVER, (tp_wait_for)9, NULL), TP_ERR_INVALID_ARGUMENT);
    /* DEADLOCK before CANCELLED, SHUTDOWN and all that follow: a shut executor still tells it */
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_FAILS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_ERR_DEADLOCK);
    return NULL;
}

TEST(the_order_of_failures) {
    tp_executor *executor = new_executor(1);
    counter      touched = COUNTER_INIT;
    tp_future   *out = (tp_future *)NOT_TO_BE_TOUCHED;
    /* INVALID_ARGUMENT before UNSUPPORTED, wherever the two stand */
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1000000, .queue_capacity = 5)), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.flags = TP_EXECUTOR_TIMES | 2)), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.max_stand_ins = 1, .full_policy = (tp_full_policy)7)), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.queue_capacity = 1, .flags = 0x10)), TP_ERR_INVALID_ARGUMENT);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.queue_capacity = 1, .idle_timeout_ns = -1)), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = NULL, .delay_ns = 1), &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .delay_ns = 1, .flags = 1), &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .group = (tp_group *)NOT_TO_BE_TOUCHED, .priority = (tp_priority)5), &out),
                TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(NULL, TP_TASK(.fn = return_arg, .delay_ns = 1), &out), TP_ERR_INVALID_ARGUMENT);
    struct {
        tp_task  task;
        uint64_t later;
    } larger = {{.size = sizeof larger, .fn = NULL}, 1};
    CHECK_FAILS(tp_submit_task(executor, &larger.task, &out), TP_ERR_INVALID_ARGUMENT);
    larger.task.fn = return_arg;
    CHECK_FAILS(tp_submit_task(executor, &larger.task, &out), TP_ERR_UNSUPPORTED);

    tp_future *inside = submit(executor, order_from_inside, executor);
    CHECK_STATUS(tp_wait(&inside, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    tp_future_release(inside);

    /* It is shut: INVALID_ARGUMENT and UNSUPPORTED before SHUTDOWN */
    void *args[1] = {&touched};
    CHECK_NULL(tp_submit(executor, NULL, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_execute(executor, NULL, &touched), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(executor, NULL, args, 1, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(executor, count_run, NULL, 1, NULL), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = NULL), &out), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .period_ns = 5), &out), TP_ERR_UNSUPPORTED);
    CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched), &out), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_executor_shutdown(executor, 64), TP_ERR_INVALID_ARGUMENT);
    CHECK_PTR(out, NOT_TO_BE_TOUCHED);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&touched), 0);
}

/* ---- after the end --------------------------------------------------------------------------------------------------------------------------------------- */

TEST(every_call_on_a_shut_executor_answers) {
    tp_executor *executor = new_executor(2);
    tp_future   *finished = submit(executor, return_arg, executor), *out = NULL;
    counter      called = COUNTER_INIT;
    void        *args[1] = {NULL};
    for (int i = 0; i < 3; i++) CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    for (int i = 0; i < 3; i++) CHECK_STATUS(tp_executor_join(executor, i - 1), TP_OK);
    CHECK_EQ(tp_executor_max_workers(executor), 2);
    CHECK_EQ(tp_executor_worker_count(executor), 0);
    CHECK_EQ(tp_executor_pending_count(executor), 0);
    CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_execute(executor, return_arg, NULL), TP_ERR_SHUTDOWN);
    CHECK_FAILS(tp_submit_many(executor, return_arg, args, 1, &out), TP_ERR_SHUTDOWN);
    tp_status none = tp_submit_many(executor, return_arg, args, 0, NULL);
    CHECK(none == TP_OK || none == TP_ERR_SHUTDOWN); /* none of none is both */
    tp_map *map = tp_map_new(executor, return_arg, args, 1, 0, NULL);
    REQUIRE(map != NULL);
    CHECK_FAILS(tp_map_next(map, TP_FOREVER, &out), TP_ERR_SHUTDOWN);
    tp_map_free(map);
    CHECK_STATUS(tp_future_add_done_callback(finished, count_done, &called), TP_OK);
    CHECK_EQ(counter_get(&called), 1);
    CHECK_PTR(result_of(finished), executor);
    tp_executor_free(executor);
}

/* Names that are no UTF-8, or that the system cannot have, break nothing. */
static void *give_name(void *arg) {
    snprintf((char *)arg, 64, "%s", tp_worker_name());
    return arg;
}

TEST(prefixes_of_any_bytes) {
    static const char *prefixes[] = {"\xff\xfe\x80", "a/b\nc", "%s%n", "日本語のとても長い名前です", "\xe6\x97"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char         name[64] = "", expected[64];
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .thread_name_prefix = prefixes[i]));
        if (executor == NULL) { /* refusing is an answer; anything worse is not */
            CHECK_LAST_ERROR(TP_ERR_INVALID_ARGUMENT);
            continue;
        }
        result_of(submit(executor, give_name, name));
        snprintf(expected, sizeof expected, "%s_0", prefixes[i]);
        CHECK_STR(name, expected);
        tp_executor_free(executor);
    }
}
