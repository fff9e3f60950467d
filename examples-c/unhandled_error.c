/* unhandled_error.c: a task fails and nobody looks at its future. Is the error lost?
 *
 * Not if the executor has an unhandled_error function: it is called when a failed future goes and nobody has read its error. Three tasks
 * fail. The first has no future at all: reported at once, by its worker. The second one's error is read: no report. The third one's
 * future is released unread: reported by the thread that lets go of it last, here main, as the worker has ended by then.
 */
#include <stdio.h>
#include <tpexec.h>

static void *fail(void *arg)
{
    tp_task_fail(1, arg);
    return NULL;
}

static void report(const tp_error *error, void *user_data)
{
    const char *worker = tp_worker_name();
    printf("%s: \"%s\", on %s\n", (const char *)user_data, error->message, worker ? worker : "the main thread");
}

static void no_more_reports(void *user_data)
{
    printf("%s: no more reports\n", (const char *)user_data);
}

int main(void)
{
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .thread_name_prefix = "demo", .unhandled_error = report,
                                                               .user_data = "unhandled", .drop_user_data = no_more_reports));
    tp_status executed = tp_execute(executor, fail, "the first task's error");
    tp_future *looked_at = tp_submit(executor, fail, "the second task's error");
    tp_future *forgotten = tp_submit(executor, fail, "the third task's error");
    if (executed != TP_OK || looked_at == NULL || forgotten == NULL) {
        fprintf(stderr, "unhandled_error: %s\n", tp_last_error_message());
        return 1;
    }

    const tp_error *error = NULL;
    if (tp_future_error(looked_at, TP_FOREVER, &error) == TP_OK && error != NULL)
        printf("looked at: \"%s\"\n", error->message);
    tp_future_release(looked_at);

    tp_executor_free(executor); /* futures outlive their executor, and so may reports */
    printf("the executor is gone\n");
    tp_future_release(forgotten);
    return 0;
}
