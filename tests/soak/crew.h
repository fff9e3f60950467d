/* The lanes as one: started, stopped between two rounds, watched. Used by main.c, and by ../process/many_forks.c for its load. */
#ifndef TPEXEC_SOAK_CREW_H
#define TPEXEC_SOAK_CREW_H

#include "lane.h"

#include <pthread.h>

enum { LANES = 4 };

typedef struct crew {
    common      shared;
    lane       *lanes[LANES];
    pthread_t   threads[LANES];
    atomic_bool stop;
    atomic_llong stopping_since; /* 0: not at it */
} crew;

/* Makes the lanes; their random numbers follow from the seed. */
void crew_init(crew *c, uint64_t seed);
/* Makes the common executors and starts a thread for each lane. */
void crew_start(crew *c);
/* Lets each lane end its round, joins the threads and frees the common executors: nothing is under way afterwards. */
void crew_stop(crew *c);

/* The name of what has been in one round, wait or stop for longer than this, and has not come back; NULL if there is none. */
const char *crew_stuck(const crew *c, int64_t longer_than_ns);
long        crew_ops(const crew *c, op o);
int64_t     crew_longest_wait(const crew *c);

/* Compares every tally, when nothing is under way. True if all that was due has happened, once, and nothing else was found
 * wrong. What does not agree is printed. */
bool books_balance(void);
/* Over all mixes. */
long books_accepted(void);
long books_fate(fate f);
long books_seen(event e);
long books_due(event e);
long books_wrong(void);

#endif
