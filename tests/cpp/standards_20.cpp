// The C++20 half of the program of two standards.
#include "standards.hpp"

#include <condition_variable>
#include <mutex>

tp::future<int> submit_stoppable(tp::executor &pool, void (*started)(void *), void *data) {
    return pool.submit([started, data](std::stop_token token) {
        std::mutex mutex;
        std::condition_variable_any stopped;
        std::unique_lock lock(mutex);
        started(data);
        stopped.wait(lock, token, [] { return false; });
        return 20;
    });
}
