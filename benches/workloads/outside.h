/* Workloads whose tasks are submitted by threads that are not the pool's. */
#ifndef WORKLOADS_OUTSIDE_H
#define WORKLOADS_OUTSIDE_H

#include "tasks.h"

/* Submit all, then collect all: every future is alive at once. */
static void workload_collect(run *r) { run_and_collect(r, identity); }

/* The same in windows of 1,000: what a service with bounded concurrency does. */
static void workload_windows(run *r)
{
    enum { WINDOW = 1000 };
    subject_future futures[WINDOW];
    r->tasks -= r->tasks % WINDOW;
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t done = 0; done < r->tasks; done += WINDOW) {
        submit_each(pool, futures, identity, WINDOW);
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
    subject_future *futures = NEW_ARRAY(subject_future, r->tasks);
    pointer *args = NEW_ARRAY(pointer, r->tasks);
    for (size_t i = 0; i < r->tasks; i++)
        args[i] = (void *)(uintptr_t)i;
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->tasks; i += BATCH)
        subject_submit_many(pool, identity, args + i, BATCH, futures + i);
    collect_each(futures, r->tasks);
    subject_free(pool);
    end(r);
    FREE_ARRAY(args);
    FREE_ARRAY(futures);
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

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* One task at a time, each awaited before the next is submitted. */
static void workload_round_trip(run *r)
{
    uint64_t *times = NEW_ARRAY(uint64_t, r->tasks);
    uintptr_t sum = 0;
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < r->tasks; i++) {
        uint64_t start = monotonic_ns();
        subject_future future = subject_submit(pool, identity, (void *)(uintptr_t)i);
        sum += (uintptr_t)subject_result(&future);
        times[i] = monotonic_ns() - start;
    }
    subject_free(pool);
    end(r);
    check(sum == sum_below(r->tasks), "the sum of the results");
    qsort(times, r->tasks, sizeof *times, by_value);
    r->p50_ns = (double)times[r->tasks / 2];
    r->p99_ns = (double)times[r->tasks - 1 - r->tasks / 100];
    FREE_ARRAY(times);
}

typedef struct producer {
    pthread_t thread;
    pthread_barrier_t *start;
    subject_pool *pool;
    subject_future *futures;
    size_t n;
} producer;

static void *produce(void *arg)
{
    producer *p = (producer *)arg;
    pthread_barrier_wait(p->start);
    submit_each(p->pool, p->futures, identity, p->n);
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
    subject_future *futures = NEW_ARRAY(subject_future, r->tasks);
    pthread_barrier_init(&start, NULL, PRODUCERS + 1);
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    for (size_t i = 0; i < PRODUCERS; i++) {
        producer *p = &producers[i];
        p->start = &start;
        p->pool = pool;
        p->futures = futures + i * each;
        p->n = each;
        check(pthread_create(&p->thread, NULL, produce, p) == 0, "pthread_create");
    }
    pthread_barrier_wait(&start);
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    subject_free(pool);
    end(r);
    pthread_barrier_destroy(&start);
    FREE_ARRAY(futures);
}

#endif
