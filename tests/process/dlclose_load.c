/* E3 under load: threads load the library, use it and unload it, again and again, while workers run; also in tasks, in
 * callbacks and in forked children. It stays where it is. This program is not linked with it: it loads it by the path that is
 * its first argument. */
#include "loaded.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 500, TASKS = 16, FORKS = 50, WATCHDOG_S = 120 };

/* As it was found the first time. */
static library     first;
static atomic_long ran, called, accepted;

static void *count(void *arg) {
    atomic_fetch_add(&ran, 1);
    return arg;
}
static void *unload_in_a_task(void *arg) {
    library l = library_open();
    REQUIRE(l.submit == first.submit);
    library_close(&l);
    return count(arg);
}
static void unload_in_a_callback(tp_future *future, void *user_data) {
    (void)future;
    unload_in_a_task(user_data);
    atomic_fetch_add(&called, 1);
}

/* Submits through one load, unloads it with the workers at work, and waits through the addresses found first. */
static void unload_under_its_feet(void) {
    library      now = library_open();
    tp_executor *executor = now.executor_new(NULL);
    tp_future   *futures[TASKS];
    REQUIRE(now.submit == first.submit && executor != NULL);
    for (int i = 0; i < TASKS; i++) {
        futures[i] = now.submit(executor, i % 2 == 0 ? unload_in_a_task : count, executor);
        REQUIRE(futures[i] != NULL);
        REQUIRE(now.future_add_done_callback(futures[i], unload_in_a_callback, NULL) == TP_OK);
    }
    library_close(&now);
    REQUIRE(library_is_there());
    for (int i = 0; i < TASKS; i++) {
        void *result = NULL;
        REQUIRE(first.future_result(futures[i], TP_FOREVER, &result) == TP_OK);
        REQUIRE(result == executor);
        first.future_release(futures[i]);
    }
    first.executor_free(executor); /* after the callbacks */
    atomic_fetch_add(&accepted, TASKS);
}

static void *unload_all_the_time(void *arg) {
    for (int round = 0; round < ROUNDS; round++) unload_under_its_feet();
    return arg;
}

static void *wait_for_ever(void *arg) {
    for (;;) pause();
    return arg;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    REQUIRE(argc == 2);
    library_path = argv[1];
    alarm(WATCHDOG_S);
    first = library_open();
    library_close(&first);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_create(&threads[i], NULL, unload_all_the_time, NULL) == 0);
    for (int i = 0; i < FORKS; i++) {
        int   status = 0;
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            alarm(WATCHDOG_S);
            unload_under_its_feet();
            _exit(0);
        }
        REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
    }
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    /* Each task and callback ran once; half of the tasks, and all callbacks, count by unloading. */
    REQUIRE(atomic_load(&accepted) == (long)THREADS * ROUNDS * TASKS);
    REQUIRE(atomic_load(&called) == atomic_load(&accepted));
    REQUIRE(atomic_load(&ran) == 2 * atomic_load(&accepted));
    /* And the process ends with an executor at work in a library that has been unloaded. */
    REQUIRE(first.submit(first.executor_new(NULL), wait_for_ever, NULL) != NULL);
    printf("1 tests, 0 failed: %ld tasks in libraries that had been unloaded\n", atomic_load(&accepted));
    return 0;
}
