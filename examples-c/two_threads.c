/* two_threads.c: how many threads does an executor have, and how long do they live?
 *
 * At most max_workers, started when there is work for them, kept until shutdown. Five tasks on two threads: none exists before the
 * first task, two run while three tasks wait their turn, two are still there when all is done, none after shutdown.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdio.h>
#include <tpexec.h>

enum { TASKS = 5, THREADS = 2 };

static sem_t started, go_on;

static void *work(void *arg)
{
    sem_post(&started);
    sem_wait(&go_on);
    return arg;
}

static void show(const char *when, const tp_executor *executor)
{
    printf("%s: %zu threads, %zu tasks pending\n", when, tp_executor_worker_count(executor), tp_executor_pending_count(executor));
}

int main(void)
{
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = THREADS));
    tp_future *futures[TASKS];

    show("new", executor);
    for (int i = 0; i < TASKS; i++) {
        futures[i] = tp_submit(executor, work, NULL);
        if (futures[i] == NULL) {
            fprintf(stderr, "two_threads: %s\n", tp_last_error_message());
            return 1;
        }
    }
    for (int i = 0; i < THREADS; i++)
        sem_wait(&started);
    show("busy", executor);

    for (int i = 0; i < TASKS; i++)
        sem_post(&go_on);
    tp_wait(futures, TASKS, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL);
    show("all done", executor);

    tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT);
    show("after shutdown", executor);

    for (int i = 0; i < TASKS; i++)
        tp_future_release(futures[i]);
    tp_executor_free(executor);
    return 0;
}
