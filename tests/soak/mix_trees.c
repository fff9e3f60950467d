/* Trees of tasks that wait for their children, nested as deep as the tree: on one result after the other, on all, on the
 * first, on a queue. */
#include "mixes.h"

enum { DEEPEST = 5, CHILDREN = 3 };

/* 2^32 over the golden ratio: neighbouring seeds become distant ones. */
static const unsigned SPREAD = 2654435769u;

typedef struct branch {
    job          record;
    tp_executor *executor;
    unsigned     depth, seed;
} branch;

static void *grow(void *arg);

static tp_future *plant(branch *b, tp_executor *executor, tally *books, unsigned depth, unsigned seed) {
    job_begin(&b->record, books, 0);
    b->executor = executor;
    b->depth = depth;
    b->seed = seed;
    tp_future *future = tp_submit(executor, grow, b);
    EXPECT_TRUE(books, future != NULL);
    return future;
}

static void wait_for_children(tally *books, tp_future **futures, unsigned n, unsigned how) {
    switch (how) {
    case 0: EXPECT(books, tp_wait(futures, n, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK); break;
    case 1: EXPECT(books, tp_wait(futures, n, TP_FOREVER, TP_WAIT_FIRST_COMPLETED, NULL), TP_OK); break;
    case 2: {
        tp_completion_queue *queue = tp_as_completed(futures, n);
        for (unsigned i = 0; i < n; i++) {
            tp_future *future = NULL;
            EXPECT(books, tp_completion_queue_next(queue, TP_FOREVER, &future, NULL), TP_OK);
            tp_future_release(future);
        }
        EXPECT(books, tp_completion_queue_next(queue, TP_FOREVER, NULL, NULL), TP_END);
        tp_completion_queue_free(queue);
        break;
    }
    default: break; /* straight to the results */
    }
}

static void *grow(void *arg) {
    branch   *b = arg;
    tally    *books = b->record.books;
    branch    children[CHILDREN];
    tp_future *futures[CHILDREN];
    unsigned  n = b->depth == 0 ? 0 : 1 + (b->seed >> 8) % CHILDREN;
    for (unsigned i = 0; i < n; i++)
        futures[i] = plant(&children[i], b->executor, books, b->depth - 1, (b->seed + i) * SPREAD);
    if (n > 0) wait_for_children(books, futures, n, b->seed % 4);
    for (unsigned i = 0; i < n; i++) {
        void *result = NULL;
        EXPECT(books, tp_future_result(futures[i], TP_FOREVER, &result), TP_OK);
        EXPECT_TRUE(books, result == &children[i]);
        tp_future_release(futures[i]);
        job_settle(&children[i].record, RAN);
    }
    job_mark(&b->record, ENTERED);
    return b;
}

void run_trees(lane *l) {
    branch     root;
    tp_future *future = plant(&root, lane_executor(l), l->books, lane_random(l, DEEPEST + 1), lane_random(l, 1u << 31));
    lane_settle(l, future, &root.record);
}
