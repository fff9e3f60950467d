/* The workloads of the benchmark, written once against the few calls of an adapter, so that every subject runs the same loops.
 *
 * One process runs one workload once (driver.c), so that page faults, thread starts and the giving back of memory are part of
 * every round. The clock runs from before the pool is made until it is freed. Each workload checks what its tasks computed and
 * ends the process with status 1 if that is wrong: a pool that loses tasks must not win.
 *
 * An adapter (subject_*.h for a C API, *.hpp for a C++ one) maps to its subject's API:
 *
 *   SUBJECT_NAME, subject_print_version()
 *   subject_refusals            what the subject cannot do (refusal.h)
 *   subject_pool, subject_new(workers), subject_free(pool)      free runs what was submitted first
 *   subject_future, subject_submit(pool, fn, arg), subject_result(&future)    result waits, and gives the future back
 *   subject_execute(pool, fn, arg)                              fire and forget
 *
 * and where the subject has them, announced by the macro of that name:
 *
 *   SUBJECT_SUBMITS_MANY        subject_submit_many(pool, fn, args, n, futures)
 *   SUBJECT_FORKS               another way than the future for a task to wait for tasks of its own: subject_group,
 *                               subject_open(pool), subject_child, subject_fork(&group, &child, fn, arg),
 *                               subject_join(&group, &child) */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include <pthread.h>
#include <semaphore.h>

#include "measure.h"

#ifndef SUBJECT_SUBMITS_MANY
/* One by one is what the users of such a pool write. */
static inline void subject_submit_many(subject_pool *pool, void *(*fn)(void *), void *const *args, size_t n,
                                       subject_future *futures)
{
    for (size_t i = 0; i < n; i++)
        futures[i] = subject_submit(pool, fn, args[i]);
}
#endif

#ifndef SUBJECT_FORKS
typedef subject_pool *subject_group;
typedef subject_future subject_child;

static inline subject_group subject_open(subject_pool *pool) { return pool; }

static inline void subject_fork(subject_group *group, subject_child *child, void *(*fn)(void *), void *arg)
{
    *child = subject_submit(*group, fn, arg);
}

static inline void *subject_join(subject_group *group, subject_child *child)
{
    (void)group;
    return subject_result(child);
}
#endif

#include "workloads/busy.h"
#include "workloads/inside.h"
#include "workloads/outside.h"
#include "workloads/still.h"

typedef struct workload {
    const char *name;
    void (*body)(run *);
    const char *unit; /* PER_TASK: the driver divides the wall time; else the workload computes its value */
} workload;

#define PER_TASK "ns/task"

static const workload workloads[] = {
    {"collect", workload_collect, PER_TASK},
    {"windows", workload_windows, PER_TASK},
    {"many", workload_many, PER_TASK},
    {"execute", workload_execute, PER_TASK},
    {"round_trip", workload_round_trip, PER_TASK},
    {"producers", workload_producers, PER_TASK},
    {"fib", workload_fib, PER_TASK},
    {"inside", workload_inside, PER_TASK},
    {"inside_execute", workload_inside_execute, PER_TASK},
    {"one_us", workload_one_us, "wall/ideal"},
    {"sleepers", workload_sleepers, "wall/plain"},
    {"memory", workload_memory, "B/task"},
    {"memory_execute", workload_memory_execute, "B/task"},
    {"idle", workload_idle, "us CPU/s"},
};

#endif
