#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "gauges.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

long gauge_resident_kib(void) {
    long  pages = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL) return -1;
    int read = fscanf(statm, "%ld %ld", &pages, &resident);
    fclose(statm);
    return read == 2 ? resident * (sysconf(_SC_PAGESIZE) / 1024) : -1;
}

static long entries(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) return -1;
    long n = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) n += entry->d_name[0] != '.';
    closedir(directory);
    return n;
}

long gauge_threads(void) { return entries("/proc/self/task"); }

/* Without the one that reads the directory. */
long gauge_descriptors(void) {
    long n = entries("/proc/self/fd");
    return n < 0 ? n : n - 1;
}
