/* What the workloads (workloads.h) call, on enkiTS, as its README and examples have it: an ITaskSet per task,
 * AddTaskSetToPipe, WaitforTask, which runs other tasks meanwhile; outside threads are registered; a task nobody waits for is
 * deleted by a completion action. */
#ifndef SUBJECT_ENKITS_HPP
#define SUBJECT_ENKITS_HPP

#include <TaskScheduler.h>

#include "refusal.h"

#define SUBJECT_NAME "enkiTS"

#define REFUSES_TO_QUEUE "its queue holds 256 tasks; the thread that submits more runs them itself"

static const refusal subject_refusals[] = {
    {"memory", REFUSES_TO_QUEUE},
    {"memory_execute", REFUSES_TO_QUEUE},
    NO_MORE_REFUSALS,
};

struct subject_task : enki::ITaskSet {
    subject_task(void *(*fn_)(void *), void *arg_) : fn(fn_), value(arg_) {}
    void ExecuteRange(enki::TaskSetPartition, uint32_t) override { value = fn(value); }

    void *(*fn)(void *);
    void *value; // the argument, then the result
};

struct subject_deleter : enki::ICompletable {
    void OnDependenciesComplete(enki::TaskScheduler *scheduler, uint32_t thread) override
    {
        enki::ICompletable::OnDependenciesComplete(scheduler, thread);
        delete dependency.GetDependencyTask(); // and with it this action
    }

    enki::Dependency dependency;
};

struct subject_forgotten_task : subject_task {
    subject_forgotten_task(void *(*fn_)(void *), void *arg_) : subject_task(fn_, arg_)
    {
        deleter.SetDependency(deleter.dependency, this);
    }

    subject_deleter deleter;
};

using subject_pool = enki::TaskScheduler;
using subject_future = subject_task *;

static inline void subject_print_version() { puts("enkiTS " PEER_VERSION); }

static inline subject_pool *subject_new(std::size_t workers)
{
    enki::TaskSchedulerConfig config;
    config.numTaskThreadsToCreate = static_cast<uint32_t>(workers);
    config.numExternalTaskThreads = 4; // as many as `producers` has; the thread that makes the pool needs none
    subject_pool *pool = new subject_pool;
    pool->Initialize(config);
    return pool;
}

static inline void subject_free(subject_pool *pool)
{
    pool->WaitforAllAndShutdown();
    delete pool;
}

/* Registers an outside thread with the scheduler at its first use and takes it off as the thread ends. */
struct subject_registration {
    explicit subject_registration(subject_pool *pool_) : pool(pool_->GetThreadNum() == enki::NO_THREAD_NUM ? pool_ : nullptr)
    {
        if (pool)
            pool->RegisterExternalTaskThread();
    }

    ~subject_registration()
    {
        if (pool)
            pool->DeRegisterExternalTaskThread();
    }

    subject_registration(const subject_registration &) = delete;
    subject_registration &operator=(const subject_registration &) = delete;

    subject_pool *pool; // null for a thread that needs no registration
};

static thread_local subject_pool *subject_current; // what subject_result waits with

static inline void subject_start(subject_pool *pool, subject_task *task)
{
    if (!subject_current) {
        static thread_local subject_registration registration(pool);
        subject_current = pool;
    }
    pool->AddTaskSetToPipe(task);
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_task *task = new subject_task(fn, arg);
    subject_start(pool, task);
    return task;
}

static inline void *subject_result(subject_future *future)
{
    subject_task *task = *future;
    subject_current->WaitforTask(task);
    void *result = task->value;
    delete task;
    return result;
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_start(pool, new subject_forgotten_task(fn, arg));
}

#endif
