/* One worker: tasks start in the order in which they were submitted, in whatever form, while other lanes submit too. */
#include "mixes.h"

#include <string.h>

enum { TASKS = LANE_JOBS, ROW = 32 };

typedef struct place {
    job      record;
    unsigned index;
    atomic_uint *started; /* how many tasks of this row have */
} place;

static void *start_in_turn(void *arg) {
    place   *p = arg;
    unsigned turn = atomic_fetch_add(p->started, 1);
    if (turn != p->index) wrong(p->record.books, "task %u of one worker's executor started as number %u", p->index, turn);
    job_mark(&p->record, ENTERED);
    return arg;
}

void run_order(lane *l) {
    static _Thread_local place places[TASKS];
    atomic_uint                started = 0;
    tp_executor               *executor = l->common->single;
    unsigned                   n = 0, wanted = 1 + lane_random(l, TASKS);
    memset(l->futures, 0, sizeof l->futures);
    for (unsigned i = 0; i < wanted; i++) {
        places[i].index = i;
        places[i].started = &started;
        job_begin(&places[i].record, l->books, 0);
    }
    while (n < wanted) {
        unsigned row = 1;
        switch (lane_random(l, 3)) {
        case 0:
            l->futures[n] = lane_submit(l, executor, &places[n].record, start_in_turn);
            EXPECT_TRUE(l->books, l->futures[n] != NULL);
            break;
        case 1: EXPECT_TRUE(l->books, lane_execute(l, executor, &places[n].record, start_in_turn)); break;
        default: {
            void *args[ROW];
            row = 1 + lane_random(l, ROW);
            if (row > wanted - n) row = wanted - n;
            for (unsigned i = 0; i < row; i++) args[i] = &places[n + i];
            lane_count(l, OP_SUBMIT_MANY);
            EXPECT(l->books, tp_submit_many(executor, start_in_turn, args, row, &l->futures[n]), TP_OK);
        }
        }
        n += row;
    }
    for (unsigned i = 0; i < n; i++) {
        if (l->futures[i] != NULL) lane_settle(l, l->futures[i], &places[i].record);
        else job_settle(&places[i].record, RAN);
    }
}
