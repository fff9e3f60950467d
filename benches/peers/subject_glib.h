/* What the workloads (workloads.h) call, on GLib's GThreadPool, as its reference has it: an exclusive pool, g_thread_pool_push
 * with a structure per task; the result is handed back under a GMutex with a GCond, since the pool has no future. */
#ifndef SUBJECT_GLIB_H
#define SUBJECT_GLIB_H

#include <glib.h>
#include <stdbool.h>

#include "refusal.h"

#define SUBJECT_NAME "GLib GThreadPool"

static const refusal subject_refusals[] = {REFUSES_NESTING, NO_MORE_REFUSALS};

typedef GThreadPool subject_pool;

typedef struct subject_task {
    void *(*fn)(void *);
    void *value;     /* the argument, then the result */
    bool is_awaited; /* else nobody holds a future, and the worker frees it */
} subject_task;

typedef struct subject_awaited_task {
    subject_task task;
    GMutex mutex;
    GCond changed;
    bool is_done;
} subject_awaited_task, *subject_future;

static inline void subject_print_version(void)
{
    printf("GLib %u.%u.%u\n", glib_major_version, glib_minor_version, glib_micro_version);
}

static void subject_run(gpointer data, gpointer user_data)
{
    (void)user_data;
    subject_task *task = (subject_task *)data;
    void *result = task->fn(task->value);
    if (!task->is_awaited) {
        g_free(task);
        return;
    }
    subject_future future = (subject_future)data;
    g_mutex_lock(&future->mutex);
    task->value = result;
    future->is_done = true;
    g_cond_signal(&future->changed);
    g_mutex_unlock(&future->mutex);
}

static inline subject_pool *subject_new(size_t workers)
{
    subject_pool *pool = g_thread_pool_new(subject_run, NULL, (gint)workers, TRUE, NULL);
    if (!pool)
        g_error("g_thread_pool_new");
    return pool;
}

static inline void subject_free(subject_pool *pool) { g_thread_pool_free(pool, FALSE, TRUE); } /* runs what was pushed first */

static inline void subject_push(subject_pool *pool, subject_task *task, void *(*fn)(void *), void *arg, bool is_awaited)
{
    task->fn = fn;
    task->value = arg;
    task->is_awaited = is_awaited;
    g_thread_pool_push(pool, task, NULL); /* an exclusive pool has its threads: no error is possible */
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_future future = g_new(subject_awaited_task, 1);
    g_mutex_init(&future->mutex);
    g_cond_init(&future->changed);
    future->is_done = false;
    subject_push(pool, &future->task, fn, arg, true);
    return future;
}

static inline void *subject_result(subject_future *handle)
{
    subject_future future = *handle;
    g_mutex_lock(&future->mutex);
    while (!future->is_done)
        g_cond_wait(&future->changed, &future->mutex);
    g_mutex_unlock(&future->mutex);
    void *result = future->task.value;
    g_mutex_clear(&future->mutex);
    g_cond_clear(&future->changed);
    g_free(future);
    return result;
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_push(pool, g_new(subject_task, 1), fn, arg, false);
}

#endif
