/* Workloads that look at a pool while nothing moves in it: tasks that wait for their turn, workers that have nothing to do. */
#ifndef WORKLOADS_STILL_H
#define WORKLOADS_STILL_H

#include "tasks.h"

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

/* Returns once every worker has started and is blocked in a task. */
static subject_future *hold_workers(subject_pool *pool, size_t workers)
{
    subject_future *gates = NEW_ARRAY(subject_future, workers);
    sem_init(&gate_reached, 0, 0);
    sem_init(&gate_open, 0, 0);
    submit_each(pool, gates, pass_gate, workers);
    for (size_t i = 0; i < workers; i++)
        wait_for(&gate_reached);
    return gates;
}

static void let_workers_go(subject_future *gates, size_t workers)
{
    for (size_t i = 0; i < workers; i++)
        sem_post(&gate_open);
    collect_each(gates, workers);
    FREE_ARRAY(gates);
}

/* Resident memory per pending task, behind workers that are all blocked. The array of futures is the caller's and not counted. */
static void measure_memory(run *r, bool with_futures)
{
    subject_future *futures = NEW_ARRAY(subject_future, r->tasks);
    begin(r);
    subject_pool *pool = subject_new(r->workers);
    subject_future *gates = hold_workers(pool, r->workers);

    double before = resident_bytes();
    if (with_futures)
        submit_each(pool, futures, identity, r->tasks);
    else
        for (size_t i = 0; i < r->tasks; i++)
            subject_execute(pool, count, NULL);
    r->value = (resident_bytes() - before) / (double)r->tasks;

    let_workers_go(gates, r->workers);
    if (with_futures)
        collect_each(futures, r->tasks);
    subject_free(pool);
    end(r);
    check(with_futures || counted() == r->tasks, "the number of tasks that ran");
    FREE_ARRAY(futures);
}

static void workload_memory(run *r) { measure_memory(r, true); }
static void workload_memory_execute(run *r) { measure_memory(r, false); }

/* CPU time and wake-ups of all workers together while the pool has nothing to do, per second. */
static void workload_idle(run *r)
{
    subject_pool *pool = subject_new(r->workers);
    let_workers_go(hold_workers(pool, r->workers), r->workers);
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
}

#endif
