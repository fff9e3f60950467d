/* requests_map.c: one function, many inputs. Can I have the results in input order without keeping a list of futures?
 *
 * tp_map is that loop: futures come out in the order of the inputs, each one done, however long any of them took (the first request is
 * the slowest here). lookahead bounds how many are submitted ahead of the one awaited, so the inputs may be very many.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tpexec.h>

enum { REQUESTS = 8, LOOKAHEAD = 4 };

static void *request(void *arg)
{
    const char *page = arg;
    long slowness = page[0] == '/' && page[1] == '\0' ? 60 : 5;
    nanosleep(&(struct timespec){.tv_nsec = slowness * 1000 * 1000}, NULL);

    size_t *size = malloc(sizeof *size);
    if (size == NULL)
        tp_task_fail(1, "no memory");
    else
        *size = strlen(page) * 100; /* "the size of the page" */
    return size;
}

int main(void)
{
    /* The map does not copy this array: it has to live until the map has ended. */
    void *pages[REQUESTS] = {"/", "/a", "/bb", "/ccc", "/dddd", "/eeeee", "/ffffff", "/ggggggg"};
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 4));
    tp_map *map = tp_map_new(executor, request, pages, REQUESTS, LOOKAHEAD, free); /* free: what becomes of each result */
    if (map == NULL) {
        fprintf(stderr, "requests_map: %s\n", tp_last_error_message());
        return 1;
    }

    tp_future *future;
    tp_status status;
    for (int i = 0; (status = tp_map_next(map, TP_FOREVER, &future)) == TP_OK; i++) {
        void *size = NULL;
        if (tp_future_result(future, 0, &size) == TP_OK)
            printf("%s: %zu bytes\n", (const char *)pages[i], *(size_t *)size);
        tp_future_release(future); /* the last reference: frees the result */
    }
    if (status != TP_END)
        fprintf(stderr, "requests_map: %s\n", tp_status_message(status));
    tp_map_free(map);
    tp_executor_free(executor);
    return status == TP_END ? 0 : 1;
}
