/* What the workloads (workloads.h) call, on the control: the textbook Rust pool of control/src/lib.rs. */
#ifndef SUBJECT_CONTROL_H
#define SUBJECT_CONTROL_H

#include <stddef.h>

#include "control/control.h"

#define SUBJECT_NAME "control"
#define SUBJECT_CAN_NEST 0 /* a waiting task blocks its thread: nested waits would stop for ever */

typedef control_pool subject_pool;
typedef void *subject_future;

static inline subject_pool *subject_new(size_t workers) { return control_pool_new(workers); }
static inline void subject_free(subject_pool *pool) { control_pool_free(pool); }

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return control_submit(pool, fn, arg);
}

/* A channel has no way to send many at once: one by one is what a user of such a pool would write. */
static inline void subject_submit_many(subject_pool *pool, void *(*fn)(void *), void *const *args, size_t n,
                                       subject_future *futures)
{
    for (size_t i = 0; i < n; i++)
        futures[i] = control_submit(pool, fn, args[i]);
}

static inline void *subject_result(subject_future future) { return control_result(future); }

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    control_execute(pool, fn, arg);
}

#endif
