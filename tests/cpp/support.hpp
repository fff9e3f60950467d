// What the tests of tpexec.hpp share: the harness of the C tests, checks for exceptions, a worker that is held, objects that
// are counted.
#ifndef TPEXEC_TEST_SUPPORT_HPP
#define TPEXEC_TEST_SUPPORT_HPP

#include "../c/harness.h"

#include <tpexec.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

// Clang before 16 cannot compile the views of libstdc++.
#if __cplusplus >= 202002L && (!defined(__clang__) || __clang_major__ >= 16)
#define TEST_HAS_VIEWS 1
#endif
#if __cplusplus >= 202002L
#include <ranges>
#endif

using namespace std::chrono_literals;

// The statement throws an Exception (or what derives from it); gives its what().
template <class Exception, class Statement>
std::string check_throws(const char *file, int line, const char *text, Statement statement) {
    try {
        statement();
        test_failed(file, line, "%s does not throw", text);
    } catch (const Exception &exception) {
        return exception.what();
    } catch (const std::exception &exception) {
        test_failed(file, line, "%s throws something else: %s", text, exception.what());
    } catch (...) {
        test_failed(file, line, "%s throws something that is no std::exception", text);
    }
    return "";
}
#define CHECK_THROWS(exception, statement) \
    check_throws<exception>(__FILE__, __LINE__, #statement, [&] { static_cast<void>(statement); })

// A worker that runs a task until it is let go; made when the task has started.
class held_worker {
public:
    explicit held_worker(tp::executor &pool) {
        gate_init(&started_);
        gate_init(&release_);
        task = pool.submit([this] {
            gate_open(&started_);
            gate_wait(&release_);
        });
        gate_wait(&started_);
    }
    held_worker(const held_worker &) = delete;
    held_worker &operator=(const held_worker &) = delete;
    ~held_worker() { let_go(); }

    void let_go() {
        if (!task.valid()) return;
        gate_open(&release_);
        task.get();
    }

    tp::future<void> task;

private:
    gate started_, release_;
};

// Counts how many of its kind exist; copies and moves count.
struct counted {
    explicit counted(std::atomic<int> &n) : count(&n) { ++*count; }
    counted(const counted &other) : count(other.count) { ++*count; }
    counted &operator=(const counted &) = delete;
    ~counted() { --*count; }

    std::atomic<int> *count;
};

#endif
