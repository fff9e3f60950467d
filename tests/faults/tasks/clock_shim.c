/* A C library whose CLOCK_REALTIME is set by hours, forwards and back, a hundred times a second: loaded with LD_PRELOAD by
 * clock.c's test. Every way to read that clock or to wait by it is here; the other clocks stay as they are. It also counts
 * which clocks libtpexec uses. */
#define _GNU_SOURCE
#include "clock_shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

enum { SECOND = 1000000000, SLICE = 1000000, HELD_FOR = CLOCK_SHIM_HELD_MS * 1000000 };

/* What the clock is off by, in hours, one after the other. */
static const int64_t hours_off[] = {0, 7, -5, 1, -26, 12, -1, 50};

static atomic_long monotonic_calls, realtime_calls;

long clock_shim_calls(bool realtime) { return atomic_load(realtime ? &realtime_calls : &monotonic_calls); }

/* The C library's own function. */
static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) __builtin_trap();
    return found;
}
/* ISO C has no cast from an object's address to a function's. */
#define NEXT(name, function)                       \
    do {                                           \
        void *found = next(name);                  \
        memcpy(&(function), &found, sizeof found); \
    } while (0)

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
    static long (*real)(long, ...);
    if (real == NULL) NEXT("syscall", real);
    return real(number, a, b, c, d, e, f);
}

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    system_call(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

static int64_t off(void) {
    int64_t turn = read_clock(CLOCK_MONOTONIC) / HELD_FOR % (int64_t)(sizeof hours_off / sizeof *hours_off);
    return hours_off[turn] * 3600 * SECOND;
}

static bool is_realtime(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

/* Notes a use of a clock, if `caller` is code of the library. */
static void note(const void *caller, bool realtime) {
    Dl_info info;
    if (dladdr((void *)(uintptr_t)caller, &info) != 0 && strstr(info.dli_fname, "libtpexec") != NULL)
        atomic_fetch_add(realtime ? &realtime_calls : &monotonic_calls, 1);
}
#define NOTE(realtime) note(__builtin_return_address(0), (realtime))

/* ---- reading -------------------------------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *now) {
    NOTE(is_realtime(clock));
    int failed = (int)system_call(SYS_clock_gettime, clock, (long)now, 0, 0, 0, 0);
    if (failed == 0 && is_realtime(clock)) {
        int64_t shifted = (int64_t)now->tv_sec * SECOND + now->tv_nsec + off();
        now->tv_sec = shifted / SECOND;
        now->tv_nsec = shifted % SECOND;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    NOTE(true);
    int64_t shifted = read_clock(CLOCK_REALTIME) + off();
    now->tv_sec = shifted / SECOND;
    now->tv_usec = shifted % SECOND / 1000;
    return 0;
}

time_t time(time_t *out) {
    NOTE(true);
    time_t now = (read_clock(CLOCK_REALTIME) + off()) / SECOND;
    if (out != NULL) *out = now;
    return now;
}

/* ---- waiting -------------------------------------------------------------------------------------------------------- */

/* What is left until `until` by the clock as it is set just now; at most a slice, since it will be set again. False: the time
 * is up. */
static bool next_slice(const struct timespec *until, int64_t *slice) {
    int64_t left = (int64_t)until->tv_sec * SECOND + until->tv_nsec - read_clock(CLOCK_REALTIME) - off();
    *slice = left < SLICE ? left : SLICE;
    return left > 0;
}

/* A slice as a time that the C library's own functions take. */
static struct timespec from_now(int64_t slice) {
    int64_t         at = read_clock(CLOCK_REALTIME) + slice;
    struct timespec until = {.tv_sec = at / SECOND, .tv_nsec = at % SECOND};
    return until;
}

/* Has the C library's own `wait` (an expression that gives an error number) go on until `end`, slice by slice. */
#define IN_SLICES(until, error, end, wait)                                \
    do {                                                                  \
        int64_t slice;                                                    \
        (error) = ETIMEDOUT;                                              \
        while ((error) == ETIMEDOUT && next_slice((until), &slice)) {     \
            struct timespec end = from_now(slice);                        \
            (error) = (wait);                                             \
        }                                                                 \
    } while (0)

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    int error;
    if (real == NULL) NEXT("pthread_cond_timedwait", real);
    NOTE(true);
    IN_SLICES(until, error, end, real(cond, mutex, &end));
    return error;
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    static int (*real)(pthread_mutex_t *, const struct timespec *);
    int error;
    if (real == NULL) NEXT("pthread_mutex_timedlock", real);
    NOTE(true);
    IN_SLICES(until, error, end, real(mutex, &end));
    return error;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    static int (*real)(sem_t *, const struct timespec *);
    int error;
    if (real == NULL) NEXT("sem_timedwait", real);
    NOTE(true);
    IN_SLICES(until, error, end, real(semaphore, &end) == 0 ? 0 : errno);
    errno = error;
    return error == 0 ? 0 : -1;
}

/* The system call under all of them, which Rust's standard library and libtpexec make themselves. */
long syscall(long number, ...) {
    long    arg[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) arg[i] = va_arg(arguments, long);
    va_end(arguments);
    bool waits = number == SYS_futex && (arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && arg[3] != 0;
    if (!waits) return system_call(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    bool realtime = (arg[1] & FUTEX_CLOCK_REALTIME) != 0;
    NOTE(realtime);
    if (!realtime) return system_call(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    int  error;
    long answer = -1;
    IN_SLICES((const struct timespec *)arg[3], error, end,
              (answer = system_call(number, arg[0], arg[1], arg[2], (long)&end, arg[4], arg[5])) == 0 ? 0 : errno);
    errno = error;
    return answer;
}
