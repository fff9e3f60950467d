// two_threads.cpp: how many threads does an executor have, and how long do they live?
//
// At most max_workers, started when there is work for them, kept until shutdown. Five tasks on two threads: none exists before
// the first task, two run while three tasks wait their turn, two are still there when all is done, none after shutdown.
#include <atomic>
#include <future>
#include <iostream>
#include <tpexec.hpp>
#include <vector>

int main()
{
    constexpr int tasks = 5, threads = 2;
    std::atomic<int> started{0};
    std::promise<void> all_busy, gate;
    const std::shared_future<void> go_on = gate.get_future().share();
    tp::executor pool(threads);
    const auto show = [&pool](const char *when) {
        std::cout << when << ": " << pool.worker_count() << " threads, " << pool.pending_count() << " tasks pending\n";
    };

    show("new");
    std::vector<tp::future<void>> futures;
    for (int i = 0; i < tasks; ++i) {
        futures.push_back(pool.submit([&, go_on] {
            if (++started == threads) all_busy.set_value();
            go_on.wait();
        }));
    }
    all_busy.get_future().wait();
    show("busy");

    gate.set_value();
    tp::wait(futures);
    show("all done");

    pool.shutdown();
    show("after shutdown");
}
