// cancel_rest_nowait.cpp: as cancel_rest.cpp, but nobody waits inside shutdown. What can I do meanwhile?
//
// Without the flag `wait` shutdown returns at once. The cancelled tasks come out of the loop first; the running one comes out
// when it is done, and only then does the loop end. (Task 2 stands at a gate that main opens when it has seen the three others.)
#include <array>
#include <future>
#include <iostream>
#include <stdexcept>
#include <tpexec.hpp>

int main()
{
    std::promise<void> running, go_on;
    tp::executor pool(1);

    auto futures = pool.submit_many(std::array<int, 6>{0, 1, 2, 3, 4, 5}, [&](int i) {
        if (i == 1) throw std::runtime_error("task 1 went wrong");
        if (i == 2) {
            running.set_value();
            go_on.get_future().wait();
        }
    });

    int cancelled = 0;
    for (auto [i, future] : tp::as_completed(futures)) {
        if (future.cancelled()) {
            if (++cancelled == 3) {
                std::cout << "3 tasks cancelled\n";
                go_on.set_value();
            }
        } else if (future.exception() != nullptr) {
            std::cout << "task " << i << " failed\n";
            running.get_future().wait();
            pool.shutdown(tp::shutdown_flags::cancel_futures);
            std::cout << "shutdown has returned: task 2 " << (futures[2].running() ? "is still running" : "has stopped") << '\n';
        } else {
            std::cout << "task " << i << " finished\n";
        }
    }
    std::cout << "the loop has ended\n";
}
