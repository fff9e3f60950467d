// What must not compile: with the name of a case defined the compiler has to refuse this file, without one to accept it.
// CMakeLists.txt names the cases and what the compiler says.
#include <tpexec.hpp>

#include <utility>
#include <vector>

void refusals(tp::executor &pool, tp::future<int> &future, const std::vector<int> &numbers);

void refusals(tp::executor &pool, tp::future<int> &future, const std::vector<int> &numbers) {
#if defined(copying_an_executor)
    tp::executor taken = pool;
#else
    tp::executor taken = std::move(pool);
#endif

#if defined(copying_a_future)
    tp::future<int> mine = future;
#else
    tp::future<int> mine = std::move(future);
#endif

#if defined(an_executor_from_a_number)
    tp::executor two = 2;
#else
    tp::executor two(2);
#endif

#if defined(discarding_a_future)
    two.submit([] {});
#else
    two.execute([] {});
#endif

#if defined(discarding_many_futures)
    two.submit_many(numbers, [](int) {});
#else
    const std::vector<tp::future<void>> many = two.submit_many(numbers, [](int) {});
#endif

#if defined(discarding_a_map)
    two.map(numbers, [](int n) { return n; });
#else
    for (const int n : two.map(numbers, [](int n) { return n; })) static_cast<void>(n);
#endif

#if defined(calling_with_the_wrong_arguments)
    two.execute([](int *) {}, 1.5);
#else
    two.execute([](double) {}, 1.5);
#endif

#if defined(taking_the_result_in_a_callback)
    mine.on_done([](auto &done) { static_cast<void>(done.get()); });
#else
    mine.share().on_done([](auto &done) { static_cast<void>(done.get()); });
#endif

#if defined(mapping_a_function_without_result)
    auto results = two.map(numbers, [](int) {});
#else
    auto results = two.map(numbers, [](int n) { return n; });
#endif
    static_cast<void>(results);

    tp::executor_options options;
#if defined(an_initializer_that_returns_a_number)
    options.initializer = [] { return 0; }; // success in C, false in C++
#else
    options.initializer = [] { return true; };
#endif
}
