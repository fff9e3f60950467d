/* How an adapter (subject_*.h, peers/subject_*) says what its subject cannot do: run.py shows a dash in the table and the
 * reason below. */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdio.h>
#include <stdlib.h>

enum { STATUS_REFUSED = 3 };

/* An adapter ends its list `subject_refusals` with NO_MORE_REFUSALS. */
typedef struct refusal {
    const char *workload, *reason;
} refusal;

#define REFUSES_NESTING {"fib", "a task that waits for another blocks its worker: the pool would stop"}
#define NO_MORE_REFUSALS {NULL, NULL}

static inline void refuse(const char *reason)
{
    fprintf(stderr, "%s\n", reason);
    exit(STATUS_REFUSED);
}

#endif
