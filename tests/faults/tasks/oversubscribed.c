/* Runs tests one after the other on a system with far more to do than it can, so that threads lose their processor at every
 * point of a protocol:
 *
 *   oversubscribed SECONDS PROGRAM…
 *
 * The programs are tests of tests/c. Their tests take turns, one of each program, each in a process of its own and a few at
 * once, for SECONDS, and until each program has had its turn. Beside them 64 processes spin; at the end these must have had
 * more of the processors' time than the tests. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SPINNERS = 64, AT_ONCE = 8, TESTS_MAX = 100, NAME_MAX_LENGTH = 200 };

typedef struct {
    const char *path;
    int         n, turn;
    char        tests[TESTS_MAX][NAME_MAX_LENGTH];
} program;

__attribute__((noreturn)) static void give_up(const char *what) {
    perror(what);
    exit(2);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor_time(const struct rusage *usage) {
    const struct timeval *user = &usage->ru_utime, *system = &usage->ru_stime;
    return (double)(user->tv_sec + system->tv_sec) + (double)(user->tv_usec + system->tv_usec) / 1e6;
}

static pid_t start_spinner(void) {
    volatile unsigned long turns = 0;
    pid_t                  parent = getpid(), pid = fork();
    if (pid < 0) give_up("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent) /* or the signal was too early to be one */
            for (long i = 0; i < 1000000; i++) turns++;
        _exit(0);
    }
    return pid;
}

/* Ends a spinner; the processor time that it had. */
static double stop_spinner(pid_t pid) {
    struct rusage usage;
    int           status;
    kill(pid, SIGKILL);
    if (wait4(pid, &status, 0, &usage) != pid) give_up("wait4");
    return processor_time(&usage);
}

static void list_tests(program *p) {
    char command[4096];
    if (snprintf(command, sizeof command, "'%s' --list", p->path) >= (int)sizeof command) give_up(p->path);
    FILE *list = popen(command, "r");
    if (list == NULL) give_up(p->path);
    for (char *test = p->tests[0]; p->n < TESTS_MAX && fgets(test, NAME_MAX_LENGTH, list) != NULL; test = p->tests[++p->n])
        test[strcspn(test, "\n")] = '\0';
    if (pclose(list) != 0 || p->n == 0 || p->n == TESTS_MAX) {
        fprintf(stderr, "%s: cannot tell its tests\n", p->path);
        exit(2);
    }
}

/* A test that runs. */
typedef struct {
    pid_t       pid; /* 0: none */
    const char *path, *test;
} running;

static running start_next(program *p) {
    running r = {0, p->path, p->tests[p->turn++ % p->n]};
    fflush(NULL);
    r.pid = fork();
    if (r.pid < 0) give_up("fork");
    if (r.pid == 0) {
        execl(r.path, r.path, r.test, (char *)NULL);
        _exit(127);
    }
    return r;
}

/* Waits for one of those that run to end; its place is free then. True: it has passed. */
static bool finish_one(running *tests, double *had) {
    struct rusage usage;
    int           status;
    pid_t         pid = wait4(-1, &status, 0, &usage);
    running      *r = tests;
    while (r < tests + AT_ONCE && r->pid != pid) r++;
    if (pid <= 0 || r == tests + AT_ONCE) give_up("wait4"); /* or a spinner has ended by itself */
    *had += processor_time(&usage);
    r->pid = 0;
    if (status != 0) printf("FAILED %s %s (wait status %#x)\n", r->path, r->test, (unsigned)status);
    return status == 0;
}

int main(int argc, char **argv) {
    double limit = argc < 3 ? 0 : strtod(argv[1], NULL), had_by_spinners = 0, had_by_tests = 0;
    int    n = argc - 2, passed = 0, failed = 0;
    if (limit <= 0) {
        fprintf(stderr, "usage: oversubscribed SECONDS PROGRAM...\n");
        return 2;
    }
    program *programs = calloc((size_t)n, sizeof *programs);
    if (programs == NULL) give_up("calloc");
    for (int i = 0; i < n; i++) {
        programs[i].path = argv[i + 2];
        list_tests(&programs[i]);
    }
    pid_t  spinners[SPINNERS];
    double begin = seconds();
    for (int i = 0; i < SPINNERS; i++) spinners[i] = start_spinner();
    running tests[AT_ONCE] = {{0, NULL, NULL}};
    int     started = 0, finished = 0;
    while (started < n || seconds() - begin < limit || finished < started) {
        for (int i = 0; i < AT_ONCE; i++)
            if (tests[i].pid == 0 && (started < n || seconds() - begin < limit)) tests[i] = start_next(&programs[started++ % n]);
        failed += !finish_one(tests, &had_by_tests);
        finished++;
    }
    passed = finished - failed;
    for (int i = 0; i < SPINNERS; i++) {
        double had = stop_spinner(spinners[i]);
        if (had == 0) failed++; /* it has not been there */
        had_by_spinners += had;
    }
    printf("processor time: %.1f s for %d spinners, %.1f s for the tests\n", had_by_spinners, SPINNERS, had_by_tests);
    if (had_by_spinners < had_by_tests) failed++;
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
