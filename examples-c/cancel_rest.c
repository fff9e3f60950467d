/* cancel_rest.c: one task fails. How do I call off all the others, and when does my loop over the results end?
 *
 * Shut down with TP_SHUTDOWN_CANCEL_FUTURES: what is pending becomes cancelled and comes out of the loop like everything else, so the
 * loop ends by itself. A running task cannot be stopped from outside, but it can ask whether it should stop. TP_SHUTDOWN_WAIT makes
 * shutdown return after it has; cancel_rest_nowait.c is the same without waiting.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <tpexec.h>

enum { TASKS = 6 };

static sem_t running;

static void *work(void *arg)
{
    intptr_t i = (intptr_t)arg;
    if (i == 1)
        tp_task_fail(1, "task 1 went wrong");
    if (i == 2) {
        sem_post(&running);
        while (!tp_task_stop_requested()) /* a long job, looking up from time to time */
            nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    return arg;
}

int main(void)
{
    sem_init(&running, 0, 0);
    /* One worker, so that tasks 3, 4 and 5 are surely pending while task 2 runs. */
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1));
    tp_future *futures[TASKS];
    for (intptr_t i = 0; i < TASKS; i++) {
        futures[i] = tp_submit(executor, work, (void *)i);
        if (futures[i] == NULL) {
            fprintf(stderr, "cancel_rest: %s\n", tp_last_error_message());
            return 1;
        }
    }

    const char *ended[TASKS];
    int n = 0;
    tp_completion_queue *completed = tp_as_completed(futures, TASKS);
    tp_future *future;
    uint64_t i;
    while (tp_completion_queue_next(completed, TP_FOREVER, &future, &i) == TP_OK) {
        tp_status status = tp_future_result(future, 0, NULL);
        ended[i] = status == TP_OK ? "finished" : tp_status_name(status);
        n++;
        if (status == TP_ERR_TASK) {
            printf("task %d failed\n", (int)i);
            sem_wait(&running);
            tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES | TP_SHUTDOWN_WAIT);
            printf("shutdown has returned: task 2 %s\n", tp_future_running(futures[2]) ? "is still running" : "has stopped");
        }
        tp_future_release(future);
    }
    tp_completion_queue_free(completed);

    printf("the loop has ended: %d of %d came out\n", n, TASKS);
    for (int k = 0; k < TASKS; k++) {
        printf("task %d: %s\n", k, ended[k]);
        tp_future_release(futures[k]);
    }
    tp_executor_free(executor);
    return 0;
}
