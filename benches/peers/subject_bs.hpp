/* What the workloads (workloads.h) call, on BS::thread_pool, as its README has it: submit_task for a std::future, detach_task
 * without; the destructor waits for all tasks. */
#ifndef SUBJECT_BS_HPP
#define SUBJECT_BS_HPP

#include <BS_thread_pool.hpp>

#include "peers/std_future.hpp"
#include "refusal.h"

#define SUBJECT_NAME "BS::thread_pool"

static const refusal subject_refusals[] = {REFUSES_NESTING, NO_MORE_REFUSALS};

using subject_pool = BS::light_thread_pool;

static inline void subject_print_version() { printf("BS::thread_pool %s\n", BS::thread_pool_version.to_string().c_str()); }

static inline subject_pool *subject_new(std::size_t workers) { return new subject_pool(workers); }
static inline void subject_free(subject_pool *pool) { delete pool; }

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return pool->submit_task([fn, arg] { return fn(arg); });
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    pool->detach_task([fn, arg] { fn(arg); });
}

#endif
