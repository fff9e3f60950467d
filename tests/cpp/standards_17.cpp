// The C++17 half of the program of two standards: what C++20 code made is used, stopped and ended here.
#include "standards.hpp"
#include "support.hpp"

static void open_gate(void *g) { gate_open(static_cast<gate *>(g)); }

TEST(a_task_of_the_other_standard_is_stopped_by_its_future) {
    tp::executor pool(1);
    gate started = GATE_INIT;
    tp::future<int> future = submit_stoppable(pool, open_gate, &started);
    gate_wait(&started);
    future.request_stop();
    CHECK_EQ(future.get(), 20);
}

TEST(a_task_of_the_other_standard_is_stopped_by_its_executor) {
    tp::executor pool(1);
    gate started = GATE_INIT;
    tp::future<int> future = submit_stoppable(pool, open_gate, &started);
    gate_wait(&started);
    tp::executor moved = std::move(pool);
    moved.shutdown(tp::shutdown_flags::wait | tp::shutdown_flags::cancel_futures);
    CHECK_EQ(future.get(), 20);
}
