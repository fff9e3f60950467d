/* Many tasks in one call, with futures and without. */
#include "mixes.h"

void run_submit_many(lane *l) {
    tp_executor *executor = lane_executor(l);
    unsigned     n = lane_random(l, LANE_JOBS);
    bool         futures = lane_random(l, 2) == 0;
    void        *args[LANE_JOBS];
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, 0);
        args[i] = &l->jobs[i];
    }
    lane_count(l, OP_SUBMIT_MANY);
    EXPECT(l->books, tp_submit_many(executor, job_run, args, n, futures ? l->futures : NULL), TP_OK);
    if (futures) EXPECT(l->books, lane_wait(l, l->futures, n, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
    for (unsigned i = 0; i < n; i++) {
        if (futures) lane_settle(l, l->futures[i], &l->jobs[i]);
        else job_settle(&l->jobs[i], RAN);
    }
}
