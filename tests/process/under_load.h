/* The load under which the tests of this directory run: the lanes of the soak test, each running one mix after the other. Used
 * by all of them but many_forks.c, which is one load from end to end. */
#ifndef TPEXEC_TEST_UNDER_LOAD_H
#define TPEXEC_TEST_UNDER_LOAD_H

#include "forked.h"

#include "crew.h"

/* How often a thing is done while the load is on. */
enum { TIMES = 50 };

/* So many submissions of the lanes, and the load is well under way. */
enum { WARM = 1000 };

static crew load;

static inline void load_begin(void) {
    long before = load.lanes[0] == NULL ? 0 : crew_ops(&load, OP_SUBMIT);
    /* Other mixes in each process: many of them end soon. */
    if (load.lanes[0] == NULL) crew_init(&load, (uint64_t)getpid());
    crew_start(&load);
    EVENTUALLY(crew_ops(&load, OP_SUBMIT) >= before + WARM);
}

/* The load's books must balance: nobody in this process has noticed anything. */
static inline void load_end(void) {
    crew_stop(&load);
    CHECK(books_balance());
}

#endif
