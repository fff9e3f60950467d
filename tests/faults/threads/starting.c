/* Threads that cannot be started: pthread_create fails at the first, the second, the last worker, with every error that it
 * has, in every form of submitting, outside and inside of tasks (P4). tests/c/limits.c has the same from the kernel
 * (RLIMIT_NPROC). */
#include "staff.h"

static const int    errors[] = {EAGAIN, EPERM, ENOMEM};
static const size_t sizes[] = {1, 2, 8}; /* of executors */

enum { ERRORS = sizeof errors / sizeof errors[0], SIZES = sizeof sizes / sizeof sizes[0], MOST = 8 };

/* ---- the k-th thread --------------------------------------------------------------------------------------------------- */

/* As many tasks as there may be workers, that need as many, while the start of one worker fails; gives the number of submits
 * that were refused. */
static long meet_despite(size_t n, long at, int error) {
    staff             s;
    pthread_barrier_t together;
    tp_future        *futures[MOST];
    long              refused = 0;
    hire(&s, n, 0);
    pthread_barrier_init(&together, NULL, (unsigned)n);
    fail_threads(error, at, false);
    for (size_t i = 0; i < n; i++) {
        ARMED(futures[i] = tp_submit(s.executor, meet, &together));
        if (futures[i] != NULL) continue;
        CHECK_REFUSAL(tp_submit, tp_last_error());
        CHECK(strstr(tp_last_error_message(), strerror(error)) != NULL);
        refused++;
        i--; /* once more */
        REQUIRE(refused == 1);
    }
    EVENTUALLY(atomic_load(&fault.refused) == 1); /* workers start others, too */
    fail_nothing();
    CHECK_STATUS(tp_execute(s.executor, return_arg, NULL), TP_OK); /* a later submit starts what is missing */
    for (size_t i = 0; i < n; i++) result_of(futures[i]);
    CHECK_EQ(tp_executor_worker_count(s.executor), n);
    pthread_barrier_destroy(&together);
    dismiss(&s, (long)n);
    return refused;
}

TEST(p04_whichever_thread_could_not_be_started_tasks_that_need_all_get_them_later) {
    for (size_t size = 0; size < SIZES; size++)
        for (long at = 0; at < (long)sizes[size]; at++)
            for (int error = 0; error < ERRORS; error++)
                CHECK_EQ(meet_despite(sizes[size], at, errors[error]), at == 0); /* only without any worker it is refused */
}

/* All but the first fail, for as long as tasks are submitted: one worker has everything, and the others come later. */
TEST(p04_tasks_that_need_all_threads_get_them_once_threads_can_be_started_again) {
    for (size_t size = 1; size < SIZES; size++) {
        staff             s;
        pthread_barrier_t together;
        tp_future        *futures[MOST];
        hire(&s, sizes[size], 0);
        pthread_barrier_init(&together, NULL, (unsigned)sizes[size]);
        fail_threads(EAGAIN, 1, true);
        for (size_t i = 0; i < sizes[size]; i++) {
            ARMED(futures[i] = tp_submit(s.executor, meet, &together));
            REQUIRE(futures[i] != NULL);
        }
        EVENTUALLY(atomic_load(&fault.refused) > 0);
        CHECK_EQ(tp_executor_worker_count(s.executor), 1);
        fail_nothing();
        CHECK_STATUS(tp_execute(s.executor, return_arg, NULL), TP_OK);
        for (size_t i = 0; i < sizes[size]; i++) result_of(futures[i]);
        pthread_barrier_destroy(&together);
        dismiss(&s, (long)sizes[size]);
    }
}

/* ---- every form -------------------------------------------------------------------------------------------------------- */

/* Without any worker: refused, however often it is tried; the caller keeps what it had. */
TEST(p04_without_any_worker_every_form_is_refused) {
    for (size_t size = 0; size < SIZES; size++)
        for (const form *how = forms; how < forms + FORMS; how++) {
            staff s;
            tally t = TALLY_INIT;
            hire(&s, sizes[size], 0);
            for (int error = 0; error < ERRORS; error++) {
                fail_threads(errors[error], 0, true);
                CHECK_STATUS(offer(how, s.executor, &t), TP_ERR_SYSTEM);
                CHECK_EQ(tp_executor_pending_count(s.executor), 0);
                CHECK_EQ(tp_executor_worker_count(s.executor), 0);
            }
            CHECK_EQ(atomic_load(&fault.refused), 1);
            CHECK_EQ(counter_get(&t.dropped), 0);
            fail_nothing();
            CHECK_STATUS(offer(how, s.executor, &t), TP_OK);
            dismiss(&s, -1);
            CHECK_TALLY(&t);
        }
}

/* With one, which is busy: accepted, though nobody else can run it. */
TEST(p04_with_one_worker_every_form_is_accepted) {
    for (size_t size = 1; size < SIZES; size++)
        for (const form *how = forms; how < forms + FORMS; how++) {
            staff   s;
            tally   t = TALLY_INIT;
            blocker busy;
            hire(&s, sizes[size], 0);
            block(s.executor, &busy);
            fail_threads(EAGAIN, 0, true);
            for (int i = 0; i < 20; i++) CHECK_STATUS(offer(how, s.executor, &t), TP_OK);
            CHECK(atomic_load(&fault.refused) > 0);
            CHECK_EQ(counter_get(&t.ran), 0);
            CHECK_EQ(tp_executor_worker_count(s.executor), 1);
            unblock(&busy);
            counter_wait(&t.ran, t.tasks);
            CHECK_EQ(tp_executor_worker_count(s.executor), 1);
            fail_nothing();
            dismiss(&s, 1);
            CHECK_TALLY(&t);
        }
}

/* ---- maps -------------------------------------------------------------------------------------------------------------- */

TEST(p04_a_map_without_any_worker_gives_the_refusal_of_each_item_in_its_turn) {
    enum { N = 5 };
    for (size_t size = 0; size < SIZES; size++) {
        staff   s;
        tally   t = TALLY_INIT;
        void   *args[N] = {&t, &t, &t, &t, &t};
        tp_map *map = NULL;
        hire(&s, sizes[size], 0);
        fail_threads(EPERM, 0, true);
        ARMED(map = tp_map_new(s.executor, run_and_count, args, N, 2, drop_and_count));
        REQUIRE(map != NULL);
        for (int i = 0; i < N; i++) {
            tp_future *future = (tp_future *)&t;
            tp_status  status = TP_OK;
            if (i == 2) fail_nothing(); /* two ahead: all but the last have been tried by now */
            ARMED(status = tp_map_next(map, TP_FOREVER, &future));
            if (status == TP_OK) {
                t.tasks++;
                t.drops++;
                tp_future_release(future);
            } else {
                CHECK_PTR(future, NULL);
            }
            CHECK_STATUS(status, i < N - 1 ? TP_ERR_SYSTEM : TP_OK);
        }
        CHECK_STATUS(tp_map_next(map, TP_FOREVER, NULL), TP_END);
        tp_map_free(map);
        dismiss(&s, -1);
        CHECK_TALLY(&t);
    }
}
