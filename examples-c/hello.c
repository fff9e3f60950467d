/* hello.c: how does a task give a value back, and what does its future say meanwhile?
 *
 * One task, one worker thread. The task waits at a gate until main has looked at its future, so this always prints: running, then the
 * value, then done. pthread_hello.c is the same program without an executor; hello.cpp and python/hello.py are it in C++ and Python.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tpexec.h>

static sem_t started, go_on;

/* A task has the shape of a pthread start routine. What it returns is the future's result; here a string that the caller frees. */
static void *greet(void *arg)
{
    const char *name = arg;
    sem_post(&started);
    sem_wait(&go_on);

    char *greeting = malloc(strlen(name) + sizeof "hello, ");
    if (greeting == NULL) {
        tp_task_fail(1, "no memory for the greeting");
        return NULL;
    }
    strcpy(greeting, "hello, ");
    return strcat(greeting, name);
}

static void show(const char *when, const tp_future *future)
{
    printf("%s: running %s, done %s\n", when, tp_future_running(future) ? "yes" : "no", tp_future_done(future) ? "yes" : "no");
}

int main(void)
{
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);

    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1));
    tp_future *future = tp_submit(executor, greet, "world");
    if (future == NULL) { /* a NULL executor ends up here too: submit refuses it */
        fprintf(stderr, "hello: %s\n", tp_last_error_message());
        return 1;
    }
    sem_wait(&started);
    show("before", future);
    sem_post(&go_on);

    void *greeting = NULL;
    tp_status status = tp_future_result(future, TP_FOREVER, &greeting); /* waits until the task is done */
    if (status != TP_OK) {
        fprintf(stderr, "hello: %s\n", tp_status_message(status));
        return 1;
    }
    printf("result: %s\n", (char *)greeting);
    show("after", future);

    free(greeting);
    tp_future_release(future);
    tp_executor_free(executor); /* waits for the worker thread to end */
    return 0;
}
