/* Failing tasks: the failure is seen, or goes to unhandled_error, once; with futures and without. */
#include "mixes.h"

enum { TASKS = 256 };

static void see(lane *l, tp_future *future, job *j) {
    const tp_error *error = NULL;
    EXPECT(l->books, lane_result(l, future, TP_FOREVER, NULL), TP_ERR_TASK);
    EXPECT(l->books, tp_future_error(future, 0, &error), TP_OK);
    EXPECT_TRUE(l->books, error != NULL && error->payload == j);
    lane_settle(l, future, j);
}

void run_failures(lane *l) {
    tp_executor *executor = lane_executor(l);
    unsigned     n = 1 + lane_random(l, TASKS);
    for (unsigned i = 0; i < n; i++) {
        unsigned extra = lane_random(l, 2) == 0 ? DUE(ERROR_DROPPED) : 0;
        if (lane_random(l, 2) == 0) extra |= DUE(ARG_DROPPED);
        l->futures[i] = NULL;
        switch (lane_random(l, 3)) {
        case 0: /* seen below */
            job_begin(&l->jobs[i], l->books, extra);
            l->futures[i] = lane_submit(l, executor, &l->jobs[i], job_fail);
            break;
        case 1: /* given up before or after it fails */
            job_begin(&l->jobs[i], l->books, extra | DUE(REPORTED));
            tp_future_release(lane_submit(l, executor, &l->jobs[i], job_fail));
            break;
        default:
            job_begin(&l->jobs[i], l->books, extra | DUE(REPORTED));
            EXPECT_TRUE(l->books, lane_execute(l, executor, &l->jobs[i], job_fail));
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (l->futures[i] != NULL) see(l, l->futures[i], &l->jobs[i]);
        else job_settle(&l->jobs[i], RAN);
    }
}
