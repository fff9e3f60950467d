/* The load under which the tests of this directory run: the lanes of the soak test, each running one mix after the other. Used by all of them
 * but many_forks.c, which is one load from end to end. */
#ifndef TPEXEC_TEST_UNDER_LOAD_H
#define TPEXEC_TEST_UNDER_LOAD_H

#include "forked.h"

#include "crew.h"

/* How often a thing is done while the load is on. */
enum { TIMES = 50, LOAD_SEED = 1 };

static crew load;

static inline void load_begin(void) {
    if (load.lanes[0] == NULL) crew_init(&load, LOAD_SEED);
    crew_start(&load);
}

/* The load's books must balance: nobody in this process has noticed anything. */
static inline void load_end(void) {
    crew_stop(&load);
    CHECK(books_balance());
}

#endif
