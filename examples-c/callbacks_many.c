/* callbacks_many.c: sixteen tasks on four workers. Which thread runs each one's callback?
 *
 * Always the worker that ran the task: four workers, four callback threads, none on main. So callbacks of different tasks run at the
 * same time, and what they share needs a lock or, as here, an atomic. (Tasks meet in fours at a barrier, so that all four workers work.)
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <tpexec.h>

enum { TASKS = 16, WORKERS = 4 };

struct task {
    char ran_on[32];
    char called_on[32];
};

static sem_t go_on;
static pthread_barrier_t four;
static atomic_int callbacks;

static void remember(char (*where)[32])
{
    const char *worker = tp_worker_name();
    snprintf(*where, sizeof *where, "%s", worker ? worker : "main");
}

static void *work(void *arg)
{
    struct task *task = arg;
    sem_wait(&go_on);
    pthread_barrier_wait(&four);
    remember(&task->ran_on);
    return NULL;
}

static void done(tp_future *future, void *user_data)
{
    struct task *task = user_data;
    (void)future;
    remember(&task->called_on);
    atomic_fetch_add(&callbacks, 1);
}

int main(void)
{
    struct task tasks[TASKS] = {{"", ""}};
    sem_init(&go_on, 0, 0);
    pthread_barrier_init(&four, NULL, WORKERS);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = WORKERS, .thread_name_prefix = "demo"));

    for (int i = 0; i < TASKS; i++) {
        tp_future *future = tp_submit(executor, work, &tasks[i]);
        if (future == NULL || tp_future_add_done_callback(future, done, &tasks[i]) != TP_OK) {
            fprintf(stderr, "callbacks_many: %s\n", tp_last_error_message());
            return 1;
        }
        tp_future_release(future); /* the callback still comes */
    }
    for (int i = 0; i < TASKS; i++)
        sem_post(&go_on); /* from now on tasks may end: every callback was added before */
    tp_executor_free(executor);

    int same = 0;
    for (int i = 0; i < TASKS; i++)
        same += strcmp(tasks[i].ran_on, tasks[i].called_on) == 0;
    printf("%d callbacks, %d on the worker that had run the task\n", atomic_load(&callbacks), same);
    for (int worker = 0; worker < WORKERS; worker++) {
        char name[32];
        int n = 0;
        snprintf(name, sizeof name, "demo_%d", worker);
        for (int i = 0; i < TASKS; i++)
            n += strcmp(tasks[i].called_on, name) == 0;
        printf("%s ran callbacks: %s\n", name, n > 0 ? "yes" : "no");
    }
    pthread_barrier_destroy(&four);
    return 0;
}
