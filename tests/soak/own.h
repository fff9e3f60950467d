/* An executor that a mix makes and ends, and what is due to it: each worker's initializer and finalizer, and one drop of its
 * user data. Used by the mixes `executors` and `initializers`. */
#ifndef TPEXEC_SOAK_OWN_H
#define TPEXEC_SOAK_OWN_H

#include "lane.h"

typedef struct own {
    tally       *books;
    unsigned     fail_at; /* the initializer that fails: 1 the first; 0: none */
    atomic_uint  initialized, prepared, finalized, dropped;
    tp_executor *executor;
} own;

/* Makes it, with up to `most` workers. */
void own_new(own *o, lane *l, size_t most, unsigned fail_at);

/* After it was freed or detached: waits until its user data is dropped, after which nothing uses it, and compares. */
void own_settle(own *o);

#endif
