/* A library that is loaded late, by dlopen, and threads that were there before: what they use of it is there without another
 * request for memory, thread-local variables included. (Where they are not in a thread's static block the C library allocates
 * them at their first use, and ends the process if it cannot.)
 *
 * This program is not linked with the library: its path is the first argument. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <tpexec.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                              \
    do {                                                                                \
        if (!(condition)) {                                                             \
            atomic_store(&short_of_memory, false);                                      \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);   \
            exit(1);                                                                    \
        }                                                                               \
    } while (0)

/* While it is set no thread gets any memory. */
static atomic_bool short_of_memory;
static atomic_long refused;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

static bool refuse(void) {
    bool refusing = atomic_load(&short_of_memory);
    if (refusing) atomic_fetch_add(&refused, 1);
    return refusing;
}
void *malloc(size_t size) { return refuse() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return refuse() ? NULL : __libc_calloc(n, size); }
void *realloc(void *block, size_t size) { return refuse() ? NULL : __libc_realloc(block, size); }
int   posix_memalign(void **block, size_t align, size_t size) {
    if (refuse()) return ENOMEM;
    *block = __libc_memalign(align, size);
    return *block == NULL ? ENOMEM : 0;
}

/* The functions of the library that a thread uses. */
static tp_executor *(*new_executor)(const tp_executor_config *);
static tp_status (*execute)(tp_executor *, tp_task_fn, void *);
static tp_future *(*submit)(tp_executor *, tp_task_fn, void *);
static tp_status (*result)(tp_future *, int64_t, void **);
static void (*release)(tp_future *);
static void (*free_executor)(tp_executor *);
static tp_status (*last_error)(void);

static tp_executor      *executor;
static pthread_barrier_t turn;

static void *return_arg(void *arg) { return arg; }

/* Waits until the library is loaded and memory is short, then uses the library for the first time. */
static void *use_late(void *arg) {
    void *value = NULL;
    pthread_barrier_wait(&turn);
    REQUIRE(last_error() == TP_OK);
    REQUIRE(new_executor(NULL) == NULL && last_error() == TP_ERR_NO_MEMORY);
    REQUIRE(execute(executor, return_arg, arg) == TP_OK);
    tp_future *future = submit(executor, return_arg, arg);
    REQUIRE(future != NULL);
    REQUIRE(result(future, TP_FOREVER, &value) == TP_OK && value == arg);
    release(future);
    pthread_barrier_wait(&turn);
    return NULL;
}

/* dlsym gives an object pointer; POSIX wants it used as a function all the same. */
#define LOAD(function, name)                           \
    do {                                               \
        void *symbol = dlsym(library, name);           \
        REQUIRE(symbol != NULL);                       \
        memcpy(&(function), &symbol, sizeof symbol);   \
    } while (0)

int main(int argc, char **argv) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    REQUIRE(argc == 2);
    pthread_barrier_init(&turn, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_create(&threads[i], NULL, use_late, &turn) == 0);

    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    REQUIRE(library != NULL);
    LOAD(new_executor, "tp_executor_new");
    LOAD(execute, "tp_execute");
    LOAD(submit, "tp_submit");
    LOAD(result, "tp_future_result");
    LOAD(release, "tp_future_release");
    LOAD(free_executor, "tp_executor_free");
    LOAD(last_error, "tp_last_error");
    executor = new_executor(NULL);
    REQUIRE(executor != NULL);
    tp_future *first = submit(executor, return_arg, NULL); /* a worker, and memory for tasks */
    REQUIRE(first != NULL && result(first, TP_FOREVER, NULL) == TP_OK);

    atomic_store(&short_of_memory, true);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    atomic_store(&short_of_memory, false);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    REQUIRE(atomic_load(&refused) > 0);
    release(first);
    free_executor(executor);
    puts("ok");
    return 0;
}
