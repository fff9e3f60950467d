// tpexec.hpp under -fno-exceptions -fno-rtti: all but exceptions works, and what would throw one ends the program.
#include "../c/harness.h"

#include <tpexec.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

TEST(tasks_run_and_give_results) {
    tp::executor pool(2);
    CHECK_EQ(pool.submit([](int a, int b) { return a * b; }, 6, 7).get(), 42);
    tp::future<std::unique_ptr<int>> owned = pool.submit([] { return std::make_unique<int>(1); });
    CHECK_EQ(*owned.get(), 1);
    int value = 0;
    CHECK_PTR(&pool.submit([&]() -> int & { return value; }).get(), &value);
    std::atomic<int> runs{0};
    pool.execute([&] { runs++; });
    pool.execute([&](const std::string &) { runs++; }, std::string("large"));
    tp::shared_future<void> shared = pool.submit([&] { runs++; }).share();
    shared.get();
    shared.on_done([&](auto &done) { runs += done.done(); });
    pool.shutdown();
    CHECK_EQ(runs, 4);
}

TEST(many_tasks_are_waited_for) {
    tp::executor pool(2);
    const std::vector<int> numbers{1, 2, 3};
    std::vector<tp::future<int>> futures = pool.submit_many(numbers, [](int n) { return n; });
    CHECK_EQ(tp::wait(futures, std::chrono::hours(1)).done, 3);
    int sum = 0;
    for (auto [index, future] : tp::as_completed(futures)) sum += future.get();
    for (const int n : pool.map(numbers, [](int n) { return n * 10; })) sum += n;
    CHECK_EQ(sum, 66);
}

TEST(failures_are_told_by_the_c_functions_and_the_hooks) {
    std::atomic<int> heard{0};
    tp::executor_options options;
    options.unhandled_error = [&](const tp_error &error) { heard += error.code; };
    tp::executor pool(std::move(options));
    tp::future<void> failed = pool.submit([] { tp_task_fail(7, "seven"); });
    CHECK_STATUS(tp_future_result(failed.native_handle(), TP_FOREVER, nullptr), TP_ERR_TASK);
    pool.execute([] { tp_task_fail(8, "eight"); });
    pool.shutdown();
    CHECK_EQ(heard, 8);

    gate submitted = GATE_INIT;
    tp::executor_options broken;
    broken.initializer = [&] {
        gate_wait(&submitted);
        return false;
    };
    tp::executor unusable(std::move(broken));
    tp::future<void> never = unusable.submit([] {});
    gate_open(&submitted);
    never.wait();
    CHECK_STATUS(tp_future_result(never.native_handle(), 0, nullptr), TP_ERR_BROKEN);
}

CHILD(get_of_a_failed_task) {
    tp::executor pool(1);
    pool.submit([] { tp_task_fail(7, "seven"); }).get();
    return 0;
}

CHILD(submit_after_shutdown) {
    tp::executor pool(1);
    pool.shutdown();
    pool.execute([] {});
    return 0;
}

static void check_aborts(const char *child) {
    const int status = run_child(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST(what_would_throw_aborts) {
    check_aborts("get_of_a_failed_task");
    check_aborts("submit_after_shutdown");
}
