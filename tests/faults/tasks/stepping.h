/* Stops a thread at any instruction: a thread that has called step_begin() is single-stepped by the processor's trap flag
 * (x86-64), and after as many instructions as asked for it stands still in the signal handler, until the others of the process
 * are done with what they had to do, or for a limit. For parking.c. One thread per process. */
#ifndef TPEXEC_TEST_STEPPING_H
#define TPEXEC_TEST_STEPPING_H

#include "harness.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum { TRAP_FLAG = 0x100 };

static struct {
    long        park_after; /* instructions */
    int64_t     limit;      /* nanoseconds for which it is parked at most */
    long        steps;
    atomic_int  thread; /* its id; 0 before it begins */
    bool        ended;
    atomic_int  parked;      /* 0, then 1 */
    atomic_int  others_done; /* 0, then 1 */
    atomic_bool timed_out;   /* parked for the whole limit */
    const void *address;     /* where it was parked */
} stepping;

/* Waits until the word is 1, at most for the time. */
static bool wait_for_word(atomic_int *word, int64_t nanoseconds) {
    int64_t until = now_ns() + nanoseconds, left;
    while (atomic_load(word) == 0 && (left = until - now_ns()) > 0) {
        struct timespec time = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
    }
    return atomic_load(word) != 0;
}

static void set_word(atomic_int *word) {
    atomic_store(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Whether a thread of this process sleeps, or has ended. */
static bool sleeps(pid_t thread) {
    char path[64], stat[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    FILE *file = fopen(path, "r");
    if (file == NULL) return true;
    const char *state = fgets(stat, sizeof stat, file) == NULL ? NULL : strrchr(stat, ')'); /* behind the name */
    fclose(file);
    return state == NULL || state[2] == 'S';
}

static void on_step(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int     saved = errno;
    (void)number;
    (void)info;
    bool mine = syscall(SYS_gettid) == stepping.thread; /* a thread that it starts inherits the flag */
    if (mine && !stepping.ended && ++stepping.steps == stepping.park_after) {
        stepping.address = (const void *)registers[REG_RIP];
        stepping.ended = true;
        set_word(&stepping.parked);
        stepping.timed_out = !wait_for_word(&stepping.others_done, stepping.limit);
    }
    if (!mine || stepping.ended) registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    errno = saved;
}

static void on_begin(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void step_prepare(long park_after, int64_t limit) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    action.sa_sigaction = on_step;
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    action.sa_sigaction = on_begin;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    stepping.park_after = park_after;
    stepping.limit = limit;
}

/* From here on the calling thread is stepped. */
static void step_begin(void) {
    atomic_store(&stepping.thread, (int)syscall(SYS_gettid));
    raise(SIGUSR1);
}

/* And from here on not any more. */
static void step_end(void) { stepping.ended = true; }

#endif
