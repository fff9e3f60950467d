/* For adapters (subject_*.hpp here) whose users get a std::future. */
#ifndef STD_FUTURE_HPP
#define STD_FUTURE_HPP

#include <future>

using subject_future = std::future<void *>;

static inline void *subject_result(subject_future *future) { return future->get(); }

#endif
