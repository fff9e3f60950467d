/* Runs one workload once and prints one line of JSON: `driver WORKLOAD WORKERS TASKS SECONDS`. run.py calls it; so may you.
 *
 * Compiled once per subject, with SUBJECT naming the header that maps the workloads' few calls to the subject's API. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POSIX clocks, barriers and semaphores under -std=c11 */
#endif

#include SUBJECT
#include "workloads.h"

static const struct {
    const char *name;
    void (*body)(run *);
    const char *unit; /* "ns/task": the driver divides the wall time; else the workload computes its value */
    bool nests;       /* needs a pool in which a task may wait for its child */
} workloads[] = {
    {"collect", workload_collect, "ns/task", false},
    {"windows", workload_windows, "ns/task", false},
    {"many", workload_many, "ns/task", false},
    {"execute", workload_execute, "ns/task", false},
    {"round_trip", workload_round_trip, "ns/task", false},
    {"producers", workload_producers, "ns/task", false},
    {"fib", workload_fib, "ns/task", true},
    {"inside", workload_inside, "ns/task", false},
    {"inside_execute", workload_inside_execute, "ns/task", false},
    {"one_us", workload_one_us, "wall/ideal", false},
    {"memory", workload_memory, "B/task", false},
    {"memory_execute", workload_memory_execute, "B/task", false},
    {"idle", workload_idle, "us CPU/s", false},
};
enum { N_WORKLOADS = sizeof workloads / sizeof *workloads };

static size_t count_of(const char *text)
{
    char *rest;
    unsigned long long value = strtoull(text, &rest, 10);
    if (*text < '0' || *text > '9' || *rest || !value || value > SIZE_MAX / 64) {
        fprintf(stderr, "not a count: %s\n", text);
        exit(2);
    }
    return (size_t)value;
}

int main(int argc, char **argv)
{
    size_t which = 0;
    while (argc == 5 && which < N_WORKLOADS && strcmp(workloads[which].name, argv[1]) != 0)
        which++;
    if (argc != 5 || which == N_WORKLOADS) {
        fprintf(stderr, "usage: %s WORKLOAD WORKERS TASKS SECONDS\nworkloads:", argv[0]);
        for (which = 0; which < N_WORKLOADS; which++)
            fprintf(stderr, " %s", workloads[which].name);
        fputc('\n', stderr);
        return 2;
    }
    if (workloads[which].nests && !SUBJECT_CAN_NEST) {
        fprintf(stderr, "%s cannot run %s: its tasks may not wait for each other\n", SUBJECT_NAME, argv[1]);
        return 3; /* run.py shows a dash */
    }

    run r = {.workers = count_of(argv[2]), .tasks = count_of(argv[3]), .window = strtod(argv[4], NULL)};
    workloads[which].body(&r);
    bool per_task = strcmp(workloads[which].unit, "ns/task") == 0;
    if (per_task)
        r.value = r.wall_ns / (double)r.tasks;

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"workload\": \"%s\", \"workers\": %zu, \"tasks\": %zu, \"value\": %.3f, \"unit\": \"%s\", \"wall_ns\": %.0f, "
           "\"cpu_ns\": %.0f, \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"wakeups_per_s\": %.1f, \"max_rss_kib\": %ld, "
           "\"minor_faults\": %ld, \"voluntary_switches\": %ld, \"involuntary_switches\": %ld}\n",
           argv[1], r.workers, r.tasks, r.value, workloads[which].unit, r.wall_ns, r.cpu_ns, r.p50_ns, r.p99_ns, r.wakeups,
           usage.ru_maxrss, usage.ru_minflt, usage.ru_nvcsw, usage.ru_nivcsw);
    return 0;
}
