// ordered_results.cpp: tasks finish in any order. In which order do I get their results?
//
// In the order you ask. Five tasks are made to finish backwards (each waits for the one after it); main still collects from the
// first to the last, and each result belongs to its task.
#include <array>
#include <future>
#include <iostream>
#include <tpexec.hpp>

int main()
{
    constexpr std::array<int, 5> numbers{0, 1, 2, 3, 4};
    std::array<std::promise<void>, numbers.size()> turns;
    tp::executor pool(numbers.size()); // tasks that wait for each other need a worker each

    auto squares = pool.submit_many(numbers, [&turns](int i) {
        turns[i].get_future().wait();
        std::cout << "task " << i << " finishes\n";
        if (i > 0) turns[i - 1].set_value();
        return i * i;
    });
    turns.back().set_value();

    for (int i : numbers) {
        const int square = squares[i].get();
        std::cout << "result " << i << ": " << square << '\n';
    }
}
