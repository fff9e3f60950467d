// The plain C API from C++: lambdas without captures as functions, RAII by unique_ptr, structs filled member by member.
#include "harness.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace {

struct free_executor {
    void operator()(tp_executor *executor) const { tp_executor_free(executor); }
};
struct release_future {
    void operator()(tp_future *future) const { tp_future_release(future); }
};
struct free_queue {
    void operator()(tp_completion_queue *queue) const { tp_completion_queue_free(queue); }
};
struct free_map {
    void operator()(tp_map *map) const { tp_map_free(map); }
};
using executor_ptr = std::unique_ptr<tp_executor, free_executor>;
using future_ptr = std::unique_ptr<tp_future, release_future>;
using queue_ptr = std::unique_ptr<tp_completion_queue, free_queue>;
using map_ptr = std::unique_ptr<tp_map, free_map>;

static_assert(std::is_standard_layout<tp_executor_config>::value && std::is_trivial<tp_executor_config>::value, "a plain struct");
static_assert(std::is_standard_layout<tp_task>::value && std::is_trivial<tp_task>::value, "a plain struct");
static_assert(std::is_standard_layout<tp_error>::value && std::is_trivial<tp_error>::value, "a plain struct");

executor_ptr make_executor(std::size_t workers) {
    tp_executor_config config{};
    config.size = sizeof config;
    config.max_workers = workers;
    config.thread_name_prefix = "cpp";
    executor_ptr executor(tp_executor_new(&config));
    REQUIRE(executor != nullptr);
    return executor;
}

} // namespace

TEST(cpp_a_lambda_as_a_task) {
    auto       executor = make_executor(2);
    int        value = 20;
    future_ptr future(tp_submit(
        executor.get(),
        [](void *arg) -> void * {
            *static_cast<int *>(arg) += 1;
            return arg;
        },
        &value));
    REQUIRE(future != nullptr);
    void *result = nullptr;
    CHECK_STATUS(tp_future_result(future.get(), TP_FOREVER, &result), TP_OK);
    CHECK_PTR(result, &value);
    CHECK_EQ(value, 21);
}

TEST(cpp_arguments_and_results_owned_by_the_task) {
    auto       executor = make_executor(1);
    tp_task    task{};
    tp_future *raw = nullptr;
    task.size = sizeof task;
    task.arg = new std::vector<int>(1000, 3);
    task.drop_arg = [](void *arg) { delete static_cast<std::vector<int> *>(arg); };
    task.fn = [](void *arg) -> void * {
        auto &numbers = *static_cast<std::vector<int> *>(arg);
        return new std::string(std::to_string(std::accumulate(numbers.begin(), numbers.end(), 0)));
    };
    task.drop_result = [](void *result) { delete static_cast<std::string *>(result); };
    task.name = "accumulate";
    CHECK_STATUS(tp_submit_task(executor.get(), &task, &raw), TP_OK);
    future_ptr future(raw);
    void      *result = nullptr;
    CHECK_STATUS(tp_future_result(future.get(), TP_FOREVER, &result), TP_OK);
    CHECK_STR(static_cast<std::string *>(result)->c_str(), "3000");
    CHECK_STATUS(tp_future_take(future.get(), TP_FOREVER, &result), TP_OK);
    std::unique_ptr<std::string> taken(static_cast<std::string *>(result));
    CHECK_EQ(taken->size(), 4);
}

// What a C++ task has to do with its exceptions: none may leave it.
TEST(cpp_an_exception_travels_as_a_payload) {
    auto       executor = make_executor(1);
    future_ptr future(tp_submit(
        executor.get(),
        [](void *) -> void * {
            try {
                throw std::runtime_error("thrown in a task");
            } catch (const std::exception &exception) {
                auto *pointer = new std::exception_ptr(std::current_exception());
                tp_task_fail_with(1, exception.what(), pointer, [](void *payload) { delete static_cast<std::exception_ptr *>(payload); });
            }
            return nullptr;
        },
        nullptr));
    REQUIRE(future != nullptr);
    const tp_error *error = nullptr;
    CHECK_STATUS(tp_future_error(future.get(), TP_FOREVER, &error), TP_OK);
    REQUIRE(error != nullptr);
    CHECK_STR(error->message, "thrown in a task");
    bool caught = false;
    try {
        std::rethrow_exception(*static_cast<std::exception_ptr *>(error->payload));
    } catch (const std::runtime_error &exception) {
        caught = std::string(exception.what()) == "thrown in a task";
    }
    CHECK(caught);
}

TEST(cpp_callbacks_queues_and_maps) {
    auto                    executor = make_executor(3);
    std::vector<int>        values(100);
    std::vector<void *>     args;
    std::vector<tp_future *> raw(values.size());
    std::iota(values.begin(), values.end(), 0);
    for (int &value : values) args.push_back(&value);
    auto square = [](void *arg) -> void * {
        auto *value = static_cast<int *>(arg);
        *value *= *value;
        return arg;
    };
    CHECK_STATUS(tp_submit_many(executor.get(), square, args.data(), args.size(), raw.data()), TP_OK);
    std::vector<future_ptr> futures;
    std::atomic<int>        called{0};
    for (tp_future *future : raw) {
        futures.emplace_back(future);
        CHECK_STATUS(tp_future_add_done_callback(
                         future, [](tp_future *, void *user_data) { static_cast<std::atomic<int> *>(user_data)->fetch_add(1); }, &called),
                     TP_OK);
    }
    queue_ptr queue(tp_as_completed(raw.data(), raw.size()));
    REQUIRE(queue != nullptr);
    std::vector<bool> seen(values.size());
    std::uint64_t     tag = 0;
    tp_future        *out = nullptr;
    while (tp_completion_queue_next(queue.get(), TP_FOREVER, &out, &tag) == TP_OK) {
        future_ptr owned(out);
        REQUIRE(tag < seen.size());
        CHECK(!seen[tag]);
        seen[tag] = true;
        CHECK_PTR(out, raw[tag]);
    }
    for (std::size_t i = 0; i < values.size(); i++) CHECK(seen[i] && values[i] == static_cast<int>(i * i));

    map_ptr map(tp_map_new(executor.get(), square, args.data(), args.size(), 4, nullptr));
    REQUIRE(map != nullptr);
    for (std::size_t i = 0; i < values.size(); i++) {
        CHECK_STATUS(tp_map_next(map.get(), TP_FOREVER, &out), TP_OK);
        future_ptr owned(out);
        void      *result = nullptr;
        CHECK_STATUS(tp_future_result(out, 0, &result), TP_OK);
        CHECK_PTR(result, args[i]);
        CHECK_EQ(values[i], static_cast<int>(i * i * i * i));
    }
    CHECK_STATUS(tp_map_next(map.get(), TP_FOREVER, &out), TP_END);
    CHECK_STATUS(tp_executor_shutdown(executor.get(), TP_SHUTDOWN_WAIT), TP_OK);
    CHECK_EQ(called.load(), 100);
}

TEST(cpp_bad_input_is_a_status_here_too) {
    tp_task task{};
    task.size = sizeof task;
    CHECK_FAILS(tp_submit_task(nullptr, &task, nullptr), TP_ERR_INVALID_ARGUMENT);
    auto executor = make_executor(1);
    CHECK_FAILS(tp_submit_task(executor.get(), &task, nullptr), TP_ERR_INVALID_ARGUMENT);
    task.fn = [](void *arg) { return arg; };
    task.delay_ns = TP_MSEC(1);
    CHECK_FAILS(tp_submit_task(executor.get(), &task, nullptr), TP_ERR_UNSUPPORTED);
    CHECK_EQ(TP_SEC(2), TP_MSEC(2000));
}
