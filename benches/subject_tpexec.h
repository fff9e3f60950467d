/* What the workloads (workloads.h) call, on libtpexec: its public API, nothing else. */
#ifndef SUBJECT_TPEXEC_H
#define SUBJECT_TPEXEC_H

#include <tpexec.h>

#include "refusal.h"

#define SUBJECT_NAME "tpexec"
#define SUBJECT_SUBMITS_MANY

typedef tp_executor subject_pool;
typedef tp_future *subject_future;

static const refusal subject_refusals[] = {NO_MORE_REFUSALS};

/* A refused call would make the figures meaningless: end the run, with the reason. */
static void subject_die(const char *call)
{
    fprintf(stderr, "%s: %s\n", call, tp_last_error_message());
    exit(1);
}

static inline void subject_print_version(void) { printf("libtpexec %s\n", tp_version_string()); }

static inline subject_pool *subject_new(size_t workers)
{
    subject_pool *pool = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = workers));
    if (!pool)
        subject_die("tp_executor_new");
    return pool;
}

static inline void subject_free(subject_pool *pool) /* runs what was submitted first */
{
    tp_executor_free(pool);
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_future future = tp_submit(pool, fn, arg);
    if (!future)
        subject_die("tp_submit");
    return future;
}

static inline void subject_submit_many(subject_pool *pool, void *(*fn)(void *), void *const *args, size_t n,
                                       subject_future *futures)
{
    if (tp_submit_many(pool, fn, args, n, futures) != TP_OK)
        subject_die("tp_submit_many");
}

static inline void *subject_result(subject_future *future) /* waits, and gives the handle back */
{
    void *result = NULL;
    if (tp_future_result(*future, TP_FOREVER, &result) != TP_OK)
        subject_die("tp_future_result");
    tp_future_release(*future);
    return result;
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    if (tp_execute(pool, fn, arg) != TP_OK)
        subject_die("tp_execute");
}

#endif
