// tp::future and tp::shared_future: results of every kind, limited waits, predicates, cancelling, handles.
#include "support.hpp"

#include <array>
#include <limits>

TEST(get_gives_what_the_task_returned) {
    tp::executor pool(2);
    CHECK_EQ(pool.submit([] { return 42; }).get(), 42);
    CHECK_STR(pool.submit([] { return std::string(100, 'x'); }).get().c_str(), std::string(100, 'x').c_str());
    const std::array<int, 256> big = pool.submit([] { return std::array<int, 256>{1, 2, 3}; }).get();
    CHECK_EQ(big[2], 3);
}

TEST(get_gives_move_only_results) {
    tp::executor pool(1);
    tp::future<std::unique_ptr<int>> future = pool.submit([] { return std::make_unique<int>(7); });
    const std::unique_ptr<int> result = future.get();
    CHECK_EQ(*result, 7);
}

TEST(get_gives_references) {
    tp::executor pool(1);
    int value = 1;
    const int constant = 2;
    tp::future<int &> future = pool.submit([&]() -> int & { return value; });
    CHECK_PTR(&future.get(), &value);
    tp::future<const int &> to_constant = pool.submit([&]() -> const int & { return constant; });
    CHECK_PTR(&to_constant.get(), &constant);
}

TEST(get_gives_rvalue_references_and_constants_by_value) {
    tp::executor pool(1);
    std::string text = "moved";
    tp::future<std::string> moved = pool.submit([&]() -> std::string && { return std::move(text); });
    CHECK_STR(moved.get().c_str(), "moved");
    struct odd {
        const std::string operator()() const { return "constant"; }
    };
    tp::future<std::string> constant = pool.submit(odd{});
    CHECK_STR(constant.get().c_str(), "constant");
}

TEST(get_of_void_waits) {
    tp::executor pool(1);
    std::atomic<bool> ran{false};
    tp::future<void> future = pool.submit([&] { ran = true; });
    future.get();
    CHECK(ran);
}

TEST(get_uses_a_future_up) {
    tp::executor pool(1);
    tp::future<int> future = pool.submit([] { return 1; });
    CHECK(future.valid());
    CHECK_EQ(future.get(), 1);
    CHECK(!future.valid());
    CHECK_THROWS(tp::invalid_state_error, future.get());
}

TEST(a_result_need_not_be_copied_or_moved_to_be_shared) {
    struct fixed {
        explicit fixed(int n) : value(n) {}
        fixed(const fixed &) = delete;
        fixed &operator=(const fixed &) = delete;
        int value;
    };
    tp::executor pool(1);
    const tp::shared_future<fixed> future = pool.submit([] { return fixed(5); }).share();
    CHECK_EQ(future.get().value, 5);
}

TEST(a_future_of_no_task_says_so) {
    tp::future<int> none;
    CHECK(!none.valid());
    CHECK(!none.done() && !none.running() && !none.cancelled() && !none.cancel());
    CHECK_EQ(none.state(), TP_STATE_PENDING);
    CHECK_PTR(none.native_handle(), nullptr);
    none.request_stop();
    CHECK_THROWS(tp::invalid_state_error, none.get());
    CHECK_THROWS(tp::invalid_state_error, none.get_for(1s));
    CHECK_THROWS(tp::invalid_state_error, none.wait());
    CHECK_THROWS(tp::invalid_state_error, none.wait_for(0s));
    CHECK_THROWS(tp::invalid_state_error, none.exception());
    CHECK_THROWS(tp::invalid_state_error, none.on_done([] {}));
    CHECK(!none.share().valid());
}

TEST(moving_moves_the_reference) {
    tp::executor pool(1);
    tp::future<int> a = pool.submit([] { return 1; });
    tp::future<int> b = std::move(a);
    CHECK(!a.valid() && b.valid());
    a = pool.submit([] { return 2; });
    a = std::move(b);
    CHECK_EQ(a.get(), 1);
}

TEST(limited_waits_time_out_and_can_be_repeated) {
    tp::executor pool(1);
    held_worker worker(pool);
    tp::future<int> future = pool.submit([] { return 3; });
    CHECK_THROWS(tp::timeout_error, future.get_for(0s));
    CHECK_THROWS(tp::timeout_error, future.get_for(-1s));
    CHECK_THROWS(tp::timeout_error, future.get_for(1ms));
    CHECK_THROWS(tp::timeout_error, future.get_until(std::chrono::steady_clock::now() + 1ms));
    CHECK_THROWS(tp::timeout_error, future.get_until(std::chrono::system_clock::now() - 1h));
    CHECK(future.wait_for(0ms) == tp::future_status::timeout);
    CHECK(future.wait_until(std::chrono::system_clock::now() + 1ms) == tp::future_status::timeout);
    CHECK(future.valid());
    worker.let_go();
    CHECK(future.wait_for(std::chrono::hours::max()) == tp::future_status::ready);
    CHECK(future.wait_until(std::chrono::steady_clock::time_point::max()) == tp::future_status::ready);
    CHECK_EQ(future.get_for(1h), 3);
    CHECK(!future.valid());
}

TEST(a_wait_never_ends_early) {
    tp::executor pool(1);
    held_worker worker(pool);
    const auto begin = std::chrono::steady_clock::now();
    // Finer than a nanosecond: rounded up.
    CHECK(worker.task.wait_for(std::chrono::duration<double, std::micro>(1500.0001)) == tp::future_status::timeout);
    CHECK(std::chrono::steady_clock::now() - begin >= 1500us);
    const auto deadline = std::chrono::system_clock::now() + 2ms;
    CHECK(worker.task.wait_until(deadline) == tp::future_status::timeout);
    CHECK(std::chrono::system_clock::now() >= deadline);
}

namespace {

// A clock that stands still but for every tenth look: a wait by it has to look again and again.
struct slow_clock {
    using duration = std::chrono::milliseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<slow_clock>;
    static constexpr bool is_steady = false;

    static time_point now() { return time_point(duration(looks++ / 10)); }
    static int looks;
};
int slow_clock::looks = 0;

} // namespace

TEST(a_wait_goes_by_the_clock_of_its_deadline) {
    tp::executor pool(1);
    held_worker worker(pool);
    CHECK(worker.task.wait_until(slow_clock::time_point(2ms)) == tp::future_status::timeout);
    CHECK(slow_clock::looks >= 20);
    CHECK_THROWS(tp::timeout_error, worker.task.get_until(slow_clock::time_point(4ms)));
    CHECK(slow_clock::looks >= 40);
}

// What a wait does is seen above; here the numbers at the ends of their ranges, which no test can wait for.
TEST(durations_are_converted_without_overflow) {
    using tp::detail::to_timeout;
    using namespace std::chrono;
    static_assert(to_timeout(nanoseconds(1)) == 1);
    static_assert(to_timeout(duration<std::int64_t, std::pico>(1)) == 1);
    static_assert(to_timeout(duration<std::int64_t, std::pico>(1001)) == 2);
    static_assert(to_timeout(duration<float>(0.5F)) == 500000000);
    static_assert(to_timeout(nanoseconds::max()) == TP_FOREVER);
    static_assert(to_timeout(nanoseconds::min()) == 0);
    static_assert(to_timeout(hours::max()) == TP_FOREVER);
    static_assert(to_timeout(hours::min()) == 0);
    static_assert(to_timeout(duration<std::uint64_t>(std::numeric_limits<std::uint64_t>::max())) == TP_FOREVER);
    static_assert(to_timeout(duration<double>(std::numeric_limits<double>::infinity())) == TP_FOREVER);
    static_assert(to_timeout(duration<double>(std::numeric_limits<double>::quiet_NaN())) == 0);
    static_assert(to_timeout(duration<int, std::ratio<31556952>>(280)) == 280LL * 31556952 * 1000000000);
    static_assert(to_timeout(duration<int, std::ratio<31556952>>(300)) == TP_FOREVER);

    const auto remaining = [](auto deadline) {
        std::int64_t given = -1;
        (void)tp::detail::until(deadline, [&](std::int64_t timeout) {
            given = timeout;
            return TP_OK;
        });
        return given;
    };
    CHECK_EQ(remaining(steady_clock::time_point::max()), TP_FOREVER);
    CHECK_EQ(remaining(steady_clock::time_point::min()), 0);
    CHECK_EQ(remaining(time_point<system_clock, hours>::max()), TP_FOREVER);
    CHECK_EQ(remaining(time_point<system_clock, hours>::min()), 0);
    CHECK_EQ(remaining(time_point<system_clock, duration<double>>::max()), TP_FOREVER);
}

TEST(predicates_follow_the_task) {
    tp::executor pool(1);
    held_worker worker(pool);
    CHECK(worker.task.running() && !worker.task.done() && !worker.task.cancelled());
    CHECK_EQ(worker.task.state(), TP_STATE_RUNNING);
    tp::future<void> pending = pool.submit([] {});
    CHECK_EQ(pending.state(), TP_STATE_PENDING);
    CHECK(!pending.running() && !pending.done());
    CHECK(pending.cancel());
    CHECK(pending.cancelled() && pending.done());
    CHECK_EQ(pending.state(), TP_STATE_CANCELLED);
    CHECK(!worker.task.cancel());
    tp::future<void> last = pool.submit([] {});
    worker.let_go();
    last.wait();
    CHECK_EQ(last.state(), TP_STATE_FINISHED);
    CHECK(!last.cancel());
}

TEST(shared_futures_show_one_result_to_all) {
    tp::executor pool(2);
    const tp::shared_future<std::string> a = pool.submit([] { return std::string("one"); }).share();
    const tp::shared_future<std::string> b = a;
    tp::shared_future<std::string> c;
    c = b;
    CHECK_PTR(&a.get(), &b.get());
    CHECK_PTR(&c.get_for(1h), &a.get_until(std::chrono::steady_clock::time_point::max()));
    static_assert(std::is_same_v<decltype(a.get()), const std::string &>);
    tp::shared_future<std::string> d = std::move(c);
    CHECK(!c.valid() && d.valid());
    CHECK_STR(d.get().c_str(), "one");

    int value = 0;
    const tp::shared_future<int &> reference = pool.submit([&]() -> int & { return value; }).share();
    reference.get() = 5;
    CHECK_EQ(value, 5);
    const tp::shared_future<void> nothing = pool.submit([] {}).share();
    nothing.get();
    nothing.get();
}

TEST(shared_futures_time_out_like_others) {
    tp::executor pool(1);
    held_worker worker(pool);
    const tp::shared_future<int> future = pool.submit([] { return 1; }).share();
    CHECK_THROWS(tp::timeout_error, future.get_for(0s));
    CHECK_THROWS(tp::timeout_error, future.get_until(std::chrono::steady_clock::now()));
    worker.let_go();
    CHECK_EQ(future.get(), 1);
}

TEST(many_threads_wait_for_one_result) {
    tp::executor pool(1);
    held_worker worker(pool);
    const tp::shared_future<std::string> future = pool.submit([] { return std::string("for all"); }).share();
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int i = 0; i < 4; i++) threads.emplace_back([future, &right] { right += future.get() == "for all"; });
    worker.let_go();
    for (std::thread &thread : threads) thread.join();
    CHECK_EQ(right, 4);
}

TEST(handles_go_to_c_and_back) {
    tp::executor pool(1);
    tp::future<int> future = pool.submit([] { return 9; });
    void *result = nullptr;
    CHECK_STATUS(tp_future_result(future.native_handle(), TP_FOREVER, &result), TP_OK);
    CHECK_EQ(*static_cast<int *>(result), 9);
    tp_future *handle = future.release();
    CHECK(!future.valid());
    CHECK_EQ(tp::future<int>::adopt(handle).get(), 9);

    const tp::shared_future<int> shared = pool.submit([] { return 8; }).share();
    const tp::shared_future<int> again = tp::shared_future<int>::adopt(tp_future_retain(shared.native_handle()));
    CHECK_PTR(&again.get(), &shared.get());
    tp_future_release(tp::shared_future<int>(shared).release());
    CHECK_EQ(shared.get(), 8);
    CHECK(!tp::future<int>::adopt(nullptr).valid());
}

TEST(futures_of_c_tasks_are_adopted_by_what_their_result_points_at) {
    tp::executor pool(1);
    int value = 4;
    tp::future<int &> reference = tp::future<int &>::adopt(tp_submit(pool.native_handle(), return_arg, &value));
    CHECK_PTR(&reference.get(), &value);
    tp::future<int> copy = tp::future<int>::adopt(tp_submit(pool.native_handle(), return_arg, &value));
    CHECK_EQ(copy.get(), 4);
    tp::future<void> nothing = tp::future<void>::adopt(tp_submit(pool.native_handle(), return_null, nullptr));
    nothing.get();
}

TEST(futures_outlive_their_executor) {
    tp::future<std::string> future;
    {
        tp::executor pool(1);
        future = pool.submit([] { return std::string("still here"); });
    }
    CHECK(future.done());
    CHECK_STR(future.get().c_str(), "still here");
}

static_assert(!std::is_copy_constructible_v<tp::future<int>> && !std::is_copy_assignable_v<tp::future<int>>);
static_assert(std::is_nothrow_move_constructible_v<tp::future<int>> && std::is_nothrow_move_assignable_v<tp::future<int>>);
static_assert(std::is_nothrow_copy_constructible_v<tp::shared_future<int>>);
static_assert(std::is_nothrow_copy_assignable_v<tp::shared_future<int>>);
static_assert(std::is_nothrow_move_constructible_v<tp::shared_future<int>>);
static_assert(std::is_nothrow_move_assignable_v<tp::shared_future<int>>);
static_assert(std::is_convertible_v<tp::future<int>, tp::shared_future<int>>);
static_assert(std::is_default_constructible_v<tp::future<void>> && std::is_default_constructible_v<tp::shared_future<int &>>);
