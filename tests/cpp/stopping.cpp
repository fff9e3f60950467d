// Asking tasks to end: request_stop(), shutdown(cancel_futures), tp::stop_requested() and std::stop_token.
#include "support.hpp"

TEST(request_stop_cancels_pending_tasks) {
    tp::executor pool(1);
    held_worker worker(pool);
    tp::future<void> future = pool.submit([] {});
    future.request_stop();
    CHECK(future.cancelled());
}

TEST(running_tasks_see_the_request) {
    tp::executor pool(1);
    gate started = GATE_INIT;
    const auto until_stopped = [&] {
        gate_open(&started);
        EVENTUALLY(tp::stop_requested());
        return true;
    };
    tp::future<bool> future = pool.submit(until_stopped);
    gate_wait(&started);
    future.request_stop();
    CHECK(future.get());
    CHECK(!tp::stop_requested());

    gate_init(&started);
    future = pool.submit(until_stopped);
    gate_wait(&started);
    pool.shutdown(tp::shutdown_flags::wait | tp::shutdown_flags::cancel_futures);
    CHECK(future.get());
}

#if TPEXEC_HAS_STOP_TOKEN
TEST(tasks_that_can_take_a_stop_token_get_one) {
    tp::executor pool(1);
    gate started = GATE_INIT;
    // What std::stop_token is for: waking what sleeps.
    const auto sleep = [&](std::stop_token token, int result) {
        gate woken = GATE_INIT;
        const std::stop_callback wake(token, [&] { gate_open(&woken); });
        gate_open(&started);
        gate_wait(&woken);
        return result;
    };
    tp::future<int> future = pool.submit(sleep, 3);
    gate_wait(&started);
    future.request_stop();
    CHECK_EQ(future.get(), 3);

    // So does one that can be called both ways, as with std::jthread.
    tp::future<int> both = pool.submit([](auto... args) { return static_cast<int>(sizeof...(args)); });
    CHECK_EQ(both.get(), 1);
}

TEST(stop_tokens_hear_of_the_executors_shutdown) {
    tp::executor pool(2);
    gate started = GATE_INIT;
    const auto sleep = [&](std::stop_token token) {
        gate woken = GATE_INIT;
        const std::stop_callback wake(token, [&] { gate_open(&woken); });
        gate_open(&started);
        gate_wait(&woken);
    };
    tp::future<void> future = pool.submit(sleep);
    pool.execute(sleep);
    counter_wait(&started, 2);
    tp::executor moved = std::move(pool);
    moved.shutdown(tp::shutdown_flags::wait | tp::shutdown_flags::cancel_futures);
    CHECK(future.done());
    future.get();
}

TEST(shared_futures_stop_by_token_too) {
    tp::executor pool(1);
    const tp::shared_future<bool> future = pool.submit([](std::stop_token token) {
        EVENTUALLY(token.stop_requested());
        return tp::stop_requested();
    }).share();
    const tp::shared_future<bool> copy = future;
    EVENTUALLY(copy.running());
    copy.request_stop();
    CHECK(future.get());
}

TEST(stop_tokens_of_ended_and_cancelled_tasks_are_left_alone) {
    tp::executor pool(1);
    std::atomic<int> live{0};
    tp::future<std::stop_token> future = pool.submit([](std::stop_token token) { return token; });
    future.wait();
    future.request_stop();
    const std::stop_token token = future.get();
    CHECK(!token.stop_requested());

    held_worker worker(pool);
    tp::future<void> pending = pool.submit([c = counted(live)](std::stop_token) {});
    pending.request_stop();
    CHECK(pending.cancelled());
    CHECK_EQ(live, 0);
    pending.request_stop();
}

TEST(a_stop_callback_may_end_the_task_it_stops) {
    tp::executor pool(1);
    for (long i = repeat(500); i > 0; i--) {
        tp::future<void> future = pool.submit([](std::stop_token token) { EVENTUALLY(token.stop_requested()); });
        EVENTUALLY(future.running());
        std::thread stopper([&] { future.request_stop(); });
        future.wait();
        stopper.join();
        future.get();
    }
}

// The other direction needs nothing of this header.
TEST(a_stop_callback_may_stop_a_task) {
    tp::executor pool(1);
    std::stop_source source;
    tp::future<void> future = pool.submit([] { EVENTUALLY(tp::stop_requested()); });
    const std::stop_callback link(source.get_token(), [&] { future.request_stop(); });
    EVENTUALLY(future.running());
    source.request_stop();
    future.get();
}
#endif
