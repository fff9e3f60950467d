/* The soak test: `soak SECONDS [SEED]` runs random mixes of everything at full load and keeps books. Run by scripts/soak.sh.
 *
 * Four lanes run the mixes; at each report they stop between two rounds and all executors are freed: then the books must
 * balance, and the process must be back at the threads and file descriptors that it began with. Memory is sampled all the
 * time. A line tells how each check ended; the last line is "N passed, N failed". */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "crew.h"
#include "gauges.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* No round takes a second on a machine of its own; this one may be shared with sixty others. */
enum { WATCHDOG_S = 120 };

/* A report a minute, or every 10 seconds in a run of less than 5 minutes. */
enum { SHORT_RUN_S = 300, SHORT_REPORT_S = 10, REPORT_S = 60 };

/* Below that a quarter has too few samples. */
enum { SHORTEST_S = 4, SAMPLE_MS = 100 };

/* Flat: the most in the last quarter of the run is at most this above the most in the second; the first is for warming up.
 * What the pool keeps depends on the most that was ever under way at once: task memory comes in chunks of 2 MiB, and malloc
 * keeps what threads that have gone left in its arenas. One more step of each is no leak. A leak of a byte per task is more
 * than this in a minute. */
enum { SLACK_KIB = 2 * 2048 };

/* What one run sees. */
typedef struct run {
    crew    crew;
    int64_t begun, seconds;
    long    threads_before, descriptors_before; /* when no executor was there */
    long    most_kib[4], most_threads;          /* memory by quarter */
    long    threads_left, descriptors_left;     /* at the worst report: beyond those before */
    int     reports, unbalanced;
} run;

static int passed, failed;

__attribute__((format(printf, 2, 3))) static void verdict(bool good, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("%s ", good ? "ok    " : "FAILED");
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    *(good ? &passed : &failed) += 1;
}

static void nap(long milliseconds) {
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int64_t elapsed_s(const run *r) { return (soak_now() - r->begun) / 1000000000; }

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("FAILED ");
    vprintf(format, arguments);
    va_end(arguments);
    puts("\n0 passed, 1 failed");
    fflush(NULL);
    _exit(1);
}

/* A thread of its own: who is stuck cannot tell. And once something is wrong, more of it tells nothing more, while what was lost
 * would keep a lane for long. */
static void *watch(void *arg) {
    const run *r = arg;
    for (;;) {
        nap(1000);
        const char *where = crew_stuck(&r->crew, WATCHDOG_S * INT64_C(1000000000));
        if (where != NULL) give_up("no wait is longer than %d s: stuck in %s", WATCHDOG_S, where);
        if (books_wrong() != 0) give_up("after %" PRId64 " s something is not as it must be (printed above)", elapsed_s(r));
    }
    return NULL;
}

static void sample(run *r) {
    long quarter = (long)(elapsed_s(r) * 4 / r->seconds), kib = gauge_resident_kib(), threads = gauge_threads();
    if (quarter > 3) quarter = 3;
    if (kib > r->most_kib[quarter]) r->most_kib[quarter] = kib;
    if (threads > r->most_threads) r->most_threads = threads;
}

/* Threads that nobody joins are there for a moment after the last that can be seen of them. */
static long threads_left(const run *r) {
    long left = 0;
    for (int naps = 0; naps < WATCHDOG_S * 10; naps++) {
        left = gauge_threads() - r->threads_before;
        if (left == 0) break;
        nap(100);
    }
    return left;
}

static void report(run *r) {
    long threads = threads_left(r), descriptors = gauge_descriptors() - r->descriptors_before;
    r->reports++;
    r->unbalanced += !books_balance();
    if (threads != 0) r->threads_left = threads;
    if (descriptors != 0) r->descriptors_left = descriptors;
    printf("%5" PRId64 " s ", elapsed_s(r));
    for (op o = 0; o < OPS; o++) printf(" %s %ld", op_names[o], crew_ops(&r->crew, o));
    printf("; tasks %ld; %ld KiB, %ld threads at most, %+ld left, %+ld descriptors, longest wait %.3f s\n", books_accepted(),
           gauge_resident_kib(), r->most_threads, threads, descriptors, (double)crew_longest_wait(&r->crew) / 1e9);
    fflush(stdout);
}

static void work(run *r) {
    int64_t every = r->seconds < SHORT_RUN_S ? SHORT_REPORT_S : REPORT_S;
    for (int64_t next = every; elapsed_s(r) < r->seconds; next += every) {
        int64_t until = next < r->seconds ? next : r->seconds;
        crew_start(&r->crew);
        while (elapsed_s(r) < until) {
            nap(SAMPLE_MS);
            sample(r);
        }
        crew_stop(&r->crew);
        report(r);
    }
}

static void summary(const run *r) {
    long ran = books_fate(RAN), cancelled = books_fate(CANCELLED), broken = books_fate(BROKEN);
    putchar('\n');
    verdict(ran > 0 && cancelled > 0 && broken > 0 && books_accepted() == ran + cancelled + broken && books_seen(ENTERED) == ran,
            "each of %ld accepted tasks ran or was cancelled, once: %ld ran, %ld were cancelled, %ld broken; %ld were entered",
            books_accepted(), ran, cancelled, broken, books_seen(ENTERED));
    for (event e = ENTERED + 1; e < EVENTS; e++)
        verdict(books_due(e) > 0 && books_due(e) == books_seen(e), "each %s ran once: %ld due, %ld seen", event_names[e],
                books_due(e), books_seen(e));
    verdict(books_wrong() == 0, "everything else as the mixes expect it: %ld times not", books_wrong());
    verdict(r->reports > 0 && r->unbalanced == 0, "the books balanced at %d of %d reports", r->reports - r->unbalanced,
            r->reports);
    verdict(r->threads_left == 0, "no thread left when the executors are gone: %+ld, %ld at most", r->threads_left,
            r->most_threads);
    verdict(r->descriptors_left == 0, "no file descriptor left: %+ld", r->descriptors_left);
    verdict(r->most_kib[1] > 0 && r->most_kib[3] <= r->most_kib[1] + SLACK_KIB,
            "memory is flat: at most %ld, %ld, %ld, %ld KiB in the quarters of the run; the last may be %d above the second",
            r->most_kib[0], r->most_kib[1], r->most_kib[2], r->most_kib[3], SLACK_KIB);
    verdict(crew_longest_wait(&r->crew) < WATCHDOG_S * INT64_C(1000000000), "no wait longer than %d s: the longest took %.3f s",
            WATCHDOG_S, (double)crew_longest_wait(&r->crew) / 1e9);
    printf("%d passed, %d failed\n", passed, failed);
}

/* A positive number; 0 where the text is none. */
static uint64_t number(const char *text) {
    char    *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    return *text == '-' || *end != '\0' ? 0 : value;
}

int main(int argc, char **argv) {
    static run r;
    pthread_t  watchdog;
    uint64_t   seconds = argc > 1 ? number(argv[1]) : 0, seed = argc > 2 ? number(argv[2]) : (uint64_t)soak_now();
    if (argc < 2 || argc > 3 || seconds < SHORTEST_S || seconds > INT32_MAX || seed == 0) {
        fprintf(stderr, "usage: %s SECONDS [SEED], at least %d seconds\n", argv[0], SHORTEST_S);
        return 2;
    }
    printf("soak: %" PRIu64 " seconds, seed %" PRIu64 "\n", seconds, seed);
    crew_init(&r.crew, seed);
    r.seconds = (int64_t)seconds;
    r.begun = soak_now();
    if (pthread_create(&watchdog, NULL, watch, &r) != 0) return 1;
    r.threads_before = gauge_threads();
    r.descriptors_before = gauge_descriptors();
    work(&r);
    summary(&r);
    return failed == 0 ? 0 : 1;
}
