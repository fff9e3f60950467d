/* A thread that stands still at any instruction of the library, as one that has lost its processor, or was stopped by a signal
 * handler, does: for every thread that takes part (submitter, canceller, waiter, worker …) and for each of its instructions in
 * turn a process of its own parks it there, for up to 2 s (TPEXEC_PARK_MS), and does with the other threads all that they may
 * do with the same executor, the same future, and another executor.
 *
 * Promised, and checked: nothing is lost or runs twice, and when the thread goes on everything comes to its end. Recorded, and
 * printed: at which instructions the others could not finish before that, where in the library those are, and what the others
 * were at. */
#include "parking_report.h"
#include "parking_world.h"

#include <sys/mman.h>

/* ---- who is parked -------------------------------------------------------------------------------------------------- */

static void keep(tp_future *future) {
    if (accepted_or_shut(future) != NULL) made[n_made++] = future;
}

static void submits(void) { keep(tp_submit(pool, run, NULL)); }
static void submits_where_a_worker_sleeps(void) { keep(tp_submit(other_pool, run, NULL)); }
static void executes(void) {
    if (tp_execute(pool, run, NULL) == TP_OK) atomic_fetch_add(&accepted, 1);
}
static void submits_many(void) {
    enum { MANY = 2 };
    void *args[MANY] = {NULL};
    if (tp_submit_many(pool, run, args, MANY, made) != TP_OK) return;
    atomic_fetch_add(&accepted, MANY);
    n_made = MANY;
}
static void cancels(void) { cancel(pending); }
static void waits(void) { tp_future_result(pending, TP_FOREVER, NULL); }
static void waits_for_the_first(void) { tp_wait((tp_future *[]){pending, second}, 2, TP_FOREVER, TP_WAIT_FIRST_COMPLETED, NULL); }
static void adds_a_callback(void) { add_callback(pending); }
static void takes_from_a_queue(void) {
    tp_future           *out = NULL;
    tp_completion_queue *queue = tp_as_completed(&pending, 1);
    REQUIRE(queue != NULL);
    CHECK_STATUS(tp_completion_queue_next(queue, TP_FOREVER, &out, NULL), TP_OK);
    tp_future_release(out);
    tp_completion_queue_free(queue);
}
static void releases(void) {
    tp_future_release(finished);
    finished = NULL;
}
static void shuts_down(void) { CHECK_STATUS(tp_executor_shutdown(pool, 0), TP_OK); }

typedef struct {
    void (*call)(void);  /* what the victim does; NULL: it is a worker */
    void (*go_on)(void); /* once the victim sleeps */
    /* Every how manieth instruction. 1, but where there are thousands; TPEXEC_PARK_STRIDE in the environment replaces it. */
    long stride;
    bool unused; /* the victim's thread has not used the library yet */
} scenario;

static void *be_the_victim(void *arg) {
    const scenario *s = (const scenario *)arg;
    if (!s->unused) CHECK_PTR(result_of(submit(other_pool, return_arg, &victim_ended)), &victim_ended);
    step_begin();
    s->call();
    end_the_steps(NULL);
    return arg;
}

static void *end_the_steps_in_a_task(void *arg) {
    end_the_steps(NULL);
    return run(arg);
}

static void wake_the_worker(void) { keep(tp_submit(pool, end_the_steps_in_a_task, NULL)); }
static void end_the_workers(void) {
    let_workers_go();
    shuts_down();
}

/* ---- one process ---------------------------------------------------------------------------------------------------- */

static int64_t parked_at_most(void) {
    const char *milliseconds = getenv("TPEXEC_PARK_MS");
    return TP_MSEC(milliseconds == NULL ? 2000 : strtol(milliseconds, NULL, 10));
}

static int park_once(const scenario *s, long after, outcome *told) {
    test_failures = 0;
    watch();
    build();
    step_prepare(after, parked_at_most());
    pthread_t victim = pthread_self();
    if (s->call != NULL) victim = start_thread(be_the_victim, (void *)s);
    else gate_open(&held[0].release);
    bool gone_on = false;
    while (!wait_for_word(&stepping.parked, TP_MSEC(1)) && atomic_load(&victim_ended) == 0) {
        pid_t thread = atomic_load(&stepping.thread);
        if (gone_on || thread == 0 || !sleeps(thread) || atomic_load(&stepping.parked) != 0) continue;
        s->go_on();
        gone_on = true;
    }
    told->parked = atomic_load(&stepping.parked) != 0;
    if (told->parked) others();
    told->others_waited = stepping.timed_out;
    snprintf(told->others_at, sizeof told->others_at, "%s", others_at == NULL ? "" : others_at);
    set_word(&stepping.others_done);
    if (s->call != NULL) join_thread(victim);
    close_the_books();
    told->address = stepping.address;
    return test_failures == 0 ? 0 : 1;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

enum { AT_ONCE = 64, STEPS_MAX = 20000, ENOUGH_NOT_REACHED = 16 };

static void park_everywhere(const scenario *s) {
    outcome *told = mmap(NULL, STEPS_MAX * sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(told != MAP_FAILED);
    struct {
        pid_t pid;
        long  after;
    } children[AT_ONCE] = {{0, 0}};
    const char *given = getenv("TPEXEC_PARK_STRIDE");
    long        stride = given == NULL ? s->stride : strtol(given, NULL, 10), n = 0, alive = 0, not_reached = 0;
    REQUIRE(stride > 0);
    step_a_worker = s->call == NULL;
    fflush(NULL);
    while (alive > 0 || (n < STEPS_MAX && not_reached < ENOUGH_NOT_REACHED)) {
        if (alive < AT_ONCE && n < STEPS_MAX && not_reached < ENOUGH_NOT_REACHED) {
            pid_t pid = fork();
            REQUIRE(pid >= 0);
            if (pid == 0) _exit(park_once(s, n * stride + 1, &told[n]));
            int free_one = 0;
            while (children[free_one].pid != 0) free_one++;
            children[free_one].pid = pid;
            children[free_one].after = n++ * stride + 1;
            alive++;
            continue;
        }
        int   status, i = 0;
        pid_t pid = waitpid(-1, &status, 0);
        REQUIRE(pid > 0);
        while (children[i].pid != pid) i++;
        children[i].pid = 0;
        alive--;
        const outcome *o = &told[(children[i].after - 1) / stride];
        not_reached += !o->parked;
        if (status == 0) continue;
        char name[256];
        name_place(o->address, name, sizeof name);
        test_failed(__FILE__, __LINE__, "parked after %ld instructions, in %s: wait status %#x", children[i].after, name,
                    (unsigned)status);
    }
    report(told, n);
    munmap(told, STEPS_MAX * sizeof *told);
}

#define PARKED(name, ...)                        \
    TEST(name) {                                 \
        static const scenario s = {__VA_ARGS__}; \
        park_everywhere(&s);                     \
    }

PARKED(nothing_is_lost_when_a_submitter_stands_still, submits, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_a_thread_new_to_the_library_stands_still, submits, let_workers_go, 53, true)
PARKED(nothing_is_lost_when_one_that_wakes_a_worker_stands_still, submits_where_a_worker_sleeps, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_a_submitter_of_many_stands_still, submits_many, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_one_that_executes_stands_still, executes, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_a_canceller_stands_still, cancels, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_a_waiter_stands_still, waits, let_workers_go, 3, false)
PARKED(nothing_is_lost_when_a_waiter_for_the_first_stands_still, waits_for_the_first, let_workers_go, 13, false)
PARKED(nothing_is_lost_when_one_that_adds_a_callback_stands_still, adds_a_callback, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_a_taker_stands_still, takes_from_a_queue, let_workers_go, 11, false)
PARKED(nothing_is_lost_when_one_that_releases_stands_still, releases, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_one_that_shuts_down_stands_still, shuts_down, let_workers_go, 1, false)
PARKED(nothing_is_lost_when_a_worker_stands_still, NULL, wake_the_worker, 3, false)
PARKED(nothing_is_lost_when_a_worker_that_ends_stands_still, NULL, end_the_workers, 3, false)
