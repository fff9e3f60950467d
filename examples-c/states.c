/* states.c: what do cancelled, running, done and cancel answer in each state of a future?
 *
 * One worker. The first task has finished, the second has failed, the third stands at a gate, two wait behind it, and one of those is
 * cancelled. Then every future is asked everything; cancel, the only question that changes anything, comes last.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdio.h>
#include <tpexec.h>

static sem_t started, go_on;

static void *finish(void *arg)
{
    return arg;
}

static void *fail(void *arg)
{
    tp_task_fail(1, "on purpose");
    return arg;
}

static void *stand_at_gate(void *arg)
{
    sem_post(&started);
    sem_wait(&go_on);
    return arg;
}

static const char *yes_no(bool answer)
{
    return answer ? "yes" : "no";
}

int main(void)
{
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1));
    struct {
        const char *name;
        tp_task_fn fn;
        tp_future *future;
    } tasks[] = {{"finished", finish, NULL}, {"failed", fail, NULL}, {"running", stand_at_gate, NULL},
                 {"pending", finish, NULL},  {"cancelled", finish, NULL}};
    enum { TASKS = sizeof tasks / sizeof tasks[0] };

    for (int i = 0; i < TASKS; i++) {
        tasks[i].future = tp_submit(executor, tasks[i].fn, NULL);
        if (tasks[i].future == NULL) {
            fprintf(stderr, "states: %s\n", tp_last_error_message());
            return 1;
        }
    }
    sem_wait(&started); /* with one worker tasks start in order: the first two are done by now */
    tp_future_cancel(tasks[4].future);

    printf("%-10s cancelled running done cancel\n", "");
    for (int i = 0; i < TASKS; i++) {
        const char *cancelled = yes_no(tp_future_cancelled(tasks[i].future));
        const char *running = yes_no(tp_future_running(tasks[i].future));
        const char *done = yes_no(tp_future_done(tasks[i].future));
        const char *cancel = yes_no(tp_future_cancel(tasks[i].future));
        printf("%-10s %-9s %-7s %-4s %s\n", tasks[i].name, cancelled, running, done, cancel);
    }

    sem_post(&go_on);
    for (int i = 0; i < TASKS; i++)
        tp_future_release(tasks[i].future);
    tp_executor_free(executor);
    return 0;
}
