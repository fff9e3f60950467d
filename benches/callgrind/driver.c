/* Runs one scenario once, for valgrind to count the instructions of one phase of it: `driver PHASE TASKS`; `driver` alone
 * lists the phases. Called by counts.py. Held workers (held_workers.h) make every count the same each time. */
#include "held_workers.h"

enum { SUBMIT, RUN, COLLECT, SUBMIT_MANY, EXECUTE, RUN_EXECUTED, ADD_CALLBACK, RUN_CALLBACK, CANCEL, INLINE };

/* Tasks a call of tp_submit_many. */
enum { MANY = 1000 };

static size_t n_called_back; /* written by one worker, read when it is done */

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

static const phase phases[] = {
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

int main(int argc, char **argv)
{
    return run_phase(phases, sizeof phases / sizeof *phases, argc, argv);
}
