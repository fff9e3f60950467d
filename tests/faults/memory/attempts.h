/* An attempt, repeated with each of its requests refused in turn. Included by the programs of tests/faults/memory after
 * faults.h.
 *
 * An attempt is a function that sets something up, makes calls ARMED, checks that each has either worked wholly or been
 * refused wholly, and clears everything away. */
#ifndef TPEXEC_TEST_ATTEMPTS_H
#define TPEXEC_TEST_ATTEMPTS_H

#include "faults.h"

/* Runs `attempt` with the first, the second, … request failing, then with all from the first, the second, … on, until none is
 * left to fail. Whatever was refused, the library then has as many blocks and threads as before. Gives the number of refusals. */
static long at_every_place(void (*attempt)(void)) {
    long refusals = 0;
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        bool left = true;
        for (long at = 0; left; at++) {
            REQUIRE(at < 10000);
            long blocks = atomic_load(&library_blocks), threads = atomic_load(&library_threads);
            fail_at(at, goes_on != 0);
            attempt();
            left = atomic_load(&fault.requests) > at;
            refusals += atomic_load(&fault.refused);
            fail_nothing();
            CHECK_EQ(atomic_load(&library_blocks), blocks);
            CHECK_EQ(atomic_load(&library_threads), threads);
        }
    }
    return refusals;
}

static void (*attempt_to_run)(void);
static void *run_attempt(void *arg) {
    (void)arg;
    attempt_to_run();
    return NULL;
}
static void on_a_new_thread(void) { join_thread(start_thread(run_attempt, NULL)); }
static tp_executor *executor_to_run_in;
static void         in_a_task(void) { result_of(submit(executor_to_run_in, run_attempt, NULL)); }

/* On this thread; each time on a new thread, so that what the library makes once a thread is made, and fails, anew; and in a
 * task of another executor. */
static void everywhere(void (*attempt)(void)) {
    attempt(); /* what is made once a process and kept is there from here on */
    attempt_to_run = attempt;
    long refusals = at_every_place(attempt) + at_every_place(on_a_new_thread);
    executor_to_run_in = new_executor(1);
    in_a_task();
    refusals += at_every_place(in_a_task);
    tp_executor_free(executor_to_run_in);
    CHECK(refusals > 0); /* or this test would test nothing */
}

#endif
