/* What the workloads (workloads.h) call, on libuv's thread pool. uv_queue_work belongs to the thread of its loop, so every
 * thread that submits runs a loop of its own, as the guide has it for several loops: the workers are shared by all loops. The
 * result is there once the loop has called back; the number of workers is what UV_THREADPOOL_SIZE says at the first task. */
#ifndef SUBJECT_LIBUV_H
#define SUBJECT_LIBUV_H

#include <stdbool.h>
#include <uv.h>

#include "refusal.h"

#define SUBJECT_NAME "libuv"

static const refusal subject_refusals[] = {
    REFUSES_NESTING,
    {"inside_execute", "a task would have to run a loop until all of its tasks are done: it cannot forget them"},
    NO_MORE_REFUSALS,
};

typedef struct subject_loop {
    uv_loop_t loop;
    struct subject_loop *next;
} subject_loop;

typedef struct subject_pool {
    uv_mutex_t mutex;
    subject_loop *loops;
} subject_pool;

typedef struct subject_task {
    uv_work_t request;
    void *(*fn)(void *);
    void *value; /* the argument, then the result */
    bool is_done;
} subject_task, *subject_future;

static inline void subject_print_version(void) { printf("libuv %s\n", uv_version_string()); }

static void subject_must(int status)
{
    if (status == 0)
        return;
    fprintf(stderr, "libuv: %s\n", uv_strerror(status));
    exit(1);
}

static inline subject_pool *subject_new(size_t workers)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", workers);
    subject_must(uv_os_setenv("UV_THREADPOOL_SIZE", text));
    subject_pool *pool = (subject_pool *)malloc(sizeof *pool);
    subject_must(pool ? uv_mutex_init(&pool->mutex) : UV_ENOMEM);
    pool->loops = NULL;
    return pool;
}

static inline void subject_free(subject_pool *pool)
{
    while (pool->loops) {
        subject_loop *first = pool->loops;
        pool->loops = first->next;
        uv_run(&first->loop, UV_RUN_DEFAULT); /* until nothing is left to call back */
        subject_must(uv_loop_close(&first->loop));
        free(first);
    }
    uv_mutex_destroy(&pool->mutex);
    free(pool);
    uv_library_shutdown(); /* ends the threads */
}

/* The calling thread's loop. */
static inline uv_loop_t *subject_loop_here(subject_pool *pool)
{
    static _Thread_local subject_loop *here;
    if (!here) {
        here = (subject_loop *)malloc(sizeof *here);
        subject_must(here ? uv_loop_init(&here->loop) : UV_ENOMEM);
        uv_mutex_lock(&pool->mutex);
        here->next = pool->loops;
        pool->loops = here;
        uv_mutex_unlock(&pool->mutex);
    }
    return &here->loop;
}

static void subject_run(uv_work_t *request)
{
    subject_task *task = (subject_task *)request->data;
    task->value = task->fn(task->value);
}

static void subject_done(uv_work_t *request, int status)
{
    subject_must(status);
    ((subject_task *)request->data)->is_done = true;
}

static void subject_forget(uv_work_t *request, int status)
{
    subject_must(status);
    free(request->data);
}

static inline subject_future subject_queue(subject_pool *pool, void *(*fn)(void *), void *arg, uv_after_work_cb after)
{
    subject_task *task = (subject_task *)malloc(sizeof *task);
    subject_must(task ? 0 : UV_ENOMEM);
    task->request.data = task;
    task->fn = fn;
    task->value = arg;
    task->is_done = false;
    subject_must(uv_queue_work(subject_loop_here(pool), &task->request, subject_run, after));
    return task;
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return subject_queue(pool, fn, arg, subject_done);
}

static inline void *subject_result(subject_future *future)
{
    subject_task *task = *future;
    while (!task->is_done)
        uv_run(task->request.loop, UV_RUN_ONCE);
    void *result = task->value;
    free(task);
    return result;
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_queue(pool, fn, arg, subject_forget);
}

#endif
