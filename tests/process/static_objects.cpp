// E1 in C++: static objects whose destructors use the library, in whatever order they go, while other threads submit and tasks
// run; and thread_local ones of threads and workers. Each way in a process of its own, many times.
#include "harness.h"

#include <atomic>
#include <thread>

namespace {

enum { CODE = 42, RUNS = 15, SUBMITTERS = 4, WARM = 1000 };

std::atomic<long> submissions{0};
std::atomic<bool> armed{false};

void *count(void *arg) {
    submissions++;
    return arg;
}

// Owns an executor, which the destructor frees; what was submitted has then run.
class pool {
public:
    pool() : executor_(new_executor(2)) {}
    pool(const pool &) = delete;
    pool &operator=(const pool &) = delete;
    ~pool() {
        if (armed) {
            CHECK_PTR(result_of(submit(executor_, return_arg, this)), this);
            for (int i = 0; i < 100; i++) CHECK_STATUS(tp_execute(executor_, count, nullptr), TP_OK);
        }
        tp_executor_free(executor_);
        if (test_failures != 0) _exit(1);
    }
    tp_executor *get() const { return executor_; }

private:
    tp_executor *executor_;
};

// One that is made before main, one at its first use: they go in the opposite order.
pool at_start;
tp_executor *at_first_use() {
    static pool made;
    return made.get();
}

// Leaves an executor alive on purpose: the threads below use it for as long as there is a process.
tp_executor *everlasting() {
    static tp_executor *executor = new_executor(3);
    return executor;
}

void *submit_for_ever(void *arg) {
    auto *executor = static_cast<tp_executor *>(arg);
    // By turns of this thread's own: were it cancelled by what the tasks count, all might be, and the count would stay.
    for (long turn = 0;; turn++) {
        tp_future *future = tp_submit(executor, count, nullptr);
        if (future == nullptr) return nullptr;
        if (turn % 3 == 0) tp_future_cancel(future);
        if (turn % 3 == 1) tp_future_result(future, TP_FOREVER, nullptr);
        tp_future_release(future);
    }
}

void begin() {
    armed = true;
    at_first_use();
    for (int i = 0; i < SUBMITTERS; i++) start_thread(submit_for_ever, everlasting());
    EVENTUALLY(submissions > WARM);
}

// Uses the library when its thread ends, at exit for the main thread.
struct last_words {
    ~last_words() {
        CHECK_PTR(result_of(submit(everlasting(), return_arg, this)), this);
        if (test_failures != 0) _exit(1);
    }
    bool touched = false;
};
thread_local last_words words;

void *speak(void *arg) {
    words.touched = true;
    return arg;
}

} // namespace

CHILD(return_with_static_pools) {
    begin();
    return CODE;
}

static void *exit_with_code(void *) { exit(CODE); }

CHILD(exit_in_a_task_with_static_pools) {
    begin();
    // On a worker of a static pool, whose destructor then cannot wait for the task that called exit(), and does not.
    CHECK_STATUS(tp_execute(at_first_use(), exit_with_code, nullptr), TP_OK);
    for (;;) sleep_ms(1000);
}

CHILD(thread_locals_of_threads_workers_and_main) {
    begin();
    words.touched = true;
    for (int i = 0; i < 4; i++) {
        std::thread([] { words.touched = true; }).join();
        tp_executor *executor = new_executor(2);
        for (int k = 0; k < 4; k++) CHECK_STATUS(tp_execute(executor, speak, nullptr), TP_OK);
        tp_executor_free(executor);
    }
    return test_failures == 0 ? int{CODE} : 1;
}

static void many(const char *child) {
    for (long run = repeat(RUNS); run > 0; run--) CHECK_CHILD(child, CODE);
}

TEST(e01_static_objects_free_executors_under_load) { many("return_with_static_pools"); }
TEST(e01_static_objects_after_an_exit_in_a_task) { many("exit_in_a_task_with_static_pools"); }
TEST(e01_thread_locals_use_the_library_as_their_thread_ends) { many("thread_locals_of_threads_workers_and_main"); }
