// unhandled_error.cpp: a task fails and nobody looks at its future. Is the error lost?
//
// Not if the executor has an unhandled_error function: it is called when a failed future goes and nobody has seen its exception.
// Three tasks fail. The first has no future at all: reported at once, by its worker. The second one's exception is caught: no
// report. The third one's future goes unread: reported by the thread that lets go of it last, here main, as the worker has ended
// by then.
#include <iostream>
#include <memory>
#include <stdexcept>
#include <tpexec.hpp>

static void fail(const char *what)
{
    throw std::runtime_error(what);
}

// The function below owns what it captures until nothing can need it any more.
struct farewell {
    ~farewell() { std::cout << "unhandled: no more reports\n"; }
};

int main()
{
    tp::executor_options options;
    options.max_workers = 1;
    options.thread_name_prefix = "demo";
    options.unhandled_error = [last = std::make_unique<farewell>()](const tp_error &error) { // or: a std::exception_ptr
        const char *worker = tp::worker_name();
        std::cout << "unhandled: \"" << error.message << "\", on " << (worker ? worker : "the main thread") << '\n';
    };

    tp::future<void> forgotten;
    {
        tp::executor pool(std::move(options));
        pool.execute([] { fail("the first task's error"); });
        tp::future<void> looked_at = pool.submit(fail, "the second task's error");
        forgotten = pool.submit(fail, "the third task's error");
        try {
            looked_at.get();
        } catch (const std::runtime_error &error) {
            std::cout << "looked at: \"" << error.what() << "\"\n";
        }
    }
    std::cout << "the executor is gone\n"; // futures outlive their executor, and so may reports
}
