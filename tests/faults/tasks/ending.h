/* How a child process ended that was meant to crash, and what it said before that: for leaving.c, throwing.cpp and
 * overflowing.c. */
#ifndef TPEXEC_TEST_ENDING_H
#define TPEXEC_TEST_ENDING_H

#include "harness.h"

#include <sys/resource.h>

/* With what a child exits that was not ended by anything. */
enum { WENT_ON = 77 };

typedef struct {
    int  status;
    char said[4096]; /* on the standard error output */
} ending;

/* Runs a CHILD and keeps what it says. Its crash is meant: no core files. */
static ending run_and_listen(const char *child) {
    ending end;
    int    listen[2], error_output = dup(2);
    REQUIRE(error_output >= 0 && pipe(listen) == 0 && dup2(listen[1], 2) == 2);
    close(listen[1]);
    const struct rlimit no_core = {0, 0};
    REQUIRE(setrlimit(RLIMIT_CORE, &no_core) == 0);
    end.status = run_child(child);
    REQUIRE(dup2(error_output, 2) == 2);
    close(error_output);
    size_t  length = 0;
    ssize_t n;
    while ((n = read(listen[0], end.said + length, sizeof end.said - 1 - length)) > 0) length += (size_t)n;
    close(listen[0]);
    end.said[length] = '\0';
    return end;
}

/* The child was killed by the signal, and has said something with `words` in it. */
static void check_killed(const char *file, int line, const char *what, const ending *end, int signal_number, const char *words) {
    if (!WIFSIGNALED(end->status) || WTERMSIG(end->status) != signal_number)
        test_failed(file, line, "%s: wait status %#x, expected death by signal %d; it said: %s", what, (unsigned)end->status,
                    signal_number, end->said);
    else if (strstr(end->said, words) == NULL)
        test_failed(file, line, "%s: \"%s\" is not in what it said: %s", what, words, end->said);
}
#define CHECK_KILLED(what, end, signal_number, words) check_killed(__FILE__, __LINE__, (what), (end), (signal_number), (words))

#endif
