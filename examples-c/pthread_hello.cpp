// pthread_hello.cpp: hello.cpp without an executor. What does the executor save?
//
// The standard library has a future, but no pool: each task is a thread of its own, to be joined by hand; and its future can say
// that it is done, but not that it runs, and cannot be cancelled.
#include <chrono>
#include <future>
#include <iostream>
#include <string>
#include <thread>

// Whether the task runs the program has to know by itself.
static void show(const char *when, bool running, const std::shared_future<std::string> &future)
{
    const bool done = future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    std::cout << when << ": running " << (running ? "yes" : "no") << ", done " << (done ? "yes" : "no") << '\n';
}

int main()
{
    std::promise<void> started, go_on;

    std::packaged_task<std::string(std::string)> greet([&](const std::string &name) {
        started.set_value();
        go_on.get_future().wait();
        return "hello, " + name;
    });
    const std::shared_future<std::string> future = greet.get_future().share();
    std::thread thread(std::move(greet), "world");
    started.get_future().wait();
    show("before", true, future);
    go_on.set_value();

    std::cout << "result: " << future.get() << '\n';
    show("after", false, future);
    thread.join();
}
