/* cancel_rest_nowait.c: as cancel_rest.c, but nobody waits inside shutdown. What can I do meanwhile?
 *
 * Without TP_SHUTDOWN_WAIT shutdown returns at once. The cancelled tasks come out of the loop first; the running one comes out when it
 * is done, and only then does the loop end. (Task 2 stands at a gate that main opens when it has seen the three others.)
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <tpexec.h>

enum { TASKS = 6 };

static sem_t running, go_on;

static void *work(void *arg)
{
    intptr_t i = (intptr_t)arg;
    if (i == 1)
        tp_task_fail(1, "task 1 went wrong");
    if (i == 2) {
        sem_post(&running);
        sem_wait(&go_on);
    }
    return arg;
}

int main(void)
{
    sem_init(&running, 0, 0);
    sem_init(&go_on, 0, 0);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1));
    tp_future *futures[TASKS];
    for (intptr_t i = 0; i < TASKS; i++) {
        futures[i] = tp_submit(executor, work, (void *)i);
        if (futures[i] == NULL) {
            fprintf(stderr, "cancel_rest_nowait: %s\n", tp_last_error_message());
            return 1;
        }
    }

    int cancelled = 0;
    tp_completion_queue *completed = tp_as_completed(futures, TASKS);
    tp_future *future;
    uint64_t i;
    while (tp_completion_queue_next(completed, TP_FOREVER, &future, &i) == TP_OK) {
        tp_status status = tp_future_result(future, 0, NULL);
        if (status == TP_OK)
            printf("task %d finished\n", (int)i);
        if (status == TP_ERR_TASK) {
            printf("task %d failed\n", (int)i);
            sem_wait(&running);
            tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES);
            printf("shutdown has returned: task 2 %s\n", tp_future_running(futures[2]) ? "is still running" : "has stopped");
        }
        if (status == TP_ERR_CANCELLED && ++cancelled == 3) {
            printf("3 tasks cancelled\n");
            sem_post(&go_on);
        }
        tp_future_release(future);
    }
    tp_completion_queue_free(completed);
    printf("the loop has ended\n");

    for (int k = 0; k < TASKS; k++)
        tp_future_release(futures[k]);
    tp_executor_free(executor);
    return 0;
}
