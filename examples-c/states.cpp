// states.cpp: what do cancelled, running, done and cancel answer in each state of a future?
//
// One worker. The first task has finished, the second has failed, the third stands at a gate, two wait behind it, and one of
// those is cancelled. Then every future is asked everything; cancel, the only question that changes anything, comes last.
#include <array>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <tpexec.hpp>

struct named {
    const char *name;
    tp::future<void> future;
};

static const char *yes_no(bool answer)
{
    return answer ? "yes" : "no";
}

int main()
{
    std::promise<void> started, go_on;
    tp::executor pool(1);
    const auto finish = [] {};
    const auto fail = [] { throw std::runtime_error("on purpose"); };
    const auto stand_at_gate = [&] {
        started.set_value();
        go_on.get_future().wait();
    };

    const std::array<named, 5> tasks{{{"finished", pool.submit(finish)},
                                      {"failed", pool.submit(fail)},
                                      {"running", pool.submit(stand_at_gate)},
                                      {"pending", pool.submit(finish)},
                                      {"cancelled", pool.submit(finish)}}};
    started.get_future().wait(); // with one worker tasks start in order: the first two are done by now
    tasks[4].future.cancel();

    std::printf("%-10s cancelled running done cancel\n", "");
    for (const auto &[name, future] : tasks) {
        std::printf("%-10s %-9s %-7s %-4s ", name, yes_no(future.cancelled()), yes_no(future.running()), yes_no(future.done()));
        std::printf("%s\n", yes_no(future.cancel()));
    }
    go_on.set_value();
}
