/* What clock_shim.c tells clock.c. */
#ifndef TPEXEC_TEST_CLOCK_SHIM_H
#define TPEXEC_TEST_CLOCK_SHIM_H

#include <stdbool.h>

/* The clock keeps each of its settings for so long, in milliseconds. */
enum { CLOCK_SHIM_HELD_MS = 10 };

/* How often libtpexec has read CLOCK_REALTIME, or waited by it; or, with false, another clock. Only there when the shim is
 * loaded. */
long clock_shim_calls(bool realtime) __attribute__((weak));

#endif
