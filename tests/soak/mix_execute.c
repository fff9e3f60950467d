/* Floods of tasks without a future, in all three forms. */
#include "mixes.h"

static const unsigned forms[] = {0, 0, 0, DUE(ARG_DROPPED), DUE(ARG_DROPPED) | DUE(RESULT_DROPPED), DUE(PAYLOAD_DROPPED)};

void run_execute(lane *l) {
    tp_executor *executor = lane_executor(l);
    unsigned     n = 1 + lane_random(l, LANE_JOBS), form = forms[lane_random(l, sizeof forms / sizeof forms[0])];
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, form);
        EXPECT_TRUE(l->books, lane_execute(l, executor, &l->jobs[i], job_run));
    }
    for (unsigned i = 0; i < n; i++) job_settle(&l->jobs[i], RAN);
}
