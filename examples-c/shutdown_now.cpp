// shutdown_now.cpp: what becomes of my tasks when I shut down right after submitting them?
//
// They run. Shutdown only refuses new tasks; what was accepted is done, and its results can be read, also after the executor
// itself is gone. Without the flag `wait` the call returns at once: here while the first task still stands at its gate.
#include <array>
#include <chrono>
#include <future>
#include <iostream>
#include <tpexec.hpp>
#include <vector>

int main()
{
    constexpr std::array<int, 3> numbers{1, 2, 3};
    std::vector<tp::future<int>> squares;
    {
        std::promise<void> gate;
        tp::executor pool(1);
        squares = pool.submit_many(numbers, [go_on = gate.get_future().share()](int n) {
            go_on.wait();
            return n * n;
        });
        pool.shutdown(tp::shutdown_flags::none);
        const std::size_t done = tp::wait(squares, std::chrono::seconds(0)).done; // no time: only look
        std::cout << "shutdown has returned: " << done << " of " << numbers.size() << " tasks done\n";

        try {
            pool.execute([] {});
        } catch (const tp::shutdown_error &error) {
            std::cout << "one more task: " << tp_status_name(error.status()) << '\n';
        }
        gate.set_value();
    } // the executor's end waits for the tasks

    for (int n : numbers) std::cout << "result " << n << ": " << squares[n - 1].get() << '\n';
}
