/* The test harness of tests/c: everything in one header, for one program per test file.
 *
 * TEST(name) { … } registers a test; main() below runs all of them in order, or those named on the command line. CHECK… report file, line
 * and values and let the test go on; REQUIRE ends the program, for what the rest of a test cannot do without. CHILD(name) { … } is a main
 * function of its own, run in a fresh process by run_child(): for what a test does to its own process.
 *
 * Tests never depend on timing for success: they wait on gates and counters, and a watchdog (60 s a test, TPEXEC_TEST_TIMEOUT seconds where
 * that is set) names a test that hangs and ends the program. TPEXEC_TEST_DIVISOR divides the repetitions, for valgrind. */
#ifndef TPEXEC_TEST_HARNESS_H
#define TPEXEC_TEST_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <tpexec.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- checks ---------------------------------------------------------------------------------------------------------------- */

static long test_failures; /* of the running test; counted atomically, since tasks check too */

__attribute__((format(printf, 3, 4))) static inline void test_failed(const char *file, int line, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* The first twenty say enough; a race test may fail a hundred thousand times. */
    if (__atomic_add_fetch(&test_failures, 1, __ATOMIC_SEQ_CST) <= 20) fprintf(stderr, "%s:%d: %s\n", file, line, text);
}

static inline void test_check_equal(const char *file, int line, const char *a, const char *b, long long actual, long long expected) {
    if (actual != expected) test_failed(file, line, "%s is %lld, expected %lld (%s)", a, actual, expected, b);
}

static inline void test_check_pointer(const char *file, int line, const char *a, const char *b, const void *actual, const void *expected) {
    if (actual != expected) test_failed(file, line, "%s is %p, expected %p (%s)", a, actual, expected, b);
}

static inline void test_check_string(const char *file, int line, const char *a, const char *actual, const char *expected) {
    if (actual == NULL || strcmp(actual, expected) != 0)
        test_failed(file, line, "%s is \"%s\", expected \"%s\"", a, actual == NULL ? "(null)" : actual, expected);
}

static inline void test_check_status(const char *file, int line, const char *a, tp_status actual, tp_status expected) {
    if (actual != expected)
        test_failed(file, line, "%s gives %s (%s), expected %s", a, tp_status_name(actual), tp_last_error_message(), tp_status_name(expected));
}

/* The last call on this thread failed with `expected`, and says so in words. */
static inline void test_check_last_error(const char *file, int line, tp_status expected) {
    if (tp_last_error() != expected)
        test_failed(file, line, "tp_last_error() is %s, expected %s", tp_status_name(tp_last_error()), tp_status_name(expected));
    else if (tp_last_error_message() == NULL || tp_last_error_message()[0] == '\0')
        test_failed(file, line, "tp_last_error_message() is empty for %s", tp_status_name(expected));
}

__attribute__((noreturn)) static inline void test_abandon(const char *file, int line, const char *condition) {
    fprintf(stderr, "%s:%d: required: %s (last error: %s, %s)\n", file, line, condition, tp_status_name(tp_last_error()), tp_last_error_message());
    fflush(NULL);
    _exit(1);
}

#define CHECK(condition) ((condition) ? (void)0 : test_failed(__FILE__, __LINE__, "not true: %s", #condition))
#define CHECK_EQ(actual, expected) \
    test_check_equal(__FILE__, __LINE__, #actual, #expected, (long long)(actual), (long long)(expected))
#define CHECK_PTR(actual, expected) test_check_pointer(__FILE__, __LINE__, #actual, #expected, (actual), (expected))
#define CHECK_STR(actual, expected) test_check_string(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_STATUS(actual, expected) test_check_status(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_LAST_ERROR(expected) test_check_last_error(__FILE__, __LINE__, (expected))
/* A call that is to fail with NULL and this status. */
#define CHECK_NULL(call, expected) (CHECK_PTR((call), NULL), CHECK_LAST_ERROR(expected))
/* A call that is to fail with this status, and to leave it as the thread's last error. */
#define CHECK_FAILS(call, expected) (CHECK_STATUS((call), (expected)), CHECK_LAST_ERROR(expected))
#define REQUIRE(condition) ((condition) ? (void)0 : test_abandon(__FILE__, __LINE__, #condition))

/* ---- time ------------------------------------------------------------------------------------------------------------------ */

static inline int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Only to make a wrong library more likely to be caught, or between polls; no test passes because it slept long enough. */
static inline void sleep_ms(long milliseconds) {
    struct timespec left;
    left.tv_sec = milliseconds / 1000;
    left.tv_nsec = milliseconds % 1000 * 1000000;
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

/* Waits until the condition holds; the watchdog is its only limit. */
#define EVENTUALLY(condition)              \
    do {                                   \
        while (!(condition)) sleep_ms(1);  \
    } while (0)

/* How often a race is repeated: `n`, divided where a tool makes everything slow. */
static inline long repeat(long n) {
    const char *divisor = getenv("TPEXEC_TEST_DIVISOR");
    long by = divisor == NULL ? 1 : strtol(divisor, NULL, 10);
    return by > 1 ? (n / by > 0 ? n / by : 1) : n;
}

/* ---- gates and counters ---------------------------------------------------------------------------------------------------- */

typedef struct counter {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    long            value;
} counter;

#define COUNTER_INIT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static inline void counter_init(counter *c) {
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->value = 0;
}

static inline long counter_add(counter *c, long n) {
    pthread_mutex_lock(&c->lock);
    long value = c->value += n;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return value;
}

static inline long counter_get(counter *c) {
    pthread_mutex_lock(&c->lock);
    long value = c->value;
    pthread_mutex_unlock(&c->lock);
    return value;
}

static inline void counter_wait(counter *c, long at_least) {
    pthread_mutex_lock(&c->lock);
    while (c->value < at_least) pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

/* A gate is a counter that somebody has counted once. */
typedef counter gate;
#define GATE_INIT COUNTER_INIT
static inline void gate_init(gate *g) { counter_init(g); }
static inline void gate_open(gate *g) { counter_add(g, 1); }
static inline void gate_wait(gate *g) { counter_wait(g, 1); }
static inline bool gate_is_open(gate *g) { return counter_get(g) > 0; }

/* ---- threads, executors, tasks ---------------------------------------------------------------------------------------------- */

static inline pthread_t start_thread(void *(*run)(void *), void *arg) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, arg);
    REQUIRE(error == 0);
    return thread;
}

static inline void *join_thread(pthread_t thread) {
    void *result = NULL;
    int error = pthread_join(thread, &result);
    REQUIRE(error == 0);
    return result;
}

static inline tp_executor *new_executor(size_t max_workers) {
    tp_executor_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_workers = max_workers;
    tp_executor *executor = tp_executor_new(&config);
    REQUIRE(executor != NULL);
    return executor;
}

static inline tp_future *submit(tp_executor *executor, tp_task_fn fn, void *arg) {
    tp_future *future = tp_submit(executor, fn, arg);
    REQUIRE(future != NULL);
    return future;
}

/* Waits for a future that is to succeed, releases it and gives its result. */
static inline void *result_of(tp_future *future) {
    void *result = NULL;
    tp_status status = tp_future_result(future, TP_FOREVER, &result);
    CHECK_STATUS(status, TP_OK);
    tp_future_release(future);
    return result;
}

static inline void *return_arg(void *arg) { return arg; }
static inline void *return_null(void *arg) {
    (void)arg;
    return NULL;
}

/* A task or a drop hook whose argument is a counter: counts that it ran. */
static inline void *count_run(void *arg) {
    counter_add((counter *)arg, 1);
    return arg;
}
static inline void count_drop(void *arg) { counter_add((counter *)arg, 1); }
static inline void count_done(tp_future *future, void *user_data) {
    (void)future;
    counter_add((counter *)user_data, 1);
}

static inline void *fail_with_seven(void *arg) {
    tp_task_fail(7, "seven");
    return arg;
}

/* A task that holds a worker until it is released. */
typedef struct blocker {
    gate       started, release;
    tp_future *future;
} blocker;

static inline void *blocker_run(void *arg) {
    blocker *b = (blocker *)arg;
    gate_open(&b->started);
    gate_wait(&b->release);
    return b;
}

/* Returns when the worker is held. */
static inline void block(tp_executor *executor, blocker *b) {
    gate_init(&b->started);
    gate_init(&b->release);
    b->future = submit(executor, blocker_run, b);
    gate_wait(&b->started);
}

static inline void unblock(blocker *b) {
    gate_open(&b->release);
    CHECK_PTR(result_of(b->future), b);
}

/* ---- tests and child processes ---------------------------------------------------------------------------------------------- */

typedef struct test_case {
    const char       *name;
    void            (*run)(void);
    int             (*child)(void);
    struct test_case *next;
} test_case;

static test_case *test_first, **test_last = &test_first;
static const char *test_running = "(none)";

static inline void test_register(test_case *test) {
    *test_last = test;
    test_last = &test->next;
}

#define TEST(name)                                                                            \
    static void name(void);                                                                   \
    static test_case name##_case = {#name, name, NULL, NULL};                                 \
    __attribute__((constructor)) static void name##_register(void) { test_register(&name##_case); } \
    static void name(void)

#define CHILD(name)                                                                           \
    static int name(void);                                                                    \
    static test_case name##_case = {#name, NULL, name, NULL};                                 \
    __attribute__((constructor)) static void name##_register(void) { test_register(&name##_case); } \
    static int name(void)

static inline unsigned test_timeout(void) {
    const char *timeout = getenv("TPEXEC_TEST_TIMEOUT");
    return timeout == NULL ? 60 : (unsigned)strtoul(timeout, NULL, 10);
}

static inline void test_watchdog(int signal_number) {
    static const char before[] = "\nhung, ended by the watchdog: ";
    (void)signal_number;
    ssize_t written = write(2, before, sizeof before - 1);
    written += write(2, test_running, strlen(test_running));
    written += write(2, "\n", 1);
    (void)written;
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* After a fork the child has no alarm; this gives it the watchdog back. */
static inline void watch(void) {
    signal(SIGALRM, test_watchdog);
    alarm(test_timeout());
}

/* Waits for a child that the test forked; gives its wait status. */
static inline int test_wait_for_child(pid_t pid) {
    int   status = 0;
    pid_t waited;
    do {
        waited = waitpid(pid, &status, 0);
    } while (waited < 0 && errno == EINTR);
    REQUIRE(waited == pid);
    return status;
}

/* Runs a CHILD of this program in a process of its own; gives its wait status. */
static inline int run_child(const char *name) {
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        char    program[4096]; /* not /proc/self/exe as such: under valgrind that is valgrind */
        ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
        if (length > 0) {
            program[length] = '\0';
            execl(program, program, "--child", name, (char *)NULL);
        }
        _exit(127);
    }
    return test_wait_for_child(pid);
}

static inline void test_check_child(const char *file, int line, const char *name, int status, int expected) {
    if (WIFSIGNALED(status)) test_failed(file, line, "child %s was killed by signal %d (%s)", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != expected) test_failed(file, line, "child %s exited with %d, expected %d", name, WEXITSTATUS(status), expected);
}

#define CHECK_CHILD(name, expected) test_check_child(__FILE__, __LINE__, name, run_child(name), (expected))

static inline bool test_run(test_case *test) {
    test_running = test->name;
    test_failures = 0;
    watch();
    int64_t begin = now_ns();
    test->run();
    alarm(0);
    printf("%s %s (%lld ms)\n", test_failures == 0 ? "ok    " : "FAILED", test->name, (long long)((now_ns() - begin) / 1000000));
    fflush(stdout);
    return test_failures == 0;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "--child") == 0) {
        for (test_case *test = test_first; test != NULL; test = test->next) {
            if (test->child == NULL || strcmp(test->name, argv[2]) != 0) continue;
            test_running = test->name;
            watch();
            int code = test->child();
            return test_failures == 0 ? code : 1;
        }
        return 126;
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (test_case *test = test_first; test != NULL; test = test->next)
            if (test->run != NULL) puts(test->name);
        return 0;
    }
    long run = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        test_case *test = test_first;
        while (test != NULL && (test->run == NULL || strcmp(test->name, argv[i]) != 0)) test = test->next;
        if (test == NULL) {
            fprintf(stderr, "%s: no test named %s\n", argv[0], argv[i]);
            return 2;
        }
        run++;
        failed += !test_run(test);
    }
    for (test_case *test = argc > 1 ? NULL : test_first; test != NULL; test = test->next) {
        if (test->run == NULL) continue;
        run++;
        failed += !test_run(test);
    }
    printf("%ld tests, %ld failed\n", run, failed);
    return failed == 0 ? 0 : 1;
}

#endif
