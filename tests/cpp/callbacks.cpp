// on_done(): who is called, with what, when and where, and what happens to the callback.
#include "support.hpp"

TEST(callbacks_get_the_future_or_nothing) {
    tp::executor pool(1);
    std::atomic<int> calls{0};
    const tp::shared_future<int> future = pool.submit([] { return 5; }).share();
    future.on_done([&](const tp::shared_future<int> &done) { calls += done.get(); });
    future.on_done([&](auto &done) { calls += done.done() ? 10 : 0; });
    future.on_done([&] { calls += 100; });
    pool.shutdown();
    CHECK_EQ(calls, 115);

    tp::executor other(1);
    tp::future<int> alone = other.submit([] { return 6; });
    alone.on_done([&](const tp::future<int> &done) { calls = done.exception() == nullptr ? 1 : 0; });
    CHECK_EQ(alone.get(), 6);
    other.shutdown();
    CHECK_EQ(calls, 1);
}

TEST(callbacks_run_in_order_and_on_the_worker) {
    tp::executor pool(1);
    held_worker worker(pool);
    tp::future<void> future = pool.submit([] {});
    std::vector<int> order;
    std::vector<std::thread::id> where;
    for (int i = 0; i < 3; i++)
        future.on_done([&, i] {
            order.push_back(i);
            where.push_back(std::this_thread::get_id());
        });
    worker.let_go();
    pool.shutdown();
    CHECK(order == (std::vector<int>{0, 1, 2}));
    REQUIRE(where.size() == 3);
    CHECK(where[0] != std::this_thread::get_id() && where[0] == where[2]);
}

TEST(callbacks_of_done_futures_run_in_the_call) {
    tp::executor pool(1);
    tp::future<void> future = pool.submit([] { throw 1; });
    future.wait();
    bool called = false;
    future.on_done([&](const tp::future<void> &done) {
        called = done.exception() != nullptr;
        bool nested = false;
        done.on_done([&] { nested = true; });
        CHECK(nested);
    });
    CHECK(called);
}

TEST(callbacks_of_cancelled_futures_run_in_the_cancel) {
    tp::executor pool(1);
    held_worker worker(pool);
    tp::future<void> future = pool.submit([] {});
    bool called = false;
    future.on_done([&](auto &done) { called = done.cancelled(); });
    CHECK(future.cancel());
    CHECK(called);
}

TEST(callbacks_may_be_move_only_and_are_destroyed_after_the_call) {
    tp::executor pool(1);
    std::atomic<int> live{0}, calls{0};
    held_worker worker(pool);
    tp::future<void> future = pool.submit([] {});
    future.on_done([&, owned = std::make_unique<counted>(live)] { calls += owned->count->load(); });
    CHECK_EQ(live, 1);
    worker.let_go();
    pool.shutdown();
    CHECK_EQ(calls, 1);
    CHECK_EQ(live, 0);
}

TEST(refused_callbacks_are_destroyed) {
    std::atomic<int> live{0};
    const tp::future<void> none;
    CHECK_THROWS(tp::invalid_state_error, none.on_done([c = counted(live)] {}));
    CHECK_EQ(live, 0);
}

TEST(callbacks_may_keep_the_future) {
    tp::executor pool(1);
    tp::shared_future<std::string> kept;
    const auto keep = [&](const tp::shared_future<std::string> &done) { kept = done; };
    pool.submit([] { return std::string("kept"); }).share().on_done(keep);
    pool.shutdown();
    CHECK_STR(kept.get().c_str(), "kept");
}

TEST(callbacks_may_submit_and_release_the_last_reference) {
    tp::executor pool(1);
    gate ran = GATE_INIT;
    auto future = std::make_unique<tp::future<void>>();
    {
        held_worker worker(pool);
        *future = pool.submit([] {});
        future->on_done([&] {
            future.reset();
            pool.execute([&] { gate_open(&ran); });
        });
    }
    gate_wait(&ran);
    pool.shutdown();
    CHECK(future == nullptr);
}
