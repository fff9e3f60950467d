/* The accounting of the soak test: what is due to every task, and what has happened to it. Used by the mixes, and by main.c,
 * which compares the two.
 *
 * A job is the record of one task. Its mix says beforehand which events are due; each event marks itself, in the job and in
 * the tally of the mix; job_settle() then waits until all that was due has come, and refuses what was not. The tallies must
 * agree as well: an event that comes after its job was settled is in nobody's job, but in a tally. */
#ifndef TPEXEC_SOAK_LEDGER_H
#define TPEXEC_SOAK_LEDGER_H

#include <tpexec.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* What can happen to a task, each exactly once where it is due. */
typedef enum event {
    ENTERED,         /* its function was called */
    ARG_DROPPED,     /* drop_arg */
    RESULT_DROPPED,  /* drop_result */
    PAYLOAD_DROPPED, /* drop_payload of a launched task */
    CALLED,          /* its done callback */
    REPORTED,        /* unhandled_error */
    ERROR_DROPPED,   /* the drop function given to tp_task_fail_with() */
    EVENTS
} event;

extern const char *const event_names[EVENTS];

/* Bits of what is due. ENTERED and what follows from it hold only if the task was not cancelled. */
#define DUE(e) (1u << (e))

/* How an accepted task ended. */
typedef enum fate { RAN, CANCELLED, BROKEN, FATES } fate;

extern const char *const fate_names[FATES];

/* One for each mix. */
typedef struct tally {
    const char *name;
    atomic_long accepted, fates[FATES];
    atomic_long due[EVENTS], seen[EVENTS];
    atomic_long wrong; /* other things that a mix found not to be as they must */
} tally;

typedef struct job {
    tally      *books;
    unsigned    due;
    atomic_uint seen[EVENTS];
} job;

/* Nothing has happened to it yet. `due` are DUE() bits; ENTERED goes without saying. */
void job_begin(job *j, tally *books, unsigned due);

/* An event has happened. The job may be settled, and gone, as soon as this has been said. */
void job_mark(job *j, event e);

/* An accepted task has ended: waits for what is due to it in that case, and reports what is missing or too much. */
void job_settle(job *j, fate how);

/* The same where only the job itself can say whether it was cancelled: a task without a future. Every drop hook must have run. */
fate job_settle_by_itself(job *j);

/* A submission was refused: nothing may have happened to the job, nor will. */
void job_refused(job *j);

/* Functions of tasks whose argument is a job: `job_run` succeeds, `job_fail` fails with the job as its payload,
 * `job_payload_run` has a payload that holds the job's address. All return the job. */
void *job_run(void *arg);
void *job_fail(void *arg);
void *job_payload_run(void *payload);

/* The hooks. */
void job_drop_arg(void *arg);
void job_drop_result(void *result);
void job_drop_error(void *payload);
void job_drop_payload(void *payload);
void job_done(tp_future *future, void *user_data);
void job_unhandled(const tp_error *error, void *user_data);

/* Waits until a count is not 0 any more; false when it takes so long that what was to be counted must have been lost. */
bool soak_await(atomic_uint *count);

/* Something is not as it must be. Counts in the tally, and is printed if it is among the first twenty. */
__attribute__((format(printf, 2, 3))) void wrong(tally *books, const char *format, ...);

#endif
