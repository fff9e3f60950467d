// The smallest complete user of tpexec.hpp: a result, an exception, and the version of the library that was loaded.
#include <cstdio>
#include <stdexcept>
#include <tpexec.hpp>

int main() {
    tp::executor pool;
    tp::future<int> answer = pool.submit([](int a, int b) { return a * b; }, 6, 7);
    tp::future<void> failing = pool.submit([] { throw std::runtime_error("as expected"); });
    try {
        failing.get();
        return 1;
    } catch (const std::runtime_error &) {
        std::printf("tpexec %s: %d\n", tp_version_string(), answer.get());
    }
}
