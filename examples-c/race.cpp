// race.cpp: why is my shared counter too small, and what can I do about it?
//
// To add one is to read, then to write. Two tasks that both read before either writes count one instead of two: here each waits
// between the steps until the other has read, so that it happens every time; in real programs it happens now and then. Three
// cures: a mutex, an atomic addition, and the best, not to share at all: each task returns its own count and main adds them up.
#include <array>
#include <atomic>
#include <future>
#include <iostream>
#include <mutex>
#include <tpexec.hpp>

int main()
{
    constexpr std::array<int, 4> numbers{0, 1, 2, 3};
    constexpr int rounds = 100000;
    std::array<std::promise<void>, 2> has_read;
    std::atomic<long> counter{0}; // atomic, but that alone does not make read-then-write one step
    std::mutex lock;
    long guarded = 0;
    tp::executor pool(numbers.size());

    tp::wait(pool.submit_many(std::array<int, 2>{0, 1}, [&](int i) {
        const long value = counter;
        has_read[i].set_value();
        has_read[1 - i].get_future().wait();
        counter = value + 1;
    }));
    std::cout << "read, then write: " << counter.exchange(0) << " instead of 2\n";

    tp::wait(pool.submit_many(numbers, [&](int) {
        for (int i = 0; i < rounds; ++i) {
            const std::lock_guard<std::mutex> locked(lock);
            ++guarded;
        }
    }));
    std::cout << "mutex:            " << guarded << '\n';

    tp::wait(pool.submit_many(numbers, [&](int) {
        for (int i = 0; i < rounds; ++i) ++counter;
    }));
    std::cout << "atomic:           " << counter << '\n';

    long sum = 0;
    const auto count = [](int) {
        long own = 0;
        for (int i = 0; i < rounds; ++i) ++own;
        return own;
    };
    for (long own : pool.map(numbers, count)) sum += own;
    std::cout << "results:          " << sum << '\n';
}
