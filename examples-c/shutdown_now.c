/* shutdown_now.c: what becomes of my tasks when I shut down right after submitting them?
 *
 * They run. Shutdown only refuses new tasks; what was accepted is done, and its results can be read, also after the executor itself is
 * gone. Without TP_SHUTDOWN_WAIT the call returns at once: here while the first task still stands at its gate.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <tpexec.h>

enum { TASKS = 3 };

static sem_t go_on;

static void *square(void *arg)
{
    intptr_t n = (intptr_t)arg; /* small numbers travel in the pointer itself */
    sem_wait(&go_on);
    return (void *)(n * n);
}

int main(void)
{
    sem_init(&go_on, 0, 0);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1));
    tp_future *futures[TASKS];
    size_t done = 0;

    for (intptr_t i = 0; i < TASKS; i++) {
        futures[i] = tp_submit(executor, square, (void *)(i + 1));
        if (futures[i] == NULL) {
            fprintf(stderr, "shutdown_now: %s\n", tp_last_error_message());
            return 1;
        }
    }
    tp_executor_shutdown(executor, 0);
    tp_wait(futures, TASKS, 0, TP_WAIT_ALL_COMPLETED, &done); /* timeout 0: only look */
    printf("shutdown has returned: %zu of %d tasks done\n", done, TASKS);

    if (tp_submit(executor, square, NULL) == NULL)
        printf("one more task: %s\n", tp_status_name(tp_last_error()));

    for (int i = 0; i < TASKS; i++)
        sem_post(&go_on);
    tp_executor_free(executor); /* waits for the tasks */

    for (int i = 0; i < TASKS; i++) {
        void *result = NULL;
        if (tp_future_result(futures[i], TP_FOREVER, &result) == TP_OK)
            printf("result %d: %d\n", i + 1, (int)(intptr_t)result);
        tp_future_release(futures[i]);
    }
    return 0;
}
