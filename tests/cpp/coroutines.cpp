// co_await on futures and on executor::schedule(), in a coroutine type that knows nothing of this library.
#include "support.hpp"

#if TPEXEC_HAS_COROUTINES
#include <stdexcept>

namespace {

// Starts at once and destroys itself at its end; where that is an exception, leaves it to the test.
struct detached {
    struct promise_type {
        detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {
            left_by_exception = std::coroutine_handle<promise_type>::from_promise(*this);
            throw;
        }
    };

    static std::coroutine_handle<> left_by_exception;
};
std::coroutine_handle<> detached::left_by_exception;

struct opens_at_end {
    gate *at_end;
    ~opens_at_end() { gate_open(at_end); }
};

} // namespace

TEST(co_await_gives_results) {
    tp::executor pool(1);
    gate end = GATE_INIT;
    int sum = 0;
    [](tp::executor &ex, int &total, gate &done) -> detached {
        const opens_at_end at_end{&done};
        tp::future<int> named = ex.submit([] { return 1; });
        total += co_await named;
        CHECK(!named.valid());
        total += *co_await ex.submit([] { return std::make_unique<int>(10); });
        int value = 100;
        total += co_await ex.submit([&]() -> int & { return value; });
        co_await ex.submit([] {});
        const tp::shared_future<int> shared = ex.submit([] { return 1000; }).share();
        total += co_await shared + co_await shared;
    }(pool, sum, end);
    gate_wait(&end);
    CHECK_EQ(sum, 2111);
}

TEST(co_await_throws) {
    tp::executor pool(1);
    gate end = GATE_INIT;
    [](tp::executor &ex, gate &done) -> detached {
        const opens_at_end at_end{&done};
        std::string what;
        try {
            co_await ex.submit([] { throw std::runtime_error("thrown"); });
        } catch (const std::runtime_error &error) {
            what = error.what();
        }
        CHECK_STR(what.c_str(), "thrown");
        bool refused = false;
        try {
            tp::future<int> none;
            co_await none;
        } catch (const tp::invalid_state_error &) {
            refused = true;
        }
        CHECK(refused);
    }(pool, end);
    gate_wait(&end);
}

TEST(co_await_hears_of_cancels) {
    tp::executor pool(1);
    held_worker worker(pool);
    bool cancelled = false;
    tp::future<void> future = pool.submit([] {});
    [](tp::future<void> &awaited, bool &heard) -> detached {
        try {
            co_await awaited;
        } catch (const tp::cancelled_error &) {
            heard = true;
        }
    }(future, cancelled);
    CHECK(!cancelled);
    CHECK(future.cancel());
    CHECK(cancelled);
}

TEST(schedule_goes_on_as_a_task) {
    // In this order: the worker of pool may still be in the call that submits to other when the coroutine has ended there.
    tp::executor other({.max_workers = 1, .thread_name_prefix = "other"}), pool(1);
    gate end = GATE_INIT;
    [](tp::executor &ex, tp::executor &next, gate &done) -> detached {
        const opens_at_end at_end{&done};
        CHECK_PTR(tp_executor_current(), nullptr);
        co_await ex.schedule();
        CHECK_PTR(tp_executor_current(), ex.native_handle());
        CHECK(tp_future_current() == nullptr);
        co_await next.schedule();
        CHECK_STR(tp::worker_name(), "other_0");
    }(pool, other, end);
    gate_wait(&end);
}

TEST(schedule_on_a_shut_executor_throws) {
    tp::executor pool(1);
    pool.shutdown();
    bool refused = false;
    [](tp::executor &ex, bool &heard) -> detached {
        try {
            co_await ex.schedule();
        } catch (const tp::shutdown_error &) {
            heard = true;
        }
    }(pool, refused);
    CHECK(refused);
}

TEST(schedule_hears_of_cancels) {
    tp::executor pool(1);
    held_worker worker(pool);
    bool cancelled = false;
    [](tp::executor &ex, bool &heard) -> detached {
        try {
            co_await ex.schedule();
        } catch (const tp::cancelled_error &) {
            heard = true;
        }
    }(pool, cancelled);
    CHECK(!cancelled);
    pool.shutdown(tp::shutdown_flags::cancel_futures);
    CHECK(cancelled);
}

TEST(what_leaves_a_scheduled_coroutine_is_unhandled) {
    std::atomic<int> heard{0};
    tp::executor pool({.unhandled_error = [&](std::exception_ptr exception) {
        CHECK_STR(CHECK_THROWS(std::runtime_error, std::rethrow_exception(exception)).c_str(), "left");
        heard++;
    }});
    [](tp::executor &ex) -> detached {
        co_await ex.schedule();
        throw std::runtime_error("left");
    }(pool);
    pool.shutdown();
    CHECK_EQ(heard, 1);
    detached::left_by_exception.destroy();
}

TEST(coroutines_hop_many_times) {
    tp::executor pool(2);
    const long hops = repeat(2000);
    counter ends = COUNTER_INIT;
    for (int i = 0; i < 4; i++)
        [](tp::executor &ex, long n, counter &done) -> detached {
            const opens_at_end at_end{&done};
            long sum = 0;
            for (long hop = 0; hop < n; hop++) {
                co_await ex.schedule();
                sum += co_await ex.submit([] { return 1; });
            }
            CHECK_EQ(sum, n);
        }(pool, hops, ends);
    counter_wait(&ends, 4);
}
#endif
