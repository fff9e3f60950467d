/* requests_as_completed.c: how do I handle each answer as soon as it is there, and know which request it belongs to?
 *
 * tp_as_completed gives the futures in the order they complete; the tag is the future's index in the array, and so leads back to the
 * input. The "server" of this program answers in a fixed order, which is the order to see in the output.
 */
#define _POSIX_C_SOURCE 200809L
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <tpexec.h>

enum { REQUESTS = 8, AT_ONCE = 4 };

static struct request {
    const char *page;
    size_t size;
    sem_t answered;
} requests[REQUESTS] = {{.page = "/"},     {.page = "/a"},     {.page = "/bb"},     {.page = "/ccc"},
                        {.page = "/dddd"}, {.page = "/eeeee"}, {.page = "/ffffff"}, {.page = "/ggggggg"}};

/* The server's: not the order of the requests, but only what it has received can it answer, four at a time. */
static const int server_order[REQUESTS] = {3, 1, 2, 0, 7, 6, 5, 4};
static sem_t received;

static void *ask(void *arg)
{
    struct request *request = arg;
    sem_post(&received);
    sem_wait(&request->answered);
    request->size = strlen(request->page) * 100;
    return &request->size;
}

int main(void)
{
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = AT_ONCE));
    tp_future *futures[REQUESTS];
    sem_init(&received, 0, 0);
    for (int i = 0; i < REQUESTS; i++) {
        sem_init(&requests[i].answered, 0, 0);
        futures[i] = tp_submit(executor, ask, &requests[i]);
        if (futures[i] == NULL) {
            fprintf(stderr, "requests_as_completed: %s\n", tp_last_error_message());
            return 1;
        }
        if (i < AT_ONCE) /* several workers need not start tasks in order; here the first four shall be the first four */
            sem_wait(&received);
    }

    tp_completion_queue *completed = tp_as_completed(futures, REQUESTS);
    tp_future *future;
    uint64_t i;
    sem_post(&requests[server_order[0]].answered);
    for (int n = 1; tp_completion_queue_next(completed, TP_FOREVER, &future, &i) == TP_OK; n++) { /* ends with TP_END */
        void *size = NULL;
        if (tp_future_result(future, 0, &size) == TP_OK)
            printf("%s: %zu bytes\n", requests[i].page, *(size_t *)size);
        tp_future_release(future);
        if (n < REQUESTS)
            sem_post(&requests[server_order[n]].answered);
    }
    tp_completion_queue_free(completed);

    for (int k = 0; k < REQUESTS; k++)
        tp_future_release(futures[k]);
    tp_executor_free(executor);
    return 0;
}
