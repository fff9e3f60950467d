/* Maps with every lookahead: results in order, and maps that are given up halfway. */
#include "mixes.h"

enum { ITEMS = 512, WORKERS = 4, SHORTEST_NS = 1000, LONGEST_NS = 100000 };

/* Takes up to `n` items; gives how many came out. */
static unsigned take(lane *l, tp_map *map, unsigned n) {
    unsigned taken = 0;
    while (taken < n) {
        tp_future *future = NULL;
        bool       patient = lane_random(l, 4) != 0;
        tp_status  status = lane_map_next(l, map, patient ? TP_FOREVER : SHORTEST_NS + lane_random(l, LONGEST_NS), &future);
        if (status == TP_ERR_TIMEOUT && !patient) continue;
        if (status != TP_OK) break;
        void *result = NULL;
        EXPECT(l->books, tp_future_result(future, 0, &result), TP_OK);
        EXPECT_TRUE(l->books, result == &l->jobs[taken]);
        lane_settle(l, future, &l->jobs[taken]);
        taken++;
    }
    return taken;
}

void run_maps(lane *l) {
    unsigned n = lane_random(l, ITEMS), due = lane_random(l, 2) == 0 ? DUE(RESULT_DROPPED) : 0;
    bool     early = lane_random(l, 3) == 0;
    /* An executor of its own where the map is given up: when it is gone, so are the tasks that were running. */
    tp_executor *own = early ? lane_new_executor(l, TP_EXECUTOR_CONFIG(.max_workers = 1 + lane_random(l, WORKERS))) : NULL;
    void        *args[ITEMS];
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, due);
        args[i] = &l->jobs[i];
    }
    tp_map *map = tp_map_new(early ? own : lane_executor(l), job_run, args, n, lane_random(l, 3) * lane_random(l, 64),
                             due != 0 ? job_drop_result : NULL);
    EXPECT_TRUE(l->books, map != NULL);
    unsigned wanted = early ? lane_random(l, n + 1) : n, taken = take(l, map, wanted);
    EXPECT_TRUE(l->books, taken == wanted);
    if (!early) EXPECT(l->books, lane_map_next(l, map, TP_FOREVER, NULL), TP_END);
    tp_map_free(map);
    if (!early) return;
    lane_free_executor(l, own);
    /* What did not come out has run, or was cancelled or never submitted: for these two nothing is due. */
    for (unsigned i = taken; i < n; i++) {
        if (atomic_load(&l->jobs[i].seen[ENTERED]) != 0) job_settle(&l->jobs[i], RAN);
        else job_refused(&l->jobs[i]);
    }
}
