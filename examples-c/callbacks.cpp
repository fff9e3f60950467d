// callbacks.cpp: which thread runs the done callbacks of a future?
//
// The worker that ran the task, for callbacks added while it was not done; the thread that cancels it; and for a future that is
// done already the thread that adds the callback, before the call returns. callbacks_many.cpp asks the same of sixteen tasks on
// four workers.
#include <future>
#include <iostream>
#include <tpexec.hpp>

static const char *this_thread()
{
    const char *worker = tp::worker_name(); // null: not a worker
    return worker != nullptr ? worker : "the main thread";
}

// A callback that says where it runs.
static auto tell(const char *who)
{
    return [who](const tp::future<void> &future) {
        const char *how = future.cancelled() ? "cancelled" : "finished";
        std::cout << who << ": on " << this_thread() << ", the future is " << how << '\n';
    };
}

int main()
{
    std::promise<void> go_on;
    tp::executor_options options;
    options.max_workers = 1;
    options.thread_name_prefix = "demo";
    tp::executor pool(std::move(options));

    const auto work = [&go_on] {
        go_on.get_future().wait();
        std::cout << "task: on " << this_thread() << '\n';
    };
    const tp::future<void> future = pool.submit(work);
    const tp::future<void> pending = pool.submit(work);

    pending.on_done(tell("callback of a task that is cancelled"));
    pending.cancel();

    future.on_done(tell("first callback"));
    future.on_done(tell("second callback"));
    go_on.set_value();
    pool.shutdown(); // the result may be there before the callbacks have run; after shutdown they have

    std::cout << "now the task is done\n";
    future.on_done(tell("late callback"));
    std::cout << "and it has run before the call returned\n";
}
