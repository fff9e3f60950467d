/* The workloads of the benchmark, written once against the few calls of subject_*.h so that every subject runs the same loops.
 *
 * One process runs one workload once (driver.c), so that page faults, thread starts and the giving back of memory are part of every
 * round. The clock runs from before the pool is made until it is freed. Each workload checks what its tasks computed and ends the process
 * with status 1 if that is wrong: a pool that loses tasks must not win. */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "measure.h"

/* ---- tasks ----------------------------------------------------------------------------------------------------------------- */

/* Gives its argument back, so that the collected sum shows that each task ran once with its own argument. */
static void *identity(void *arg) { return arg; }

static uintptr_t sum_below(size_t n) { return (uintptr_t)n * (n - 1) / 2; } /* wraps as the checked sum does */

/* Counts without sharing a cache line between workers: a shared counter would cost more than the task. */
enum { MAX_COUNTERS = 64 };
static struct { _Alignas(128) _Atomic uint64_t count; } counters[MAX_COUNTERS];
static atomic_size_t counters_used;
static _Thread_local _Atomic uint64_t *my_counter;

static void *count(void *arg)
{
    if (!my_counter) {
        size_t slot = atomic_fetch_add(&counters_used, 1);
        check(slot < MAX_COUNTERS, "more threads than workers");
        my_counter = &counters[slot].count;
    }
    /* Only this thread writes it: a plain load and store, no locked instruction. */
    atomic_store_explicit(my_counter, atomic_load_explicit(my_counter, memory_order_relaxed) + 1, memory_order_relaxed);
    return arg;
}

static uint64_t counted(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < MAX_COUNTERS; i++)
        sum += atomic_load(&counters[i].count);
    return sum;
}

/* ---- submit and collect ---------------------------------------------------------------------------------------------------- */

static void submit_each(subject_pool *pool, subject_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        futures[i] = subject_submit(pool, identity, (void *)(uintptr_t)i);
}

static void collect_each(subject_future *futures, size_t n)
{
    uintptr_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uintptr_t)subject_result(futures[i]);
    check(sum == sum_below(n), "the sum of the results");
}

/* Submit all, then collect all: every future is alive at once. */
static void workload_collect(run *r)
{
    subject_future *futures = allocate(r->tasks, sizeof *futures);
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    submit_each(pool, futures, r->tasks);
    collect_each(futures, r->tasks);
    subject_free(pool);
    end(r);
    free(futures);
}

/* The same in windows of 1,000: what a service with bounded concurrency does. */
static void workload_windows(run *r)
{
    enum { WINDOW = 1000 };
    subject_future futures[WINDOW];
    r->tasks -= r->tasks % WINDOW;
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t done = 0; done < r->tasks; done += WINDOW) {
        submit_each(pool, futures, WINDOW);
        collect_each(futures, WINDOW);
    }
    subject_free(pool);
    end(r);
}

/* Submit all, 1,000 in a call, then collect all. */
static void workload_many(run *r)
{
    enum { BATCH = 1000 };
    r->tasks -= r->tasks % BATCH;
    subject_future *futures = allocate(r->tasks, sizeof *futures);
    void **args = allocate(r->tasks, sizeof *args);
    for (size_t i = 0; i < r->tasks; i++)
        args[i] = (void *)(uintptr_t)i;
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->tasks; i += BATCH)
        subject_submit_many(pool, identity, args + i, BATCH, futures + i);
    collect_each(futures, r->tasks);
    subject_free(pool);
    end(r);
    free(args);
    free(futures);
}

/* Fire and forget, then drain: freeing the pool runs what is left. */
static void workload_execute(run *r)
{
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->tasks; i++)
        subject_execute(pool, count, NULL);
    subject_free(pool);
    end(r);
    check(counted() == r->tasks, "the number of tasks that ran");
}

/* ---- round trip ------------------------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One task at a time, each awaited before the next is submitted. */
static void workload_round_trip(run *r)
{
    uint64_t *times = allocate(r->tasks, sizeof *times);
    uintptr_t sum = 0;
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->tasks; i++) {
        uint64_t start = monotonic_ns();
        sum += (uintptr_t)subject_result(subject_submit(pool, identity, (void *)(uintptr_t)i));
        times[i] = monotonic_ns() - start;
    }
    subject_free(pool);
    end(r);
    check(sum == sum_below(r->tasks), "the sum of the results");
    qsort(times, r->tasks, sizeof *times, by_value);
    r->p50_ns = (double)times[r->tasks / 2];
    r->p99_ns = (double)times[r->tasks - 1 - r->tasks / 100];
    free(times);
}

/* ---- four producers -------------------------------------------------------------------------------------------------------- */

typedef struct producer {
    pthread_t thread;
    pthread_barrier_t *start;
    subject_pool *pool;
    subject_future *futures;
    size_t n;
} producer;

static void *produce(void *arg)
{
    producer *p = arg;
    pthread_barrier_wait(p->start);
    submit_each(p->pool, p->futures, p->n);
    collect_each(p->futures, p->n);
    return NULL;
}

/* Four threads that each submit a quarter and collect it. */
static void workload_producers(run *r)
{
    enum { PRODUCERS = 4 };
    producer producers[PRODUCERS];
    pthread_barrier_t start;
    size_t each = r->tasks / PRODUCERS;
    r->tasks = each * PRODUCERS;
    subject_future *futures = allocate(r->tasks, sizeof *futures);
    pthread_barrier_init(&start, NULL, PRODUCERS + 1);
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){.start = &start, .pool = pool, .futures = futures + i * each, .n = each};
        check(pthread_create(&producers[i].thread, NULL, produce, &producers[i]) == 0, "pthread_create");
    }
    pthread_barrier_wait(&start);
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    subject_free(pool);
    end(r);
    pthread_barrier_destroy(&start);
    free(futures);
}

/* ---- tasks that submit ----------------------------------------------------------------------------------------------------- */

static subject_pool *nest_pool; /* set before the root task is submitted */
static subject_future *nest_futures;
static size_t nest_tasks;

static void *fib(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    if (n < 2)
        return arg;
    subject_future child = subject_submit(nest_pool, fib, (void *)(n - 1));
    uintptr_t here = (uintptr_t)fib((void *)(n - 2));
    return (void *)(here + (uintptr_t)subject_result(child));
}

/* Nested fork-join: each call of fib(27) submits one child, computes the other half itself, and waits. `tasks` is what that makes. */
static void workload_fib(run *r)
{
    enum { N = 27 };
    uintptr_t below = 0, fib_n = 1; /* fib(N - 1) and fib(N) once the loop has ended */
    for (int i = 1; i < N; i++) {
        uintptr_t next = below + fib_n;
        below = fib_n;
        fib_n = next;
    }
    r->tasks = fib_n + below; /* fib(N + 1) - 1 children, and the root */
    begin(r);
    nest_pool = subject_new(r->workers);
    uintptr_t got = (uintptr_t)subject_result(subject_submit(nest_pool, fib, (void *)(uintptr_t)N));
    subject_free(nest_pool);
    end(r);
    check(got == fib_n, "the Fibonacci number");
}

static void *submit_and_collect_inside(void *arg)
{
    submit_each(nest_pool, nest_futures, nest_tasks);
    collect_each(nest_futures, nest_tasks);
    return arg;
}

static void *execute_inside(void *arg)
{
    for (size_t i = 0; i < nest_tasks; i++)
        subject_execute(nest_pool, count, NULL);
    return arg;
}

static void run_root(run *r, void *(*root)(void *))
{
    nest_tasks = r->tasks;
    nest_futures = allocate(r->tasks, sizeof *nest_futures);
    begin(r);
    nest_pool = subject_new(r->workers);
    subject_result(subject_submit(nest_pool, root, NULL));
    subject_free(nest_pool);
    end(r);
    free(nest_futures);
}

/* One task submits all the others and collects them. */
static void workload_inside(run *r) { run_root(r, submit_and_collect_inside); }

/* One task fires all the others and forgets them. */
static void workload_inside_execute(run *r)
{
    run_root(r, execute_inside);
    check(counted() == r->tasks, "the number of tasks that ran");
}

/* ---- tasks with work in them ----------------------------------------------------------------------------------------------- */

static uint64_t work_rounds;

/* A chain of dependent multiplications: the same work on every call, whatever else the machine does. */
static void *work(void *arg)
{
    uint64_t x = (uintptr_t)arg | 1;
    for (uint64_t i = 0; i < work_rounds; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    __asm__ volatile("" : : "r"(x)); /* used, as far as the compiler can tell */
    return arg;
}

/* Tasks of 1 µs, submitted and collected: the wall time over the ideal one, which is the work alone, done one after the other in this
 * very process, shared out to as many workers as there are CPUs for. */
static void workload_one_us(run *r)
{
    work_rounds = 1u << 22;
    double calibration = 1e18;
    for (int i = 0; i < 3; i++) {
        double start = (double)monotonic_ns();
        work(NULL);
        double took = (double)monotonic_ns() - start;
        calibration = took < calibration ? took : calibration;
    }
    work_rounds = (uint64_t)((double)work_rounds * 1000 / calibration);

    double alone = -(double)monotonic_ns();
    for (size_t i = 0; i < r->tasks; i++)
        work((void *)(uintptr_t)i);
    alone += (double)monotonic_ns();

    subject_future *futures = allocate(r->tasks, sizeof *futures);
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->tasks; i++)
        futures[i] = subject_submit(pool, work, (void *)(uintptr_t)i);
    collect_each(futures, r->tasks);
    subject_free(pool);
    end(r);
    free(futures);

    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    double lanes = cpus > 0 && (size_t)cpus < r->workers ? (double)cpus : (double)r->workers;
    r->value = r->wall_ns / (alone / lanes);
}

/* ---- memory ---------------------------------------------------------------------------------------------------------------- */

static sem_t gate_reached, gate_open;

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) /* EINTR is its only failure here */
        continue;
}

static void *pass_gate(void *arg)
{
    sem_post(&gate_reached);
    wait_for(&gate_open);
    return arg;
}

/* Resident memory per pending task, behind workers that are all blocked. The array of handles is the caller's and not counted. */
static void measure_memory(run *r, bool with_futures)
{
    subject_future *futures = allocate(r->tasks, sizeof *futures);
    subject_future *gates = allocate(r->workers, sizeof *gates);
    sem_init(&gate_reached, 0, 0);
    sem_init(&gate_open, 0, 0);
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->workers; i++)
        gates[i] = subject_submit(pool, pass_gate, NULL);
    for (size_t i = 0; i < r->workers; i++)
        wait_for(&gate_reached);

    double before = resident_bytes();
    if (with_futures)
        submit_each(pool, futures, r->tasks);
    else
        for (size_t i = 0; i < r->tasks; i++)
            subject_execute(pool, count, NULL);
    r->bytes = resident_bytes() - before;
    r->value = r->bytes / (double)r->tasks;

    for (size_t i = 0; i < r->workers; i++)
        sem_post(&gate_open);
    for (size_t i = 0; i < r->workers; i++)
        subject_result(gates[i]);
    if (with_futures)
        collect_each(futures, r->tasks);
    subject_free(pool);
    end(r);
    check(with_futures || counted() == r->tasks, "the number of tasks that ran");
    free(gates);
    free(futures);
}

static void workload_memory(run *r) { measure_memory(r, true); }
static void workload_memory_execute(run *r) { measure_memory(r, false); }

/* ---- an idle pool ---------------------------------------------------------------------------------------------------------- */

/* CPU time and wake-ups of all workers together while the pool has nothing to do, per second. All workers have started: as many tasks
 * as workers met first. */
static void workload_idle(run *r)
{
    subject_future *gates = allocate(r->workers, sizeof *gates);
    sem_init(&gate_reached, 0, 0);
    sem_init(&gate_open, 0, 0);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->workers; i++)
        gates[i] = subject_submit(pool, pass_gate, NULL);
    for (size_t i = 0; i < r->workers; i++)
        wait_for(&gate_reached);
    for (size_t i = 0; i < r->workers; i++)
        sem_post(&gate_open);
    for (size_t i = 0; i < r->workers; i++)
        subject_result(gates[i]);
    sleep_for(0.2); /* let them look around for work, give up and fall asleep */

    begin(r);
    double cpu_before, cpu_after, runs_before, runs_after;
    usage_of_others(&cpu_before, &runs_before);
    sleep_for(r->window);
    usage_of_others(&cpu_after, &runs_after);
    end(r);
    r->value = (cpu_after - cpu_before) / 1000 / r->window;
    r->wakeups = (runs_after - runs_before) / r->window;
    r->tasks = r->workers;
    subject_free(pool);
    free(gates);
}

#endif
