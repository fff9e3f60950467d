/* What the workloads (workloads.h) measure with: the record of a run, clocks, resident memory, the CPU time of other threads. */
#ifndef MEASURE_H
#define MEASURE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "dialect.h"

/* What a workload is given, and what it reports. */
typedef struct run {
    size_t workers;
    size_t tasks;           /* in: how many; out: how many there were, where the workload decides */
    double window;          /* seconds to watch, for workloads that watch */
    /* out: */
    double wall_ns, cpu_ns; /* of the timed part; cpu of the whole process */
    double value;           /* the workload's figure, in its unit; where that is ns per task the driver fills it in */
    double p50_ns, p99_ns;  /* round trip only */
    double wakeups;         /* idle only */
} run;

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static inline void begin(run *r)
{
    r->cpu_ns = -(double)clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    r->wall_ns = -(double)monotonic_ns();
}

static inline void end(run *r)
{
    r->wall_ns += (double)monotonic_ns();
    r->cpu_ns += (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "%s: wrong result: %s\n", SUBJECT_NAME, what);
    exit(1);
}

#ifndef __cplusplus
static inline void *allocate(size_t n, size_t size)
{
    void *memory = malloc(n * size);
    check(memory != NULL, "malloc");
    memset(memory, 1, n * size);
    return memory;
}
#endif

static inline double resident_bytes(void)
{
    /* smaps_rollup walks the page tables: exact, unlike the batched counters in statm. */
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    double kib = -1;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Rss: %lf kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    check(kib >= 0, "/proc/self/smaps_rollup has no Rss line");
    return kib * 1024;
}

/* Every thread but the caller: CPU time in ns and times given a CPU. From the scheduler's own books, exact to the ns: a
 * thread that slept through the window adds nothing at all. */
static inline void usage_of_others(double *cpu_ns, double *runs)
{
    DIR *threads = opendir("/proc/self/task");
    check(threads != NULL, "/proc/self/task cannot be read");
    *cpu_ns = *runs = 0;
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == getpid())
            continue; /* the main thread's id is the process's */
        char path[300];
        double on_cpu = 0, waited = 0, times_run = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
        FILE *file = fopen(path, "r");
        check(file && fscanf(file, "%lf %lf %lf", &on_cpu, &waited, &times_run) == 3, "no schedstat for a thread");
        fclose(file);
        *cpu_ns += on_cpu;
        *runs += times_run;
    }
    closedir(threads);
}

static inline void sleep_for(double seconds)
{
    struct timespec t;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

#endif
