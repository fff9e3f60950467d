/* What the workloads (workloads.h) call, on std::async(std::launch::async, …): a thread per task, no pool to make or to free. */
#ifndef SUBJECT_STD_ASYNC_HPP
#define SUBJECT_STD_ASYNC_HPP

#include "peers/std_future.hpp"
#include "refusal.h"

#define SUBJECT_NAME "std::async"

#define REFUSES_FORGETTING "the destructor of its future waits for the task: nothing can be fired and forgotten"
#define REFUSES_TO_QUEUE "every task gets a thread at once: no task is ever pending"

static const refusal subject_refusals[] = {
    {"fib", "every task gets a thread at once: fib(27) needs hundreds of thousands of them"},
    {"sleepers", "every task gets a thread at once: the number of workers cannot be set"},
    {"idle", "there are no workers between tasks"},
    {"memory", REFUSES_TO_QUEUE},
    {"memory_execute", REFUSES_TO_QUEUE},
    {"execute", REFUSES_FORGETTING},
    {"inside_execute", REFUSES_FORGETTING},
    NO_MORE_REFUSALS,
};

struct subject_pool {};

static inline void subject_print_version() { puts("std::async, compiler " __VERSION__); }

static inline subject_pool *subject_new(std::size_t) { return nullptr; }
static inline void subject_free(subject_pool *) {}

static inline subject_future subject_submit(subject_pool *, void *(*fn)(void *), void *arg)
{
    return std::async(std::launch::async, fn, arg);
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg) { subject_submit(pool, fn, arg); }

#endif
