/* Completion queues: filled while they are emptied, over the same futures twice, over what is cancelled, and freed before all
 * is done. */
#include "mixes.h"

enum { ADDS = 256 };

/* Takes what comes out and checks that the tag belongs to the future; `outstanding` have been added and not come out. */
static void take(lane *l, tp_completion_queue *queue, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        tp_future *future = NULL;
        uint64_t   tag = LANE_JOBS;
        EXPECT(l->books, lane_next(l, queue, TP_FOREVER, &future, &tag), TP_OK);
        EXPECT_TRUE(l->books, tag < LANE_JOBS && l->futures[tag] == future && tp_future_done(future));
        tp_future_release(future);
    }
}

static void submit(lane *l, tp_executor *executor, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, lane_random(l, 2) == 0 ? DUE(ARG_DROPPED) : DUE(CALLED));
        l->futures[i] = lane_submit(l, executor, &l->jobs[i], job_run);
    }
}

static void settle(lane *l, unsigned n) {
    for (unsigned i = 0; i < n; i++) lane_settle(l, l->futures[i], &l->jobs[i]);
}

static void filled_while_emptied(lane *l, unsigned n) {
    tp_executor         *executor = lane_executor(l);
    tp_completion_queue *queue = tp_completion_queue_new();
    unsigned             out = 0;
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, 0);
        l->futures[i] = lane_submit(l, executor, &l->jobs[i], job_run);
        EXPECT(l->books, tp_completion_queue_add(queue, l->futures[i], i), TP_OK);
        if (lane_random(l, 8) == 0) lane_cancel(l, l->futures[i]);
        if (lane_random(l, 4) == 0) {
            take(l, queue, i + 1 - out);
            out = i + 1;
        }
    }
    EXPECT(l->books, tp_completion_queue_close(queue), TP_OK);
    take(l, queue, n - out);
    EXPECT(l->books, lane_next(l, queue, TP_FOREVER, NULL, NULL), TP_END);
    tp_completion_queue_free(queue);
    settle(l, n);
}

static void two_over_the_same(lane *l, unsigned n) {
    submit(l, lane_executor(l), n);
    tp_completion_queue *first = tp_as_completed(l->futures, n), *second = tp_as_completed(l->futures, n);
    EXPECT_TRUE(l->books, first != NULL && second != NULL);
    take(l, first, n);
    take(l, second, n);
    EXPECT(l->books, lane_next(l, first, 0, NULL, NULL), TP_END);
    EXPECT(l->books, lane_next(l, second, 0, NULL, NULL), TP_END);
    tp_completion_queue_free(first);
    tp_completion_queue_free(second);
    settle(l, n);
}

static void freed_early(lane *l, unsigned n) {
    submit(l, lane_executor(l), n);
    tp_completion_queue *queue = tp_as_completed(l->futures, n);
    EXPECT_TRUE(l->books, queue != NULL);
    take(l, queue, lane_random(l, n + 1));
    tp_completion_queue_free(queue);
    settle(l, n);
}

void run_queues(lane *l) {
    unsigned n = lane_random(l, ADDS);
    switch (lane_random(l, 3)) {
    case 0: filled_while_emptied(l, n); break;
    case 1: two_over_the_same(l, n); break;
    default: freed_early(l, n);
    }
}
