/* E2: pthread_atfork handlers of the user's, under load. Those registered after the library was loaded may use it, before the
 * fork and after it in both processes. Older ones run while the library is prepared for the fork, and must not use it; that they
 * are there disturbs nothing. */
#include "under_load.h"

static tp_executor *executor; /* NULL: handlers are not to do anything */
static tp_future   *done, *held;
static long         prepared, in_parent, in_child;

/* Registered later than the library's own: runs before those that prepare, after the others. */
static void use_it(void) {
    tp_executor *fresh = new_executor(2);
    CHECK_PTR(result_of(submit(fresh, return_arg, fresh)), fresh);
    tp_executor_free(fresh);
    CHECK_STATUS(tp_future_result(done, TP_FOREVER, NULL), TP_OK);
    CHECK_STATUS(tp_future_result(held, 0, NULL), in_child == 0 ? TP_ERR_TIMEOUT : TP_ERR_FORKED);
}
static void late_prepare(void) {
    if (executor == NULL) return;
    prepared++;
    use_it();
    CHECK_PTR(result_of(submit(executor, return_arg, executor)), executor);
}
static void late_parent(void) {
    if (executor == NULL) return;
    in_parent++;
    use_it();
    CHECK_PTR(result_of(submit(executor, return_arg, executor)), executor);
}
static void late_child(void) {
    if (executor == NULL) return;
    in_child++;
    watch();
    use_it();
    CHECK_NULL(tp_submit(executor, return_arg, NULL), TP_ERR_FORKED);
}

/* Registered earlier: must not use it, since the library's locks are taken while they run. */
static long older;
static void early(void) { older += executor != NULL; }

/* Before any library's own initialization there is only this. */
static void register_early(void) {
    if (pthread_atfork(early, early, early) != 0) abort();
}
__attribute__((section(".preinit_array"), used)) static void (*const at_start)(void) = register_early;

TEST(e02_handlers_of_the_user_s_may_use_the_library) {
    blocker busy;
    long    times = repeat(TIMES);
    REQUIRE(pthread_atfork(late_prepare, late_parent, late_child) == 0);
    load_begin();
    executor = new_executor(1);
    tp_executor *other = new_executor(1);
    done = submit(executor, return_arg, executor);
    CHECK_STATUS(tp_future_result(done, TP_FOREVER, NULL), TP_OK);
    block(other, &busy);
    held = busy.future;
    for (long time = times; time > 0; time--) {
        pid_t pid = fork_child();
        if (pid == 0) {
            CHECK_EQ(in_child, 1);
            new_executors_work();
            end_child();
        }
        CHECK_CHILD_OK(pid);
    }
    tp_executor_free(executor);
    executor = NULL;
    CHECK_EQ(prepared, times);
    CHECK_EQ(in_parent, times);
    CHECK_EQ(older, 2 * times); /* to prepare, and in the parent */
    CHECK_EQ(in_child, 0);
    tp_future_release(done);
    unblock(&busy);
    tp_executor_free(other);
    load_end();
}
