#include "own.h"

enum { LONGEST_IDLE_NS = 1000000 };

static int initialize(void *user_data) {
    own     *o = user_data;
    unsigned number = atomic_fetch_add(&o->initialized, 1) + 1;
    if (number == o->fail_at) return -1;
    atomic_fetch_add(&o->prepared, 1);
    return 0;
}

static void finalize(void *user_data) { atomic_fetch_add(&((own *)user_data)->finalized, 1); }

static void drop(void *user_data) {
    own *o = user_data;
    if (atomic_fetch_add(&o->dropped, 1) != 0) wrong(o->books, "drop_user_data twice");
}

void own_new(own *o, lane *l, size_t most, unsigned fail_at) {
    o->books = l->books;
    o->fail_at = fail_at;
    atomic_init(&o->initialized, 0);
    atomic_init(&o->prepared, 0);
    atomic_init(&o->finalized, 0);
    atomic_init(&o->dropped, 0);
    o->executor = lane_new_executor(
        l, TP_EXECUTOR_CONFIG(.max_workers = 1 + lane_random(l, (unsigned)most), .initializer = initialize, .finalizer = finalize,
                              .user_data = o, .drop_user_data = drop, .unhandled_error = job_unhandled,
                              .idle_timeout_ns = lane_random(l, 2) == 0 ? 0 : 1 + (int64_t)lane_random(l, LONGEST_IDLE_NS)));
}

void own_settle(own *o) {
    if (!soak_await(&o->dropped)) wrong(o->books, "drop_user_data lost");
    unsigned prepared = atomic_load(&o->prepared), finalized = atomic_load(&o->finalized);
    if (prepared != finalized) wrong(o->books, "%u workers were initialized, %u finalized", prepared, finalized);
}
