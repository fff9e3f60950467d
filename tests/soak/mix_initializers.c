/* Initializers of which one fails: what is pending then ends as broken, what comes later is refused, what runs goes on. */
#include "mixes.h"
#include "own.h"

enum { TASKS = 64, WORKERS = 3 };

void run_initializers(lane *l) {
    own      o;
    unsigned n = 1 + lane_random(l, TASKS);
    own_new(&o, l, WORKERS, 1 + lane_random(l, WORKERS));
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, lane_random(l, 2) == 0 ? DUE(ARG_DROPPED) | DUE(CALLED) : DUE(PAYLOAD_DROPPED));
        l->futures[i] = lane_submit(l, o.executor, &l->jobs[i], job_run);
        if (l->futures[i] == NULL) EXPECT(l->books, tp_last_error(), TP_ERR_BROKEN);
    }
    if (lane_random(l, 2) == 0) EXPECT(l->books, tp_executor_shutdown(o.executor, TP_SHUTDOWN_WAIT), TP_OK);
    lane_free_executor(l, o.executor);
    for (unsigned i = 0; i < n; i++)
        if (l->futures[i] != NULL) lane_settle(l, l->futures[i], &l->jobs[i]);
    own_settle(&o);
}
