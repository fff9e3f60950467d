/* What the workloads (workloads.h) call, on Boost.Asio's thread_pool, as its reference shows it: post() to the pool, with the
 * completion token use_future(function) where the result is wanted; join() runs what was posted. */
#ifndef SUBJECT_ASIO_HPP
#define SUBJECT_ASIO_HPP

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/version.hpp>

#include "peers/std_future.hpp"
#include "refusal.h"

#define SUBJECT_NAME "Boost.Asio"

static const refusal subject_refusals[] = {REFUSES_NESTING, NO_MORE_REFUSALS};

using subject_pool = boost::asio::thread_pool;

static inline void subject_print_version() { puts("Boost.Asio thread_pool, Boost " BOOST_LIB_VERSION); }

static inline subject_pool *subject_new(std::size_t workers) { return new subject_pool(workers); }

static inline void subject_free(subject_pool *pool)
{
    pool->join();
    delete pool;
}

static inline subject_future subject_submit(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    return boost::asio::post(*pool, boost::asio::use_future([fn, arg] { return fn(arg); }));
}

static inline void subject_execute(subject_pool *pool, void *(*fn)(void *), void *arg)
{
    boost::asio::post(*pool, [fn, arg] { fn(arg); });
}

#endif
