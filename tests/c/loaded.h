/* For programs that are not linked with the library: loads it and finds the few functions that the tests of dlclose need. Used
 * by dlclose.c here and by tests/process/dlclose_load.c; harness.h, which calls the library, is not for them. */
#ifndef TPEXEC_TEST_LOADED_H
#define TPEXEC_TEST_LOADED_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <tpexec.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                                \
    do {                                                                                                  \
        if (!(condition)) {                                                                               \
            fprintf(stderr, "%s:%d: not true: %s (%s)\n", __FILE__, __LINE__, #condition, library_path);  \
            exit(1);                                                                                      \
        }                                                                                                 \
    } while (0)

/* Set by main() from its arguments. */
static const char *library_path = "(no path given)";

typedef struct library {
    void *handle;
    tp_executor *(*executor_new)(const tp_executor_config *);
    tp_future *(*submit)(tp_executor *, tp_task_fn, void *);
    tp_status (*future_result)(tp_future *, int64_t, void **);
    tp_status (*future_add_done_callback)(tp_future *, tp_done_fn, void *);
    void (*future_release)(tp_future *);
    void (*executor_free)(tp_executor *);
} library;

/* dlsym gives an object pointer; POSIX wants it used as a function all the same. */
#define LOAD(l, name)                                   \
    do {                                                \
        void *symbol = dlsym((l)->handle, "tp_" #name); \
        REQUIRE(symbol != NULL);                        \
        memcpy(&(l)->name, &symbol, sizeof symbol);     \
    } while (0)

static inline library library_open(void) {
    library l = {.handle = dlopen(library_path, RTLD_NOW | RTLD_LOCAL)};
    REQUIRE(l.handle != NULL);
    LOAD(&l, executor_new);
    LOAD(&l, submit);
    LOAD(&l, future_result);
    LOAD(&l, future_add_done_callback);
    LOAD(&l, future_release);
    LOAD(&l, executor_free);
    return l;
}

/* The functions stay where they are, which is what is tested. */
static inline void library_close(const library *l) { REQUIRE(dlclose(l->handle) == 0); }

static inline bool library_is_there(void) {
    void *handle = dlopen(library_path, RTLD_NOW | RTLD_NOLOAD);
    return handle != NULL && dlclose(handle) == 0;
}

#endif
