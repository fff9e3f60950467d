// What standards_20.cpp, compiled as C++20, gives standards_17.cpp, compiled as C++17: one program may mix them.
#ifndef TPEXEC_TEST_STANDARDS_HPP
#define TPEXEC_TEST_STANDARDS_HPP

#include <tpexec.hpp>

// A task that waits for its std::stop_token, in a pool that C++17 code made.
tp::future<int> submit_stoppable(tp::executor &pool, void (*started)(void *), void *data);

#endif
