/* What the workloads (workloads.h) call, on APR-util's apr_thread_pool: apr_thread_pool_push with a structure per task. The
 * pool has no future and drops what is pending when it is destroyed, so the adapter does what its users do: a mutex and a
 * condition variable per result, and a count of the tasks nobody waits for. */
#ifndef SUBJECT_APR_H
#define SUBJECT_APR_H

#include <apr_errno.h>
#include <apr_general.h>
#include <apr_thread_pool.h>
#include <apr_version.h>
#include <apu_version.h>
#include <pthread.h>
#include <stdbool.h>

#include "refusal.h"

#define SUBJECT_NAME "APR"

static const refusal subject_refusals[] = {REFUSES_NESTING, NO_MORE_REFUSALS};

typedef struct subject_pool {
    apr_pool_t *memory;
    apr_thread_pool_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t all_ran;
    size_t forgotten; /* tasks of subject_execute that have not run yet */
} subject_pool;

typedef struct subject_task {
    subject_pool *pool;
    void *(*fn)(void *);
    void *value; /* the argument, then the result */
} subject_task;

typedef struct subject_awaited_task {
    subject_task task;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_done;
} subject_awaited_task, *subject_future;

static inline void subject_print_version(void) { printf("APR %s, APR-util %s\n", apr_version_string(), apu_version_string()); }

static void subject_must(apr_status_t status)
{
    char text[128];
    if (status == APR_SUCCESS)
        return;
    fprintf(stderr, "APR: %s\n", apr_strerror(status, text, sizeof text));
    exit(1);
}

static inline void *subject_allocate(size_t size)
{
    void *memory = malloc(size);
    subject_must(memory ? APR_SUCCESS : APR_ENOMEM);
    return memory;
}

static void *APR_THREAD_FUNC subject_run(apr_thread_t *thread, void *data)
{
    (void)thread;
    subject_future future = (subject_future)data;
    void *result = future->task.fn(future->task.value);
    pthread_mutex_lock(&future->mutex);
    future->task.value = result;
    future->is_done = true;
    pthread_cond_signal(&future->changed);
    pthread_mutex_unlock(&future->mutex);
    return NULL;
}

static void *APR_THREAD_FUNC subject_run_forgotten(apr_thread_t *thread, void *data)
{
    (void)thread;
    subject_task *task = (subject_task *)data;
    subject_pool *pool = task->pool;
    task->fn(task->value);
    free(task);
    pthread_mutex_lock(&pool->mutex);
    if (--pool->forgotten == 0)
        pthread_cond_signal(&pool->all_ran);
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static inline subject_pool *subject_new(size_t workers)
{
    subject_pool *pool = (subject_pool *)subject_allocate(sizeof *pool);
    subject_must(apr_initialize());
    subject_must(apr_pool_create(&pool->memory, NULL));
    subject_must(apr_thread_pool_create(&pool->threads, workers, workers, pool->memory));
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->all_ran, NULL);
    pool->forgotten = 0;
    return pool;
}

static inline void subject_free(subject_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->forgotten)
        pthread_cond_wait(&pool->all_ran, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    subject_must(apr_thread_pool_destroy(pool->threads));
    apr_pool_destroy(pool->memory);
    apr_terminate();
    pthread_cond_destroy(&pool->all_ran);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

static inline void subject_push(subject_pool *pool, subject_task *task, void *(*fn)(void *), void *arg, apr_thread_start_t run)
{
    task->pool = pool;
    task->fn = fn;
    task->value = arg;
    subject_must(apr_thread_pool_push(pool->threads, run, task, APR_THREAD_TASK_PRIORITY_NORMAL, NULL));
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_future future = (subject_future)subject_allocate(sizeof *future);
    pthread_mutex_init(&future->mutex, NULL);
    pthread_cond_init(&future->changed, NULL);
    future->is_done = false;
    subject_push(pool, &future->task, fn, arg, subject_run);
    return future;
}

static inline void *subject_result(subject_future *handle)
{
    subject_future future = *handle;
    pthread_mutex_lock(&future->mutex);
    while (!future->is_done)
        pthread_cond_wait(&future->changed, &future->mutex);
    pthread_mutex_unlock(&future->mutex);
    void *result = future->task.value;
    pthread_cond_destroy(&future->changed);
    pthread_mutex_destroy(&future->mutex);
    free(future);
    return result;
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    pthread_mutex_lock(&pool->mutex);
    pool->forgotten++;
    pthread_mutex_unlock(&pool->mutex);
    subject_push(pool, (subject_task *)subject_allocate(sizeof(subject_task)), fn, arg, subject_run_forgotten);
}

#endif
