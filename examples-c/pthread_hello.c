/* pthread_hello.c: hello.c without an executor. What does the executor save?
 *
 * Same task, same gate, same output. The "future" at the top has to be written by hand (a lock, a condition, a state), and still it
 * is good for one task only: no pool, no queue, no errors, no timeout, no cancel, one new thread per task.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct future {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { PENDING, RUNNING, FINISHED } state;
    void *(*fn)(void *arg);
    void *arg, *result;
};

static sem_t started, go_on;

static void *greet(void *arg)
{
    const char *name = arg;
    sem_post(&started);
    sem_wait(&go_on);

    char *greeting = malloc(strlen(name) + sizeof "hello, ");
    if (greeting == NULL)
        return NULL; /* nobody can tell this from a task that meant to return NULL */
    strcpy(greeting, "hello, ");
    return strcat(greeting, name);
}

static void set_state(struct future *future, int state, void *result)
{
    pthread_mutex_lock(&future->lock);
    future->state = state;
    future->result = result;
    pthread_cond_broadcast(&future->changed);
    pthread_mutex_unlock(&future->lock);
}

static void *run(void *arg)
{
    struct future *future = arg;
    set_state(future, RUNNING, NULL);
    set_state(future, FINISHED, future->fn(future->arg));
    return NULL;
}

static bool is(struct future *future, int state)
{
    pthread_mutex_lock(&future->lock);
    bool yes = (int)future->state == state;
    pthread_mutex_unlock(&future->lock);
    return yes;
}

static void *wait_for_result(struct future *future)
{
    pthread_mutex_lock(&future->lock);
    while (future->state != FINISHED)
        pthread_cond_wait(&future->changed, &future->lock);
    pthread_mutex_unlock(&future->lock);
    return future->result;
}

static void show(const char *when, struct future *future)
{
    printf("%s: running %s, done %s\n", when, is(future, RUNNING) ? "yes" : "no", is(future, FINISHED) ? "yes" : "no");
}

int main(void)
{
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);

    struct future future = {.fn = greet, .arg = "world", .state = PENDING};
    pthread_mutex_init(&future.lock, NULL);
    pthread_cond_init(&future.changed, NULL);
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, &future);
    if (error != 0) {
        fprintf(stderr, "pthread_hello: %s\n", strerror(error));
        return 1;
    }
    sem_wait(&started);
    show("before", &future);
    sem_post(&go_on);

    char *greeting = wait_for_result(&future);
    if (greeting == NULL)
        return 1;
    printf("result: %s\n", greeting);
    show("after", &future);

    free(greeting);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&future.changed);
    pthread_mutex_destroy(&future.lock);
    return 0;
}
