#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const op_names[OPS] = {
    "submit", "execute", "submit_many", "cancel", "callback", "result", "wait", "queue_next", "map_next", "executor",
};

int64_t soak_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

unsigned lane_random(lane *l, unsigned n) {
    /* xorshift64*, of which the high half is the good one. */
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return (unsigned)(((l->random * 0x2545F4914F6CDD1DULL) >> 32) % n);
}

tp_executor *lane_executor(lane *l) {
    tp_executor *const all[] = {l->common->wide, l->common->fleeting, l->common->single};
    return all[lane_random(l, sizeof all / sizeof all[0])];
}

void lane_count(lane *l, op o) { atomic_fetch_add_explicit(&l->ops[o], 1, memory_order_relaxed); }

int64_t lane_begin_wait(lane *l) {
    int64_t now = soak_now();
    atomic_store(&l->busy_since, now);
    return now;
}

void lane_end_wait(lane *l, int64_t begun) {
    int64_t now = soak_now();
    atomic_store(&l->busy_since, now);
    if (now - begun > atomic_load(&l->longest_wait)) atomic_store(&l->longest_wait, now - begun);
}

/* A launched task, whose payload is the job's address. */
static tp_status launch(tp_executor *executor, job *j, bool keep, tp_future **future) {
    void     *payload = NULL;
    tp_status status = tp_task_prepare(executor, sizeof(job *), _Alignof(job *), future, &payload);
    if (status != TP_OK) return status;
    *(job **)payload = j;
    status = keep ? tp_task_launch(*future, job_payload_run, job_drop_payload)
                  : tp_task_execute(*future, job_payload_run, job_drop_payload);
    if (status != TP_OK) {
        tp_future_release(*future);
        *future = NULL;
    }
    return status;
}

static tp_status submit_with_hooks(tp_executor *executor, job *j, tp_task_fn fn, tp_future **future) {
    tp_drop_fn drop_arg = (j->due & DUE(ARG_DROPPED)) ? job_drop_arg : NULL;
    tp_drop_fn drop_result = (j->due & DUE(RESULT_DROPPED)) ? job_drop_result : NULL;
    return tp_submit_task(executor, TP_TASK(.fn = fn, .arg = j, .drop_arg = drop_arg, .drop_result = drop_result), future);
}

tp_future *lane_submit(lane *l, tp_executor *executor, job *j, tp_task_fn fn) {
    tp_future *future = NULL;
    lane_count(l, OP_SUBMIT);
    if (j->due & DUE(PAYLOAD_DROPPED)) launch(executor, j, true, &future);
    else if (j->due & (DUE(ARG_DROPPED) | DUE(RESULT_DROPPED))) submit_with_hooks(executor, j, fn, &future);
    else future = tp_submit(executor, fn, j);
    if (future == NULL) {
        job_refused(j);
        return NULL;
    }
    if (j->due & DUE(CALLED)) {
        lane_count(l, OP_CALLBACK);
        EXPECT(l->books, tp_future_add_done_callback(future, job_done, j), TP_OK);
    }
    return future;
}

bool lane_execute(lane *l, tp_executor *executor, job *j, tp_task_fn fn) {
    tp_future *future = NULL;
    tp_status  status = TP_OK;
    lane_count(l, OP_EXECUTE);
    if (j->due & DUE(PAYLOAD_DROPPED)) status = launch(executor, j, false, &future);
    else if (j->due & (DUE(ARG_DROPPED) | DUE(RESULT_DROPPED))) status = submit_with_hooks(executor, j, fn, NULL);
    else status = tp_execute(executor, fn, j);
    if (status != TP_OK) job_refused(j);
    return status == TP_OK;
}

bool lane_cancel(lane *l, tp_future *future) {
    lane_count(l, OP_CANCEL);
    return tp_future_cancel(future);
}

tp_status lane_result(lane *l, tp_future *future, int64_t timeout_ns, void **result) {
    lane_count(l, OP_RESULT);
    int64_t   begun = lane_begin_wait(l);
    tp_status status = tp_future_result(future, timeout_ns, result);
    lane_end_wait(l, begun);
    return status;
}

tp_status lane_wait(lane *l, tp_future *const *futures, size_t n, int64_t timeout_ns, tp_wait_for what, size_t *n_done) {
    lane_count(l, OP_WAIT);
    int64_t   begun = lane_begin_wait(l);
    tp_status status = tp_wait(futures, n, timeout_ns, what, n_done);
    lane_end_wait(l, begun);
    return status;
}

tp_status lane_next(lane *l, tp_completion_queue *queue, int64_t timeout_ns, tp_future **future, uint64_t *tag) {
    lane_count(l, OP_NEXT);
    int64_t   begun = lane_begin_wait(l);
    tp_status status = tp_completion_queue_next(queue, timeout_ns, future, tag);
    lane_end_wait(l, begun);
    return status;
}

tp_status lane_map_next(lane *l, tp_map *map, int64_t timeout_ns, tp_future **future) {
    lane_count(l, OP_MAP_NEXT);
    int64_t   begun = lane_begin_wait(l);
    tp_status status = tp_map_next(map, timeout_ns, future);
    lane_end_wait(l, begun);
    return status;
}

tp_executor *lane_new_executor(lane *l, const tp_executor_config *config) {
    lane_count(l, OP_EXECUTOR);
    tp_executor *executor = tp_executor_new(config);
    if (executor == NULL) {
        fprintf(stderr, "soak: no executor: %s\n", tp_last_error_message());
        abort();
    }
    return executor;
}

void lane_free_executor(lane *l, tp_executor *executor) {
    int64_t begun = lane_begin_wait(l);
    tp_executor_free(executor);
    lane_end_wait(l, begun);
}

void lane_settle(lane *l, tp_future *future, job *j) {
    fate how = RAN;
    switch (lane_result(l, future, TP_FOREVER, NULL)) {
    case TP_OK:
    case TP_ERR_TASK:
    case TP_ERR_INVALID_STATE: break; /* succeeded, failed, taken */
    case TP_ERR_CANCELLED: how = CANCELLED; break;
    case TP_ERR_BROKEN: how = BROKEN; break;
    default: wrong(l->books, "a wait without limit ended with %s", tp_status_name(tp_last_error()));
    }
    /* The last reference: what belongs to the future goes, and job_settle() waits for that. */
    tp_future_release(future);
    job_settle(j, how);
}

void lane_round(lane *l) {
    mix *chosen = &mixes[lane_random(l, (unsigned)n_mixes)];
    l->books = &chosen->books;
    atomic_store(&l->mix, chosen->books.name);
    atomic_store(&l->busy_since, soak_now());
    chosen->run(l);
    atomic_store(&l->busy_since, 0);
}
