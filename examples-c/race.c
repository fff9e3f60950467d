/* race.c: why is my shared counter too small, and what can I do about it?
 *
 * To add one is to read, then to write. Two tasks that both read before either writes count one instead of two: a barrier between the
 * steps makes that happen every time here; in real programs it happens now and then. Three cures: a mutex, an atomic addition, and the
 * best, not to share at all: each task returns its own count and main adds them up.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <tpexec.h>

enum { TASKS = 4, ROUNDS = 100000 };

static pthread_barrier_t both_have_read;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long guarded;
static atomic_long counter; /* atomic, but that alone does not make read-then-write one step */

static void *too_small(void *arg)
{
    long value = atomic_load(&counter);
    pthread_barrier_wait(&both_have_read);
    atomic_store(&counter, value + 1);
    return arg;
}

static void *with_mutex(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        guarded++;
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void *with_atomic(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        atomic_fetch_add(&counter, 1);
    return arg;
}

static void *with_result(void *arg)
{
    (void)arg;
    intptr_t own = 0;
    for (int i = 0; i < ROUNDS; i++)
        own++;
    return (void *)own;
}

/* Runs fn as n tasks; the sum of what they return. */
static long run(tp_executor *executor, tp_task_fn fn, int n)
{
    tp_future *futures[TASKS];
    void *args[TASKS] = {NULL};
    long sum = 0;
    if (tp_submit_many(executor, fn, args, (size_t)n, futures) != TP_OK) {
        fprintf(stderr, "race: %s\n", tp_last_error_message());
        return -1;
    }
    for (int i = 0; i < n; i++) {
        void *result = NULL;
        tp_future_result(futures[i], TP_FOREVER, &result);
        sum += (long)(intptr_t)result;
        tp_future_release(futures[i]);
    }
    return sum;
}

int main(void)
{
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = TASKS));
    pthread_barrier_init(&both_have_read, NULL, 2);

    run(executor, too_small, 2);
    printf("read, then write: %ld instead of 2\n", atomic_exchange(&counter, 0));

    run(executor, with_mutex, TASKS);
    printf("mutex:            %ld\n", guarded);
    run(executor, with_atomic, TASKS);
    printf("atomic:           %ld\n", atomic_load(&counter));
    printf("results:          %ld\n", run(executor, with_result, TASKS));

    tp_executor_free(executor);
    pthread_barrier_destroy(&both_have_read);
    return 0;
}
