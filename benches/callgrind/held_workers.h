/* What the drivers share: two workers held at gates, a switch for counting, and the command line, which names a phase. Written in
 * what C11 and C++17 have in common, for driver.c and driver.cpp.
 *
 * Both workers are held while the main thread works; then one of them is let go and runs everything, while the main thread
 * sleeps. So one thread runs at a time, and no race can change a count. Collecting is a switch of each thread: the thread whose
 * phase it is turns it on and off, and neither starting a thread nor waiting for one falls in between. With two workers the
 * paths are those of any number; with one, tasks that submit would take another path than they do elsewhere. */
#ifndef HELD_WORKERS_H
#define HELD_WORKERS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* semaphores under -std=c11 */
#endif
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tpexec.h>
#include <valgrind/callgrind.h>

/* A phase is named by its index in the driver's list. */
typedef struct phase {
    const char *name;
    const char *what;
    void (*scenario)(void); /* runs n_tasks once, and toggles the phase */
} phase;

static size_t counted; /* the phase of the command line */
static size_t n_tasks;
static tp_executor *pool;
static tp_future **futures; /* room for n_tasks, for scenarios that want it */

static void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "driver: %s (%s)\n", what, tp_last_error_message());
    exit(1);
}

/* Begins and ends each phase; only that of the command line is counted. */
static void toggle(size_t here)
{
    if (here == counted)
        CALLGRIND_TOGGLE_COLLECT;
}

/* ---- gates ----------------------------------------------------------------------------------------------------------------- */

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) /* EINTR is its only failure here */
        continue;
}

/* A task that keeps its worker until it is told to go on; `worker_phase` begins then. */
typedef struct gate {
    sem_t reached, open;
} gate;

static gate working, idle;
static size_t worker_phase;
static sem_t worker_done;

static void *pass_gate(void *arg)
{
    gate *here = (gate *)arg;
    sem_post(&here->reached);
    wait_for(&here->open);
    if (here == &working)
        toggle(worker_phase);
    return NULL;
}

static void *end_worker_phase(void *arg)
{
    toggle(worker_phase);
    sem_post(&worker_done);
    return arg;
}

static void hold_worker(gate *at)
{
    sem_init(&at->reached, 0, 0);
    sem_init(&at->open, 0, 0);
    check(tp_execute(pool, pass_gate, at) == TP_OK, "cannot submit a gate");
    wait_for(&at->reached);
}

/* Lets one worker run all there is. */
static void run_all(size_t here)
{
    worker_phase = here;
    check(tp_execute(pool, end_worker_phase, NULL) == TP_OK, "cannot submit the end");
    sem_post(&working.open);
    wait_for(&worker_done);
}

/* ---- the command line ------------------------------------------------------------------------------------------------------ */

/* `driver PHASE TASKS` runs the scenario of that phase, `driver` alone lists the phases. Gives the exit status. */
static int run_phase(const phase *phases, size_t n_phases, int argc, char **argv)
{
    if (argc == 1) {
        for (size_t i = 0; i < n_phases; i++)
            printf("%s\t%s\n", phases[i].name, phases[i].what);
        return 0;
    }
    while (argc == 3 && counted < n_phases && strcmp(phases[counted].name, argv[1]) != 0)
        counted++;
    n_tasks = argc == 3 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    if (n_tasks == 0 || counted == n_phases) {
        fprintf(stderr, "usage: %s PHASE TASKS\n       %s (lists the phases)\n", argv[0], argv[0]);
        return 2;
    }
    futures = (tp_future **)calloc(n_tasks, sizeof *futures);
    check(futures != NULL, "calloc");
    tp_executor_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_workers = 2;
    pool = tp_executor_new(&config);
    check(pool != NULL, "tp_executor_new");
    sem_init(&worker_done, 0, 0);
    hold_worker(&idle);
    hold_worker(&working);
    phases[counted].scenario();
    sem_post(&idle.open);
    tp_executor_free(pool);
    free(futures);
    return 0;
}

#endif
