/* What the workloads (workloads.h) call, on the control: the textbook Rust pool of control/src/lib.rs. */
#ifndef SUBJECT_CONTROL_H
#define SUBJECT_CONTROL_H

#include <stddef.h>

#include "control/control.h"
#include "refusal.h"

#define SUBJECT_NAME "control"

static const refusal subject_refusals[] = {REFUSES_NESTING, NO_MORE_REFUSALS};

typedef control_pool subject_pool;
typedef void *subject_future;

static inline void subject_print_version(void) { puts("control (the textbook Rust pool in benches/control)"); }

static inline subject_pool *subject_new(size_t workers) { return control_pool_new(workers); }
static inline void subject_free(subject_pool *pool) { control_pool_free(pool); }

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return control_submit(pool, fn, arg);
}

static inline void *subject_result(subject_future *future) { return control_result(*future); }

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    control_execute(pool, fn, arg);
}

#endif
