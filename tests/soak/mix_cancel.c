/* Storms of cancels: some tasks at once, some when they may run already, and all that is left of an executor that is shut
 * down. */
#include "mixes.h"

enum { STORM = 512, WORKERS = 3 };

static const unsigned forms[] = {
    0,
    DUE(ARG_DROPPED) | DUE(CALLED),
    DUE(ARG_DROPPED) | DUE(RESULT_DROPPED),
    DUE(PAYLOAD_DROPPED) | DUE(CALLED),
};

static unsigned form(lane *l) { return forms[lane_random(l, sizeof forms / sizeof forms[0])]; }

/* What a cancel answers is final. */
static void cancel(lane *l, tp_future *future) {
    bool cancelled = lane_cancel(l, future);
    EXPECT_TRUE(l->books, tp_future_cancelled(future) == cancelled);
    EXPECT_TRUE(l->books, lane_cancel(l, future) == cancelled);
}

static void cancel_one_by_one(lane *l) {
    tp_executor *executor = lane_executor(l);
    unsigned     n = 1 + lane_random(l, STORM);
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, form(l));
        l->futures[i] = lane_submit(l, executor, &l->jobs[i], job_run);
        if (lane_random(l, 4) == 0) cancel(l, l->futures[i]);
    }
    for (unsigned i = n; i-- > 0;) {
        switch (lane_random(l, 4)) {
        case 0: cancel(l, l->futures[i]); break;
        case 1: tp_future_request_stop(l->futures[i]); break;
        default: break;
        }
    }
    for (unsigned i = 0; i < n; i++) lane_settle(l, l->futures[i], &l->jobs[i]);
}

/* Tasks with futures and without, and of those only such as have a hook that tells of their end. */
static void cancel_by_shutdown(lane *l) {
    tp_executor *executor = lane_new_executor(l, TP_EXECUTOR_CONFIG(.max_workers = 1 + lane_random(l, WORKERS)));
    unsigned     n = 1 + lane_random(l, STORM), refuse_from = lane_random(l, 2 * n);
    for (unsigned i = 0; i < n; i++) {
        if (i == refuse_from) EXPECT(l->books, tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
        l->futures[i] = NULL;
        if (lane_random(l, 2) == 0) {
            job_begin(&l->jobs[i], l->books, form(l));
            l->futures[i] = lane_submit(l, executor, &l->jobs[i], job_run);
            EXPECT_TRUE(l->books, (l->futures[i] != NULL) == (i < refuse_from));
        } else {
            job_begin(&l->jobs[i], l->books, DUE(ARG_DROPPED));
            EXPECT_TRUE(l->books, lane_execute(l, executor, &l->jobs[i], job_run) == (i < refuse_from));
        }
    }
    EXPECT(l->books, tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    lane_free_executor(l, executor);
    for (unsigned i = 0; i < n && i < refuse_from; i++) {
        if (l->futures[i] != NULL) lane_settle(l, l->futures[i], &l->jobs[i]);
        else job_settle_by_itself(&l->jobs[i]);
    }
}

void run_cancel(lane *l) {
    if (lane_random(l, 2) == 0) cancel_one_by_one(l);
    else cancel_by_shutdown(l);
}
