/* callbacks.c: which thread runs the done callbacks of a future?
 *
 * The worker that ran the task, for callbacks added while it was not done; the thread that cancels it; and for a future that is done
 * already the thread that adds the callback, before the call returns. callbacks_many.c asks the same of sixteen tasks on four workers.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdio.h>
#include <tpexec.h>

static sem_t go_on;

static const char *this_thread(void)
{
    const char *worker = tp_worker_name(); /* NULL: not a worker */
    return worker ? worker : "the main thread";
}

static void *work(void *arg)
{
    sem_wait(&go_on);
    printf("task: on %s\n", this_thread());
    return arg;
}

static void done(tp_future *future, void *user_data)
{
    printf("%s: on %s, the future is %s\n", (const char *)user_data, this_thread(), tp_future_cancelled(future) ? "cancelled" : "finished");
}

int main(void)
{
    sem_init(&go_on, 0, 0);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .thread_name_prefix = "demo"));
    tp_future *future = tp_submit(executor, work, NULL);
    tp_future *pending = tp_submit(executor, work, NULL);
    if (future == NULL || pending == NULL) {
        fprintf(stderr, "callbacks: %s\n", tp_last_error_message());
        return 1;
    }

    tp_future_add_done_callback(pending, done, "callback of a task that is cancelled");
    tp_future_cancel(pending);

    tp_future_add_done_callback(future, done, "first callback");
    tp_future_add_done_callback(future, done, "second callback");
    sem_post(&go_on);
    /* The result may be there before the callbacks have run; after shutdown they have. */
    tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT);

    printf("now the task is done\n");
    tp_future_add_done_callback(future, done, "late callback");
    printf("and it has run before the call returned\n");

    tp_future_release(future);
    tp_future_release(pending);
    tp_executor_free(executor);
    return 0;
}
