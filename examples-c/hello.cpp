// hello.cpp: how does a task give a value back, and what does its future say meanwhile?
//
// submit() takes any function and its arguments, as std::thread does; the type of the future is that of what the function
// returns, and what it throws comes out of get(). The future is shared because get() of a plain one uses it up.
#include <future>
#include <iostream>
#include <string>
#include <tpexec.hpp>

static void show(const char *when, const tp::shared_future<std::string> &future)
{
    std::cout << when << ": running " << (future.running() ? "yes" : "no") << ", done " << (future.done() ? "yes" : "no") << '\n';
}

int main()
{
    std::promise<void> started, go_on; // the gate
    tp::executor pool(1);

    const auto greet = [&](const std::string &name) {
        started.set_value();
        go_on.get_future().wait();
        return "hello, " + name;
    };
    const tp::shared_future<std::string> future = pool.submit(greet, "world");
    started.get_future().wait();
    show("before", future);
    go_on.set_value();

    std::cout << "result: " << future.get() << '\n'; // waits until the task is done
    show("after", future);
} // the executor's end waits for its thread
