/* A program compiled with a later header, in which every struct has a member more ("appended"), run with the library of today and
 * with the later one itself. grow.py makes that header and that library. */
#include "harness.h"

#include <stddef.h>

/* Which of the two libraries this is: the program was compiled with the header of the later one. */
static bool library_is_the_later_one(void) {
    uint32_t minor = (uint32_t)TPEXEC_VERSION_MAJOR << 16 | (uint32_t)TPEXEC_VERSION_MINOR << 8;
    return tp_version() == (minor | (uint32_t)TPEXEC_VERSION_PATCH);
}

TEST(appended_members_that_are_zero_are_taken) {
    counter      ran = COUNTER_INIT;
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2, .thread_name_prefix = "later"));
    REQUIRE(executor != NULL);
    CHECK_EQ(tp_executor_max_workers(executor), 2);
    tp_future *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &ran, .name = "later"), &future), TP_OK);
    CHECK_PTR(result_of(future), &ran);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 1);
}

/* The library that knows the member names it, the one that does not says so; neither ignores it. */
TEST(an_appended_member_that_is_not_zero_is_unsupported) {
    const char  *known = library_is_the_later_one() ? "appended" : "does not know";
    counter      ran = COUNTER_INIT;
    tp_executor *executor = new_executor(1);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.appended = 1)), TP_ERR_UNSUPPORTED);
    CHECK(strstr(tp_last_error_message(), known) != NULL);
    CHECK_NULL(tp_executor_new(TP_EXECUTOR_CONFIG(.appended = UINT64_MAX)), TP_ERR_UNSUPPORTED);

    tp_future     *future = (tp_future *)&ran;
    const tp_task *task = TP_TASK(.fn = count_run, .arg = &ran, .drop_arg = count_drop, .appended = 1);
    CHECK_FAILS(tp_submit_task(executor, task, &future), TP_ERR_UNSUPPORTED);
    CHECK(strstr(tp_last_error_message(), known) != NULL);
    CHECK_PTR(future, &ran);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 0);
}

/* From the first release, which had all but `appended`, to 4096 bytes; whichever library it is. */
TEST(sizes_of_no_version_are_refused) {
    static const struct { size_t config, task; tp_status status; } sizes[] = {
        {offsetof(tp_executor_config, appended) - 1, offsetof(tp_task, appended) - 1, TP_ERR_INVALID_ARGUMENT},
        {offsetof(tp_executor_config, appended), offsetof(tp_task, appended), TP_OK},
        {sizeof(tp_executor_config), sizeof(tp_task), TP_OK},
        {4096, 4096, TP_OK},
        {4097, 4097, TP_ERR_INVALID_ARGUMENT},
        {SIZE_MAX, SIZE_MAX, TP_ERR_INVALID_ARGUMENT},
    };
    union { tp_executor_config config; tp_task task; unsigned char bytes[4097]; } block;
    tp_executor *executor = new_executor(1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(&block, 0, sizeof block);
        block.config.size = sizes[i].config;
        tp_executor *other = tp_executor_new(&block.config);
        CHECK_EQ(other != NULL, sizes[i].status == TP_OK);
        if (other == NULL) CHECK_LAST_ERROR(sizes[i].status);
        tp_executor_free(other);

        memset(&block, 0, sizeof block);
        block.task.size = sizes[i].task;
        block.task.fn = return_null;
        CHECK_STATUS(tp_submit_task(executor, &block.task, NULL), sizes[i].status);
    }
    tp_executor_free(executor);
}

/* What the library fills: a member that is new may only be read when the library is one that has it. */
TEST(an_error_of_either_library_has_the_members_of_its_version) {
    tp_executor *executor = new_executor(1);
    tp_future   *future = submit(executor, fail_with_seven, NULL);
    const tp_error *error = NULL;
    CHECK_STATUS(tp_future_error(future, TP_FOREVER, &error), TP_OK);
    REQUIRE(error != NULL);
    CHECK_EQ(error->code, 7);
    CHECK_STR(error->message, "seven");
    CHECK_PTR(error->payload, NULL);
    if (library_is_the_later_one()) CHECK_EQ(error->appended, APPENDED);
    tp_future_release(future);
    tp_executor_free(executor);
}
