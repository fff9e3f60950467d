/* Producers with windows: each lane keeps so many tasks under way, and collects the oldest before it submits the next. */
#include "mixes.h"

enum { WIDEST = 256, ROUNDS = 2000 };

static const unsigned forms[] = {
    0,
    DUE(ARG_DROPPED),
    DUE(RESULT_DROPPED),
    DUE(ARG_DROPPED) | DUE(RESULT_DROPPED),
    DUE(PAYLOAD_DROPPED),
    DUE(CALLED),
    DUE(ARG_DROPPED) | DUE(RESULT_DROPPED) | DUE(CALLED),
    DUE(PAYLOAD_DROPPED) | DUE(CALLED),
};

void run_windows(lane *l) {
    tp_executor *executor = lane_executor(l);
    unsigned     window = 1 + lane_random(l, WIDEST), n = window + lane_random(l, ROUNDS);
    for (unsigned i = 0; i < n + window; i++) {
        unsigned place = i % window;
        if (i >= window) lane_settle(l, l->futures[place], &l->jobs[place]);
        if (i >= n) continue;
        job_begin(&l->jobs[place], l->books, forms[lane_random(l, sizeof forms / sizeof forms[0])]);
        l->futures[place] = lane_submit(l, executor, &l->jobs[place], job_run);
        EXPECT_TRUE(l->books, l->futures[place] != NULL);
    }
}
