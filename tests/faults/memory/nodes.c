/* The recycled memory of tasks: what happens when none is left, what is lost with a thread, what needs none. Not for a
 * library that was built with the feature plain-malloc: there is no such memory. */
#include "forms.h"

/* ---- none left --------------------------------------------------------------------------------------------------------- */

/* Every free block of each of the three sizes, held by tasks that wait behind `busy`, or to be launched. */
typedef struct hoard {
    tp_future *futures[200000];
    long       n;
} hoard;

static void take_every_block(tp_executor *executor, hoard *h) {
    static const size_t sizes[] = {64, 192};
    fail_all(MAPPING);
    while ((h->futures[h->n] = tp_submit(executor, return_arg, NULL)) != NULL) REQUIRE(++h->n < 199999);
    CHECK_LAST_ERROR(TP_ERR_NO_MEMORY);
    for (int i = 0; i < 2; i++) {
        void *payload = NULL;
        while (tp_task_prepare(executor, sizes[i], 16, &h->futures[h->n], &payload) == TP_OK) REQUIRE(++h->n < 199999);
        CHECK_LAST_ERROR(TP_ERR_NO_MEMORY);
    }
}

static void give_blocks_back(hoard *h) {
    fail_nothing();
    while (h->n > 0) tp_future_release(h->futures[--h->n]);
}

static bool needs_a_block(const form *how) { return how->submit != form_execute && how->submit != form_many_unseen; }

static void use_without_blocks(void) {
    static hoard h;
    tally        t = TALLY_INIT;
    counter      called = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    long mappings = atomic_load(&library_mappings);
    take_every_block(executor, &h);
    CHECK_EQ(atomic_load(&library_mappings), mappings);
    for (const form *how = forms; how < forms + FORMS; how++) {
        long blocks = atomic_load(&library_blocks);
        CHECK_STATUS(offer(how, executor, &t), needs_a_block(how) ? TP_ERR_NO_MEMORY : TP_OK);
        if (needs_a_block(how)) CHECK_EQ(atomic_load(&library_blocks), blocks);
    }
    CHECK_FAILS(tp_future_add_done_callback(busy.future, count_done, &called), TP_ERR_NO_MEMORY);
    CHECK(tp_future_cancel(h.futures[0]));
    give_blocks_back(&h);
    unblock(&busy);
    counter_wait(&t.ran, t.tasks);
    for (const form *how = forms; how < forms + FORMS; how++) CHECK_STATUS(offer(how, executor, &t), TP_OK);
    tp_executor_free(executor);
    CHECK_TALLY(&t);
    CHECK_EQ(counter_get(&called), 0);
}

static void *use_on_a_thread(void *arg) {
    (void)arg;
    use_without_blocks();
    return NULL;
}

TEST(no_memory_once_every_block_is_in_use) {
    for (int i = 0; i < 3; i++) use_without_blocks();
    for (int i = 0; i < 3; i++) join_thread(start_thread(use_on_a_thread, NULL));
}

/* ---- a block, but no place in the queue --------------------------------------------------------------------------------- */

/* Forms that ask malloc for nothing but the queue's next segment. */
static tp_status (*const light[])(tp_executor *, tally *, tp_future **) = {form_submit, form_many, form_launch};

/* Were the blocks of refused tasks lost, so many would need more than there are. */
TEST(tasks_that_find_no_place_in_the_queue_give_their_blocks_back) {
    enum { LIGHT = sizeof light / sizeof light[0] };
    for (int i = 0; i < LIGHT; i++) {
        form         how = {"one of them", light[i]};
        tally        t = TALLY_INIT;
        tp_executor *executor = new_executor(1);
        blocker      busy;
        block(executor, &busy);
        fail_all(HEAP);
        while (offer(&how, executor, &t) == TP_OK) {}
        long mappings = atomic_load(&library_mappings);
        for (long n = repeat(200000); n > 0; n--) CHECK_STATUS(offer(&how, executor, &t), TP_ERR_NO_MEMORY);
        CHECK_EQ(atomic_load(&library_mappings), mappings);
        fail_nothing();
        unblock(&busy);
        tp_executor_free(executor);
        CHECK_TALLY(&t);
    }
}

/* ---- what a thread holds when it ends ---------------------------------------------------------------------------------- */

/* The library hears of a thread's end by a key; a process may have none left when the library asks. */
CHILD(without_a_key) {
    tp_executor *executor = new_executor(1);
    fail_all(KEY);
    for (int i = 0; i < 300; i++) tp_future_release(submit(executor, return_arg, NULL));
    CHECK(atomic_load(&fault.refused) > 0);
    fail_nothing();
    for (int i = 0; i < 300; i++) tp_future_release(submit(executor, return_arg, NULL));
    tp_executor_free(executor);
    return 0;
}

TEST(c08_without_a_key_for_the_ends_of_threads_tasks_run_as_ever) { CHECK_CHILD("without_a_key", 0); }

static void *submit_some(void *arg) {
    for (int i = 0; i < 300; i++) tp_future_release(submit((tp_executor *)arg, return_arg, NULL));
    return NULL;
}

/* Threads that submit, one after the other, and all that they submitted has run; gives the number of new mappings. */
static long mappings_of_threads(tp_executor *executor, long threads) {
    long before = atomic_load(&library_mappings);
    for (long i = 0; i < threads; i++) {
        join_thread(start_thread(submit_some, executor));
        result_of(submit(executor, return_arg, NULL));
    }
    return atomic_load(&library_mappings) - before;
}

/* Without a word from the C library at its end a thread takes the free nodes that it holds with it: a bounded number. */
TEST(c08_a_thread_whose_end_nobody_hears_of_loses_a_bounded_number_of_nodes) {
    enum { THREADS = 200, HELD = 256 /* nodes */, NODE = 32, CHUNK = 2 << 20 };
    tp_executor *executor = new_executor(1);
    mappings_of_threads(executor, 1);
    fail_all(KEY);
    CHECK(mappings_of_threads(executor, THREADS) <= THREADS * HELD * NODE / CHUNK + 1);
    CHECK(atomic_load(&fault.refused) >= THREADS);
    fail_nothing();
    mappings_of_threads(executor, 1);
    CHECK_EQ(mappings_of_threads(executor, THREADS), 0); /* with it a thread takes nothing */
    tp_executor_free(executor);
}

/* ---- a closure of some size costs no allocation ------------------------------------------------------------------------ */

/* Requests, on whichever thread, while tasks with payloads of that size are launched, awaited or left to themselves. */
static long requests_of(tp_executor *executor, size_t size, long n) {
    tp_future *futures[64];
    fail_at(-1, false);
    atomic_store(&fault.everywhere, true);
    for (long i = 0; i < n; i++) {
        void      *payload = NULL;
        tp_future *last = NULL;
        for (int j = 0; j < 64; j++) {
            CHECK_STATUS(tp_task_prepare(executor, size, 16, &futures[j], &payload), TP_OK);
            CHECK_STATUS(tp_task_launch(futures[j], return_arg, NULL), TP_OK);
            if (j % 2 == 0) tp_future_release(futures[j]);
            else last = futures[j];
        }
        CHECK_STATUS(tp_future_result(last, TP_FOREVER, NULL), TP_OK);
        for (int j = 1; j < 64; j += 2) result_of(futures[j]);
    }
    fail_nothing();
    return atomic_load(&fault.requests);
}

TEST(a_small_payload_costs_no_allocation_once_the_program_is_warm_and_a_large_one_one) {
    static const size_t small[] = {0, 1, 24, 64, 65, 192};
    tp_executor        *executor = new_executor(1);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        requests_of(executor, small[i], 20);
        CHECK_EQ(requests_of(executor, small[i], 20), 0);
    }
    requests_of(executor, 193, 20);
    CHECK_EQ(requests_of(executor, 193, 20), 20 * 64);
    tp_executor_free(executor);
}
