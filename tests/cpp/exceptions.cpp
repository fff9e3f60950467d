// Exceptions: of tasks, of the library, of callers' types; what C sees of them; who hears of those that nobody asked for.
#include "support.hpp"

#include <mutex>
#include <stdexcept>

namespace {

struct custom : std::runtime_error {
    explicit custom(int n) : std::runtime_error("custom " + std::to_string(n)), number(n) {}
    int number;
};

const tp_error *error_of(const tp::future_base &future) {
    const tp_error *error = nullptr;
    CHECK_STATUS(tp_future_error(future.native_handle(), TP_FOREVER, &error), TP_OK);
    REQUIRE(error != nullptr);
    return error;
}

} // namespace

TEST(get_throws_the_object_that_the_task_threw) {
    tp::executor pool(1);
    const void *thrown = nullptr;
    tp::future<int> future = pool.submit([&]() -> int {
        try {
            throw custom(7);
        } catch (const custom &exception) {
            thrown = &exception;
            throw;
        }
    });
    try {
        (void)future.get();
        CHECK(!"get() threw");
    } catch (const custom &exception) {
        CHECK_EQ(exception.number, 7);
        CHECK_PTR(&exception, thrown);
    }
    CHECK(!future.valid());
}

TEST(exceptions_need_not_be_std_exceptions) {
    tp::executor pool(1);
    tp::future<void> future = pool.submit([] { throw 12; });
    CHECK_STR(error_of(future)->message, "an exception that is no std::exception");
    int caught = 0;
    try {
        future.get();
    } catch (int thrown) {
        caught = thrown;
    }
    CHECK_EQ(caught, 12);
}

TEST(c_sees_the_message_and_the_exception) {
    tp::executor pool(1);
    tp::future<void> future = pool.submit([] { throw custom(3); });
    const tp_error *error = error_of(future);
    CHECK_STR(error->message, "custom 3");
    CHECK_EQ(error->code, tp::exception_code);
    CHECK_STATUS(tp_future_result(future.native_handle(), 0, nullptr), TP_ERR_TASK);
    try {
        std::rethrow_exception(tp::to_exception(*error));
    } catch (const custom &exception) {
        CHECK_EQ(exception.number, 3);
    }
}

TEST(failures_of_c_tasks_are_task_errors) {
    tp::executor pool(1);
    tp::future<void> future = tp::future<void>::adopt(tp_submit(pool.native_handle(), fail_with_seven, nullptr));
    try {
        future.get();
        CHECK(!"get() threw");
    } catch (const tp::task_error &error) {
        CHECK_EQ(error.code(), 7);
        CHECK_STR(error.what(), "seven");
        CHECK_EQ(error.status(), TP_ERR_TASK);
    }
    // Also in a task of this header, whatever it returns.
    tp::future<std::string> failed = pool.submit([] {
        tp_task_fail(8, "eight");
        return std::string("ignored");
    });
    CHECK_STR(CHECK_THROWS(tp::task_error, failed.get()).c_str(), "eight");
}

TEST(exception_tells_without_throwing) {
    tp::executor pool(1);
    tp::future<int> good = pool.submit([] { return 1; });
    CHECK(good.exception() == nullptr);
    CHECK_EQ(good.get(), 1);
    const tp::shared_future<int> bad = pool.submit([]() -> int { throw custom(1); }).share();
    const std::exception_ptr exception = bad.exception();
    CHECK(exception != nullptr && exception == bad.exception());
    CHECK_THROWS(custom, std::rethrow_exception(exception));
    CHECK_THROWS(custom, bad.get());
    CHECK_THROWS(custom, bad.get());
}

TEST(an_exception_outlives_its_future_and_executor) {
    std::exception_ptr exception;
    {
        tp::executor pool(1);
        exception = pool.submit([] { throw custom(2); }).exception();
    }
    CHECK_THROWS(custom, std::rethrow_exception(exception));
}

TEST(cancelled_tasks_throw_cancelled_error) {
    tp::executor pool(1);
    held_worker worker(pool);
    tp::future<int> future = pool.submit([] { return 1; });
    CHECK(future.cancel());
    CHECK_THROWS(tp::cancelled_error, future.exception());
    CHECK(future.valid());
    CHECK_STR(CHECK_THROWS(tp::cancelled_error, future.get()).c_str(), tp_status_message(TP_ERR_CANCELLED));
    CHECK(!future.valid());
}

TEST(broken_executors_throw_broken_executor) {
    gate submitted = GATE_INIT;
    tp::executor_options options;
    options.initializer = [&] {
        gate_wait(&submitted);
        throw custom(4);
    };
    tp::executor pool(std::move(options));
    tp::future<void> future = pool.submit([] {});
    gate_open(&submitted);
    CHECK_THROWS(tp::broken_executor, future.exception());
    CHECK_THROWS(tp::broken_executor, future.get());
    CHECK(!future.valid());
    CHECK_THROWS(tp::broken_executor, pool.submit([] {}));
    CHECK_THROWS(tp::broken_executor, pool.execute([] {}));
}

TEST(waits_that_could_never_end_throw_deadlock_error) {
    tp::executor pool(1);
    tp::future<bool> outer = pool.submit([] {
        const tp::shared_future<void> self = tp::shared_future<void>::adopt(tp_future_retain(tp_future_current()));
        CHECK_THROWS(tp::deadlock_error, self.get());
        CHECK_THROWS(tp::deadlock_error, self.wait());
        return true;
    });
    CHECK(outer.get());
}

TEST(a_deadlock_does_not_use_the_future_up) {
    tp::executor pool(1);
    gate passed_on = GATE_INIT;
    tp::future<bool> *self = nullptr;
    tp::future<bool> future = pool.submit([&] {
        gate_wait(&passed_on);
        CHECK_THROWS(tp::deadlock_error, self->get());
        return self->valid();
    });
    self = &future;
    gate_open(&passed_on);
    future.wait();
    CHECK(future.get());
}

TEST(shut_executors_throw_shutdown_error) {
    tp::executor pool(1);
    pool.shutdown();
    CHECK_THROWS(tp::shutdown_error, pool.submit([] {}));
    CHECK_THROWS(tp::shutdown_error, pool.execute([] {}));
    CHECK_THROWS(tp::shutdown_error, pool.execute([text = std::string("large")] {}));
    CHECK_THROWS(tp::shutdown_error, pool.submit_many(std::vector<int>{1}, [](int) {}));
}

TEST(every_error_is_a_tp_error_with_its_status) {
    const auto status_of = [](tp_status status) {
        try {
            tp::detail::raise_status(status);
        } catch (const tp::error &error) {
            CHECK_EQ(error.status(), status);
            CHECK(error.what()[0] != '\0');
            return error.status();
        }
        return TP_OK;
    };
    for (int status = TP_ERR_INVALID_ARGUMENT; status <= TP_ERR_UNSUPPORTED; status++)
        CHECK_EQ(status_of(static_cast<tp_status>(status)), status);
    CHECK_THROWS(tp::cancelled_error, tp::detail::raise_status(TP_ERR_CANCELLED));
    CHECK_THROWS(tp::timeout_error, tp::detail::raise_status(TP_ERR_TIMEOUT));
    CHECK_THROWS(tp::deadlock_error, tp::detail::raise_status(TP_ERR_DEADLOCK));
    CHECK_THROWS(tp::broken_executor, tp::detail::raise_status(TP_ERR_BROKEN));
    CHECK_THROWS(tp::shutdown_error, tp::detail::raise_status(TP_ERR_SHUTDOWN));
    CHECK_THROWS(tp::invalid_state_error, tp::detail::raise_status(TP_ERR_INVALID_STATE));
    CHECK_THROWS(tp::invalid_argument_error, tp::detail::raise_status(TP_ERR_INVALID_ARGUMENT));
    CHECK_THROWS(tp::no_memory_error, tp::detail::raise_status(TP_ERR_NO_MEMORY));
    CHECK_THROWS(tp::system_error, tp::detail::raise_status(TP_ERR_SYSTEM));
    CHECK_THROWS(tp::forked_error, tp::detail::raise_status(TP_ERR_FORKED));
    CHECK_THROWS(tp::queue_full_error, tp::detail::raise_status(TP_ERR_QUEUE_FULL));
    CHECK_THROWS(tp::unsupported_error, tp::detail::raise_status(TP_ERR_UNSUPPORTED));
}

TEST(impossible_options_say_what_is_wrong) {
    const std::string what = CHECK_THROWS(tp::invalid_argument_error, tp::executor(TP_MAX_WORKERS + 1));
    CHECK(what.find("max_workers") != std::string::npos);
}

TEST(forked_children_get_forked_error) {
    tp::executor pool(1);
    held_worker worker(pool);
    fflush(nullptr);
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        watch();
        test_failures = 0;
        CHECK_THROWS(tp::forked_error, pool.submit([] {}));
        CHECK_THROWS(tp::forked_error, worker.task.get());
        CHECK(worker.task.valid());
        _exit(test_failures == 0 ? 0 : 1);
    }
    CHECK_EQ(test_wait_for_child(pid), 0);
}

TEST(exceptions_of_copied_arguments_reach_the_submitter) {
    struct fragile {
        fragile() = default;
        fragile(const fragile &) { throw custom(5); }
        void operator()() const {}
    };
    tp::executor pool(1);
    const fragile f;
    CHECK_THROWS(custom, pool.submit(f));
    CHECK_THROWS(custom, pool.submit([](const fragile &) {}, f));
    CHECK_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST(unhandled_errors_are_heard_of_when_the_last_future_goes) {
    std::vector<std::string> heard;
    tp::executor_options options;
    options.unhandled_error = [&](std::exception_ptr exception) {
        heard.push_back(CHECK_THROWS(custom, std::rethrow_exception(exception)));
    };
    tp::executor pool(std::move(options));
    {
        tp::future<void> waited_for = pool.submit([] { throw custom(1); });
        waited_for.wait();
        CHECK(waited_for.wait_for(0s) == tp::future_status::ready);
        CHECK(heard.empty());
    }
    pool.shutdown(); // by now no worker holds the task
    REQUIRE(heard.size() == 1);
    CHECK_STR(heard[0].c_str(), "custom 1");
}

TEST(errors_that_were_looked_at_are_handled) {
    std::atomic<int> heard{0};
    tp::executor_options options;
    options.unhandled_error = [&](const tp_error &) { heard++; };
    tp::executor pool(std::move(options));
    CHECK_THROWS(custom, pool.submit([] { throw custom(1); }).get());
    CHECK(pool.submit([] { throw custom(1); }).exception() != nullptr);
    pool.shutdown();
    CHECK_EQ(heard, 0);
}

TEST(exceptions_of_executed_functions_are_unhandled) {
    std::mutex lock;
    std::vector<std::string> heard;
    tp::executor_options options;
    options.unhandled_error = [&](const tp_error &error) {
        CHECK_EQ(error.code, tp::exception_code);
        CHECK_THROWS(custom, std::rethrow_exception(tp::to_exception(error)));
        const std::lock_guard<std::mutex> locked(lock);
        heard.push_back(error.message);
    };
    tp::executor pool(std::move(options));
    pool.execute([] { throw custom(1); });
    pool.execute([](int n) { throw custom(n); }, 2);
    pool.execute([text = std::string("large")] { throw custom(3); });
    pool.shutdown();
    std::sort(heard.begin(), heard.end());
    REQUIRE(heard.size() == 3);
    CHECK_STR(heard[0].c_str(), "custom 1");
    CHECK_STR(heard[1].c_str(), "custom 2");
    CHECK_STR(heard[2].c_str(), "custom 3");
}

TEST(executed_functions_may_throw_with_nobody_to_hear) {
    tp::executor pool(1);
    pool.execute([] { throw custom(1); });
    pool.execute([text = std::string("large")] { throw custom(2); });
    pool.shutdown();
}

CHILD(throwing_done_callback) {
    std::set_terminate([] { _exit(3); });
    tp::executor pool(1);
    pool.submit([] {}).on_done([] { throw custom(1); });
    pool.shutdown();
    return 0;
}

TEST(a_throwing_done_callback_terminates) { CHECK_CHILD("throwing_done_callback", 3); }

CHILD(throwing_unhandled_error) {
    std::set_terminate([] { _exit(3); });
    tp::executor_options options;
    options.unhandled_error = [](std::exception_ptr) { throw custom(1); };
    tp::executor pool(std::move(options));
    pool.execute([] { throw custom(2); });
    pool.shutdown();
    return 0;
}

TEST(a_throwing_unhandled_error_terminates) { CHECK_CHILD("throwing_unhandled_error", 3); }
