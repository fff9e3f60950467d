/* A lane: a thread of the soak test that runs one mix after the other, and what mixes call the library through: each call is
 * counted by operation, each wait is timed, so that the watchdog can tell who waits and for how long. Used by the mixes; lanes
 * are made by main.c and by ../process/load.c. */
#ifndef TPEXEC_SOAK_LANE_H
#define TPEXEC_SOAK_LANE_H

#include "ledger.h"

#include <stdbool.h>
#include <stdint.h>

/* Tasks that a mix may have under way at once. */
enum { LANE_JOBS = 1024 };

typedef enum op {
    OP_SUBMIT,      /* every form that gives a future */
    OP_EXECUTE,     /* every form that does not */
    OP_SUBMIT_MANY, /* calls, not tasks */
    OP_CANCEL,
    OP_CALLBACK,
    OP_RESULT,
    OP_WAIT,
    OP_NEXT, /* of completion queues */
    OP_MAP_NEXT,
    OP_EXECUTOR, /* made and ended */
    OPS
} op;

extern const char *const op_names[OPS];

/* Executors that all lanes use at the same time. Their unhandled_error is job_unhandled. */
typedef struct common {
    tp_executor *wide;   /* some workers, which stay */
    tp_executor *fleeting; /* some workers, which end when they are idle for a moment */
    tp_executor *single; /* one worker */
} common;

typedef struct lane {
    const common *common;
    uint64_t      random;
    tally        *books; /* of the mix that runs */
    job           jobs[LANE_JOBS];
    tp_future    *futures[LANE_JOBS];
    atomic_long   ops[OPS];

    /* For the watchdog. */
    _Atomic(const char *) mix;
    atomic_llong          busy_since; /* the running mix, or the wait it is in; 0: idle */
    atomic_llong          longest_wait;
} lane;

/* A number below n. */
unsigned lane_random(lane *l, unsigned n);
/* One of the common executors. */
tp_executor *lane_executor(lane *l);

/* Submits fn(job) in the form that what is due to the job asks for, and adds its done callback; with PAYLOAD_DROPPED due it is
 * job_payload_run() that runs. NULL: refused, and job_refused() has been said. */
tp_future *lane_submit(lane *l, tp_executor *executor, job *j, tp_task_fn fn);
/* The same without a future. False: refused. */
bool lane_execute(lane *l, tp_executor *executor, job *j, tp_task_fn fn);

bool      lane_cancel(lane *l, tp_future *future);
tp_status lane_result(lane *l, tp_future *future, int64_t timeout_ns, void **result);
tp_status lane_wait(lane *l, tp_future *const *futures, size_t n, int64_t timeout_ns, tp_wait_for what, size_t *n_done);
tp_status lane_next(lane *l, tp_completion_queue *queue, int64_t timeout_ns, tp_future **future, uint64_t *tag);
tp_status lane_map_next(lane *l, tp_map *map, int64_t timeout_ns, tp_future **future);

/* An executor of the mix's own; never NULL. */
tp_executor *lane_new_executor(lane *l, const tp_executor_config *config);
void         lane_free_executor(lane *l, tp_executor *executor);

/* Waits until the future is done and releases it; settles its job as it ended. */
void lane_settle(lane *l, tp_future *future, job *j);

/* A status that only one outcome explains. */
#define EXPECT(books, actual, expected)                                                                        \
    do {                                                                                                       \
        tp_status expect_actual_ = (actual);                                                                   \
        if (expect_actual_ != (expected))                                                                      \
            wrong((books), "%s:%d: %s gives %s", __FILE__, __LINE__, #actual, tp_status_name(expect_actual_)); \
    } while (0)

#define EXPECT_TRUE(books, condition)                                                               \
    do {                                                                                            \
        if (!(condition)) wrong((books), "%s:%d: not true: %s", __FILE__, __LINE__, #condition);     \
    } while (0)

/* Counts an operation; begin and end of one that may block. */
void    lane_count(lane *l, op o);
int64_t lane_begin_wait(lane *l);
void    lane_end_wait(lane *l, int64_t begun);

/* What a mix is: `run` does a round of it, some milliseconds, and leaves nothing behind. */
typedef struct mix {
    void (*run)(lane *l);
    tally  books; /* with the mix's name */
} mix;

/* Every mix, in mixes.c. */
extern mix          mixes[];
extern const size_t n_mixes;

/* Runs a round of the mix that the lane's random numbers choose. */
void lane_round(lane *l);

int64_t soak_now(void);

#endif
