/* Threads that cannot be started: what was accepted runs, what was refused does not, and later submits try again (P4).
 *
 * RLIMIT_NPROC counts the threads of a user and does not bind root, so a child process changes to an unprivileged user first. */
#include "harness.h"

#include <sys/resource.h>

static void become_unprivileged(void) {
    if (geteuid() == 0) REQUIRE(setgid(65534) == 0 && setuid(65534) == 0);
}

/* No thread more than there are; `more` lifts that again. */
static void allow_threads(bool more) {
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_NPROC, &limit) == 0);
    limit.rlim_cur = more ? limit.rlim_max : 1;
    REQUIRE(setrlimit(RLIMIT_NPROC, &limit) == 0);
    pthread_t thread;
    int       error = pthread_create(&thread, NULL, return_arg, NULL);
    if (error == 0) pthread_join(thread, NULL);
    REQUIRE(error == (more ? 0 : EAGAIN)); /* or this test would test nothing */
}

CHILD(without_any_worker) {
    become_unprivileged();
    counter      touched = COUNTER_INIT, user_data = COUNTER_INIT;
    void        *args[3] = {&touched, &touched, &touched};
    tp_future   *out = (tp_future *)&touched;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4, .user_data = &user_data, .drop_user_data = count_drop));
    REQUIRE(executor != NULL);
    allow_threads(false);
    for (int i = 0; i < 3; i++) {
        CHECK_NULL(tp_submit(executor, count_run, &touched), TP_ERR_SYSTEM);
        CHECK(strstr(tp_last_error_message(), strerror(EAGAIN)) != NULL); /* why */
        CHECK(strlen(tp_last_error_message()) > strlen(strerror(EAGAIN)));  /* and what */
        CHECK_FAILS(tp_execute(executor, count_run, &touched), TP_ERR_SYSTEM);
        CHECK_FAILS(tp_submit_many(executor, count_run, args, 3, &out), TP_ERR_SYSTEM);
        CHECK_FAILS(tp_submit_many(executor, count_run, args, 3, NULL), TP_ERR_SYSTEM);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .drop_arg = count_drop), &out), TP_ERR_SYSTEM);
        CHECK_FAILS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &touched, .drop_arg = count_drop), NULL), TP_ERR_SYSTEM);
        tp_map *map = tp_map_new(executor, count_run, args, 3, 1, NULL);
        REQUIRE(map != NULL);
        for (int item = 0; item < 3; item++) {
            tp_future *future = out;
            CHECK_FAILS(tp_map_next(map, TP_FOREVER, &future), TP_ERR_SYSTEM); /* used up, as that status */
            CHECK_PTR(future, NULL);
        }
        CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_END);
        tp_map_free(map);
        CHECK_EQ(tp_executor_pending_count(executor), 0);
        CHECK_EQ(tp_executor_worker_count(executor), 0);
    }
    CHECK_PTR(out, &touched);
    CHECK_EQ(counter_get(&touched), 0);
    allow_threads(true);
    CHECK_PTR(result_of(submit(executor, count_run, &touched)), &touched); /* it works again, and nothing that was refused runs */
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&touched), 1);
    CHECK_EQ(counter_get(&user_data), 1);
    return 0;
}

TEST(p04_without_any_worker_a_submit_is_refused_and_the_task_never_runs) { CHECK_CHILD("without_any_worker", 0); }

static void *meet(void *arg) {
    pthread_barrier_wait((pthread_barrier_t *)arg);
    return NULL;
}

CHILD(with_one_worker) {
    become_unprivileged();
    counter      ran = COUNTER_INIT;
    blocker      busy;
    tp_executor *executor = new_executor(4);
    block(executor, &busy);
    allow_threads(false);
    /* One worker is alive: everything is accepted, although the thread that it would like to start cannot be had. */
    void *args[50];
    for (int i = 0; i < 50; i++) args[i] = &ran;
    for (int i = 0; i < 50; i++) {
        tp_future *future = submit(executor, count_run, &ran);
        CHECK_EQ(tp_future_state(future), TP_STATE_PENDING);
        tp_future_release(future);
        CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
    }
    CHECK_STATUS(tp_submit_many(executor, count_run, args, 50, NULL), TP_OK);
    CHECK_EQ(tp_executor_worker_count(executor), 1);
    CHECK_EQ(tp_executor_pending_count(executor), 150);
    CHECK_EQ(counter_get(&ran), 0);
    unblock(&busy);
    counter_wait(&ran, 150); /* the one worker runs them all */
    CHECK_EQ(tp_executor_worker_count(executor), 1);

    /* Later submits start what was missing. */
    allow_threads(true);
    pthread_barrier_t together;
    tp_future        *futures[4];
    pthread_barrier_init(&together, NULL, 4);
    for (int i = 0; i < 4; i++) futures[i] = submit(executor, meet, &together);
    for (int i = 0; i < 4; i++) result_of(futures[i]);
    CHECK_EQ(tp_executor_worker_count(executor), 4);
    pthread_barrier_destroy(&together);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 150);
    return 0;
}

TEST(p04_with_one_worker_alive_a_submit_is_accepted_and_later_ones_start_what_was_missing) { CHECK_CHILD("with_one_worker", 0); }

/* Tasks that were accepted while threads could not be had need threads: a later submit brings them. */
CHILD(needed_by_those_that_wait) {
    become_unprivileged();
    tp_executor      *executor = new_executor(4);
    blocker           busy;
    pthread_barrier_t together;
    tp_future        *futures[3];
    pthread_barrier_init(&together, NULL, 3);
    block(executor, &busy);
    allow_threads(false);
    for (int i = 0; i < 3; i++) futures[i] = submit(executor, meet, &together); /* which only three free workers can run */
    allow_threads(true);
    CHECK_STATUS(tp_execute(executor, return_arg, NULL), TP_OK);
    for (int i = 0; i < 3; i++) result_of(futures[i]);
    pthread_barrier_destroy(&together);
    unblock(&busy);
    tp_executor_free(executor);
    return 0;
}

TEST(p04_a_later_submit_brings_threads_to_tasks_that_were_accepted_without) { CHECK_CHILD("needed_by_those_that_wait", 0); }

/* Shutting down in such a state. */
CHILD(shut_down_without_threads) {
    become_unprivileged();
    for (int round = 0; round < 3; round++) {
        tp_executor *executor = new_executor(2);
        allow_threads(false);
        CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_SYSTEM);
        if (round == 0) CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
        if (round == 0) CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_SHUTDOWN); /* before SYSTEM */
        if (round == 1) tp_executor_detach(executor);
        else tp_executor_free(executor);
        allow_threads(true);
    }
    return 0;
}

TEST(p04_an_executor_whose_threads_never_started_shuts_down) { CHECK_CHILD("shut_down_without_threads", 0); }

/* Many threads submit while threads can and cannot be had: exact accounting. */
typedef struct {
    tp_executor *executor;
    counter     *ran;
    long         accepted;
} submitter;

static void *submit_what_is_taken(void *arg) {
    submitter *s = (submitter *)arg;
    for (int i = 0; i < 300; i++) {
        tp_status status = tp_execute(s->executor, count_run, s->ran);
        if (status == TP_OK) s->accepted++;
        else CHECK_STATUS(status, TP_ERR_SYSTEM);
    }
    return NULL;
}

CHILD(on_and_off) {
    become_unprivileged();
    for (int round = 0; round < 50; round++) {
        counter      ran = COUNTER_INIT;
        submitter    submitters[3];
        pthread_t    threads[3];
        long         accepted = 0;
        tp_executor *executor = new_executor(3);
        for (int i = 0; i < 3; i++) {
            submitters[i] = (submitter){executor, &ran, 0};
            threads[i] = start_thread(submit_what_is_taken, &submitters[i]);
        }
        struct rlimit limit;
        REQUIRE(getrlimit(RLIMIT_NPROC, &limit) == 0);
        for (int i = 0; i < 20; i++) {
            limit.rlim_cur = i % 2 == 0 ? 1 : limit.rlim_max;
            REQUIRE(setrlimit(RLIMIT_NPROC, &limit) == 0);
        }
        for (int i = 0; i < 3; i++) join_thread(threads[i]);
        tp_executor_free(executor);
        for (int i = 0; i < 3; i++) accepted += submitters[i].accepted;
        CHECK_EQ(counter_get(&ran), accepted);
    }
    return 0;
}

TEST(p04_exact_accounting_while_threads_can_and_cannot_be_had) { CHECK_CHILD("on_and_off", 0); }

/* ---- a million ------------------------------------------------------------------------------------------------------------------------------------- */

TEST(p01_a_million_workers_are_refused) {
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1000000)), TP_ERR_INVALID_ARGUMENT);
    CHECK(strstr(tp_last_error_message(), "max_workers") != NULL); /* what was wrong */
}

/* As many threads as one would hardly want, all needed at once. */
TEST(p02_two_hundred_workers_meet) {
    enum { N = 200 };
    static tp_future *futures[N];
    tp_executor      *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = N, .stack_size = 256 * 1024));
    pthread_barrier_t together;
    REQUIRE(executor != NULL);
    pthread_barrier_init(&together, NULL, N);
    for (int i = 0; i < N; i++) futures[i] = submit(executor, meet, &together);
    for (int i = 0; i < N; i++) result_of(futures[i]);
    CHECK_EQ(tp_executor_worker_count(executor), N);
    tp_executor_free(executor);
    pthread_barrier_destroy(&together);
}
