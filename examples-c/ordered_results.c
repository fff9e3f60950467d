/* ordered_results.c: tasks finish in any order. In which order do I get their results?
 *
 * In the order you ask. Five tasks are made to finish backwards (each waits for the one after it); main still collects from the first
 * to the last, and each result belongs to its task.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdio.h>
#include <tpexec.h>

enum { TASKS = 5 };

struct job {
    int number;
    int square;
    sem_t turn;
};
static struct job jobs[TASKS];

static void *square(void *arg)
{
    struct job *job = arg;
    sem_wait(&job->turn);
    job->square = job->number * job->number;
    printf("task %d finishes\n", job->number);
    if (job->number > 0)
        sem_post(&jobs[job->number - 1].turn);
    return job; /* the argument can carry the result as well: then nothing is allocated */
}

int main(void)
{
    /* Tasks that wait for each other need a worker each. */
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = TASKS));
    tp_future *futures[TASKS];

    for (int i = 0; i < TASKS; i++) {
        jobs[i].number = i;
        sem_init(&jobs[i].turn, 0, 0);
        futures[i] = tp_submit(executor, square, &jobs[i]);
        if (futures[i] == NULL) {
            fprintf(stderr, "ordered_results: %s\n", tp_last_error_message());
            return 1;
        }
    }
    sem_post(&jobs[TASKS - 1].turn);

    for (int i = 0; i < TASKS; i++) {
        void *result = NULL;
        if (tp_future_result(futures[i], TP_FOREVER, &result) == TP_OK)
            printf("result %d: %d\n", i, ((struct job *)result)->square);
        tp_future_release(futures[i]);
    }
    tp_executor_free(executor);
    return 0;
}
