/* The tasks that most workloads submit, and the two loops that most of them are made of. */
#ifndef WORKLOADS_TASKS_H
#define WORKLOADS_TASKS_H

typedef void *(*task_function)(void *);
typedef void *pointer; /* a name that NEW_ARRAY can take */

/* Gives its argument back, so that the collected sum shows that each task ran once with its own argument. */
static void *identity(void *arg) { return arg; }

static uintptr_t sum_below(size_t n) { return (uintptr_t)n * (n - 1) / 2; } /* wraps as the checked sum does */

/* Counts without sharing a cache line between workers: a shared counter would cost more than the task. */
enum { MAX_COUNTERS = 64 };
typedef struct counter {
    alignas(128) ATOMIC(uint64_t) count;
} counter;
static counter counters[MAX_COUNTERS];
static ATOMIC(size_t) counters_used;
static thread_local counter *my_counter;

static void *count(void *arg)
{
    if (!my_counter) {
        size_t slot = atomic_fetch_add(&counters_used, 1);
        check(slot < MAX_COUNTERS, "more threads than workers");
        my_counter = &counters[slot];
    }
    /* Only this thread writes it: a plain load and store, no locked instruction. */
    uint64_t before = atomic_load_explicit(&my_counter->count, memory_order_relaxed);
    atomic_store_explicit(&my_counter->count, before + 1, memory_order_relaxed);
    return arg;
}

static uint64_t counted(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < MAX_COUNTERS; i++)
        sum += atomic_load(&counters[i].count);
    return sum;
}

/* Every task gets its index as the argument and must give it back. */
static void submit_each(subject_pool *pool, subject_future *futures, task_function fn, size_t n)
{
    for (size_t i = 0; i < n; i++)
        futures[i] = subject_submit(pool, fn, (void *)(uintptr_t)i);
}

static void collect_each(subject_future *futures, size_t n)
{
    uintptr_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uintptr_t)subject_result(&futures[i]);
    check(sum == sum_below(n), "the sum of the results");
}

/* The pool's whole life on the clock: made, given n tasks, all of them collected, freed. */
static void run_and_collect(run *r, task_function fn)
{
    subject_future *futures = NEW_ARRAY(subject_future, r->tasks);
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    submit_each(pool, futures, fn, r->tasks);
    collect_each(futures, r->tasks);
    subject_free(pool);
    end(r);
    FREE_ARRAY(futures);
}

#endif
