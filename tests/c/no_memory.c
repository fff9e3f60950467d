/* Memory and threads that cannot be had, at every single place: the allocator and pthread_create of this program fail when they are told to.
 *
 * Nothing reachable from C aborts for want of memory; a refused call takes nothing and writes nothing; an accepted task runs; completing a
 * future never allocates (A6). The library is loaded by this program, so its calls to malloc and pthread_create come here. */
#include "harness.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* ---- the faults ------------------------------------------------------------------------------------------------------------------------------- */

/* Of the calls on threads with `armed`, number `fail_at` and, where `go_on`, all later ones fail. */
static _Thread_local bool armed;
static atomic_long        calls, fail_at = -1;
static atomic_bool        go_on, armed_everywhere;

static bool to_fail(void) {
    if (!armed && !atomic_load(&armed_everywhere)) return false;
    long call = atomic_fetch_add(&calls, 1), at = atomic_load(&fail_at);
    return at >= 0 && (call == at || (call > at && atomic_load(&go_on)));
}

/* glibc's own, under the names that programs which replace malloc are given. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size) { return to_fail() ? (errno = ENOMEM, (void *)NULL) : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return to_fail() ? (errno = ENOMEM, (void *)NULL) : __libc_calloc(n, size); }
void *realloc(void *block, size_t size) { return to_fail() ? (errno = ENOMEM, (void *)NULL) : __libc_realloc(block, size); }
void *aligned_alloc(size_t align, size_t size) { return to_fail() ? (errno = ENOMEM, (void *)NULL) : __libc_memalign(align, size); }
void *memalign(size_t align, size_t size);
void *memalign(size_t align, size_t size) { return aligned_alloc(align, size); }
int   posix_memalign(void **block, size_t align, size_t size) {
    if (to_fail()) return ENOMEM;
    *block = __libc_memalign(align, size);
    return *block == NULL ? ENOMEM : 0;
}

typedef void *(*mmap_fn)(void *, size_t, int, int, int, off_t);
static void *mmap_or_fail(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    static mmap_fn real;
    if (to_fail()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (real == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "mmap");
        memcpy(&real, &symbol, sizeof real);
    }
    return real(address, length, protection, flags, fd, offset);
}
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap_or_fail(address, length, protection, flags, fd, offset);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap_or_fail(address, length, protection, flags, fd, offset);
}

typedef int (*pthread_create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg) {
    static pthread_create_fn real;
    if (to_fail()) return EAGAIN;
    if (real == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_create");
        memcpy(&real, &symbol, sizeof real);
    }
    return real(thread, attributes, run, arg);
}

/* ---- at every single place ---------------------------------------------------------------------------------------------------------------------- */

static bool is_shortage(tp_status status) { return status == TP_ERR_NO_MEMORY || status == TP_ERR_SYSTEM; }

/* Runs `attempt` with the first, the second, … allocation failing, then with all from the first, the second, … on, until none is left to fail.
 * The attempt checks by itself that it either works wholly or is refused wholly. */
static void at_every_place(void (*attempt)(void)) {
    for (int keeps_failing = 0; keeps_failing < 2; keeps_failing++) {
        for (long at = 0;; at++) {
            REQUIRE(at < 10000);
            atomic_store(&calls, 0);
            atomic_store(&go_on, keeps_failing != 0);
            atomic_store(&fail_at, at);
            attempt();
            atomic_store(&fail_at, -1);
            if (atomic_load(&calls) <= at) break; /* it asked for fewer: nothing failed */
        }
    }
}

/* The attempt runs on a thread of its own, so that what the library makes once a thread is made, and fails, anew. */
static void *run_attempt(void *arg) {
    void (*attempt)(void);
    memcpy(&attempt, arg, sizeof attempt);
    attempt();
    return NULL;
}
static void (*attempt_to_run)(void);
static void on_a_new_thread(void) { join_thread(start_thread(run_attempt, &attempt_to_run)); }
static void everywhere(void (*attempt)(void)) {
    attempt_to_run = attempt;
    at_every_place(on_a_new_thread);
    at_every_place(attempt);
}

#define ARMED(statement) (armed = true, (void)(statement), armed = false)

static void create_an_executor(void) {
    counter      dropped = COUNTER_INIT;
    tp_executor *executor = NULL;
    ARMED(executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 3, .thread_name_prefix = "short of memory", .user_data = &dropped, .drop_user_data = count_drop)));
    if (executor == NULL) {
        CHECK(is_shortage(tp_last_error()));
        CHECK(tp_last_error_message()[0] != '\0');
        CHECK_EQ(counter_get(&dropped), 0);
        return;
    }
    result_of(submit(executor, return_arg, NULL));
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), 1);
}

/* The first submit: it has to start a thread as well. */
static void submit_first(void) {
    counter      ran = COUNTER_INIT;
    tp_executor *executor = new_executor(2);
    tp_future   *future = NULL;
    ARMED(future = tp_submit(executor, count_run, &ran));
    if (future == NULL) {
        CHECK(is_shortage(tp_last_error()));
        CHECK_EQ(tp_executor_pending_count(executor), 0);
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&ran), 0); /* refused: it never runs */
        return;
    }
    CHECK_PTR(result_of(future), &ran);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 1);
}

static void execute_first(void) {
    counter      ran = COUNTER_INIT;
    tp_executor *executor = new_executor(2);
    tp_status    status = TP_OK;
    ARMED(status = tp_execute(executor, count_run, &ran));
    CHECK(status == TP_OK || is_shortage(status));
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), status == TP_OK);
}

/* Many, so that every chunk of memory that tasks and entries come from has to be asked for. */
static void submit_in_bulk(void) {
    enum { N = 3000 };
    static void      *args[N];
    static tp_future *futures[N];
    counter           ran = COUNTER_INIT;
    tp_executor      *executor = new_executor(1);
    blocker           busy;
    tp_status         status = TP_OK;
    block(executor, &busy);
    for (int i = 0; i < N; i++) {
        args[i] = &ran;
        futures[i] = (tp_future *)&ran;
    }
    ARMED(status = tp_submit_many(executor, count_run, args, N, futures));
    CHECK(status == TP_OK || is_shortage(status));
    CHECK_EQ(tp_executor_pending_count(executor), status == TP_OK ? N : 0);
    unblock(&busy);
    for (int i = 0; i < N; i++) {
        if (status == TP_OK) CHECK_PTR(result_of(futures[i]), &ran);
        else CHECK_PTR(futures[i], &ran);
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), status == TP_OK ? N : 0);
}

static void submit_one_by_one(void) {
    enum { N = 3000 };
    static tp_future *futures[N];
    counter           ran = COUNTER_INIT;
    tp_executor      *executor = new_executor(1);
    blocker           busy;
    long              accepted = 0;
    block(executor, &busy);
    for (int i = 0; i < N; i++) {
        tp_status status = TP_OK;
        if (i % 2 == 0) {
            ARMED(futures[i] = tp_submit(executor, count_run, &ran));
            if (futures[i] == NULL) CHECK(is_shortage(tp_last_error()));
            accepted += futures[i] != NULL;
        } else {
            futures[i] = NULL;
            ARMED(status = tp_execute(executor, count_run, &ran));
            CHECK(status == TP_OK || is_shortage(status));
            accepted += status == TP_OK;
        }
    }
    CHECK_EQ(tp_executor_pending_count(executor), accepted);
    unblock(&busy);
    for (int i = 0; i < N; i++)
        if (futures[i] != NULL) CHECK_PTR(result_of(futures[i]), &ran);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), accepted);
}

static void count_payload_drop(void *payload) { counter_add(*(counter **)payload, 1); }

static void submit_with_everything(void) {
    counter      ran = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    tp_future   *future = (tp_future *)&ran;
    tp_status    status = TP_OK;
    ARMED(status = tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &ran, .drop_arg = count_drop, .drop_result = count_drop, .name = "a name to be copied"), &future));
    if (status == TP_OK) {
        result_of(future);
    } else {
        CHECK(is_shortage(status));
        CHECK_PTR(future, &ran);
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), status == TP_OK ? 3 : 0); /* run, argument, result */
}

/* A payload in a task's own block, and one that has an allocation of its own. */
static void prepare_and_launch(void) {
    static const size_t sizes[] = {sizeof(counter *), 10000};
    for (size_t i = 0; i < 2; i++) {
        counter      dropped = COUNTER_INIT;
        tp_executor *executor = new_executor(2);
        tp_future   *future = (tp_future *)&dropped;
        void        *payload = &dropped;
        tp_status    status = TP_OK;
        ARMED(status = tp_task_prepare(executor, sizes[i], _Alignof(counter *), &future, &payload));
        CHECK(status == TP_OK || is_shortage(status));
        CHECK((status == TP_OK) == (future != (tp_future *)&dropped && payload != &dropped));
        bool launched = false;
        if (status == TP_OK) {
            *(counter **)payload = &dropped;
            ARMED(status = tp_task_launch(future, return_arg, count_payload_drop));
            CHECK(status == TP_OK || is_shortage(status));
            launched = status == TP_OK;
            if (!launched) CHECK_STATUS(tp_future_result(future, 0, NULL), TP_ERR_INVALID_STATE); /* as before */
            tp_future_release(future);
        }
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&dropped), launched);
    }
}

/* Many, so that the queue needs memory for their entries. */
static void launch_in_bulk(void) {
    enum { N = 1500 };
    static tp_future *futures[N];
    counter           dropped = COUNTER_INIT;
    tp_executor      *executor = new_executor(1);
    blocker           busy;
    long              launched = 0;
    block(executor, &busy);
    for (int i = 0; i < N; i++) {
        void     *payload = NULL;
        tp_status status = TP_OK;
        futures[i] = NULL;
        ARMED(status = tp_task_prepare(executor, sizeof(counter *), _Alignof(counter *), &futures[i], &payload));
        CHECK(status == TP_OK || is_shortage(status));
        if (status != TP_OK) continue;
        *(counter **)payload = &dropped;
        ARMED(status = tp_task_launch(futures[i], return_arg, count_payload_drop));
        CHECK(status == TP_OK || is_shortage(status));
        launched += status == TP_OK;
        if (status == TP_OK) continue;
        if (i % 2 == 0) {
            CHECK_STATUS(tp_task_launch(futures[i], return_arg, NULL), TP_OK); /* there is memory again */
        } else {
            tp_future_release(futures[i]);
            futures[i] = NULL;
        }
    }
    CHECK_EQ(counter_get(&dropped), 0);
    unblock(&busy);
    for (int i = 0; i < N; i++)
        if (futures[i] != NULL) result_of(futures[i]);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), launched);
}

static void add_a_callback(void) {
    counter      called = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    tp_status    status = TP_OK;
    block(executor, &busy);
    ARMED(status = tp_future_add_done_callback(busy.future, count_done, &called));
    CHECK(status == TP_OK || is_shortage(status));
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&called), status == TP_OK);
}

static void wait_for_several(void) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    size_t       n_done = 77;
    block(executor, &busy);
    tp_future *futures[3] = {busy.future, submit(executor, return_arg, NULL), busy.future};
    tp_status  status = TP_OK;
    ARMED(status = tp_wait(futures, 3, TP_MSEC(1), TP_WAIT_ALL_COMPLETED, &n_done));
    CHECK(status == TP_ERR_TIMEOUT || is_shortage(status));
    CHECK_EQ(n_done, status == TP_ERR_TIMEOUT ? 0 : 77);
    ARMED(status = tp_future_result(busy.future, TP_MSEC(1), NULL));
    CHECK(status == TP_ERR_TIMEOUT || is_shortage(status));
    unblock(&busy);
    result_of(futures[1]);
    tp_executor_free(executor);
}

static void use_queues(void) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    tp_future           *futures[4] = {busy.future, submit(executor, return_arg, NULL), busy.future, busy.future};
    tp_completion_queue *queue = NULL, *closed = NULL;
    long                 added = 0;
    ARMED(queue = tp_completion_queue_new());
    if (queue == NULL) CHECK(is_shortage(tp_last_error()));
    for (int i = 0; queue != NULL && i < 4; i++) {
        tp_status status = TP_OK;
        ARMED(status = tp_completion_queue_add(queue, futures[i], 0));
        CHECK(status == TP_OK || is_shortage(status));
        added += status == TP_OK;
    }
    ARMED(closed = tp_as_completed(futures, 4));
    if (closed == NULL) CHECK(is_shortage(tp_last_error()));
    unblock(&busy);
    for (long i = 0; i < added; i++) CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
    if (queue != NULL) CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), TP_ERR_TIMEOUT);
    for (int i = 0; closed != NULL && i < 4; i++) CHECK_STATUS(tp_completion_queue_next(closed, TP_FOREVER, NULL, NULL), TP_OK);
    tp_completion_queue_free(queue);
    tp_completion_queue_free(closed);
    result_of(futures[1]);
    tp_executor_free(executor);
}

static void use_a_map(void) {
    enum { N = 6 };
    counter      ran = COUNTER_INIT;
    void        *args[N];
    tp_executor *executor = new_executor(1);
    tp_map      *map = NULL;
    long         ok = 0, refused = 0;
    for (int i = 0; i < N; i++) args[i] = &ran;
    ARMED(map = tp_map_new(executor, count_run, args, N, 1, NULL));
    if (map == NULL) {
        CHECK(is_shortage(tp_last_error()));
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&ran), 0);
        return;
    }
    for (;;) {
        tp_future *out = (tp_future *)&ran;
        tp_status  status = TP_OK;
        ARMED(status = tp_map_next(map, TP_FOREVER, &out));
        if (status == TP_END) break;
        if (status == TP_OK) {
            CHECK_PTR(result_of(out), &ran);
            ok++;
        } else {
            CHECK(is_shortage(status));
            CHECK_PTR(out, NULL); /* used up */
            refused++;
        }
        REQUIRE(ok + refused <= N);
    }
    CHECK_EQ(ok + refused, N);
    tp_map_free(map);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), ok);
}

/* A task that cannot store its message has failed all the same, with its code and "". */
static tp_status fail_status;
static void     *fail_short_of_memory(void *arg) {
    ARMED(fail_status = tp_task_fail_with(44, "a message that has to be copied", arg, count_drop));
    return NULL;
}

static void fail_a_task(void) {
    counter         dropped = COUNTER_INIT;
    tp_executor    *executor = new_executor(1);
    const tp_error *error = NULL;
    tp_future      *future = submit(executor, fail_short_of_memory, &dropped);
    CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
    REQUIRE(error != NULL);
    CHECK_EQ(error->code, 44);
    CHECK(fail_status == TP_OK || fail_status == TP_ERR_NO_MEMORY);
    CHECK_STR(error->message, fail_status == TP_OK ? "a message that has to be copied" : "");
    /* The call that was refused took nothing: the payload stayed the caller's. */
    CHECK_PTR(error->payload, fail_status == TP_OK ? &dropped : NULL);
    tp_future_release(future);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&dropped), fail_status == TP_OK);
}

TEST(no_memory_tp_executor_new) { everywhere(create_an_executor); }
TEST(no_memory_first_tp_submit) { everywhere(submit_first); }
TEST(no_memory_first_tp_execute) { everywhere(execute_first); }
TEST(no_memory_tp_submit_many) { everywhere(submit_in_bulk); }
TEST(no_memory_many_tp_submit) { everywhere(submit_one_by_one); }
TEST(no_memory_tp_submit_task) { everywhere(submit_with_everything); }
TEST(no_memory_tp_task_prepare_and_launch) { everywhere(prepare_and_launch); }
TEST(no_memory_many_tp_task_launch) { everywhere(launch_in_bulk); }
TEST(no_memory_tp_future_add_done_callback) { everywhere(add_a_callback); }
TEST(no_memory_tp_wait) { everywhere(wait_for_several); }
TEST(no_memory_tp_completion_queue) { everywhere(use_queues); }
TEST(no_memory_tp_map) { everywhere(use_a_map); }
TEST(no_memory_tp_task_fail) { everywhere(fail_a_task); }

/* ---- A6: completing never allocates ---------------------------------------------------------------------------------------------------------------- */

TEST(a06_completing_never_allocates) {
    enum { N = 200 };
    tp_executor         *executor = new_executor(1);
    blocker              busy;
    counter              called = COUNTER_INIT;
    tp_future           *futures[N];
    tp_completion_queue *queue = tp_completion_queue_new();
    REQUIRE(queue != NULL);
    block(executor, &busy);
    for (int i = 0; i < N; i++) {
        futures[i] = submit(executor, return_arg, NULL);
        CHECK_STATUS(tp_completion_queue_add(queue, futures[i], (uint64_t)i), TP_OK);
        CHECK_STATUS(tp_future_add_done_callback(futures[i], count_done, &called), TP_OK);
    }
    /* From here on no thread of this process gets any memory, and no new thread, until all is done. */
    atomic_store(&calls, 0);
    atomic_store(&fail_at, 0);
    atomic_store(&go_on, true);
    atomic_store(&armed_everywhere, true);
    for (int i = 0; i < N; i += 4) CHECK(tp_future_cancel(futures[i]));
    gate_open(&busy.release);
    for (int i = 0; i < N; i++) {
        tp_status status = tp_future_result(futures[i], TP_FOREVER, NULL);
        CHECK_STATUS(status, i % 4 == 0 ? TP_ERR_CANCELLED : TP_OK);
    }
    for (int i = 0; i < N; i++) CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_OK);
    CHECK_STATUS(tp_completion_queue_next(queue, 0, NULL, NULL), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
    atomic_store(&armed_everywhere, false);
    atomic_store(&fail_at, -1);
    CHECK_EQ(counter_get(&called), N);
    tp_completion_queue_free(queue);
    for (int i = 0; i < N; i++) tp_future_release(futures[i]);
    result_of(busy.future);
    tp_executor_free(executor);
}

/* ---- a closure of some size costs no allocation ------------------------------------------------------------------------------------------------------ */

#ifndef TPEXEC_PLAIN_MALLOC /* a library built so that every task is an allocation */

/* Calls of the allocator, on whichever thread, while tasks with payloads of that size are launched, awaited or left to themselves. */
static long allocations_of(tp_executor *executor, size_t size, long n) {
    tp_future *futures[64];
    atomic_store(&calls, 0);
    atomic_store(&armed_everywhere, true);
    for (long i = 0; i < n; i++) {
        void      *payload = NULL;
        tp_future *last = NULL;
        for (int j = 0; j < 64; j++) {
            CHECK_STATUS(tp_task_prepare(executor, size, 16, &futures[j], &payload), TP_OK);
            CHECK_STATUS(tp_task_launch(futures[j], return_arg, NULL), TP_OK);
            if (j % 2 == 0) tp_future_release(futures[j]);
            else last = futures[j];
        }
        CHECK_STATUS(tp_future_result(last, TP_FOREVER, NULL), TP_OK);
        for (int j = 1; j < 64; j += 2) result_of(futures[j]);
    }
    atomic_store(&armed_everywhere, false);
    return atomic_load(&calls);
}

TEST(a_small_payload_costs_no_allocation_once_the_program_is_warm_and_a_large_one_one) {
    static const size_t small[] = {0, 1, 24, 64, 65, 192};
    tp_executor        *executor = new_executor(1);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        allocations_of(executor, small[i], 20);
        CHECK_EQ(allocations_of(executor, small[i], 20), 0);
    }
    allocations_of(executor, 193, 20);
    CHECK_EQ(allocations_of(executor, 193, 20), 20 * 64);
    tp_executor_free(executor);
}

#endif
