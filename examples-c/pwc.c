/* pwc.c: a parallel wc. What does a whole program on top of libtpexec look like?
 *
 *     pwc [-j N] [-l] [-w] [-c] [--as-completed] PATH...
 *
 * Counts lines, words and bytes of every regular file at and below the paths, one task per file. What it prints is, byte for byte, what
 *
 *     find -H PATH... -type f -print0 | LC_ALL=C sort -z | LC_ALL=C wc --files0-from=-
 *
 * prints. What to look at:
 *
 *   count_file      the task: its argument, its result on the heap, and failing
 *   count_in_order  an ordered map: results in input order, with at most AHEAD tasks submitted ahead of the one awaited, so that a
 *                   million files need no million futures
 *   count_as_completed  the same with a completion queue: results as they come, and the tag that leads back to the input
 *   on_interrupt    Ctrl-C without a signal handler: a thread that waits for the signal, then shuts the executor down, cancelling
 *                   what is pending; both loops see that and end by themselves
 *
 * Which files there are and how wc counts is in pwc_walk.c and pwc_count.c, and has nothing to do with threads.
 *
 * Exit status: 0, 1 if some file could not be counted, 2 for a wrong use, 130 after Ctrl-C.
 */
#define _DEFAULT_SOURCE /* POSIX, and getopt_long */
#include "pwc.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tpexec.h>
#include <unistd.h>

enum { AHEAD = 1000 };

/* What the options say. Set before the first task, and only read from then on. */
static struct wanted wanted;
static bool as_completed;
static bool progress;          /* show how far it is: stderr is a terminal */
static bool lines_on_terminal; /* so is stdout */
static size_t workers;         /* 0: the library's default */

static struct files files;
static tp_executor *executor;

static atomic_size_t files_counted; /* by the tasks; for the progress line */
static atomic_bool interrupted;

/* The main thread's own. */
static struct counts total;
static bool failed;

/* ---- messages -------------------------------------------------------------------------------------------------------------- */

static bool progress_shown;

static void clear_progress(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

/* At most ten times a second: lets the reader see the lines there are so far and, on a terminal, how far the counting is. */
static void show_progress(void)
{
    static struct timespec last;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 < 100)
        return;
    last = now;
    fflush(stdout);
    if (progress) {
        fprintf(stderr, "\r\033[K%zu of %zu files", atomic_load(&files_counted), files.n);
        progress_shown = true;
    }
}

static void complain(const char *name, const char *why)
{
    fflush(stdout); /* on a terminal the message belongs below the lines before it */
    clear_progress();
    fputs("pwc: ", stderr);
    name_print_quoted(stderr, name);
    fprintf(stderr, ": %s\n", why);
    failed = true;
}

static int cannot_start(const char *why)
{
    fprintf(stderr, "pwc: cannot start: %s\n", why);
    return 1;
}

/* ---- the task -------------------------------------------------------------------------------------------------------------- */

/* Counts the file named by arg. The result is malloc'ed and belongs to the future (its drop_result is free). A file that cannot be
 * opened is a failed task with errno as its code. */
static void *count_file(void *arg)
{
    struct counts *counts = calloc(1, sizeof *counts);
    int fd = counts != NULL ? open(arg, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        tp_task_fail(errno, NULL);
        free(counts);
        return NULL;
    }
    counts_of(fd, &wanted, counts);
    close(fd);
    atomic_fetch_add(&files_counted, 1);
    return counts;
}

/* ---- collecting ------------------------------------------------------------------------------------------------------------ */

/* One file has come out of one of the loops below: with its future, or without one if it could not be submitted. Releases the future,
 * and with it the result. */
static void collect(const char *name, tp_status submitted, tp_future *future)
{
    void *result = NULL;
    const tp_error *error = NULL;
    tp_status status = submitted == TP_OK ? tp_future_result(future, 0, &result) : submitted;

    if (status == TP_OK) {
        const struct counts *counts = result;
        if (counts->error != 0) /* it could be read in part: like wc, say so and print what there is */
            complain(name, strerror(counts->error));
        if (lines_on_terminal)
            clear_progress();
        counts_print(counts, &wanted, name);
        total.lines += counts->lines;
        total.words += counts->words;
        total.bytes += counts->bytes;
    } else if (status == TP_ERR_TASK && tp_future_error(future, 0, &error) == TP_OK) {
        complain(name, strerror(error->code));
    } else if (!atomic_load(&interrupted)) { /* else it was cancelled, or refused after the shutdown, which is no news */
        complain(name, tp_status_message(status));
    }
    tp_future_release(future);
    show_progress();
}

/* How long the loops wait before they show_progress. */
static const int64_t PATIENCE = TP_MSEC(100);

static int count_in_order(void)
{
    tp_map *map = tp_map_new(executor, count_file, files.names, files.n, AHEAD, free);
    if (map == NULL)
        return cannot_start(tp_last_error_message());
    tp_status status;
    tp_future *future = NULL;
    size_t i = 0;
    while ((status = tp_map_next(map, PATIENCE, &future)) != TP_END) {
        if (status == TP_ERR_TIMEOUT) /* the map is as it was: just ask again */
            show_progress();
        else
            collect(files.names[i++], status, future);
        future = NULL;
    }
    tp_map_free(map);
    return 0;
}

/* Submits the file at index i; its future will come out of queue with i as its tag. The full form of submit, for its drop_result. */
static tp_status submit(tp_completion_queue *queue, size_t i)
{
    tp_future *future = NULL;
    tp_status status = tp_submit_task(executor, TP_TASK(.fn = count_file, .arg = files.names[i], .drop_result = free), &future);
    if (status == TP_OK) {
        status = tp_completion_queue_add(queue, future, i);
        if (status != TP_OK)
            tp_future_cancel(future);
        tp_future_release(future); /* the queue has a reference of its own */
    }
    return status;
}

static int count_as_completed(void)
{
    tp_completion_queue *queue = tp_completion_queue_new();
    if (queue == NULL)
        return cannot_start(tp_last_error_message());
    size_t next = 0, outstanding = 0;
    for (;;) {
        for (; next < files.n && outstanding < AHEAD; next++) {
            tp_status status = submit(queue, next);
            if (status == TP_OK)
                outstanding++;
            else
                collect(files.names[next], status, NULL);
        }
        if (outstanding == 0)
            break;
        tp_future *future = NULL;
        uint64_t i = 0;
        if (tp_completion_queue_next(queue, PATIENCE, &future, &i) == TP_OK) {
            outstanding--;
            collect(files.names[i], TP_OK, future);
        } else {
            show_progress();
        }
    }
    tp_completion_queue_free(queue);
    return 0;
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------------------------------------- */

/* SIGINT is blocked in every thread and taken here, in ordinary code, where anything may be called. SIGUSR1 is main's word that all is
 * done. */
static void *on_interrupt(void *arg)
{
    const sigset_t *signals = arg;
    int signal_number = 0;
    sigwait(signals, &signal_number);
    if (signal_number == SIGINT) {
        atomic_store(&interrupted, true);
        tp_executor_shutdown(executor, TP_SHUTDOWN_CANCEL_FUTURES); /* what is pending is cancelled, what runs is not disturbed */
        fprintf(stderr, "%spwc: interrupted; finishing the files that are being read\n", progress ? "\r\033[K" : "");
        /* Who presses Ctrl-C again means it: from now on the signal does what it does to any program. */
        sigset_t interrupt;
        sigemptyset(&interrupt);
        sigaddset(&interrupt, SIGINT);
        pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
        sigdelset(&interrupt, SIGINT);
        sigaddset(&interrupt, SIGUSR1);
        sigwait(&interrupt, &signal_number);
    }
    return NULL;
}

/* Counts all of files. The executor's threads inherit the signal mask of the thread that starts them: so block first. */
static int count_files(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = workers, .thread_name_prefix = "pwc"));
    if (executor == NULL)
        return cannot_start(tp_last_error_message());
    pthread_t interrupt_thread;
    int error = pthread_create(&interrupt_thread, NULL, on_interrupt, &signals);
    if (error != 0)
        return cannot_start(strerror(error));

    show_progress();
    int status = as_completed ? count_as_completed() : count_in_order();
    clear_progress();

    pthread_kill(interrupt_thread, SIGUSR1); /* it uses the executor: so it goes first */
    pthread_join(interrupt_thread, NULL);
    tp_executor_free(executor);
    return status;
}

/* ---- main ------------------------------------------------------------------------------------------------------------------ */

static void print_usage(FILE *out)
{
    fputs("Usage: pwc [OPTION]... PATH...\n"
          "Counts lines, words and bytes of each regular file at and below each PATH, many files at a time, in the order of their names.\n"
          "\n"
          "  -l                  lines only; -l, -w and -c can be combined\n"
          "  -w                  words only\n"
          "  -c                  bytes only\n"
          "  -j N                N threads; by default as many as libtpexec thinks good\n"
          "      --as-completed  print each file when it is counted, in whatever order that is\n"
          "  -h, --help          print this text\n"
          "      --version       print the version\n",
          out);
}

static int wrong_use(void)
{
    fputs("Try 'pwc --help' for more information.\n", stderr);
    return 2;
}

/* Reads the options into the variables at the top. -1: go on; else exit with that. */
static int read_options(int argc, char **argv)
{
    enum { AS_COMPLETED = 256, VERSION };
    static const struct option options[] = {{"as-completed", no_argument, NULL, AS_COMPLETED},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, VERSION},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "j:lwch", options, NULL)) != -1) {
        switch (option) {
        case 'j': {
            char *end;
            errno = 0;
            uintmax_t n = strtoumax(optarg, &end, 10);
            if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || errno != 0 || n == 0 || n > TP_MAX_WORKERS) {
                fprintf(stderr, "pwc: -j takes a number from 1 to %d, not '%s'\n", TP_MAX_WORKERS, optarg);
                return wrong_use();
            }
            workers = (size_t)n;
            break;
        }
        case 'l':
            wanted.lines = true;
            break;
        case 'w':
            wanted.words = true;
            break;
        case 'c':
            wanted.bytes = true;
            break;
        case AS_COMPLETED:
            as_completed = true;
            break;
        case 'h':
            print_usage(stdout);
            return 0;
        case VERSION:
            printf("pwc, an example of libtpexec %s\n", tp_version_string());
            return 0;
        default: /* getopt has said what is wrong */
            return wrong_use();
        }
    }
    if (optind == argc) {
        fputs("pwc: missing operand\n", stderr);
        return wrong_use();
    }
    if (!wanted.lines && !wanted.words && !wanted.bytes)
        wanted = (struct wanted){.lines = true, .words = true, .bytes = true};
    return -1;
}

int main(int argc, char **argv)
{
    int status = read_options(argc, argv);
    if (status >= 0)
        return status;
    progress = isatty(STDERR_FILENO);
    lines_on_terminal = isatty(STDOUT_FILENO);

    for (int i = optind; i < argc; i++)
        files_add(&files, argv[i], complain);
    files_sort(&files);

    status = files.n > 0 ? count_files() : 0;
    if (status == 0 && files.n > 1 && !atomic_load(&interrupted)) /* half a total would pass for a whole one */
        counts_print(&total, &wanted, "total");
    files_free(&files);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "pwc: write error: %s\n", strerror(errno));
        return 1;
    }
    if (status == 0 && atomic_load(&interrupted))
        return 130;
    return status != 0 || failed ? 1 : 0;
}
