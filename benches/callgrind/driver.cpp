// Runs pairs of scenarios, for valgrind to count what tpexec.hpp adds: NAME-cpp is a call of the C++ API, NAME-c the C calls
// that it wraps, with the same task. `driver-cpp PHASE TASKS`; `driver-cpp` alone lists the phases. Called by counts.py.
//
// One compiler makes both sides of a pair, so that a difference between them is the header's. A scenario is one phase: the
// submitting, the running and the getting.
#include "held_workers.h"

#include <iterator>
#include <tpexec.hpp>
#include <vector>

namespace {

// What a task captures: more than execute() can put into the argument of a C task.
struct numbers {
    long a, b, c;
};

long n_runs; // of the tasks of execute(); written by one worker, read when it is done
long total;  // of all results

int sum(const numbers &n) { return static_cast<int>(n.a + n.b + n.c); }

// ---- the C calls ------------------------------------------------------------------------------------------------------------

// A task in its own memory, as submit() makes it: what was captured, then the result.
struct addition {
    numbers captured;
    int result;

    static void *run(void *memory) {
        auto *self = static_cast<addition *>(memory);
        self->result = sum(self->captured);
        return &self->result;
    }
};

// The same without a result, as execute() makes it.
struct increment {
    numbers captured;

    static void *run(void *memory) {
        n_runs += static_cast<increment *>(memory)->captured.a;
        return nullptr;
    }
};

void *count_run(void *counter) {
    ++*static_cast<long *>(counter);
    return nullptr;
}

// Inlined like the header's functions: written out in the loop, the C calls would be just these.
template <class Task, auto Submit = tp_task_launch>
[[gnu::always_inline]] inline tp_future *launch() {
    tp_future *future = nullptr;
    void *memory = nullptr;
    check(tp_task_prepare(pool, sizeof(Task), alignof(Task), &future, &memory) == TP_OK, "tp_task_prepare");
    static_cast<Task *>(memory)->captured = {1, 2, 0};
    check(Submit(future, Task::run, nullptr) == TP_OK, "the submission");
    return future;
}

[[gnu::always_inline]] inline int get(tp_future *future) {
    void *result = nullptr;
    check(tp_future_result(future, TP_FOREVER, &result) == TP_OK, "tp_future_result");
    const int value = *static_cast<int *>(result);
    tp_future_release(future);
    return value;
}

// ---- scenarios --------------------------------------------------------------------------------------------------------------

// Calls step(i) for every task, counted, on the calling thread.
template <class Step>
void count_each(Step step) {
    toggle(counted);
    for (std::size_t i = 0; i < n_tasks; i++) step(i);
    toggle(counted);
}

// Has a task call step() for every child, counted. Where that waits for the child it runs it.
template <class Step>
void count_each_in_a_task(Step step) {
    const tp_task_fn parent = [](void *arg) -> void * {
        for (std::size_t i = 0; i < n_tasks; i++) (*static_cast<Step *>(arg))();
        return nullptr;
    };
    check(tp_execute(pool, parent, &step) == TP_OK, "cannot submit the parent");
    run_all(counted);
}

// The executor of the held workers, as a C++ object for the length of a scenario.
template <class Scenario>
void with_executor(Scenario scenario) {
    tp::executor executor = tp::executor::adopt(pool);
    scenario(executor);
    check(executor.release() == pool, "the executor is another");
}

void check_results() { check(total == 3 * static_cast<long>(n_tasks), "a wrong result"); }
void check_runs() { check(n_runs == static_cast<long>(n_tasks), "not every task has run"); }

void inline_get_c() {
    count_each_in_a_task([] { total += get(launch<addition>()); });
    check_results();
}

void inline_get_cpp() {
    with_executor([](tp::executor &executor) {
        count_each_in_a_task([&executor] { total += executor.submit([n = numbers{1, 2, 0}] { return sum(n); }).get(); });
    });
    check_results();
}

void submit_get_c() {
    count_each([](std::size_t i) { futures[i] = launch<addition>(); });
    run_all(counted);
    count_each([](std::size_t i) { total += get(futures[i]); });
    check_results();
}

void submit_get_cpp() {
    with_executor([](tp::executor &executor) {
        std::vector<tp::future<int>> results(n_tasks);
        count_each([&](std::size_t i) { results[i] = executor.submit([n = numbers{1, 2, 0}] { return sum(n); }); });
        run_all(counted);
        count_each([&](std::size_t i) { total += results[i].get(); });
    });
    check_results();
}

void execute_pointer_c() {
    count_each([](std::size_t) { check(tp_execute(pool, count_run, &n_runs) == TP_OK, "tp_execute"); });
    run_all(counted);
    check_runs();
}

void execute_pointer_cpp() {
    with_executor([](tp::executor &executor) {
        count_each([&](std::size_t) { executor.execute([counter = &n_runs] { ++*counter; }); });
        run_all(counted);
    });
    check_runs();
}

void execute_numbers_c() {
    count_each([](std::size_t) { launch<increment, tp_task_execute>(); }); // which takes the future
    run_all(counted);
    check_runs();
}

void execute_numbers_cpp() {
    with_executor([](tp::executor &executor) {
        count_each([&](std::size_t) { executor.execute([n = numbers{1, 2, 0}] { n_runs += n.a; }); });
        run_all(counted);
    });
    check_runs();
}

const phase phases[] = {
    {"inline-get-c", "a task launches a child, waits for it (so runs it), releases it", inline_get_c},
    {"inline-get-cpp", "the same: executor.submit(lambda).get()", inline_get_cpp},
    {"submit-get-c", "a task is launched, a worker runs it, its result is taken", submit_get_c},
    {"submit-get-cpp", "the same: executor.submit(lambda), later future.get()", submit_get_cpp},
    {"execute-pointer-c", "tp_execute, and a worker runs the task", execute_pointer_c},
    {"execute-pointer-cpp", "the same: executor.execute of a lambda that captures a pointer", execute_pointer_cpp},
    {"execute-numbers-c", "tp_task_execute, and a worker runs the task", execute_numbers_c},
    {"execute-numbers-cpp", "the same: executor.execute of a lambda that captures 24 bytes", execute_numbers_cpp},
};

} // namespace

int main(int argc, char **argv) { return run_phase(phases, std::size(phases), argc, argv); }
