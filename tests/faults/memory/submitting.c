/* Memory that cannot be had while tasks are submitted: by the thousand, in every form, with payloads, from inside tasks. */
#include "attempts.h"
#include "forms.h"

/* ---- by the thousand: every chunk that tasks and their entries come from has to be asked for --------------------------- */

static void submit_in_bulk(void) {
    enum { N = 3000 };
    static void      *args[N];
    static tp_future *futures[N];
    counter           ran = COUNTER_INIT;
    tp_executor      *executor = new_executor(1);
    blocker           busy;
    tp_status         status = TP_OK;
    block(executor, &busy);
    for (int i = 0; i < N; i++) {
        args[i] = &ran;
        futures[i] = (tp_future *)&ran;
    }
    ARMED(status = tp_submit_many(executor, count_run, args, N, futures));
    if (status != TP_OK) CHECK_REFUSAL(tp_submit_many, status);
    CHECK_EQ(tp_executor_pending_count(executor), status == TP_OK ? N : 0);
    unblock(&busy);
    for (int i = 0; i < N; i++) {
        if (status == TP_OK) CHECK_PTR(result_of(futures[i]), &ran);
        else CHECK_PTR(futures[i], &ran);
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), status == TP_OK ? N : 0);
}

TEST(no_memory_tp_submit_many) { everywhere(submit_in_bulk); }

static const form *form_to_try;

static void submit_one_by_one(void) {
    enum { N = 1500 };
    tally        t = TALLY_INIT;
    long         blocks = atomic_load(&library_blocks);
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    for (int i = 0; i < N; i++) {
        tp_status status = offer(form_to_try, executor, &t);
        if (status != TP_OK) CHECK_STATUS(status, TP_ERR_NO_MEMORY);
    }
    CHECK_EQ(tp_executor_pending_count(executor), t.tasks);
    CHECK_EQ(counter_get(&t.dropped), 0);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_TALLY(&t);
    CHECK_EQ(atomic_load(&library_blocks), blocks);
}

/* Requests are many: of those of a mix only the early ones, in turn, and then one in so many. */
TEST(no_memory_for_many_tasks_in_every_form) {
    for (form_to_try = forms; form_to_try < forms + FORMS; form_to_try++) {
        submit_one_by_one();
        for (unsigned one_in = 2; one_in <= 8; one_in *= 2) {
            atomic_store(&fault.one_in, one_in);
            submit_one_by_one();
            fail_nothing();
        }
        for (long at = 0; at < 12; at++) {
            for (int goes_on = 0; goes_on < 2; goes_on++) {
                fail_at(at, goes_on != 0);
                submit_one_by_one();
                fail_nothing();
            }
        }
    }
}

/* ---- payloads ---------------------------------------------------------------------------------------------------------- */

/* A payload in a task's own block, small and larger; one that has an allocation of its own, for its size and for its
 * alignment. */
static const struct {
    size_t size, align;
} payloads[] = {{8, 8}, {192, 16}, {10000, 16}, {64, 4096}};

static void prepare_every_payload(void) {
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        counter      dropped = COUNTER_INIT;
        tp_executor *executor = new_executor(2);
        tp_future   *future = NULL;
        void        *payload = NULL;
        tp_status    status = TP_OK;
        ARMED(status = tp_task_prepare(executor, payloads[i].size, payloads[i].align, &future, &payload));
        if (status != TP_OK) {
            CHECK_REFUSAL(tp_task_prepare, status);
            CHECK_PTR(future, NULL);
            CHECK_PTR(payload, NULL);
        } else {
            CHECK_EQ((uintptr_t)payload % payloads[i].align, 0);
            memset(payload, 1, payloads[i].size);
            ARMED(status = tp_task_launch(future, return_arg, NULL));
            if (status != TP_OK) {
                CHECK_REFUSAL(tp_task_launch, status);
                CHECK_STATUS(tp_task_launch(future, return_arg, NULL), TP_OK); /* it can be repeated */
            }
            CHECK_PTR(result_of(future), payload);
        }
        tp_executor_free(executor);
        CHECK_EQ(counter_get(&dropped), 0);
    }
}

TEST(no_memory_tp_task_prepare_and_launch) { everywhere(prepare_every_payload); }

/* ---- from inside tasks ------------------------------------------------------------------------------------------------- */

typedef struct inside {
    tp_executor *executor;
    tally        t;
    long         offers;
} inside;

static void *submit_inside(void *arg) {
    inside *in = (inside *)arg;
    for (long i = 0; i < in->offers; i++)
        for (int form = 0; form < FORMS; form++) {
            tp_status status = offer(&forms[form], in->executor, &in->t);
            if (status != TP_OK) CHECK_STATUS(status, TP_ERR_NO_MEMORY);
        }
    return NULL;
}

static void submit_from_a_task(void) {
    inside in = {new_executor(3), TALLY_INIT, 40};
    result_of(submit(in.executor, submit_inside, &in));
    tp_executor_free(in.executor);
    CHECK_TALLY(&in.t);
}

TEST(no_memory_for_what_a_task_submits_to_its_own_executor) {
    submit_from_a_task();
    CHECK(at_every_place(submit_from_a_task) > 0);
}

/* ---- nothing is lost --------------------------------------------------------------------------------------------------- */

/* Everything that was accepted has run, and the worker is held again. */
static void run_all(tp_executor *executor, blocker *busy, tally *t) {
    fail_nothing();
    unblock(busy);
    counter_wait(&t->ran, t->tasks);
    block(executor, busy);
}

/* Were anything lost by a refusal, so many would need more memory, or leave blocks behind. */
TEST(after_a_hundred_thousand_refusals_nothing_is_lost) {
    tally        t = TALLY_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    long         refusals = 0, wanted = repeat(100000);
    block(executor, &busy);
    for (int i = 0; i < 200; i++) /* the queue keeps a segment that it has emptied */
        for (int form = 0; form < FORMS; form++) CHECK_STATUS(offer(&forms[form], executor, &t), TP_OK);
    run_all(executor, &busy, &t);
    long blocks = atomic_load(&library_blocks), mappings = atomic_load(&library_mappings);
    for (long round = 1; refusals < wanted; round++) {
        for (int form = 0; form < FORMS; form++) {
            fail_at(0, true);
            refusals += offer(&forms[form], executor, &t) != TP_OK;
        }
        if (round % 100 == 0) run_all(executor, &busy, &t); /* what was accepted fills the queue */
    }
    run_all(executor, &busy, &t);
    CHECK_EQ(atomic_load(&library_mappings), mappings);
    CHECK_EQ(atomic_load(&library_blocks), blocks);
    unblock(&busy);
    tp_executor_free(executor);
    CHECK_TALLY(&t);
}
