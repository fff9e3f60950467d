// tp::wait() and tp::as_completed().
#include "support.hpp"

#include <array>
#include <list>
TEST(wait_for_all) {
    tp::executor pool(2);
    std::vector<tp::future<int>> futures = pool.submit_many(std::vector<int>{1, 2, 3}, [](int n) { return n; });
    const tp::wait_result result = tp::wait(futures);
    CHECK(result.status == tp::future_status::ready);
    CHECK_EQ(result.done, 3);
    CHECK_EQ(futures[2].get(), 3);
}

TEST(wait_times_out_and_counts) {
    tp::executor pool(2);
    held_worker worker(pool);
    std::array<tp::future<void>, 2> futures{pool.submit([] {}), std::move(worker.task)};
    futures[0].wait();
    const auto [status, done] = tp::wait(futures, 1ms);
    CHECK(status == tp::future_status::timeout);
    CHECK_EQ(done, 1);
    CHECK(tp::wait(futures, -1s).status == tp::future_status::timeout);
    CHECK(tp::wait(futures, 0s, tp::when::first_completed).status == tp::future_status::ready);
    worker.task = std::move(futures[1]);
}

TEST(wait_for_the_first) {
    tp::executor pool(2);
    held_worker worker(pool);
    std::vector<tp::shared_future<void>> futures{pool.submit([] {}).share()};
    const tp::shared_future<void> held = std::move(worker.task);
    futures.push_back(held);
    CHECK_EQ(tp::wait(futures, tp::when::first_completed).done, 1);
    futures[0] = pool.submit([] { throw 1; });
    CHECK_EQ(tp::wait(futures, std::chrono::hours::max(), tp::when::first_failed).done, 1);
    CHECK(futures[0].exception() != nullptr);
    worker.task = tp::future<void>::adopt(futures[1].release());
}

TEST(wait_takes_any_range_of_futures_and_handles) {
    tp::executor pool(1);
    const tp::shared_future<int> a = pool.submit([] { return 1; }).share();
    CHECK_EQ(tp::wait(std::list<tp::shared_future<int>>{a, a, a}).done, 3);
    tp_future *handles[] = {a.native_handle()};
    CHECK_EQ(tp::wait(handles, 1h).done, 1);
    CHECK_EQ(tp::wait(std::vector<tp::future<void>>{}).done, 0);
    CHECK_THROWS(tp::invalid_argument_error, tp::wait(std::vector<tp::future<void>>(2)));
}

TEST(wait_leaves_errors_unhandled) {
    std::atomic<int> heard{0};
    tp::executor_options options;
    options.unhandled_error = [&](std::exception_ptr) { heard++; };
    tp::executor pool(std::move(options));
    {
        std::vector<tp::future<void>> futures;
        futures.push_back(pool.submit([] { throw 1; }));
        CHECK_EQ(tp::wait(futures).done, 1);
    }
    pool.shutdown();
    CHECK_EQ(heard, 1);
}

TEST(as_completed_gives_each_future_once_with_its_index) {
    tp::executor pool(2);
    std::vector<tp::future<int>> futures;
    for (int i = 0; i < 50; i++) futures.push_back(pool.submit([i] { return i * i; }));
    std::vector<int> seen(futures.size());
    for (auto [index, future] : tp::as_completed(futures)) {
        CHECK_PTR(&future, &futures[index]);
        CHECK(future.done());
        CHECK_EQ(future.get(), index * index);
        seen[index]++;
    }
    for (const int times : seen) CHECK_EQ(times, 1);
}

TEST(as_completed_goes_by_completion) {
    tp::executor pool(2);
    held_worker worker(pool);
    std::vector<tp::future<void>> futures;
    futures.push_back(std::move(worker.task));
    futures.push_back(pool.submit([] {}));
    std::vector<std::size_t> order;
    for (const auto &done : tp::as_completed(futures)) {
        order.push_back(done.index);
        if (done.index == 1) {
            worker.task = std::move(futures[0]);
            worker.let_go();
        }
    }
    CHECK(order == (std::vector<std::size_t>{1, 0}));
}

TEST(as_completed_counts_cancelled_ones_and_may_be_left) {
    tp::executor pool(1);
    held_worker worker(pool);
    std::vector<tp::future<void>> futures;
    for (int i = 0; i < 3; i++) futures.push_back(pool.submit([] {}));
    CHECK(futures[1].cancel());
    for (const auto &done : tp::as_completed(futures)) {
        CHECK_EQ(done.index, 1);
        CHECK_THROWS(tp::cancelled_error, done.future.get());
        break;
    }
    worker.let_go();
    futures[0].get();
    futures[2].get();
}

TEST(as_completed_has_one_limit_for_all) {
    tp::executor pool(2);
    held_worker worker(pool);
    std::vector<tp::future<void>> futures;
    futures.push_back(pool.submit([] {}));
    futures.push_back(std::move(worker.task));
    futures[0].wait();
    int given = 0;
    CHECK_THROWS(tp::timeout_error, [&] {
        for (auto [index, future] : tp::as_completed(futures, 1ms)) given += future.done() && index == 0;
    }());
    CHECK_EQ(given, 1);
    worker.task = std::move(futures[1]);
    worker.let_go();
    std::vector<tp::future<int>> done;
    done.push_back(pool.submit([] { return 1; }));
    for (auto [index, future] : tp::as_completed(done, std::chrono::hours::max())) given += future.get();
    CHECK_EQ(given, 2);
}

TEST(as_completed_keeps_a_temporary_range) {
    tp::executor pool(2);
    int sum = 0;
    for (auto [index, future] : tp::as_completed(pool.submit_many(std::vector<int>{1, 2, 3}, [](int n) { return n; })))
        sum += future.get();
    CHECK_EQ(sum, 6);
    for (const auto &done : tp::as_completed(std::vector<tp::future<int>>{})) sum += static_cast<int>(done.index) + 100;
    CHECK_EQ(sum, 6);
}

TEST(as_completed_takes_what_cannot_be_copied_or_indexed) {
    tp::executor pool(1);
    std::list<tp::shared_future<int>> futures{pool.submit([] { return 4; }), pool.submit([] { return 5; })};
    const std::list<tp::shared_future<int>> &constant = futures;
    int sum = 0;
    for (auto [index, future] : tp::as_completed(constant)) sum += future.get();
    CHECK_EQ(sum, 9);
}

#if __cplusplus >= 202002L
using completions = tp::completion_range<std::vector<tp::future<int>> &>;
static_assert(std::ranges::input_range<completions>);
static_assert(!std::ranges::forward_range<completions>);
static_assert(std::same_as<std::ranges::range_value_t<completions>, tp::completion<tp::future<int>>>);

#if TEST_HAS_VIEWS
TEST(views_take_completions) {
    tp::executor pool(2);
    std::vector<tp::future<int>> futures = pool.submit_many(std::views::iota(0, 10), [](int n) { return n; });
    auto completed = tp::as_completed(futures);
    int sum = 0;
    for (const int value : completed | std::views::transform([](auto done) { return done.future.get(); })) sum += value;
    CHECK_EQ(sum, 45);
}
#endif
#endif
