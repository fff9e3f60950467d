/* What the workloads (workloads.h) call, on the pool that C++ programmers write themselves: std::queue<std::packaged_task>
 * behind one std::mutex and one std::condition_variable, as in the books and the answers. */
#ifndef SUBJECT_TEXTBOOK_HPP
#define SUBJECT_TEXTBOOK_HPP

#include <condition_variable>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

#include "peers/std_future.hpp"
#include "refusal.h"

#define SUBJECT_NAME "textbook"

static const refusal subject_refusals[] = {REFUSES_NESTING, NO_MORE_REFUSALS};

class subject_pool {
public:
    explicit subject_pool(std::size_t workers)
    {
        for (std::size_t i = 0; i < workers; i++)
            threads.emplace_back([this] { work(); });
    }

    ~subject_pool() // runs what was submitted first
    {
        {
            std::lock_guard<std::mutex> lock(mutex);
            stopping = true;
        }
        changed.notify_all();
        for (std::thread &thread : threads)
            thread.join();
    }

    template <typename Function>
    std::future<void *> submit(Function &&function)
    {
        std::packaged_task<void *()> task(std::forward<Function>(function));
        std::future<void *> future = task.get_future();
        {
            std::lock_guard<std::mutex> lock(mutex);
            tasks.push(std::move(task));
        }
        changed.notify_one();
        return future;
    }

private:
    void work()
    {
        for (;;) {
            std::packaged_task<void *()> task;
            {
                std::unique_lock<std::mutex> lock(mutex);
                changed.wait(lock, [this] { return stopping || !tasks.empty(); });
                if (tasks.empty())
                    return;
                task = std::move(tasks.front());
                tasks.pop();
            }
            task();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::queue<std::packaged_task<void *()>> tasks;
    bool stopping = false;
    std::vector<std::thread> threads;
};

static inline void subject_print_version() { puts("textbook C++ pool, compiler " __VERSION__); }

static inline subject_pool *subject_new(std::size_t workers) { return new subject_pool(workers); }
static inline void subject_free(subject_pool *pool) { delete pool; }

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return pool->submit([fn, arg] { return fn(arg); });
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    subject_submit(pool, fn, arg); // the future of a packaged_task may be dropped
}

#endif
