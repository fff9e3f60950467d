/* An executor that keeps count of its workers, and a system that starts no threads for it. Included by the programs of
 * tests/faults/threads. */
#ifndef TPEXEC_TEST_STAFF_H
#define TPEXEC_TEST_STAFF_H

#include "forms.h"

/* Executors that were hired and have not ended. */
static int staffs;

typedef struct staff {
    counter      initialized, finalized, user_data;
    tp_executor *executor;
} staff;

static int  count_in(void *user_data) { return counter_add(&((staff *)user_data)->initialized, 1) < 0; }
static void count_out(void *user_data) { counter_add(&((staff *)user_data)->finalized, 1); }
static void count_user_data(void *user_data) { counter_add(&((staff *)user_data)->user_data, 1); }

static inline void hire(staff *s, size_t max_workers, int64_t idle_timeout_ns) {
    *s = (staff){COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, NULL};
    s->executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = max_workers, .idle_timeout_ns = idle_timeout_ns,
                                                     .initializer = count_in, .finalizer = count_out, .user_data = s,
                                                     .drop_user_data = count_user_data));
    REQUIRE(s->executor != NULL);
    staffs++;
}

/* The executor has ended. `workers`: so many it has had, or any number where negative. */
static inline void check_staff(staff *s, long workers) {
    if (workers >= 0) CHECK_EQ(counter_get(&s->initialized), workers);
    CHECK_EQ(counter_get(&s->finalized), counter_get(&s->initialized));
    CHECK_EQ(counter_get(&s->user_data), 1);
    if (--staffs == 0) CHECK_EQ(atomic_load(&library_threads), 0); /* every one was joined, or detached */
}

static inline void dismiss(staff *s, long workers) {
    tp_executor_free(s->executor);
    check_staff(s, workers);
}

/* From now on the start of thread number `at`, from 0, fails with that error, and where `goes_on` all later ones, whoever
 * starts them. */
static inline void fail_threads(int error, long at, bool goes_on) {
    atomic_store(&fault.kinds, THREAD);
    atomic_store(&fault.error, error);
    fail_at(at, goes_on);
    atomic_store(&fault.everywhere, true);
}

#endif
