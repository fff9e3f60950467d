/* Executors that are made, used for a moment, and ended in every way. */
#include "mixes.h"
#include "own.h"

enum { TASKS = 64, WORKERS = 4, LONGEST_NS = 200000 };

static void *free_from_inside(void *arg) {
    tp_executor_free(arg);
    return arg;
}

static void join(lane *l, own *o) {
    tp_status status;
    EXPECT(l->books, tp_executor_shutdown(o->executor, 0), TP_OK);
    do {
        int64_t begun = lane_begin_wait(l);
        status = tp_executor_join(o->executor, lane_random(l, LONGEST_NS));
        lane_end_wait(l, begun);
    } while (status == TP_ERR_TIMEOUT);
    EXPECT(l->books, status, TP_OK);
}

static void end(lane *l, own *o) {
    switch (lane_random(l, 6)) {
    case 0: EXPECT(l->books, tp_executor_shutdown(o->executor, TP_SHUTDOWN_WAIT), TP_OK); break;
    case 1: EXPECT(l->books, tp_executor_shutdown(o->executor, TP_SHUTDOWN_CANCEL_FUTURES), TP_OK); break;
    case 2: join(l, o); break;
    case 3: tp_executor_detach(o->executor); return;
    case 4: EXPECT(l->books, tp_execute(o->executor, free_from_inside, o->executor), TP_OK); return;
    default: break;
    }
    lane_free_executor(l, o->executor);
}

void run_executors(lane *l) {
    own      o;
    unsigned n = lane_random(l, TASKS);
    own_new(&o, l, WORKERS, 0);
    for (unsigned i = 0; i < n; i++) {
        job_begin(&l->jobs[i], l->books, lane_random(l, 2) == 0 ? DUE(ARG_DROPPED) : DUE(PAYLOAD_DROPPED) | DUE(CALLED));
        l->futures[i] = lane_submit(l, o.executor, &l->jobs[i], job_run);
        EXPECT_TRUE(l->books, l->futures[i] != NULL);
    }
    end(l, &o);
    /* Futures outlive their executor. */
    for (unsigned i = 0; i < n; i++) lane_settle(l, l->futures[i], &l->jobs[i]);
    own_settle(&o);
}
