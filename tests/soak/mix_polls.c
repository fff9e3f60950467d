/* Waits that give up, over and over: nothing stays registered, and no wait ends before its time. */
#include "mixes.h"

enum { TASKS = 16, LONGEST_NS = 50000 };

static void check_not_early(lane *l, tp_status status, int64_t timeout, int64_t begun) {
    if (status == TP_ERR_TIMEOUT) EXPECT_TRUE(l->books, soak_now() - begun >= timeout);
    else EXPECT(l->books, status, TP_OK);
}

void run_polls(lane *l) {
    tp_executor *executor = lane_executor(l);
    unsigned     n = 1 + lane_random(l, TASKS);
    size_t       done = 0;
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, lane_random(l, 2) == 0 ? DUE(RESULT_DROPPED) : 0);
        l->futures[i] = lane_submit(l, executor, &l->jobs[i], job_run);
    }
    while (done < n) {
        static const tp_wait_for what[] = {TP_WAIT_ALL_COMPLETED, TP_WAIT_FIRST_COMPLETED, TP_WAIT_FIRST_FAILED};
        int64_t                  timeout = lane_random(l, 4) == 0 ? 0 : lane_random(l, LONGEST_NS), begun = soak_now();
        size_t                   before = done;
        check_not_early(l, lane_wait(l, l->futures, n, timeout, what[lane_random(l, 3)], &done), timeout, begun);
        EXPECT_TRUE(l->books, done >= before && done <= n);
        timeout = lane_random(l, LONGEST_NS);
        begun = soak_now();
        check_not_early(l, lane_result(l, l->futures[lane_random(l, n)], timeout, NULL), timeout, begun);
    }
    for (unsigned i = 0; i < n; i++) lane_settle(l, l->futures[i], &l->jobs[i]);
}
