/* failure.c: one task fails among others. Where do I see it, and what happens to the rest?
 *
 * A task reports failure with tp_task_fail; its future then answers TP_ERR_TASK and keeps the code and the message. The other tasks and
 * the worker it ran on are unharmed: here a single worker runs all five.
 */
#include <stdint.h>
#include <stdio.h>
#include <tpexec.h>

enum { TASKS = 5 };

static void *hundred_divided_by(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n == 0) {
        char message[64];
        snprintf(message, sizeof message, "cannot divide by %d", (int)n);
        tp_task_fail(33, message); /* the message is copied */
        return NULL;               /* ignored: the task has failed */
    }
    return (void *)(100 / n);
}

int main(void)
{
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1));
    tp_future *futures[TASKS];

    for (intptr_t i = 0; i < TASKS; i++) {
        futures[i] = tp_submit(executor, hundred_divided_by, (void *)(i - 2));
        if (futures[i] == NULL) {
            fprintf(stderr, "failure: %s\n", tp_last_error_message());
            return 1;
        }
    }
    for (int i = 0; i < TASKS; i++) {
        void *result = NULL;
        const tp_error *error = NULL;
        tp_status status = tp_future_result(futures[i], TP_FOREVER, &result);
        if (status == TP_OK)
            printf("task %d: %d\n", i, (int)(intptr_t)result);
        else if (status == TP_ERR_TASK && tp_future_error(futures[i], 0, &error) == TP_OK)
            printf("task %d: %s, code %d: %s\n", i, tp_status_name(status), (int)error->code, error->message);
        tp_future_release(futures[i]); /* error is valid until here */
    }
    tp_executor_free(executor);
    return 0;
}
