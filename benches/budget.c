/* Where the nanoseconds of a task go: each step of its life timed alone, and two lower bounds. `make -C benches budget` builds
 * and runs it; docs/performance.md explains the figures.
 *
 * One worker is held at a gate while tasks are submitted, then let go while the main thread sleeps, and only then are the results
 * collected: so no step runs beside another, and what a step costs here is its instructions and the cache lines that it has to
 * fetch. The first round of each warms the recycled memory up and is not counted. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POSIX clocks and semaphores under -std=c11 */
#endif

#include <pthread.h>
#include <semaphore.h>

#include "subject_tpexec.h"

#include "measure.h"

enum { TASKS = 100000, ROUNDS = 15, WAKES = 2000 };

static subject_pool *pool;
static subject_future futures[TASKS];
static void *arguments[TASKS];
static sem_t at_gate, gate, at_end;
static uint64_t run_from, run_to, started;

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) /* EINTR is its only failure here */
        continue;
}

static void *hold(void *arg)
{
    sem_post(&at_gate);
    wait_for(&gate);
    run_from = monotonic_ns();
    return arg;
}

static void *finish(void *arg)
{
    run_to = monotonic_ns();
    sem_post(&at_end);
    return arg;
}

static void *nothing(void *arg) { return arg; }

static void *stamp(void *arg)
{
    started = monotonic_ns();
    return arg;
}

static void submit_and_wait(tp_task_fn fn, void *arg)
{
    subject_future future = subject_submit(pool, fn, arg);
    subject_result(&future);
}

/* ---- the steps: each gives ns per task ------------------------------------------------------------------------------------- */

typedef struct steps {
    double submit, run, collect;
} steps;

static steps through_gate(void (*submit_all)(void), bool with_futures)
{
    steps s = {0, 0, 0};
    subject_execute(pool, hold, NULL);
    wait_for(&at_gate);
    uint64_t from = monotonic_ns();
    submit_all();
    s.submit = (double)(monotonic_ns() - from) / TASKS;
    subject_execute(pool, finish, NULL);
    sem_post(&gate);
    wait_for(&at_end);
    s.run = (double)(run_to - run_from) / TASKS;
    from = monotonic_ns();
    for (size_t i = 0; with_futures && i < TASKS; i++)
        subject_result(&futures[i]);
    s.collect = (double)(monotonic_ns() - from) / TASKS;
    return s;
}

static void submit_each(void)
{
    for (size_t i = 0; i < TASKS; i++)
        futures[i] = subject_submit(pool, nothing, NULL);
}

static void submit_many(void) { subject_submit_many(pool, nothing, arguments, TASKS, futures); }

static void execute_each(void)
{
    for (size_t i = 0; i < TASKS; i++)
        subject_execute(pool, nothing, NULL);
}

/* A child that its submitter, a task, waits for at once: run inline, since the only other worker is held. */
static void *parent(void *arg)
{
    uint64_t from = monotonic_ns();
    for (size_t i = 0; i < TASKS; i++)
        submit_and_wait(nothing, NULL);
    *(double *)arg = (double)(monotonic_ns() - from) / TASKS;
    return arg;
}

/* ---- the lower bounds ------------------------------------------------------------------------------------------------------ */

static atomic_size_t word_a, word_b;

static double malloc_free_two_atomics(void)
{
    uint64_t from = monotonic_ns();
    for (size_t i = 0; i < TASKS; i++) {
        void *volatile block = malloc(32);
        atomic_fetch_add(&word_a, 1);
        atomic_fetch_add(&word_b, 1);
        free(block);
    }
    return (double)(monotonic_ns() - from) / TASKS;
}

static _Alignas(128) _Atomic(void *) mailbox;

static void *echo(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < TASKS; i++) {
        while (atomic_load_explicit(&mailbox, memory_order_acquire) == NULL)
            continue;
        atomic_store_explicit(&mailbox, NULL, memory_order_release);
    }
    return NULL;
}

/* A pointer there, and the acknowledgement back: two hand-overs. */
static double bare_hand_over(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, echo, NULL) == 0, "pthread_create");
    uint64_t from = monotonic_ns();
    for (size_t i = 0; i < TASKS; i++) {
        atomic_store_explicit(&mailbox, &mailbox, memory_order_release);
        while (atomic_load_explicit(&mailbox, memory_order_acquire) != NULL)
            continue;
    }
    double each = (double)(monotonic_ns() - from) / TASKS;
    pthread_join(thread, NULL);
    return each / 2;
}

/* ---- the report ------------------------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *step, double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    printf("| %-66s | %7.1f | %7.1f | %7.1f |\n", step, values[n / 2], values[0], values[n - 1]);
}

int main(void)
{
    static double submit[ROUNDS], run[ROUNDS], collect[ROUNDS], many[ROUNDS], execute[ROUNDS], run_executed[ROUNDS];
    static double inline_run[ROUNDS], bound[ROUNDS], hand_over[ROUNDS], call[WAKES], start[WAKES];
    sem_init(&at_gate, 0, 0);
    sem_init(&gate, 0, 0);
    sem_init(&at_end, 0, 0);
    pool = subject_new(1);
    for (int i = -1; i < ROUNDS; i++) {
        steps with = through_gate(submit_each, true), batch = through_gate(submit_many, true);
        steps without = through_gate(execute_each, false);
        size_t at = i < 0 ? 0 : (size_t)i;
        submit[at] = with.submit, run[at] = with.run, collect[at] = with.collect;
        many[at] = batch.submit, execute[at] = without.submit, run_executed[at] = without.run;
        bound[at] = malloc_free_two_atomics(), hand_over[at] = bare_hand_over();
    }
    for (size_t i = 0; i < WAKES; i++) {
        sleep_for(0.0005); /* the worker polls for 10 us, then sleeps */
        uint64_t from = monotonic_ns();
        subject_future future = subject_submit(pool, stamp, NULL);
        call[i] = (double)(monotonic_ns() - from);
        subject_result(&future);
        start[i] = (double)(started - from);
    }
    subject_free(pool);
    pool = subject_new(2); /* with one worker everything goes through the shared queue */
    subject_execute(pool, hold, NULL);
    wait_for(&at_gate);
    for (int i = -1; i < ROUNDS; i++)
        submit_and_wait(parent, &inline_run[i < 0 ? 0 : i]);
    sem_post(&gate);
    subject_free(pool);

    (void)subject_refusals;
    printf("| step, ns per task | median | lowest | highest |\n| --- | ---: | ---: | ---: |\n");
    report("tp_submit: allocate the node, publish it", submit, ROUNDS);
    report("tp_submit_many: the same, 100,000 in a call", many, ROUNDS);
    report("tp_execute: publish only", execute, ROUNDS);
    report("worker: take, call, complete", run, ROUNDS);
    report("worker: take, call (tp_execute)", run_executed, ROUNDS);
    report("tp_future_result and tp_future_release of a done future", collect, ROUNDS);
    report("in a task: submit a child, wait for it (run inline), release", inline_run, ROUNDS);
    report("tp_submit that wakes a sleeping worker: the call", call, WAKES);
    report("tp_submit that wakes a sleeping worker: until the task starts", start, WAKES);
    report("lower bound: malloc, free, two atomic additions on one thread", bound, ROUNDS);
    report("lower bound: a pointer handed to a spinning thread", hand_over, ROUNDS);
    return 0;
}
