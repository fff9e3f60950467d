/* E3: dlclose leaves the library in place. This program is not linked with it: it loads it by the path that is its first argument. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <tpexec.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *double_it(void *arg) { return (char *)arg + (size_t)(char *)arg; }

#define REQUIRE(condition)                                                                        \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: not true: %s (%s)\n", __FILE__, __LINE__, #condition, path);  \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* dlsym gives an object pointer; POSIX wants it used as a function all the same. */
#define LOAD(name)                                     \
    do {                                               \
        void *symbol = dlsym(library, #name);          \
        REQUIRE(symbol != NULL);                       \
        memcpy(&name##_, &symbol, sizeof symbol);      \
    } while (0)

int main(int argc, char **argv) {
    const char *path = argc == 2 ? argv[1] : "(no path given)";
    REQUIRE(argc == 2);
    for (int round = 0; round < 20; round++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        REQUIRE(library != NULL);
        tp_executor *(*tp_executor_new_)(const tp_executor_config *) = NULL;
        tp_future *(*tp_submit_)(tp_executor *, tp_task_fn, void *) = NULL;
        tp_status (*tp_future_result_)(tp_future *, int64_t, void **) = NULL;
        void (*tp_future_release_)(tp_future *) = NULL;
        void (*tp_executor_free_)(tp_executor *) = NULL;
        LOAD(tp_executor_new);
        LOAD(tp_submit);
        LOAD(tp_future_result);
        LOAD(tp_future_release);
        LOAD(tp_executor_free);

        tp_executor *executor = tp_executor_new_(NULL);
        REQUIRE(executor != NULL);
        tp_future *before = tp_submit_(executor, double_it, (void *)21);
        REQUIRE(before != NULL);
        REQUIRE(dlclose(library) == 0); /* with a worker alive, in its code */
        REQUIRE(dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL);

        void *result = NULL;
        REQUIRE(tp_future_result_(before, TP_FOREVER, &result) == TP_OK);
        REQUIRE(result == (void *)42);
        tp_future *after = tp_submit_(executor, double_it, (void *)4);
        REQUIRE(after != NULL);
        REQUIRE(tp_future_result_(after, TP_FOREVER, &result) == TP_OK);
        REQUIRE(result == (void *)8);
        tp_future_release_(before);
        tp_future_release_(after);
        if (round % 2 == 0) tp_executor_free_(executor); /* the others are left alive */
    }
    puts("ok");
    return 0;
}
