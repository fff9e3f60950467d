// hello.cpp: hello.c in C++, with nothing but the C header.
//
// A lambda without captures is a C function pointer; what it needs comes in as the argument. Two rules of the C API matter in C++: a
// task must not let an exception out (report failures with tp_task_fail), and handles are released by hand or, as here, by a deleter.
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <tpexec.h>

using executor_ptr = std::unique_ptr<tp_executor, decltype(&tp_executor_free)>;
using future_ptr = std::unique_ptr<tp_future, decltype(&tp_future_release)>;

struct greeting {
    std::string name;
    std::promise<void> started, go_on; // the gate
};

static void show(const char *when, const future_ptr &future)
{
    std::printf("%s: running %s, done %s\n", when, tp_future_running(future.get()) ? "yes" : "no",
                tp_future_done(future.get()) ? "yes" : "no");
}

int main()
{
    greeting world;
    world.name = "world";
    executor_ptr executor(tp_executor_new(nullptr), tp_executor_free); // nullptr: every default

    auto greet = [](void *arg) -> void * {
        auto *self = static_cast<greeting *>(arg);
        self->started.set_value();
        self->go_on.get_future().wait();
        try {
            return new std::string("hello, " + self->name);
        } catch (const std::bad_alloc &) {
            tp_task_fail(1, "no memory for the greeting");
            return nullptr;
        }
    };
    future_ptr future(tp_submit(executor.get(), greet, &world), tp_future_release);
    if (!future) {
        std::fprintf(stderr, "hello: %s\n", tp_last_error_message());
        return 1;
    }
    world.started.get_future().wait();
    show("before", future);
    world.go_on.set_value();

    void *result = nullptr;
    tp_status status = tp_future_result(future.get(), TP_FOREVER, &result);
    if (status != TP_OK) {
        std::fprintf(stderr, "hello: %s\n", tp_status_message(status));
        return 1;
    }
    std::unique_ptr<std::string> text(static_cast<std::string *>(result)); // ours from here on
    std::printf("result: %s\n", text->c_str());
    show("after", future);
    return 0;
}
