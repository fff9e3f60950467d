#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

const char *const event_names[EVENTS] = {
    "entered", "drop_arg", "drop_result", "drop_payload", "done callback", "unhandled_error", "drop of an error",
};

const char *const fate_names[FATES] = {"ran", "cancelled", "broken"};

/* Due only to a task whose function was entered. */
static const unsigned after_entering = DUE(ENTERED) | DUE(RESULT_DROPPED) | DUE(REPORTED) | DUE(ERROR_DROPPED);

/* How long an event may be late: a hook runs on another thread, after the future is done. Only a lost one takes that long. */
enum { PATIENCE_S = 60, NAP_NS = 100 * 1000 };

void wrong(tally *books, const char *format, ...) {
    static atomic_int printed;
    char              text[512];
    va_list           arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    atomic_fetch_add(&books->wrong, 1);
    if (atomic_fetch_add(&printed, 1) < 20) fprintf(stderr, "soak: %s: %s\n", books->name, text);
}

void job_begin(job *j, tally *books, unsigned due) {
    j->books = books;
    j->due = due | DUE(ENTERED);
    for (event e = 0; e < EVENTS; e++) atomic_store_explicit(&j->seen[e], 0, memory_order_relaxed);
}

void job_mark(job *j, event e) {
    tally *books = j->books;
    atomic_fetch_add_explicit(&books->seen[e], 1, memory_order_relaxed);
    /* Last, since who settles the job may be waiting for just this. */
    if (atomic_fetch_add(&j->seen[e], 1) != 0) wrong(books, "%s twice for one task", event_names[e]);
}

bool soak_await(atomic_uint *count) {
    const struct timespec nap = {0, NAP_NS};
    for (long naps = 0; atomic_load(count) == 0; naps++) {
        if (naps >= PATIENCE_S * (1000000000L / NAP_NS)) return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

void job_settle(job *j, fate how) {
    tally   *books = j->books;
    unsigned due = how == RAN ? j->due : j->due & ~after_entering;
    atomic_fetch_add_explicit(&books->accepted, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&books->fates[how], 1, memory_order_relaxed);
    for (event e = 0; e < EVENTS; e++) {
        if (due & DUE(e)) {
            atomic_fetch_add_explicit(&books->due[e], 1, memory_order_relaxed);
            if (!soak_await(&j->seen[e])) wrong(books, "%s lost for a task that %s", event_names[e], fate_names[how]);
        } else if (atomic_load(&j->seen[e]) != 0) {
            wrong(books, "%s for a task that %s, to which it was not due", event_names[e], fate_names[how]);
        }
    }
}

fate job_settle_by_itself(job *j) {
    fate how = atomic_load(&j->seen[ENTERED]) != 0 ? RAN : CANCELLED;
    job_settle(j, how);
    return how;
}

void job_refused(job *j) {
    for (event e = 0; e < EVENTS; e++)
        if (atomic_load(&j->seen[e]) != 0) wrong(j->books, "%s for a task that was refused", event_names[e]);
}

void *job_run(void *arg) {
    job_mark(arg, ENTERED);
    return arg;
}

void *job_fail(void *arg) {
    job       *j = arg;
    tp_drop_fn drop = (j->due & DUE(ERROR_DROPPED)) ? job_drop_error : NULL;
    job_mark(j, ENTERED);
    tp_status status = tp_task_fail_with(7, "as the soak test wants it", j, drop);
    if (status != TP_OK) wrong(j->books, "tp_task_fail_with gives %s", tp_status_name(status));
    return arg;
}

void *job_payload_run(void *payload) { return job_run(*(job **)payload); }

void job_drop_arg(void *arg) { job_mark(arg, ARG_DROPPED); }
void job_drop_error(void *payload) { job_mark(payload, ERROR_DROPPED); }
void job_drop_result(void *result) { job_mark(result, RESULT_DROPPED); }
void job_drop_payload(void *payload) { job_mark(*(job **)payload, PAYLOAD_DROPPED); }

void job_done(tp_future *future, void *user_data) {
    job *j = user_data;
    if (!tp_future_done(future)) wrong(j->books, "a done callback with a future that is not done");
    job_mark(j, CALLED);
}

void job_unhandled(const tp_error *error, void *user_data) {
    (void)user_data;
    job_mark(error->payload, REPORTED);
}
