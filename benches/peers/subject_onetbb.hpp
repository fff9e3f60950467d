/* What the workloads (workloads.h) call, on oneTBB, as its Developer Guide has it: task_arena::enqueue for work from outside
 * threads, with a shared std::packaged_task where the result is wanted (oneTBB has no future, and copies what it is given);
 * the same with task_group::defer for work that is only waited for in the end; task_group::run and wait for fork-join inside a
 * task. */
#ifndef SUBJECT_ONETBB_HPP
#define SUBJECT_ONETBB_HPP

#define TBB_PREVIEW_WAITING_FOR_WORKERS 1 /* task_scheduler_handle, in versions that do not have it unasked */
#include <memory>
#include <new>
#include <oneapi/tbb.h>

#include "peers/std_future.hpp"
#include "refusal.h"

#define SUBJECT_NAME "oneTBB"
#define SUBJECT_FORKS

static const refusal subject_refusals[] = {NO_MORE_REFUSALS};

struct subject_pool {
    /* Without the limit oneTBB starts no more threads than there are CPUs. The outside thread counts as one. */
    explicit subject_pool(std::size_t workers)
        : limit(tbb::global_control::max_allowed_parallelism, workers + 1), arena(static_cast<int>(workers), 0)
    {
    }

    tbb::global_control limit;
    tbb::task_arena arena;
    tbb::task_group forgotten;
};

static inline void subject_print_version() { printf("oneTBB %s\n", TBB_VERSION_STRING); }

static inline subject_pool *subject_new(std::size_t workers) { return new subject_pool(workers); }

static inline void subject_free(subject_pool *pool)
{
    tbb::task_scheduler_handle library{tbb::attach{}};
    pool->arena.execute([pool] { pool->forgotten.wait(); });
    delete pool;
    tbb::finalize(library, std::nothrow); // ends the threads, as freeing the others' pools does
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    auto task = std::make_shared<std::packaged_task<void *()>>([fn, arg] { return fn(arg); });
    pool->arena.enqueue([task] { (*task)(); });
    return task->get_future();
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    pool->arena.enqueue(pool->forgotten.defer([fn, arg] { fn(arg); }));
}

using subject_group = tbb::task_group;
using subject_child = void *; // the task's result

static inline subject_group subject_open(subject_pool *) { return subject_group(); }

static inline void subject_fork(subject_group *group, subject_child *child, void *(*fn)(void *), void *arg)
{
    group->run([child, fn, arg] { *child = fn(arg); });
}

static inline void *subject_join(subject_group *group, subject_child *child)
{
    group->wait();
    return *child;
}

#endif
