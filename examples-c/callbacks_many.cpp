// callbacks_many.cpp: sixteen tasks on four workers. Which thread runs each one's callback?
//
// Always the worker that ran the task: four workers, four callback threads, none on main. So callbacks of different tasks run at
// the same time, and what they share needs a lock or, as here, an atomic. (The first four tasks wait until all four run, so that
// all workers work.)
#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <iostream>
#include <string>
#include <tpexec.hpp>

struct places {
    std::string ran_on, called_on;
};

int main()
{
    constexpr int workers = 4;
    std::array<places, 16> tasks;
    std::atomic<int> started{0}, callbacks{0};
    std::promise<void> gate, all_busy;
    const std::shared_future<void> go_on = gate.get_future().share();
    {
        tp::executor_options options;
        options.max_workers = workers;
        options.thread_name_prefix = "demo";
        tp::executor pool(std::move(options));
        for (places &task : tasks) {
            const tp::future<void> future = pool.submit([&, go_on] {
                if (++started == workers) all_busy.set_value();
                go_on.wait();
                task.ran_on = tp::worker_name();
            });
            future.on_done([&] {
                const char *worker = tp::worker_name();
                task.called_on = worker != nullptr ? worker : "main";
                ++callbacks;
            });
        } // the future goes, and the callback still comes
        all_busy.get_future().wait();
        gate.set_value(); // from now on tasks may end: every callback was added before
    }

    const auto same = std::count_if(tasks.begin(), tasks.end(), [](const places &task) { return task.ran_on == task.called_on; });
    std::cout << callbacks << " callbacks, " << same << " on the worker that had run the task\n";
    for (int i = 0; i < workers; ++i) {
        const std::string name = "demo_" + std::to_string(i);
        const bool any = std::any_of(tasks.begin(), tasks.end(), [&](const places &task) { return task.called_on == name; });
        std::cout << name << " ran callbacks: " << (any ? "yes" : "no") << '\n';
    }
}
