/* Workloads whose tasks take time: on the CPU, or asleep as a task is that waits for a disk or a socket. */
#ifndef WORKLOADS_BUSY_H
#define WORKLOADS_BUSY_H

#include "tasks.h"

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

/* Tasks of 1 µs, submitted and collected: the wall time over the ideal one, which is the work alone, done one after the other
 * in this very process, shared out to as many workers as there are CPUs for. */
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

    run_and_collect(r, work);

    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    double lanes = cpus > 0 && (size_t)cpus < r->workers ? (double)cpus : (double)r->workers;
    r->value = r->wall_ns / (alone / lanes);
}

static void *sleep_1_ms(void *arg)
{
    sleep_for(0.001);
    return arg;
}

typedef struct sleeper {
    pthread_t thread;
    size_t n;
} sleeper;

static void *sleep_share(void *arg)
{
    for (size_t i = 0; i < ((sleeper *)arg)->n; i++)
        sleep_1_ms(NULL);
    return NULL;
}

/* Tasks that sleep 1 ms: the wall time over that of as many plain threads as workers, each sleeping its share, in this very
 * process. */
static void workload_sleepers(run *r)
{
    sleeper *sleepers = NEW_ARRAY(sleeper, r->workers);
    double plain = -(double)monotonic_ns();
    for (size_t i = 0; i < r->workers; i++) {
        sleepers[i].n = r->tasks / r->workers + (i < r->tasks % r->workers);
        check(pthread_create(&sleepers[i].thread, NULL, sleep_share, &sleepers[i]) == 0, "pthread_create");
    }
    for (size_t i = 0; i < r->workers; i++)
        pthread_join(sleepers[i].thread, NULL);
    plain += (double)monotonic_ns();
    FREE_ARRAY(sleepers);

    run_and_collect(r, sleep_1_ms);
    r->value = r->wall_ns / plain;
}

#endif
