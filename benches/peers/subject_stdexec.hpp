/* What the workloads (workloads.h) call, on stdexec's static_thread_pool, as its examples have it: schedule() | then(), made
 * to start at once by async_scope: spawn_future() where the result is wanted, which sync_wait() collects; spawn() where not. */
#ifndef SUBJECT_STDEXEC_HPP
#define SUBJECT_STDEXEC_HPP

#include <exec/async_scope.hpp>
#include <exec/static_thread_pool.hpp>
#include <optional>
#include <stdexec/execution.hpp>
#include <utility>

#include "refusal.h"

#define SUBJECT_NAME "stdexec"

static const refusal subject_refusals[] = {
    REFUSES_NESTING,
    {"inside", "what a task submits waits in the queue of its own thread, which sync_wait blocks for ever"},
    NO_MORE_REFUSALS,
};

struct subject_call {
    void *operator()() const noexcept { return fn(arg); }

    void *(*fn)(void *);
    void *arg;
};

struct subject_forgotten_call : subject_call {
    void operator()() const noexcept { subject_call::operator()(); }
};

struct subject_pool {
    explicit subject_pool(std::size_t workers) : threads(static_cast<std::uint32_t>(workers)) {}

    template <typename Call>
    auto start_on_pool(Call call)
    {
        return stdexec::then(stdexec::schedule(threads.get_scheduler()), call);
    }

    exec::static_thread_pool threads;
    exec::async_scope scope;
};

using subject_sender = decltype(std::declval<subject_pool &>().scope.spawn_future(
    std::declval<subject_pool &>().start_on_pool(std::declval<subject_call>())));
using subject_future = std::optional<subject_sender>;

static inline void subject_print_version() { puts("stdexec " PEER_VERSION); }

static inline subject_pool *subject_new(std::size_t workers) { return new subject_pool(workers); }

static inline void subject_free(subject_pool *pool)
{
    stdexec::sync_wait(pool->scope.on_empty());
    delete pool;
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return subject_future(pool->scope.spawn_future(pool->start_on_pool(subject_call{fn, arg})));
}

static inline void *subject_result(subject_future *future)
{
    auto [result] = stdexec::sync_wait(*std::move(*future)).value();
    future->reset();
    return result;
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    pool->scope.spawn(pool->start_on_pool(subject_forgotten_call{{fn, arg}}));
}

#endif
