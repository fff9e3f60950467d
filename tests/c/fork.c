/* E2: fork. What a child may do with its parent's handles, and that the parent notices nothing.
 *
 * Each child checks with the usual macros and ends by _exit: 0 when all held. A child that hangs is ended by its own watchdog. */
#include "estate.h"

#include <stdatomic.h>

TEST(e02_in_the_child_done_futures_answer_as_ever) { IN_A_CHILD(done_futures_answer(&e)); }
TEST(e02_in_the_child_unfinished_futures_are_forked) { IN_A_CHILD(unfinished_futures_are_the_parent_s(&e)); }
TEST(e02_in_the_child_the_executor_is_forked) { IN_A_CHILD(the_executor_is_the_parent_s(&e)); }
TEST(e02_in_the_child_queues_and_maps_of_the_parent_do_not_hang) { IN_A_CHILD(queues_and_maps_of_the_parent_answer(&e)); }
TEST(e02_in_the_child_free_and_release_return_and_run_no_hook) {
    IN_A_CHILD(release_everything(&e, false));
    IN_A_CHILD(release_everything(&e, true));
    IN_A_CHILD(tp_executor_detach(e.executor); CHECK_EQ(counter_get(&e.hooks), 0));
}
TEST(e02_in_the_child_new_executors_work) {
    IN_A_CHILD(new_executors_work());
    IN_A_CHILD(unfinished_futures_are_the_parent_s(&e); the_executor_is_the_parent_s(&e); done_futures_answer(&e); new_executors_work();
               release_everything(&e, false); new_executors_work());
}

/* A grandchild, whose parent is itself forked and has executors of its own. */
TEST(e02_a_child_of_a_child) {
    estate e;
    estate_init(&e);
    pid_t pid = fork_child();
    if (pid == 0) {
        tp_executor *executor = new_executor(2);
        tp_future   *done = submit(executor, return_arg, &e);
        CHECK_STATUS(tp_future_result(done, TP_FOREVER, NULL), TP_OK);
        blocker busy;
        block(executor, &busy);
        pid_t grandchild = fork_child();
        if (grandchild == 0) {
            void *result = NULL;
            unfinished_futures_are_the_parent_s(&e);
            CHECK_STATUS(tp_future_result(done, 0, &result), TP_OK);
            CHECK_PTR(result, &e);
            CHECK_FAILS(tp_future_result(busy.future, TP_FOREVER, NULL), TP_ERR_FORKED);
            CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_FORKED);
            new_executors_work();
            end_child();
        }
        CHECK_CHILD_OK(grandchild);
        unblock(&busy);
        tp_future_release(done);
        tp_executor_free(executor);
        end_child();
    }
    CHECK_CHILD_OK(pid);
    estate_end(&e);
}

/* exit, with its handlers, instead of _exit. */
TEST(e02_a_child_may_exit_normally) {
    estate e;
    estate_init(&e);
    pid_t pid = fork_child();
    if (pid == 0) exit(0);
    CHECK_CHILD_OK(pid);
    pid = fork_child();
    if (pid == 0) {
        tp_executor *executor = new_executor(2); /* left alive */
        result_of(submit(executor, return_arg, NULL));
        exit(test_failures == 0 ? 0 : 1);
    }
    CHECK_CHILD_OK(pid);
    estate_end(&e);
}

/* ---- fork in a task, a callback, an initializer ------------------------------------------------------------------------------------------------------ */

typedef struct {
    tp_executor *executor;
    bool         returns; /* from the task function, in the child */
    pid_t        pid;
    counter      hooks;
} forker;

static void *fork_in_a_task(void *arg) {
    forker *f = (forker *)arg;
    f->pid = fork_child();
    if (f->pid == 0) {
        i_am_no_worker(f->executor);
        if (!f->returns || test_failures != 0) end_child();
        return NULL; /* which ends the child by _exit(0) */
    }
    return f;
}

TEST(e02_a_child_forked_in_a_task_is_no_worker) {
    for (int returns = 0; returns < 2; returns++)
        for (size_t workers = 1; workers <= 3; workers++) {
            forker     f = {new_executor(workers), returns != 0, -1, COUNTER_INIT};
            tp_future *future = NULL;
            CHECK_STATUS(tp_submit_task(f.executor, TP_TASK(.fn = fork_in_a_task, .arg = &f, .drop_arg = NULL), &future), TP_OK);
            CHECK_STATUS(tp_future_add_done_callback(future, count_done, &f.hooks), TP_OK);
            CHECK_PTR(result_of(future), &f);
            CHECK_CHILD_OK(f.pid);
            CHECK_PTR(result_of(submit(f.executor, return_arg, &f)), &f); /* the parent's worker goes on */
            tp_executor_free(f.executor);
            CHECK_EQ(counter_get(&f.hooks), 1);
        }
}

/* If the task returns in the child nothing else of the worker happens there: no callback, no hook, no next task. */
static int  marks[2];
static void mark_done(tp_future *future, void *user_data) {
    char mark = 'c';
    (void)future;
    (void)user_data;
    CHECK_EQ(write(marks[1], &mark, 1), 1);
}
static void mark_dropped(void *arg) {
    char mark = 'd';
    (void)arg;
    CHECK_EQ(write(marks[1], &mark, 1), 1);
}
static void *mark_run(void *arg) {
    char mark = 'r';
    CHECK_EQ(write(marks[1], &mark, 1), 1);
    return arg;
}
static void *fork_and_return(void *arg) {
    pid_t *pid = (pid_t *)arg;
    *pid = fork_child();
    return arg;
}

TEST(e02_a_task_that_returns_in_the_child_ends_it_and_nothing_more) {
    char         seen[16];
    pid_t        pid = -1;
    tp_future   *future = NULL;
    blocker      busy;
    tp_executor *executor = new_executor(1);
    REQUIRE(pipe(marks) == 0);
    block(executor, &busy);
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = fork_and_return, .arg = &pid, .drop_arg = mark_dropped), &future), TP_OK);
    CHECK_STATUS(tp_future_add_done_callback(future, mark_done, NULL), TP_OK);
    CHECK_STATUS(tp_execute(executor, mark_run, NULL), TP_OK);
    unblock(&busy);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    tp_executor_free(executor);
    CHECK_CHILD_OK(pid);
    close(marks[1]);
    CHECK_EQ(read(marks[0], seen, sizeof seen), 3); /* drop, callback and task: each once, in the parent */
    CHECK_EQ(seen[0] + seen[1] + seen[2], 'd' + 'c' + 'r');
    close(marks[0]);
    tp_future_release(future);
}

static void fork_in_a_callback(tp_future *future, void *user_data) {
    forker *f = (forker *)user_data;
    f->pid = fork_child();
    if (f->pid == 0) {
        CHECK_STATUS(tp_future_result(future, 0, NULL), TP_OK); /* done, so it answers */
        i_am_no_worker(f->executor);
        end_child();
    }
}

TEST(e02_fork_in_a_callback) {
    forker     f = {new_executor(2), false, -1, COUNTER_INIT};
    blocker    busy;
    block(f.executor, &busy);
    tp_future *future = tp_future_retain(busy.future);
    CHECK_STATUS(tp_future_add_done_callback(future, fork_in_a_callback, &f), TP_OK);
    unblock(&busy);
    CHECK_STATUS(tp_executor_shutdown(f.executor, TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_CHILD_OK(f.pid);
    CHECK_STATUS(tp_future_add_done_callback(future, fork_in_a_callback, &f), TP_OK); /* and on this thread */
    CHECK_CHILD_OK(f.pid);
    tp_future_release(future);
    tp_executor_free(f.executor);
}

/* In a task that runs inside another one's wait. */
static void *fork_two_deep(void *arg) {
    forker *f = (forker *)arg;
    CHECK_PTR(result_of(submit(f->executor, fork_in_a_task, f)), f);
    return f;
}

TEST(e02_fork_in_a_task_run_inline) {
    for (int returns = 0; returns < 2; returns++) {
        forker f = {new_executor(1), returns != 0, -1, COUNTER_INIT};
        CHECK_PTR(result_of(submit(f.executor, fork_two_deep, &f)), &f);
        CHECK_CHILD_OK(f.pid);
        tp_executor_free(f.executor);
    }
}

/* ---- fork while all other threads are at it ------------------------------------------------------------------------------------------------------------ */

typedef struct {
    tp_executor         *executor;
    tp_completion_queue *queue;
    atomic_bool         *stop;
    unsigned             seed;
    counter             *ran;
    long                 submitted;
} hammer;

static void *hammer_away(void *arg) {
    hammer *h = (hammer *)arg;
    while (!atomic_load(h->stop)) {
        tp_future *futures[8];
        for (int i = 0; i < 8; i++) {
            futures[i] = submit(h->executor, count_run, h->ran);
            CHECK_STATUS(tp_completion_queue_add(h->queue, futures[i], 0), TP_OK);
            h->submitted++;
        }
        if (rand_r(&h->seed) % 2 == 0 && tp_future_cancel(futures[7])) h->submitted--;
        switch (rand_r(&h->seed) % 4) {
        case 0: CHECK_STATUS(tp_wait(futures, 8, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK); break;
        case 1: tp_wait(futures, 8, rand_r(&h->seed) % 5000, TP_WAIT_FIRST_COMPLETED, NULL); break;
        case 2: tp_future_result(futures[0], TP_FOREVER, NULL); break;
        default: {
            tp_executor *executor = new_executor(1);
            result_of(submit(executor, return_arg, NULL));
            tp_executor_free(executor);
        }
        }
        for (int i = 0; i < 8; i++) {
            tp_status status = tp_completion_queue_next(h->queue, TP_FOREVER, NULL, NULL);
            CHECK_STATUS(status, TP_OK);
        }
        for (int i = 0; i < 8; i++) tp_future_release(futures[i]);
    }
    return NULL;
}

/* The child takes the same paths that the parent's threads may have been in the middle of. */
static void use_everything_in_the_child(estate *e, hammer *hammers) {
    unfinished_futures_are_the_parent_s(e);
    the_executor_is_the_parent_s(e);
    done_futures_answer(e);
    CHECK_NULL(tp_submit(hammers[0].executor, return_arg, NULL), TP_ERR_FORKED);
    CHECK(tp_executor_pending_count(hammers[0].executor) < 1000000);
    new_executors_work();
    tp_completion_queue_free(hammers[0].queue);
    tp_executor_free(hammers[0].executor);
    release_everything(e, true);
    new_executors_work();
}

TEST(e02_whatever_the_other_threads_were_doing) {
    enum { HAMMERS = 3 };
    long         forks = repeat(100);
    counter      ran = COUNTER_INIT;
    atomic_bool  stop = false;
    estate       e;
    hammer       hammers[HAMMERS];
    pthread_t    threads[HAMMERS];
    tp_executor *executor = new_executor(2);
    estate_init(&e);
    for (int i = 0; i < HAMMERS; i++) {
        tp_completion_queue *queue = tp_completion_queue_new();
        REQUIRE(queue != NULL);
        hammers[i] = (hammer){executor, queue, &stop, (unsigned)i + 1, &ran, 0};
        threads[i] = start_thread(hammer_away, &hammers[i]);
    }
    for (long i = 0; i < forks; i++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            use_everything_in_the_child(&e, hammers);
            end_child();
        }
        CHECK_CHILD_OK(pid);
    }
    atomic_store(&stop, true);
    long submitted = 0;
    for (int i = 0; i < HAMMERS; i++) {
        join_thread(threads[i]);
        submitted += hammers[i].submitted;
        tp_completion_queue_free(hammers[i].queue);
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), submitted); /* the parent notices nothing */
    estate_end(&e);
}
