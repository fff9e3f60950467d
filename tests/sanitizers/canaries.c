/* Known faults, one a run: `canaries NAME` commits it, `canaries --list TOOL` prints, for each that TOOL has to report, its
 * name and a pattern (grep -E) of the report. run.sh asks for them first: a tool that does not see these says nothing about
 * the library.
 *
 * Some are in C alone; the others can only be seen by a tool that watches the library's own code and memory too, and their
 * patterns name its functions. */
#define _XOPEN_SOURCE 700 /* barriers */
#include <tpexec.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "canaries: required: %s\n", what);
    _Exit(2);
}
#define REQUIRE(condition) require((condition), #condition)

/* The compilers know some of the faults when they see them; through these they do not. */
static void *volatile hidden;
static volatile int   hidden_number;

static void in_two_threads(void *(*run)(void *), void *arg) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) REQUIRE(pthread_create(&threads[i], NULL, run, arg) == 0);
    for (int i = 0; i < 2; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
}

/* What is left behind by a call in a thread of its own is not found on anybody's stack. */
static void in_another_thread(void *(*run)(void *)) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, run, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static tp_executor *new_executor(void) {
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2));
    REQUIRE(executor != NULL);
    return executor;
}

/* ---- in C ------------------------------------------------------------------------------------------------------------------ */

static void *count(void *number) {
    *(long *)number += 1;
    return NULL;
}

static void race(void) {
    long number = 0;
    in_two_threads(count, &number);
}

static void use_after_free(void) {
    hidden = calloc(1, sizeof(long));
    free(hidden);
    count(hidden);
}

static void *forget_memory(void *unused) {
    hidden = malloc(100);
    hidden = NULL;
    return unused;
}

static void leak(void) { in_another_thread(forget_memory); }

static void signed_overflow(void) {
    hidden_number = 0x7fffffff;
    hidden_number = hidden_number + 1;
}

static void uninitialised(void) {
    long *number = (long *)malloc(sizeof *number);
    hidden = number;
    if (*(long *)hidden == 7) puts("seven");
    free(number);
}

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;

static void lock_order(void) {
    pthread_mutex_t *order[] = {&first, &second, &second, &first};
    for (int i = 0; i < 4; i += 2) {
        pthread_mutex_lock(order[i]);
        pthread_mutex_lock(order[i + 1]);
        pthread_mutex_unlock(order[i + 1]);
        pthread_mutex_unlock(order[i]);
    }
}

static void wrong_unlock(void) {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 2; i++) pthread_mutex_unlock(&lock);
}

/* ---- with the library ------------------------------------------------------------------------------------------------------ */

static void *return_arg(void *arg) { return arg; }

static pthread_barrier_t both_run;

static void *count_when_both_run(void *number) {
    pthread_barrier_wait(&both_run);
    return count(number);
}

/* Two tasks that run at the same time: nothing in the library may look like an order between them. */
static void race_of_tasks(void) {
    long         number = 0;
    tp_executor *executor = new_executor();
    pthread_barrier_init(&both_run, NULL, 2);
    for (int i = 0; i < 2; i++) REQUIRE(tp_execute(executor, count_when_both_run, &number) == TP_OK);
    tp_executor_free(executor);
    pthread_barrier_destroy(&both_run);
}

static tp_future *shared_future;
static void      *shared_result;

static void *get_result(void *unused) {
    REQUIRE(tp_future_result(shared_future, TP_FOREVER, &shared_result) == TP_OK);
    return unused;
}

/* It is the library that writes the results, both to one place. */
static void race_of_outputs(void) {
    tp_executor *executor = new_executor();
    shared_future = tp_submit(executor, return_arg, NULL);
    REQUIRE(shared_future != NULL);
    in_two_threads(get_result, NULL);
    tp_future_release(shared_future);
    tp_executor_free(executor);
}

/* It is the library that reads the memory that it has freed. */
static void use_of_a_released_future(void) {
    tp_executor *executor = new_executor();
    tp_future   *future = tp_submit(executor, return_arg, NULL);
    tp_executor_free(executor);
    tp_future_release(future);
    printf("%d\n", (int)tp_future_state(future));
}

/* It is the library that has freed the memory. */
static void use_of_a_dropped_result(void) {
    tp_executor *executor = new_executor();
    tp_future   *future = NULL;
    void        *result = NULL;
    void        *memory = calloc(1, sizeof(long));
    REQUIRE(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = memory, .drop_result = free), &future) == TP_OK);
    REQUIRE(tp_future_result(future, TP_FOREVER, &result) == TP_OK);
    tp_executor_free(executor);
    tp_future_release(future);
    count(result);
}

static void *forget_future(void *unused) {
    tp_executor *executor = new_executor();
    tp_future   *future = tp_submit(executor, return_arg, NULL);
    REQUIRE(future != NULL && tp_future_result(future, TP_FOREVER, NULL) == TP_OK);
    tp_executor_free(executor);
    return unused;
}

/* It is the library that has allocated the memory. */
static void leak_of_a_future(void) { in_another_thread(forget_future); }

/* ---- which tool has to say what -------------------------------------------------------------------------------------------- */

static const struct canary {
    const char *tool, *name;
    void      (*run)(void);
    const char *pattern;
} canaries[] = {
    {"tsan", "race", race, "data race.*#[0-9]+ count"},
    {"tsan", "lock_order", lock_order, "lock-order-inversion"},
    {"tsan", "wrong_unlock", wrong_unlock, "unlock of an unlocked mutex"},
    {"tsan", "race_of_tasks", race_of_tasks, "data race.*#[0-9]+ count"},
    {"tsan", "race_of_outputs", race_of_outputs, "data race.*#[0-9]+ tp_future_result"},

    {"asan", "use_after_free", use_after_free, "heap-use-after-free.*in count"},
    {"asan", "leak", leak, "in forget_memory"},
    {"asan", "signed_overflow", signed_overflow, "signed integer overflow"},
    {"asan", "use_of_a_released_future", use_of_a_released_future, "heap-use-after-free.*in tp_future_state"},
    {"asan", "use_of_a_dropped_result", use_of_a_dropped_result, "heap-use-after-free.*tp_future_release"},
    {"asan", "leak_of_a_future", leak_of_a_future, "detected memory leaks.*tp_submit"},

    {"memcheck", "use_after_free", use_after_free, "Invalid read.*: count"},
    {"memcheck", "leak", leak, "definitely lost.*: forget_memory"},
    {"memcheck", "uninitialised", uninitialised, "uninitialised value.*: uninitialised"},
    {"memcheck", "use_of_a_released_future", use_of_a_released_future, "Invalid read.*: tp_future_state"},
    {"memcheck", "use_of_a_dropped_result", use_of_a_dropped_result, "Invalid read.*: tp_future_release"},
    {"memcheck", "leak_of_a_future", leak_of_a_future, "definitely lost.*: tp_submit"},

    {"helgrind", "race", race, "Possible data race.*: count"},
    {"helgrind", "lock_order", lock_order, "lock order.*violated"},
    {"helgrind", "wrong_unlock", wrong_unlock, "unlocked a not-locked lock"},
    {"helgrind", "race_of_tasks", race_of_tasks, "Possible data race.*: count"},
    {"helgrind", "race_of_outputs", race_of_outputs, "Possible data race.*: tp_future_result"},

    {"drd", "race", race, "Conflicting (load|store).*: count"},
    {"drd", "wrong_unlock", wrong_unlock, "Mutex not locked"},
    {"drd", "race_of_tasks", race_of_tasks, "Conflicting (load|store).*: count"},
    {"drd", "race_of_outputs", race_of_outputs, "Conflicting store.*: tp_future_result"},
};

int main(int argc, char **argv) {
    const struct canary *const end = canaries + sizeof canaries / sizeof *canaries;
    for (const struct canary *canary = canaries; canary != end; canary++) {
        if (argc == 3 && strcmp(argv[1], "--list") == 0 && strcmp(argv[2], canary->tool) == 0)
            printf("%s\t%s\n", canary->name, canary->pattern);
        if (argc == 2 && strcmp(argv[1], canary->name) == 0) {
            canary->run();
            return 0;
        }
    }
    return argc == 3 ? 0 : 2;
}
