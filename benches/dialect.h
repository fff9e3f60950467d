/* What C11 and C++17 spell differently. The driver is compiled as the one for subjects with a C API and as the other for those
 * with a C++ API, whose futures are then the real ones; measure.h and workloads/ are written once, with these names. */
#ifndef DIALECT_H
#define DIALECT_H

#ifdef __cplusplus

#include <atomic>

using std::atomic_fetch_add;
using std::atomic_load;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::memory_order_relaxed;

#define ATOMIC(type) std::atomic<type>
/* Value-initialized, which also touches every page: the driver's own page faults are not the subject's. */
#define NEW_ARRAY(type, n) (new type[n]())
#define FREE_ARRAY(array) (delete[] (array))

#else

#include <stdalign.h>
#include <stdatomic.h>

#define thread_local _Thread_local
#define ATOMIC(type) _Atomic(type)
#define NEW_ARRAY(type, n) ((type *)allocate((n), sizeof(type))) /* measure.h; touches every page too */
#define FREE_ARRAY(array) (free(array))

#endif

#endif
