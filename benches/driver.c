/* Runs one workload once and prints one line of JSON: `driver WORKLOAD WORKERS TASKS SECONDS`; or which version of its subject
 * it was built for: `driver version`. run.py calls it; so may you.
 *
 * Compiled once per subject, with SUBJECT naming the adapter (workloads.h says what that is); by driver.cpp for subjects in
 * C++. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POSIX clocks, barriers and semaphores under -std=c11 */
#endif

#include SUBJECT
#include "workloads.h"

enum { N_WORKLOADS = sizeof workloads / sizeof *workloads, STATUS_USAGE = 2 };

static size_t count_of(const char *text)
{
    char *rest;
    unsigned long long value = strtoull(text, &rest, 10);
    if (*text < '0' || *text > '9' || *rest || !value || value > SIZE_MAX / 64) {
        fprintf(stderr, "not a count: %s\n", text);
        exit(STATUS_USAGE);
    }
    return (size_t)value;
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s WORKLOAD WORKERS TASKS SECONDS\n       %s version\nworkloads:", program, program);
    for (size_t i = 0; i < N_WORKLOADS; i++)
        fprintf(stderr, " %s", workloads[i].name);
    fputc('\n', stderr);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        subject_print_version();
        return 0;
    }
    size_t which = 0;
    while (argc == 5 && which < N_WORKLOADS && strcmp(workloads[which].name, argv[1]) != 0)
        which++;
    if (argc != 5 || which == N_WORKLOADS)
        return usage(argv[0]);
    const workload *chosen = &workloads[which];
    for (const refusal *refused = subject_refusals; refused->workload; refused++)
        if (strcmp(refused->workload, chosen->name) == 0)
            refuse(refused->reason);

    run r;
    memset(&r, 0, sizeof r);
    r.workers = count_of(argv[2]);
    r.tasks = count_of(argv[3]);
    r.window = strtod(argv[4], NULL);
    chosen->body(&r);
    if (strcmp(chosen->unit, PER_TASK) == 0)
        r.value = r.wall_ns / (double)r.tasks;

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"workload\": \"%s\", \"workers\": %zu, \"tasks\": %zu, \"value\": %.3f, \"unit\": \"%s\", \"wall_ns\": %.0f, "
           "\"cpu_ns\": %.0f, \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"wakeups_per_s\": %.1f, \"max_rss_kib\": %ld, "
           "\"minor_faults\": %ld, \"voluntary_switches\": %ld, \"involuntary_switches\": %ld}\n",
           chosen->name, r.workers, r.tasks, r.value, chosen->unit, r.wall_ns, r.cpu_ns, r.p50_ns, r.p99_ns, r.wakeups,
           usage.ru_maxrss, usage.ru_minflt, usage.ru_nvcsw, usage.ru_nivcsw);
    return 0;
}
