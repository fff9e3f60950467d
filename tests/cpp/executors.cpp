// tp::executor as a thing: options, hooks, names, counts, moving, shutting down, handles.
#include "support.hpp"

#include <functional>
#include <mutex>
#include <stdexcept>

TEST(defaults_are_those_of_the_library) {
    tp::executor pool;
    tp_executor *plain = tp_executor_new(nullptr);
    REQUIRE(plain != nullptr);
    CHECK_EQ(pool.max_workers(), tp_executor_max_workers(plain));
    tp_executor_free(plain);
    CHECK_EQ(pool.worker_count(), 0);
    CHECK_EQ(pool.pending_count(), 0);
}

TEST(counts_follow_the_tasks) {
    tp::executor pool(3);
    CHECK_EQ(pool.max_workers(), 3);
    held_worker a(pool), b(pool), c(pool);
    tp::future<void> pending = pool.submit([] {});
    CHECK_EQ(pool.worker_count(), 3);
    CHECK_EQ(pool.pending_count(), 1);
}

TEST(options_reach_the_workers) {
    tp::executor_options options;
    options.max_workers = 1;
    options.thread_name_prefix = "lathe";
    options.stack_size = 1 << 20;
    options.idle_timeout = 1h;
    tp::executor pool(std::move(options));
    CHECK_STR(pool.submit([] { return std::string(tp::worker_name()); }).get().c_str(), "lathe_0");
    const std::size_t stack = pool.submit([] {
        pthread_attr_t attributes;
        std::size_t size = 0;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstacksize(&attributes, &size);
        pthread_attr_destroy(&attributes);
        return size;
    }).get();
    CHECK(stack >= 1 << 20 && stack < 2 << 20);
}

TEST(only_workers_have_a_worker_name) {
    CHECK_PTR(tp::worker_name(), nullptr);
    tp::executor pool(1);
    pool.submit([] { CHECK_STR(tp::worker_name(), tp_worker_name()); }).get();
    std::thread([] { CHECK_PTR(tp::worker_name(), nullptr); }).join();
}

TEST(idle_workers_end_after_the_timeout) {
    tp::executor_options options;
    options.max_workers = 2;
    options.idle_timeout = 1ms;
    tp::executor pool(std::move(options));
    {
        held_worker a(pool), b(pool);
        CHECK_EQ(pool.worker_count(), 2);
    }
    EVENTUALLY(pool.worker_count() == 1);
}

#if __cplusplus >= 202002L
TEST(options_have_designated_initialisers) {
    tp::executor pool({.max_workers = 2, .thread_name_prefix = "named", .initializer = [] { return true; }});
    CHECK_EQ(pool.max_workers(), 2);
    CHECK_STR(pool.submit([] { return std::string(tp::worker_name()); }).get().c_str(), "named_0");
}
#endif

TEST(hooks_run_once_per_worker_and_go_with_the_executor) {
    std::atomic<int> initialized{0}, finalized{0}, hooks{0};
    {
        tp::executor_options options;
        options.max_workers = 2;
        // Neither can be copied.
        options.initializer = [&, owned = std::make_unique<counted>(hooks)] { initialized++; };
        options.finalizer = [&, owned = std::make_unique<counted>(hooks)] { finalized++; };
        options.unhandled_error = [owned = std::make_unique<counted>(hooks)](std::exception_ptr) {};
        tp::executor pool(std::move(options));
        CHECK_EQ(hooks, 3);
        { held_worker a(pool), b(pool); }
        CHECK_EQ(initialized, 2);
        CHECK_EQ(finalized, 0);
    }
    CHECK_EQ(finalized, 2);
    CHECK_EQ(hooks, 0);
}

TEST(hooks_of_an_executor_that_is_not_made_are_destroyed) {
    std::atomic<int> hooks{0};
    tp::executor_options options;
    options.max_workers = TP_MAX_WORKERS + 1;
    options.initializer = [owned = counted(hooks)] {};
    CHECK_THROWS(tp::invalid_argument_error, tp::executor(std::move(options)));
    CHECK_EQ(hooks, 0);
}

TEST(an_initializer_that_returns_false_breaks_the_executor) {
    gate submitted = GATE_INIT;
    tp::executor_options options;
    options.initializer = [&] {
        gate_wait(&submitted);
        return false;
    };
    tp::executor pool(std::move(options));
    tp::future<void> future = pool.submit([] {});
    gate_open(&submitted);
    CHECK_THROWS(tp::broken_executor, future.get());
}

TEST(exceptions_of_hooks_are_unhandled) {
    std::mutex lock;
    std::vector<std::string> heard;
    const auto hear = [&](const tp_error &error) {
        const std::lock_guard<std::mutex> locked(lock);
        heard.push_back(error.message);
    };
    {
        tp::executor_options options;
        options.initializer = [] { throw std::runtime_error("cannot begin"); };
        options.unhandled_error = hear;
        tp::executor pool(std::move(options));
        // Refused, or accepted and broken: the worker may be that fast.
        CHECK_THROWS(tp::broken_executor, pool.submit([] {}).get());
    }
    {
        tp::executor_options options;
        options.finalizer = [] { throw std::runtime_error("cannot end"); };
        options.unhandled_error = std::ref(hear);
        tp::executor pool(std::move(options));
        pool.submit([] {}).get();
    }
    REQUIRE(heard.size() == 2);
    CHECK_STR(heard[0].c_str(), "cannot begin");
    CHECK_STR(heard[1].c_str(), "cannot end");
}

TEST(the_destructor_waits_for_everything) {
    std::atomic<int> ran{0};
    {
        tp::executor pool(2);
        for (int i = 0; i < 100; i++) pool.execute([&] { ran++; });
    }
    CHECK_EQ(ran, 100);
}

TEST(moving_moves_the_executor) {
    tp::executor a(1);
    tp::executor b = std::move(a);
    CHECK_PTR(a.native_handle(), nullptr);
    CHECK_EQ(a.max_workers(), 0);
    CHECK_THROWS(tp::invalid_argument_error, a.submit([] {}));
    CHECK_EQ(b.submit([] { return 1; }).get(), 1);

    // What is assigned over ends as by its destructor.
    std::atomic<bool> ran{false};
    tp::executor c(1);
    c.execute([&] { ran = true; });
    c = std::move(b);
    CHECK(ran);
    CHECK_PTR(b.native_handle(), nullptr);
    CHECK_EQ(c.submit([] { return 2; }).get(), 2);
}

TEST(shutdown_waits_unless_told_otherwise) {
    tp::executor pool(1);
    std::atomic<bool> ran{false};
    {
        held_worker worker(pool);
        pool.execute([&] { ran = true; });
        pool.shutdown(tp::shutdown_flags::none);
        CHECK(pool.join(0s) == tp::future_status::timeout);
        CHECK(pool.join(1ms) == tp::future_status::timeout);
        CHECK(!ran);
    }
    pool.join();
    CHECK(ran);
    CHECK(pool.join(0s) == tp::future_status::ready);
    pool.shutdown();
}

TEST(shutdown_cancels_what_is_pending_where_asked) {
    tp::executor pool(1);
    held_worker worker(pool);
    tp::future<void> pending = pool.submit([] {});
    pool.shutdown(tp::shutdown_flags::cancel_futures);
    CHECK(pending.cancelled());
    worker.let_go();
    pool.shutdown(tp::shutdown_flags::wait | tp::shutdown_flags::cancel_futures);
    CHECK_EQ(pool.worker_count(), 0);
}

TEST(join_needs_a_shutdown) {
    tp::executor pool(1);
    CHECK_THROWS(tp::invalid_state_error, pool.join());
    CHECK_THROWS(tp::invalid_state_error, pool.join(1s));
}

TEST(waiting_for_the_own_executor_is_a_deadlock) {
    tp::executor pool(1);
    pool.submit([&] {
        CHECK_THROWS(tp::deadlock_error, pool.shutdown());
        CHECK_THROWS(tp::deadlock_error, pool.join());
    }).get();
    CHECK_THROWS(tp::shutdown_error, pool.submit([] {}));
}

TEST(detached_executors_run_what_is_pending) {
    gate go_on = GATE_INIT, ran = GATE_INIT;
    tp::executor pool(1);
    pool.execute([&] { gate_wait(&go_on); });
    pool.execute([&] { gate_open(&ran); });
    pool.detach();
    CHECK_PTR(pool.native_handle(), nullptr);
    gate_open(&go_on);
    gate_wait(&ran);
}

TEST(executors_go_to_c_and_back) {
    tp::executor pool(2);
    tp_executor *handle = pool.native_handle();
    CHECK_EQ(tp_executor_max_workers(handle), 2);
    CHECK_PTR(pool.release(), handle);
    CHECK_PTR(pool.native_handle(), nullptr);
    tp::executor again = tp::executor::adopt(handle);
    CHECK_EQ(again.submit([] { return 5; }).get(), 5);
}

TEST(executors_are_used_from_many_threads) {
    tp::executor pool(2);
    const long per_thread = repeat(2000);
    std::atomic<long> sum{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++)
        threads.emplace_back([&] {
            for (long i = 0; i < per_thread; i++) {
                pool.execute([&sum] { sum++; });
                sum += pool.submit([](long n) { return n - n + 1; }, i).get();
            }
        });
    for (std::thread &thread : threads) thread.join();
    pool.shutdown();
    CHECK_EQ(sum, 6 * per_thread);
}

static_assert(!std::is_copy_constructible_v<tp::executor> && !std::is_copy_assignable_v<tp::executor>);
static_assert(std::is_nothrow_move_constructible_v<tp::executor> && std::is_nothrow_move_assignable_v<tp::executor>);
static_assert(!std::is_convertible_v<int, tp::executor>);
