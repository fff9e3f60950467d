/* Runs one scenario once, for valgrind to count the instructions of one phase of it: `driver PHASE TASKS`; `driver` alone
 * lists the phases. Called by counts.py.
 *
 * Two workers, both held at gates while the main thread works; then one of them is let go and runs everything, while the
 * main thread sleeps. So one thread runs at a time, and no race can change a count. Collecting is a switch of each thread:
 * the thread whose phase it is turns it on and off, and neither starting a thread nor waiting for one falls in between. With
 * two workers the paths are those of any number; with one, tasks that submit would take another path than they do elsewhere. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* semaphores under -std=c11 */
#endif
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tpexec.h>
#include <valgrind/callgrind.h>

enum phase { SUBMIT, RUN, COLLECT, SUBMIT_MANY, EXECUTE, RUN_EXECUTED, ADD_CALLBACK, RUN_CALLBACK, CANCEL, INLINE };

/* Tasks a call of tp_submit_many. */
enum { MANY = 1000 };

static enum phase counted;
static size_t n_tasks;
static tp_executor *pool;
static tp_future **futures;
static size_t n_called_back; /* written by one worker, read when it is done */

static void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "driver: %s (%s)\n", what, tp_last_error_message());
    exit(1);
}

/* Begins and ends each phase; only that of the command line is counted. */
static void toggle(enum phase here)
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
    bool counts;
} gate;

static gate working = {.counts = true}, idle;
static enum phase worker_phase;
static sem_t worker_done;

static void *pass_gate(void *arg)
{
    gate *here = arg;
    sem_post(&here->reached);
    wait_for(&here->open);
    if (here->counts)
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
static void run_all(enum phase here)
{
    worker_phase = here;
    check(tp_execute(pool, end_worker_phase, NULL) == TP_OK, "cannot submit the end");
    sem_post(&working.open);
    wait_for(&worker_done);
}

/* ---- scenarios ------------------------------------------------------------------------------------------------------------- */

static void *task(void *arg) { return arg; }

static void called_back(tp_future *future, void *counter)
{
    (void)future;
    ++*(size_t *)counter;
}

static void submit_all(void)
{
    toggle(SUBMIT);
    for (size_t i = 0; i < n_tasks; i++)
        futures[i] = tp_submit(pool, task, &futures[i]);
    toggle(SUBMIT);
    for (size_t i = 0; i < n_tasks; i++)
        check(futures[i] != NULL, "tp_submit");
}

static void collect_all(void)
{
    toggle(COLLECT);
    for (size_t i = 0; i < n_tasks; i++) {
        void *result = NULL;
        check(tp_future_result(futures[i], TP_FOREVER, &result) == TP_OK && result == &futures[i], "tp_future_result");
        tp_future_release(futures[i]);
    }
    toggle(COLLECT);
}

static void submit_and_collect(void)
{
    submit_all();
    run_all(RUN);
    collect_all();
}

static void submit_many(void)
{
    void **args = calloc(n_tasks, sizeof *args);
    check(args != NULL, "calloc");
    for (size_t i = 0; i < n_tasks; i++)
        args[i] = &futures[i];
    toggle(SUBMIT_MANY);
    for (size_t i = 0; i < n_tasks; i += MANY) {
        size_t n = n_tasks - i < MANY ? n_tasks - i : MANY;
        check(tp_submit_many(pool, task, args + i, n, futures + i) == TP_OK, "tp_submit_many");
    }
    toggle(SUBMIT_MANY);
    run_all(RUN);
    collect_all();
    free(args);
}

static void execute(void)
{
    toggle(EXECUTE);
    for (size_t i = 0; i < n_tasks; i++)
        check(tp_execute(pool, task, NULL) == TP_OK, "tp_execute");
    toggle(EXECUTE);
    run_all(RUN_EXECUTED);
}

static void call_back(void)
{
    submit_all();
    toggle(ADD_CALLBACK);
    for (size_t i = 0; i < n_tasks; i++)
        check(tp_future_add_done_callback(futures[i], called_back, &n_called_back) == TP_OK, "tp_future_add_done_callback");
    toggle(ADD_CALLBACK);
    run_all(RUN_CALLBACK);
    check(n_called_back == n_tasks, "not every callback has run");
    collect_all();
}

static void cancel(void)
{
    submit_all();
    toggle(CANCEL);
    for (size_t i = 0; i < n_tasks; i++)
        check(tp_future_cancel(futures[i]), "tp_future_cancel");
    toggle(CANCEL);
    for (size_t i = 0; i < n_tasks; i++)
        tp_future_release(futures[i]);
    run_all(RUN);
}

static void *submit_children_and_wait(void *arg)
{
    for (size_t i = 0; i < n_tasks; i++) {
        void *result = NULL;
        tp_future *child = tp_submit(pool, task, &futures[i]);
        check(tp_future_result(child, TP_FOREVER, &result) == TP_OK && result == &futures[i], "a child's result");
        tp_future_release(child);
    }
    return arg;
}

static void run_inline(void)
{
    check(tp_execute(pool, submit_children_and_wait, NULL) == TP_OK, "cannot submit the parent");
    run_all(INLINE);
}

/* ---- the command line ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    const char *what;
    void (*scenario)(void);
} phases[] = {
    [SUBMIT] = {"submit", "tp_submit", submit_and_collect},
    [RUN] = {"run", "a worker takes and runs a submitted task", submit_and_collect},
    [COLLECT] = {"collect", "tp_future_result of a done task, tp_future_release", submit_and_collect},
    [SUBMIT_MANY] = {"submit-many", "tp_submit_many, 1,000 tasks a call", submit_many},
    [EXECUTE] = {"execute", "tp_execute", execute},
    [RUN_EXECUTED] = {"run-executed", "a worker takes and runs an executed task", execute},
    [ADD_CALLBACK] = {"add-callback", "tp_future_add_done_callback", call_back},
    [RUN_CALLBACK] = {"run-callback", "a worker takes and runs a task, and its callback", call_back},
    [CANCEL] = {"cancel", "tp_future_cancel of a pending task", cancel},
    [INLINE] = {"inline", "a task submits a child, waits for it (so runs it), releases it", run_inline},
};
enum { N_PHASES = sizeof phases / sizeof *phases };

int main(int argc, char **argv)
{
    if (argc == 1) {
        for (size_t i = 0; i < N_PHASES; i++)
            printf("%s\t%s\n", phases[i].name, phases[i].what);
        return 0;
    }
    size_t which = 0;
    while (argc == 3 && which < N_PHASES && strcmp(phases[which].name, argv[1]) != 0)
        which++;
    n_tasks = argc == 3 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    if (n_tasks == 0 || which == N_PHASES) {
        fprintf(stderr, "usage: %s PHASE TASKS\n       %s (lists the phases)\n", argv[0], argv[0]);
        return 2;
    }
    counted = (enum phase)which;
    futures = calloc(n_tasks, sizeof *futures);
    check(futures != NULL, "calloc");

    pool = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 2));
    sem_init(&worker_done, 0, 0);
    hold_worker(&idle);
    hold_worker(&working);
    phases[which].scenario();
    sem_post(&idle.open);
    tp_executor_free(pool);
    free(futures);
    return 0;
}
