// C++ exceptions that leave functions of the program's: what tp_task_fn in tpexec.h promises, at every place in which the
// library calls such a function, with and without somebody further down the stack who would catch them. In child processes,
// which end by it.
#include "stage.h"

#include <stdexcept>

namespace {

void throw_an_exception() { throw std::runtime_error("thrown by the test"); }

void throw_and_catch() {
    try {
        throw_an_exception();
    } catch (const std::exception &) {
    }
}

enum { THROW_AND_CATCH, THROW };
void (*const ways[])() = {throw_and_catch, throw_an_exception};

// A task that would catch what the task it waits for lets go, if that came by.
void *catch_what_an_inner_task_throws(void *arg) {
    try {
        wait_and_release(submit(static_cast<tp_executor *>(arg), act_as_task, nullptr));
    } catch (const std::exception &) {
        return arg;
    }
    return nullptr;
}

} // namespace

CHILD(actor) { return act_out(ways); }

// The caller of the library would catch what a function throws that the call runs.
CHILD(catching_actor) {
    try {
        return act_out(ways);
    } catch (const std::exception &) {
        return 1;
    }
}

CHILD(inner_and_outer_task) {
    stage_act = throw_an_exception;
    tp_executor *executor = new_executor(1);
    result_of(submit(executor, catch_what_an_inner_task_throws, executor));
    tp_executor_free(executor);
    return WENT_ON;
}

TEST(r07_exceptions_that_stay_inside_are_fine) {
    for (int at = 0; at < PLACES; at++) {
        ending end = act_in_a_child("actor", at, THROW_AND_CATCH);
        if (!WIFEXITED(end.status) || WEXITSTATUS(end.status) != WENT_ON)
            test_failed(__FILE__, __LINE__, "%s: wait status %#x, %s", places[at].name,
                        static_cast<unsigned>(end.status), end.said);
    }
}

// On a worker nobody would catch the exception, so the C++ library ends the process, and names the exception.
TEST(r07_an_exception_nobody_catches_is_stopped_by_terminate) {
    for (int at = 0; at < PLACES; at++) {
        if (!places[at].on_a_worker) continue;
        ending end = act_in_a_child("actor", at, THROW);
        CHECK_KILLED(places[at].name, &end, SIGABRT, "terminat");
        CHECK_KILLED(places[at].name, &end, SIGABRT, "thrown by the test");
    }
}

TEST(r07_an_exception_never_passes_the_library) {
    for (int at = 0; at < PLACES; at++) {
        if (places[at].on_a_worker) continue;
        ending end = act_in_a_child("catching_actor", at, THROW);
        CHECK_KILLED(places[at].name, &end, SIGABRT, UNWOUND);
    }
    ending end = run_and_listen("inner_and_outer_task");
    CHECK_KILLED("an outer task that catches", &end, SIGABRT, UNWOUND);
}
