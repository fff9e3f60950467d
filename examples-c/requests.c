/* requests.c: how much does it help to run eight slow requests four at a time?
 *
 * A request here only waits, like one to a server. One after the other they take the sum of their times; with four workers a quarter
 * of it. The times go to stderr, as they differ from run to run; the answers, and that never more than four ran at once, to stdout.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <tpexec.h>

enum { REQUESTS = 8, AT_ONCE = 4 };

static atomic_int running, most;

static void *request(void *arg)
{
    int now = atomic_fetch_add(&running, 1) + 1;
    int seen = atomic_load(&most);
    while (seen < now && !atomic_compare_exchange_weak(&most, &seen, now))
        ;
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    atomic_fetch_sub(&running, 1);
    return (void *)((intptr_t)arg * 100); /* "the size of the page" */
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(void)
{
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = AT_ONCE));
    tp_future *futures[REQUESTS];

    double begin = seconds();
    for (intptr_t i = 1; i <= REQUESTS; i++)
        request((void *)i);
    double sequential = seconds() - begin;

    begin = seconds();
    for (intptr_t i = 0; i < REQUESTS; i++) {
        futures[i] = tp_submit(executor, request, (void *)(i + 1));
        if (futures[i] == NULL) {
            fprintf(stderr, "requests: %s\n", tp_last_error_message());
            return 1;
        }
    }
    for (int i = 0; i < REQUESTS; i++) {
        void *size = NULL;
        if (tp_future_result(futures[i], TP_FOREVER, &size) == TP_OK)
            printf("request %d: %d bytes\n", i + 1, (int)(intptr_t)size);
        tp_future_release(futures[i]);
    }
    fprintf(stderr, "one at a time %.3f s, four at a time %.3f s\n", sequential, seconds() - begin);
    printf("never more than %d at once: %s\n", AT_ONCE, atomic_load(&most) <= AT_ONCE ? "yes" : "no");
    tp_executor_free(executor);
    return 0;
}
