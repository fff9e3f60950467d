// submit(), execute() and submit_many(): what can be called, how arguments travel, when closures and results are destroyed.
#include "support.hpp"

#include <functional>
#include <list>
#include <sstream>
#include <tuple>

namespace {

int free_function(int a, int b) { return a - b; }

struct machine {
    int speed = 3;
    int run(int times) { return speed * times; }
    int stopped() const { return 0; }
};

} // namespace

TEST(whatever_can_be_invoked_can_be_submitted) {
    tp::executor pool(2);
    machine m;
    CHECK_EQ(pool.submit(free_function, 9, 4).get(), 5);
    CHECK_EQ(pool.submit(&free_function, 9, 5).get(), 4);
    CHECK_EQ(pool.submit(&machine::run, &m, 2).get(), 6);
    CHECK_EQ(pool.submit(&machine::stopped, m).get(), 0);
    CHECK_EQ(pool.submit(&machine::speed, std::ref(m)).get(), 3);
    CHECK_EQ(pool.submit(std::function<int()>([] { return 1; })).get(), 1);
    CHECK_EQ(pool.submit([n = 1]() mutable { return ++n; }).get(), 2);
}

TEST(arguments_travel_by_value) {
    tp::executor pool(1);
    held_worker worker(pool);
    std::string text = "before";
    const auto size_of = [](const std::string &s) { return s.size(); };
    tp::future<std::size_t> copy = pool.submit(size_of, text);
    tp::future<std::size_t> reference = pool.submit(size_of, std::cref(text));
    tp::future<char> literal = pool.submit([](const char *s) { return s[0]; }, "an array decays");
    text.clear();
    worker.let_go();
    CHECK_EQ(copy.get(), 6);
    CHECK_EQ(reference.get(), 0);
    CHECK_EQ(literal.get(), 'a');
}

TEST(closures_and_arguments_may_be_move_only) {
    tp::executor pool(1);
    auto one = std::make_unique<int>(1);
    tp::future<int> future = pool.submit(
        [two = std::make_unique<int>(2)](std::unique_ptr<int> n, std::tuple<int> three) {
            return *n + *two + std::get<0>(three);
        },
        std::move(one), std::tuple<int>(3));
    CHECK_EQ(future.get(), 6);
    CHECK(one == nullptr);
    std::atomic<int> sum{0};
    pool.execute([&sum, four = std::make_unique<int>(4)](std::unique_ptr<int> n) { sum = *n + *four; }, std::make_unique<int>(5));
    pool.shutdown();
    CHECK_EQ(sum, 9);
}

TEST(closures_may_be_large_and_aligned) {
    struct alignas(256) wide {
        unsigned char bytes[5000];
    };
    tp::executor pool(1);
    wide value{};
    value.bytes[4999] = 77;
    const auto aligned = [](const void *p) { return reinterpret_cast<std::uintptr_t>(p) % alignof(wide) == 0; };
    tp::future<wide> future = pool.submit([value, aligned] {
        CHECK(aligned(&value));
        return value;
    });
    future.wait();
    void *result = nullptr;
    CHECK_STATUS(tp_future_result(future.native_handle(), 0, &result), TP_OK);
    CHECK(aligned(result));
    CHECK_EQ(future.get().bytes[4999], 77);
}

TEST(closures_are_destroyed_before_the_future_is_done) {
    tp::executor pool(1);
    std::atomic<int> live{0};
    for (long i = repeat(1000); i > 0; i--) {
        const tp::shared_future<void> future = pool.submit([c = counted(live)](const counted &) {}, counted(live)).share();
        future.get();
        CHECK_EQ(live, 0);
        tp::future<void> failed = pool.submit([c = counted(live)] { throw 1; });
        failed.wait();
        CHECK_EQ(live, 0);
        CHECK(failed.exception() != nullptr);
    }
}

TEST(closures_are_destroyed_in_the_cancel) {
    tp::executor pool(1);
    std::atomic<int> live{0};
    held_worker worker(pool);
    tp::future<void> future = pool.submit([c = counted(live)] {});
    CHECK_EQ(live, 1);
    CHECK(future.cancel());
    CHECK_EQ(live, 0);
    tp::future<void> other = pool.submit([c = counted(live)] {});
    pool.execute([c = counted(live)] {});
    CHECK_EQ(live, 2);
    pool.shutdown(tp::shutdown_flags::cancel_futures);
    CHECK_EQ(live, 0);
}

TEST(closures_of_broken_executors_are_destroyed) {
    std::atomic<int> live{0};
    {
        gate enter = GATE_INIT;
        tp::executor_options options;
        options.max_workers = 1;
        options.initializer = [&] {
            gate_wait(&enter);
            return false;
        };
        tp::executor pool(std::move(options));
        tp::future<void> future = pool.submit([c = counted(live)] {});
        pool.execute([c = counted(live)] {});
        CHECK_EQ(live, 2);
        gate_open(&enter);
        CHECK_THROWS(tp::broken_executor, future.get());
    }
    CHECK_EQ(live, 0);
}

TEST(refused_closures_are_destroyed_in_the_call) {
    tp::executor pool(1);
    std::atomic<int> live{0};
    pool.shutdown();
    CHECK_THROWS(tp::shutdown_error, pool.submit([c = counted(live)] {}));
    CHECK_THROWS(tp::shutdown_error, pool.execute([c = counted(live)](const counted &) {}, counted(live)));
    CHECK_EQ(live, 0);
}

TEST(closures_refused_at_the_last_moment_are_destroyed) {
    // Its copy into the task's memory closes the executor.
    struct closing {
        tp::executor *pool;
        counted count;
        closing(tp::executor &p, std::atomic<int> &live) : pool(&p), count(live) {}
        closing(const closing &other) : pool(other.pool), count(other.count) { pool->shutdown(tp::shutdown_flags::none); }
        void operator()() const {}
    };
    std::atomic<int> live{0};
    tp::executor pool(1);
    const closing closure(pool, live);
    CHECK_THROWS(tp::shutdown_error, pool.submit(closure));
    CHECK_EQ(live, 1);
}

TEST(results_are_destroyed_with_the_last_reference) {
    std::atomic<int> live{0};
    tp::executor pool(1);
    {
        tp::shared_future<counted> a = pool.submit([&] { return counted(live); }).share();
        a.wait();
        CHECK_EQ(live, 1);
        tp::shared_future<counted> b = a;
        a = {};
        CHECK_EQ(live, 1);
    }
    // Nobody asks for this one, and for that one nobody can.
    { tp::future<counted> dropped = pool.submit([&] { return counted(live); }); }
    pool.execute([&] { return counted(live); });
    pool.shutdown(); // by now no worker holds a task
    CHECK_EQ(live, 0);
}

TEST(executing_runs_small_and_large_functions) {
    tp::executor pool(2);
    static std::atomic<int> runs;
    runs = 0;
    struct empty {
        int operator()() const { return ++runs; }
    };
    void (*pointer)() = [] { ++runs; };
    machine m;
    pool.execute(empty{});
    pool.execute(pointer);
    pool.execute([&m] { runs += m.speed; });
    pool.execute([&m, n = 2] { runs += m.speed * n; });
    pool.execute([](int n) { runs += n; }, 4);
    pool.execute(&machine::run, &m, 2);
    pool.execute([] {
        static_assert(noexcept(tp::stop_requested()));
        runs += !tp::stop_requested();
    });
    pool.shutdown();
    CHECK_EQ(runs, 1 + 1 + 3 + 6 + 4 + 1);
}

TEST(exceptions_of_executed_functions_are_heard_of_on_the_worker) {
    std::atomic<long> heard{0};
    tp::executor_options options;
    options.max_workers = 1;
    options.unhandled_error = [&](const tp_error &) {
        CHECK(tp_worker_name() != nullptr);
        heard++;
    };
    tp::executor pool(std::move(options));
    // Also where the task has failed before execute() returns, as some of these have.
    for (long i = 1, last = repeat(2000); i <= last; i++) {
        pool.execute([i](std::atomic<long> &count) { throw count + i; }, std::ref(heard));
        while (heard != i) std::this_thread::yield();
    }
}

TEST(executed_functions_have_no_future) {
    tp::executor pool(1);
    pool.execute([] { CHECK_PTR(tp_future_current(), nullptr); });
    pool.execute([](int) { CHECK_PTR(tp_future_current(), nullptr); }, 1);
    pool.shutdown();
}

TEST(submit_many_submits_the_elements_of_any_input_range) {
    tp::executor pool(2);
    const std::list<int> numbers{1, 2, 3};
    std::vector<tp::future<int>> futures = pool.submit_many(numbers, [](int n) { return n * n; });
    REQUIRE(futures.size() == 3);
    CHECK_EQ(futures[0].get() + futures[1].get() * 10 + futures[2].get() * 100, 941);

    // A temporary, and elements that are read once.
    std::istringstream input("4 5 6");
    struct once {
        std::istringstream &in;
        std::istream_iterator<int> begin() const { return std::istream_iterator<int>(in); }
        std::istream_iterator<int> end() const { return {}; }
    };
    futures = pool.submit_many(once{input}, [](int n) { return n + 1; });
    REQUIRE(futures.size() == 3);
    CHECK_EQ(futures[2].get(), 7);

    const int array[] = {7, 8};
    CHECK_EQ(pool.submit_many(array, [](int n) { return n; })[1].get(), 8);
    CHECK(pool.submit_many(std::vector<int>{}, [](int) {}).empty());
}

TEST(submit_many_cancels_what_it_submitted_where_it_fails) {
    struct fragile {
        int number;
        std::atomic<int> *ran;
        fragile(int n, std::atomic<int> *r) : number(n), ran(r) {}
        fragile(const fragile &other) : number(other.number), ran(other.ran) {
            if (number == 3) throw std::runtime_error("no third");
        }
    };
    tp::executor pool(1);
    std::atomic<int> ran{0};
    held_worker worker(pool);
    std::list<fragile> elements;
    for (int n = 1; n <= 4; n++) elements.emplace_back(n, &ran);
    CHECK_THROWS(std::runtime_error, pool.submit_many(elements, [](const fragile &f) { ++*f.ran; }));
    worker.let_go();
    pool.shutdown();
    CHECK_EQ(ran, 0);
}

TEST(a_task_may_submit_and_wait) {
    tp::executor pool(1);
    const int sum = pool.submit([&] {
        tp::future<int> inner = pool.submit([&] { return pool.submit([] { return 1; }).get() + 1; });
        return inner.get() + 1;
    }).get();
    CHECK_EQ(sum, 3);
}

TEST(a_task_may_end_its_own_executor) {
    auto pool = std::make_unique<tp::executor>(1);
    tp::future<void> future;
    gate submitted = GATE_INIT;
    future = pool->submit([&] {
        gate_wait(&submitted);
        pool.reset();
    });
    gate_open(&submitted);
    future.get();
    CHECK(pool == nullptr);
}

static_assert(std::is_same_v<tp::task_result_t<int (*)(int), int>, int>);
static_assert(std::is_same_v<tp::task_result_t<std::string &&(*)()>, std::string>);
static_assert(std::is_same_v<tp::task_result_t<const int &(*)()>, const int &>);
