/* E2: fork while other threads are at the locks that all executors of a process share: the table of executors, the depots of task
 * memory, the graph of waits. Each is held so shortly that forks under a load of everything seldom meet it held; here threads do
 * nothing but what takes it, and each child does the same once. */
#include "forked.h"

#include <stdatomic.h>

/* CHILD_S: the watchdog of one child. */
enum { FORKS = 1000, THREADS = 4, CHILD_S = 30 };

static atomic_bool stop;
static atomic_long turns;

/* ---- what takes a lock ----------------------------------------------------------------------------------------------------- */

/* No worker is started: all it does is enter the table and leave it. */
static void make_an_executor(tp_executor *executor, tp_executor *other) {
    (void)executor;
    (void)other;
    tp_executor_free(new_executor(1));
}

/* More memory of each size than a thread keeps comes from a depot, and goes back there. */
static void use_task_memory(tp_executor *executor, tp_executor *other) {
    static const size_t sizes[] = {0, 128};
    enum { MORE_THAN_A_THREAD_KEEPS = 512 };
    (void)other;
    for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size++) {
        tp_future *futures[MORE_THAN_A_THREAD_KEEPS];
        void      *payload = NULL;
        for (int i = 0; i < MORE_THAN_A_THREAD_KEEPS; i++)
            CHECK_STATUS(tp_task_prepare(executor, sizes[size], 1, &futures[i], &payload), TP_OK);
        for (int i = 0; i < MORE_THAN_A_THREAD_KEEPS; i++) tp_future_release(futures[i]);
    }
}

/* A task that waits without limit for one of another executor is in the graph while it sleeps, for which that has to take a
 * little. */
static void *take_a_little(void *arg) {
    const struct timespec little = {0, 10000};
    nanosleep(&little, NULL);
    return arg;
}
static void *wait_often(void *executor) {
    for (int i = 0; i < 50; i++) CHECK_PTR(result_of(submit(executor, take_a_little, executor)), executor);
    return executor;
}
static void wait_across(tp_executor *executor, tp_executor *other) {
    CHECK_PTR(result_of(submit(other, wait_often, executor)), executor);
}

/* ---- forking beside it ----------------------------------------------------------------------------------------------------- */

typedef struct hammer {
    void       (*once)(tp_executor *, tp_executor *);
    tp_executor *executor, *other;
} hammer;

static void *hammer_away(void *arg) {
    hammer *h = arg;
    while (!atomic_load(&stop)) {
        h->once(h->executor, h->other);
        atomic_fetch_add(&turns, 1);
    }
    return NULL;
}

static void fork_beside(void (*once)(tp_executor *, tp_executor *)) {
    hammer    h = {once, new_executor(THREADS), new_executor(THREADS)};
    pthread_t threads[THREADS];
    atomic_store(&stop, false);
    atomic_store(&turns, 0);
    for (int i = 0; i < THREADS; i++) threads[i] = start_thread(hammer_away, &h);
    EVENTUALLY(atomic_load(&turns) > THREADS);
    for (long i = repeat(FORKS); i > 0; i--) {
        pid_t pid = fork_child();
        if (pid == 0) {
            alarm(CHILD_S);
            once(new_executor(1), new_executor(1));
            end_child();
        }
        CHECK_CHILD_OK(pid);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) join_thread(threads[i]);
    tp_executor_free(h.executor);
    tp_executor_free(h.other);
}

TEST(e02_fork_while_executors_are_made) { fork_beside(make_an_executor); }
TEST(e02_fork_while_threads_fetch_and_return_task_memory) { fork_beside(use_task_memory); }
TEST(e02_fork_while_tasks_enter_and_leave_the_graph_of_waits) { fork_beside(wait_across); }
