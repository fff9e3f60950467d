// cancel_rest.cpp: one task fails. How do I call off all the others, and when does my loop over the results end?
//
// Shut down with cancel_futures: what is pending becomes cancelled and comes out of the loop like everything else, so the loop
// ends by itself. A running task cannot be stopped from outside, but it can ask whether it should stop. The flag `wait` makes
// shutdown return after it has; cancel_rest_nowait.cpp is the same without waiting.
#include <array>
#include <chrono>
#include <future>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tpexec.hpp>

int main()
{
    constexpr std::array<int, 6> numbers{0, 1, 2, 3, 4, 5};
    std::promise<void> running;
    tp::executor pool(1); // one worker, so that tasks 3, 4 and 5 are surely pending while task 2 runs

    auto futures = pool.submit_many(numbers, [&running](int i) {
        if (i == 1) throw std::runtime_error("task 1 went wrong");
        if (i == 2) {
            running.set_value();
            while (!tp::stop_requested()) // a long job, looking up from time to time
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });

    std::array<std::string, numbers.size()> ended;
    std::size_t n = 0;
    for (auto [i, future] : tp::as_completed(futures)) {
        ++n;
        try {
            future.get();
            ended[i] = "finished";
        } catch (const tp::cancelled_error &) {
            ended[i] = "cancelled";
        } catch (const std::runtime_error &error) {
            ended[i] = error.what();
            std::cout << "task " << i << " failed\n";
            running.get_future().wait();
            pool.shutdown(tp::shutdown_flags::cancel_futures | tp::shutdown_flags::wait);
            std::cout << "shutdown has returned: task 2 " << (futures[2].running() ? "is still running" : "has stopped") << '\n';
        }
    }

    std::cout << "the loop has ended: " << n << " of " << numbers.size() << " came out\n";
    for (int i : numbers) std::cout << "task " << i << ": " << ended[i] << '\n';
}
