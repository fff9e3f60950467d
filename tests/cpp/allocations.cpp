// How often submitting from C++ allocates: this program's malloc counts. The library and operator new are served by it too.
#include "support.hpp"

#include <functional>

namespace {

std::atomic<long> allocations{0};

} // namespace

// glibc's own, under the names that programs which replace malloc are given.
extern "C" {
void *__libc_malloc(std::size_t size);
void *__libc_calloc(std::size_t n, std::size_t size);
void *__libc_realloc(void *block, std::size_t size);
void *__libc_memalign(std::size_t align, std::size_t size);

void *malloc(std::size_t size) noexcept {
    ++allocations;
    return __libc_malloc(size);
}
void *calloc(std::size_t n, std::size_t size) noexcept {
    ++allocations;
    return __libc_calloc(n, size);
}
void *realloc(void *block, std::size_t size) noexcept {
    ++allocations;
    return __libc_realloc(block, size);
}
void *aligned_alloc(std::size_t align, std::size_t size) noexcept {
    ++allocations;
    return __libc_memalign(align, size);
}
int posix_memalign(void **block, std::size_t align, std::size_t size) noexcept {
    *block = aligned_alloc(align, size);
    return *block == nullptr ? ENOMEM : 0;
}
}

namespace {

// A closure of 24 bytes whose result is an int.
struct sum_of_three {
    long a, b, c;
    int operator()() const { return static_cast<int>(a + b + c); }
};
static_assert(sizeof(sum_of_three) == 24);

long rounds() { return repeat(10000); }

template <class Submit>
long allocations_in(Submit submit) {
    // Threads, and memory in the hands of either side, are there after some rounds.
    for (long i = 0; i < 1000; i++) submit();
    const long before = allocations;
    for (long i = rounds(); i > 0; i--) submit();
    return allocations - before;
}

} // namespace

TEST(the_counter_counts) {
    const long before = allocations;
    delete new int(1);
    std::free(std::malloc(1));
    CHECK(allocations - before >= 1);
}

TEST(submitting_a_small_closure_allocates_nothing_after_warm_up) {
    tp::executor pool(1);
    const long n = allocations_in([&] {
        const sum_of_three closure{1, 2, 3};
        CHECK_EQ(pool.submit(closure).get(), 6);
    });
    CHECK_EQ(n, 0);
}

TEST(submitting_many_before_waiting_allocates_at_most_once_each) {
    tp::executor pool(1);
    std::vector<tp::future<int>> futures;
    futures.reserve(static_cast<std::size_t>(rounds()));
    held_worker worker(pool);
    const long before = allocations;
    for (long i = rounds(); i > 0; i--) futures.push_back(pool.submit(sum_of_three{1, 2, 3}));
    CHECK(allocations - before <= rounds());
    worker.let_go();
    for (tp::future<int> &future : futures) CHECK_EQ(future.get(), 6);
}

TEST(submitting_a_large_closure_allocates_once) {
    struct large {
        char bytes[1000] = {};
        int operator()() const { return bytes[0]; }
    };
    tp::executor pool(1);
    const long n = allocations_in([&] { CHECK_EQ(pool.submit(large{}).get(), 0); });
    CHECK_EQ(n, rounds());
}

TEST(executing_allocates_nothing_after_warm_up) {
    tp::executor pool(1);
    long ran = 0;
    const long n = allocations_in([&] {
        pool.execute([&ran] { ran++; });                               // in the argument of the task
        pool.execute([&ran](long a, long b) { ran += a * b; }, 2L, 3L); // in the task
        pool.submit([] {}).get();
    });
    CHECK_EQ(n, 0);
    pool.shutdown();
    CHECK_EQ(ran, 7 * (1000 + rounds()));
}
