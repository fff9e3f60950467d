/* What the process holds: memory, threads, file descriptors. Used by main.c and by ../process. */
#ifndef TPEXEC_SOAK_GAUGES_H
#define TPEXEC_SOAK_GAUGES_H

/* The resident set in KiB, the threads, the open file descriptors; -1 where /proc does not tell. */
long gauge_resident_kib(void);
long gauge_threads(void);
long gauge_descriptors(void);

#endif
