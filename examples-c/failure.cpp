// failure.cpp: one task fails among others. Where do I see it, and what happens to the rest?
//
// A task fails by an exception, which get() of its future throws: the same object. The other tasks and the worker it ran on are
// unharmed: here a single worker runs all five.
#include <array>
#include <iostream>
#include <stdexcept>
#include <tpexec.hpp>

static int hundred_divided_by(int n)
{
    if (n == 0) throw std::domain_error("cannot divide by 0");
    return 100 / n;
}

int main()
{
    tp::executor pool(1);
    int i = 0;
    for (auto &quotient : pool.submit_many(std::array<int, 5>{-2, -1, 0, 1, 2}, hundred_divided_by)) {
        std::cout << "task " << i++ << ": ";
        try {
            std::cout << quotient.get() << '\n';
        } catch (const std::domain_error &error) {
            std::cout << "domain_error: " << error.what() << '\n';
        }
    }
}
