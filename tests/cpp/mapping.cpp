// executor::map(): order, laziness, failures, early ends.
#include "support.hpp"

#include <list>
#include <stdexcept>

namespace {

// 0, 1, 2 … without end, counting how many were read.
struct endless {
    struct iterator {
        using iterator_category = std::input_iterator_tag;
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        using pointer = const int *;
        using reference = int;

        int *read;
        int n;
        int operator*() const { return n; }
        iterator &operator++() {
            n++;
            ++*read;
            return *this;
        }
        iterator operator++(int) {
            iterator old = *this;
            ++*this;
            return old;
        }
        bool operator==(const iterator &) const { return false; }
        bool operator!=(const iterator &) const { return true; }
    };
    int *read;
    iterator begin() const { return {read, 0}; }
    iterator end() const { return {read, 0}; }
};

} // namespace

TEST(map_gives_results_in_the_order_of_the_elements) {
    tp::executor pool(3);
    std::vector<int> numbers(200);
    for (int i = 0; i < 200; i++) numbers[static_cast<std::size_t>(i)] = i;
    int expected = 0;
    for (const int square : pool.map(numbers, [](int n) { return n * n; })) {
        CHECK_EQ(square, expected * expected);
        expected++;
    }
    CHECK_EQ(expected, 200);
    for (const int never : pool.map(std::vector<int>{}, [](int n) { return n; })) CHECK_EQ(never, -1);
}

TEST(map_reads_no_more_than_its_lookahead) {
    tp::executor pool(2);
    int read = 0;
    auto results = pool.map(endless{&read}, [](int n) { return n; }, 3);
    CHECK_EQ(read, 4);
    auto i = results.begin();
    CHECK_EQ(*i, 0);
    CHECK_EQ(*i, 0);
    CHECK_EQ(read, 4);
    ++i;
    CHECK_EQ(*i, 1);
    CHECK_EQ(read, 5);

    int read_one = 0;
    auto one_by_one = pool.map(endless{&read_one}, [](int n) { return n; }, 0);
    CHECK_EQ(*one_by_one.begin(), 0);
    CHECK_EQ(read_one, 1);

    int read_default = 0;
    auto by_default = pool.map(endless{&read_default}, [](int n) { return n; });
    CHECK_EQ(read_default, pool.max_workers() + 1);
    CHECK_EQ(*by_default.begin(), 0);
}

TEST(map_goes_on_after_a_failure) {
    tp::executor pool(2);
    const std::vector<int> numbers{1, 2, 3};
    auto results = pool.map(numbers, [](int n) {
        if (n == 2) throw std::runtime_error("not two");
        return n;
    });
    auto i = results.begin();
    CHECK_EQ(*i, 1);
    ++i;
    CHECK_STR(CHECK_THROWS(std::runtime_error, *i).c_str(), "not two");
    CHECK_THROWS(std::runtime_error, *i);
    i++;
    CHECK_EQ(*i, 3);
    ++i;
    CHECK(i == results.end());
    CHECK(!(i != results.end()) && results.end() == i && !(results.end() != i));
}

TEST(map_gives_what_can_be_moved_from_or_referred_to) {
    tp::executor pool(1);
    std::list<std::string> texts{"a", "b"};
    std::vector<std::unique_ptr<std::string>> owned;
    const auto twice = [](const std::string &text) { return std::make_unique<std::string>(text + text); };
    for (auto &text : pool.map(texts, twice)) owned.push_back(std::move(text));
    REQUIRE(owned.size() == 2);
    CHECK_STR(owned[1]->c_str(), "bb");
    // Elements are copied into the tasks; pointers to them are not what they point at.
    std::vector<std::string *> pointers{&texts.front()};
    const auto target = [](std::string *pointer) -> std::string & { return *pointer; };
    for (std::string &text : pool.map(pointers, target)) CHECK_PTR(&text, &texts.front());
}

TEST(map_that_ends_early_cancels_what_is_pending) {
    tp::executor pool(1);
    std::atomic<int> runs{0}, live{0};
    held_worker worker(pool);
    {
        int read = 0;
        auto results = pool.map(endless{&read}, [&runs, c = counted(live)](int) { return ++runs; }, 5);
        CHECK_EQ(pool.pending_count(), 6);
    }
    CHECK_EQ(pool.pending_count(), 0);
    CHECK_EQ(live, 0);
    worker.let_go();
    pool.shutdown();
    CHECK_EQ(runs, 0);
}

TEST(map_gives_refusals_at_their_turn) {
    tp::executor pool(1);
    const std::vector<int> numbers{1, 2, 3, 4};
    auto results = pool.map(numbers, [](int n) { return n; }, 1);
    pool.shutdown();
    auto i = results.begin();
    CHECK_EQ(*i, 1);
    ++i;
    CHECK_EQ(*i, 2);
    ++i;
    CHECK_THROWS(tp::shutdown_error, *i);
    ++i;
    CHECK_THROWS(tp::shutdown_error, *i);
    ++i;
    CHECK(i == results.end());
}

TEST(map_waits_with_a_limit_for_what_comes_out_next) {
    constexpr auto ready = tp::future_status::ready;
    gate let_go = GATE_INIT;
    tp::executor pool(1);
    auto results = pool.map(std::vector<int>{1, 2, 3}, [&](int n) {
        gate_wait(&let_go);
        if (n == 2) throw std::runtime_error("not two");
        return n;
    }, 1);
    CHECK(results.wait_for(0s) == tp::future_status::timeout);
    CHECK(results.wait_for(1ms) == tp::future_status::timeout);
    CHECK(results.wait_until(std::chrono::system_clock::now() + 1ms) == tp::future_status::timeout);
    gate_open(&let_go);
    CHECK(results.wait_for(1h) == ready);
    auto i = results.begin();
    CHECK_EQ(*i, 1);
    CHECK(results.wait_until(std::chrono::steady_clock::now()) == ready); // this one is there, whatever the next does
    pool.shutdown();
    ++i;
    CHECK(results.wait_until(std::chrono::steady_clock::now()) == ready);
    CHECK_THROWS(std::runtime_error, *i);
    ++i;
    CHECK(results.wait_for(0s) == ready);
    CHECK(results.wait_until(std::chrono::steady_clock::now()) == ready);
    CHECK_THROWS(tp::shutdown_error, *i);
    ++i;
    CHECK(i == results.end());
    CHECK(results.wait_for(0s) == ready);
    CHECK(results.wait_until(std::chrono::steady_clock::now()) == ready);
}

TEST(map_may_nest_on_one_worker) {
    tp::executor pool(1);
    const std::vector<int> numbers{1, 2, 3};
    const int sum = pool.submit([&] {
        int total = 0;
        for (const int n : pool.map(numbers, [](int n) { return n * 10; })) total += n;
        return total;
    }).get();
    CHECK_EQ(sum, 60);
}

#if __cplusplus >= 202002L
using squares = tp::map_range<std::vector<int> &, int (*)(int)>;
static_assert(std::ranges::input_range<squares>);
static_assert(!std::ranges::forward_range<squares>);
static_assert(std::same_as<std::ranges::range_reference_t<squares>, int &>);

#if TEST_HAS_VIEWS
TEST(map_takes_views_and_gives_to_views) {
    tp::executor pool(2);
    const auto even = std::views::iota(1) | std::views::transform([](int n) { return n * 2; });
    auto results = pool.map(even, [](int n) { return n + 1; });
    const auto threes = std::views::filter([](int n) { return n % 3 == 0; });
    int sum = 0;
    for (const int value : results | threes | std::views::take(3)) sum += value;
    CHECK_EQ(sum, 3 + 9 + 15);
}
#endif
#endif
