/* What the workloads (workloads.h) call, on Taskflow 4, as its cookbook has it ("Asynchronous Tasking"): Executor::async for a
 * result, silent_async without one, a TaskGroup and its corun for fork-join inside a task. */
#ifndef SUBJECT_TASKFLOW_HPP
#define SUBJECT_TASKFLOW_HPP

#include <taskflow/taskflow.hpp>

#include "peers/std_future.hpp"
#include "refusal.h"

#define SUBJECT_NAME "Taskflow"
#define SUBJECT_FORKS

static const refusal subject_refusals[] = {NO_MORE_REFUSALS};

using subject_pool = tf::Executor;

static inline void subject_print_version() { printf("Taskflow %s\n", tf::version()); }

static inline subject_pool *subject_new(std::size_t workers) { return new subject_pool(workers); }
static inline void subject_free(subject_pool *pool) { delete pool; } // waits for all

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return pool->async([fn, arg] { return fn(arg); });
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    pool->silent_async([fn, arg] { fn(arg); });
}

using subject_group = tf::TaskGroup;
using subject_child = void *; // the task's result

static inline subject_group subject_open(subject_pool *pool) { return pool->task_group(); }

static inline void subject_fork(subject_group *group, subject_child *child, void *(*fn)(void *), void *arg)
{
    group->silent_async([child, fn, arg] { *child = fn(arg); });
}

static inline void *subject_join(subject_group *group, subject_child *child)
{
    group->corun();
    return *child;
}

#endif
