/* Done callbacks that submit the next task: chains that no thread waits for. */
#include "mixes.h"

enum { LINKS = 64 };

typedef struct chain {
    tp_executor *executor;
    job         *jobs;
    unsigned     next, n; /* `next` belongs to the one callback that runs */
} chain;

static void forge(chain *c);

/* Marks its own call last: when the last link's is seen, nobody uses the chain any more. */
static void link_done(tp_future *future, void *user_data) {
    chain *c = user_data;
    job   *mine = &c->jobs[c->next++];
    tally *books = mine->books;
    EXPECT_TRUE(books, tp_future_done(future));
    EXPECT(books, tp_task_fail(1, "no task"), TP_ERR_INVALID_STATE);
    if (c->next < c->n) forge(c);
    job_mark(mine, CALLED);
}

static void forge(chain *c) {
    tally     *books = c->jobs[c->next].books;
    tp_future *future = tp_submit(c->executor, job_run, &c->jobs[c->next]);
    EXPECT_TRUE(books, future != NULL);
    EXPECT(books, tp_future_add_done_callback(future, link_done, c), TP_OK);
    tp_future_release(future);
}

void run_callbacks(lane *l) {
    chain c = {lane_executor(l), l->jobs, 0, 1 + lane_random(l, LINKS)};
    for (unsigned i = 0; i < c.n; i++) job_begin(&l->jobs[i], l->books, DUE(CALLED));
    unsigned n = c.n;
    forge(&c);
    lane_count(l, OP_CALLBACK);
    for (unsigned i = 0; i < n; i++) job_settle(&l->jobs[i], RAN);
}
