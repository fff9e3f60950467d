// requests.cpp: how much does it help to run eight slow requests four at a time?
//
// A request here only waits, like one to a server. One after the other they take the sum of their times; with four workers a
// quarter of it. The times go to stderr, as they differ from run to run; the answers, and that never more than four ran at once,
// to stdout.
#include <array>
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>
#include <tpexec.hpp>

constexpr int at_once = 4;
static std::atomic<int> running{0}, most{0};

static int request(int number)
{
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {}
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    --running;
    return number * 100; // "the size of the page"
}

int main()
{
    using clock = std::chrono::steady_clock;
    using seconds = std::chrono::duration<double>;
    constexpr std::array<int, 8> numbers{1, 2, 3, 4, 5, 6, 7, 8};

    const auto begin = clock::now();
    for (int number : numbers) request(number);
    const auto middle = clock::now();

    most = 0;
    tp::executor pool(at_once);
    auto sizes = pool.submit_many(numbers, request);
    for (int number : numbers) std::cout << "request " << number << ": " << sizes[number - 1].get() << " bytes\n";
    const auto end = clock::now();

    const seconds sequential = middle - begin, parallel = end - middle;
    std::cerr << "one at a time " << sequential.count() << " s, four at a time " << parallel.count() << " s\n";
    std::cout << "never more than " << at_once << " at once: " << (most <= at_once ? "yes" : "no") << '\n';
}
