/* What else the system may refuse a new thread: the size of its stack, its name. */
#include "forms.h"

static void *name_of_worker(void *arg) {
    (void)arg;
    return (void *)(intptr_t)tp_worker_name();
}

/* As without any thread: refused, with the reason, and later tries may succeed. */
TEST(p04_a_stack_size_that_the_system_refuses_is_a_thread_that_cannot_be_started) {
    tally        t = TALLY_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .stack_size = 128 * 1024));
    REQUIRE(executor != NULL);
    fail_all(SIZE);
    for (const form *how = forms; how < forms + FORMS; how++) CHECK_STATUS(offer(how, executor, &t), TP_ERR_SYSTEM);
    CHECK_FAILS(tp_execute(executor, return_arg, NULL), TP_ERR_SYSTEM);
    CHECK(strstr(tp_last_error_message(), strerror(EINVAL)) != NULL); /* why */
    CHECK_EQ(tp_executor_worker_count(executor), 0);
    fail_nothing();
    for (const form *how = forms; how < forms + FORMS; how++) CHECK_STATUS(offer(how, executor, &t), TP_OK);
    tp_executor_free(executor);
    CHECK_TALLY(&t);
}

/* No machine has such a stack. */
TEST(p04_an_impossible_stack_size_is_refused_by_every_form) {
    static const size_t sizes[] = {PTRDIFF_MAX, PTRDIFF_MAX / 2, (size_t)1 << 46};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tally        t = TALLY_INIT;
        tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .stack_size = sizes[i]));
        REQUIRE(executor != NULL);
        for (const form *how = forms; how < forms + FORMS; how++) CHECK_STATUS(offer(how, executor, &t), TP_ERR_SYSTEM);
        CHECK_EQ(tp_executor_worker_count(executor), 0);
        tp_executor_free(executor);
        CHECK_TALLY(&t);
    }
}

/* A name is for people: without it the worker works, and the library's own name for it is whole. */
TEST(p05_a_worker_whose_name_the_system_refuses_works_and_has_its_name) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .thread_name_prefix = "nameless"));
    REQUIRE(executor != NULL);
    fail_all(NAME);
    tp_future *future = submit(executor, name_of_worker, NULL);
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    CHECK_EQ(atomic_load(&fault.refused), 1);
    fail_nothing();
    CHECK_STR((const char *)result_of(future), "nameless_0");
    tp_executor_free(executor);
}
