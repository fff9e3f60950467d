/* What the workloads (workloads.h) call, on libdispatch, as its reference has it: dispatch_async_f to a concurrent queue, with
 * a semaphore where the result is wanted. The library starts as many threads as there are CPUs and cannot be told otherwise; a
 * serial queue stands for one worker. */
#ifndef SUBJECT_DISPATCH_H
#define SUBJECT_DISPATCH_H

#include <dispatch/dispatch.h>
#include <stddef.h>
#include <unistd.h>

#include "refusal.h"

#define SUBJECT_NAME "libdispatch"

static const refusal subject_refusals[] = {REFUSES_NESTING, NO_MORE_REFUSALS};

typedef struct dispatch_queue_s subject_pool;

typedef struct subject_task {
    void *(*fn)(void *);
    void *value; /* the argument, then the result */
    dispatch_semaphore_t done;
} subject_task, *subject_future;

static inline void subject_print_version(void) { printf("libdispatch, API %d\n", DISPATCH_API_VERSION); }

static inline subject_pool *subject_new(size_t workers)
{
    if (workers != 1 && (long)workers != sysconf(_SC_NPROCESSORS_ONLN))
        refuse("the number of workers cannot be set: one, or as many as CPUs");
    return dispatch_queue_create("benchmark", workers == 1 ? DISPATCH_QUEUE_SERIAL : DISPATCH_QUEUE_CONCURRENT);
}

static void subject_drained(void *queue) { (void)queue; }

static inline void subject_free(subject_pool *queue)
{
    dispatch_barrier_sync_f(queue, queue, subject_drained); /* after everything that was submitted */
    dispatch_release(queue);
}

static void subject_run(void *data)
{
    subject_future task = (subject_future)data;
    task->value = task->fn(task->value);
    dispatch_semaphore_signal(task->done);
}

static void subject_run_forgotten(void *data)
{
    subject_task *task = (subject_task *)data;
    task->fn(task->value);
    free(task);
}

static inline subject_task *subject_task_new(void *(*fn)(void *), void *arg)
{
    subject_task *task = (subject_task *)malloc(sizeof *task);
    if (!task)
        abort();
    task->fn = fn;
    task->value = arg;
    return task;
}

static inline subject_future subject_submit(subject_pool *queue, void *(*fn)(void *), void *arg)
{
    subject_future task = subject_task_new(fn, arg);
    task->done = dispatch_semaphore_create(0);
    dispatch_async_f(queue, task, subject_run);
    return task;
}

static inline void *subject_result(subject_future *future)
{
    subject_future task = *future;
    dispatch_semaphore_wait(task->done, DISPATCH_TIME_FOREVER);
    dispatch_release(task->done);
    void *result = task->value;
    free(task);
    return result;
}

static inline void subject_execute(subject_pool *queue, void *(*fn)(void *), void *arg)
{
    dispatch_async_f(queue, subject_task_new(fn, arg), subject_run_forgotten);
}

#endif
