/* E2: fork while other threads sleep in every kind of wait, and while they shut executors down, join and free them. */
#include "under_load.h"

#include <stdatomic.h>
#include <sys/syscall.h>

/* What the sleepers sleep on: a task that is held, one that is pending behind it, and objects over these. */
typedef struct bed {
    tp_executor         *executor, *other, *ending;
    blocker              busy, last; /* of `executor` and of `ending` */
    tp_future           *running, *pending;
    tp_completion_queue *queue;
    tp_map              *map;
    void                *args[2];
} bed;

typedef struct sleeper {
    bed        *bed;
    void      (*sleep)(bed *);
    atomic_long tid;
    pthread_t   thread;
} sleeper;

static void in_result(bed *b) { CHECK_STATUS(tp_future_result(b->pending, TP_FOREVER, NULL), TP_OK); }
static void in_timed_result(bed *b) { CHECK_STATUS(tp_future_result(b->running, TP_SEC(3600), NULL), TP_OK); }
static void in_error(bed *b) {
    const tp_error *error = NULL;
    CHECK_STATUS(tp_future_error(b->pending, TP_FOREVER, &error), TP_OK);
}
static void in_wait_all(bed *b) {
    CHECK_STATUS(tp_wait((tp_future *[]){b->pending, b->running}, 2, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL), TP_OK);
}
static void in_wait_first(bed *b) {
    CHECK_STATUS(tp_wait((tp_future *[]){b->pending, b->running}, 2, TP_SEC(3600), TP_WAIT_FIRST_COMPLETED, NULL), TP_OK);
}
static void in_queue(bed *b) { CHECK_STATUS(tp_completion_queue_next(b->queue, TP_FOREVER, NULL, NULL), TP_OK); }
static void in_map(bed *b) { CHECK_STATUS(tp_map_next(b->map, TP_FOREVER, NULL), TP_OK); }
static void in_join(bed *b) { CHECK_STATUS(tp_executor_join(b->ending, TP_FOREVER), TP_OK); }
static void in_shutdown(bed *b) { CHECK_STATUS(tp_executor_shutdown(b->ending, TP_SHUTDOWN_WAIT), TP_OK); }
static void *wait_in_a_task(void *arg) {
    in_result(arg);
    return arg;
}
static void in_a_task(bed *b) { CHECK_PTR(result_of(submit(b->other, wait_in_a_task, b)), b); }

static void (*const ways[])(bed *) = {in_result, in_timed_result, in_error, in_wait_all, in_wait_first, in_queue,
                                      in_queue,  in_map,          in_join,  in_shutdown, in_a_task};
enum { SLEEPERS = sizeof ways / sizeof ways[0] };

static void *sleep_as_told(void *arg) {
    sleeper *s = arg;
    atomic_store(&s->tid, syscall(SYS_gettid));
    s->sleep(s->bed);
    return NULL;
}

/* Whether the kernel has put the thread to sleep, which after it told its id is in the wait. */
static bool asleep(const sleeper *s) {
    char  path[64], state = '?';
    long  tid = atomic_load(&s->tid);
    FILE *stat;
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", tid);
    if (tid == 0 || (stat = fopen(path, "r")) == NULL) return false;
    if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) state = '?';
    fclose(stat);
    return state == 'S';
}

static void bed_init(bed *b) {
    memset(b, 0, sizeof *b);
    b->executor = new_executor(1);
    b->other = new_executor(1);
    b->ending = new_executor(1);
    block(b->executor, &b->busy);
    block(b->ending, &b->last);
    b->running = tp_future_retain(b->busy.future); /* kept until the last sleeper is awake */
    b->pending = submit(b->executor, return_arg, NULL);
    b->map = tp_map_new(b->executor, return_arg, b->args, 2, 0, NULL);
    b->queue = tp_completion_queue_new();
    REQUIRE(b->map != NULL && b->queue != NULL);
    for (int i = 0; i < 2; i++) CHECK_STATUS(tp_completion_queue_add(b->queue, b->pending, 0), TP_OK);
    CHECK_STATUS(tp_executor_shutdown(b->ending, 0), TP_OK);
}

static void bed_end(bed *b, sleeper *sleepers) {
    unblock(&b->busy);
    unblock(&b->last);
    for (int i = 0; i < SLEEPERS; i++) join_thread(sleepers[i].thread);
    tp_map_free(b->map);
    tp_completion_queue_free(b->queue);
    tp_future_release(b->running);
    tp_future_release(b->pending);
    tp_executor_free(b->executor);
    tp_executor_free(b->other);
    tp_executor_free(b->ending);
}

/* In a child none of these sleepers is there; what they slept on is the parent's. */
static void nothing_here_waits(bed *b) {
    for (int t = 0; t < TIMEOUTS; t++) {
        CHECK_FAILS(tp_future_result(b->pending, every_timeout[t], NULL), TP_ERR_FORKED);
        CHECK_FAILS(tp_wait(&b->running, 1, every_timeout[t], TP_WAIT_FIRST_COMPLETED, NULL), TP_ERR_FORKED);
        CHECK_FAILS(tp_completion_queue_next(b->queue, every_timeout[t], NULL, NULL), TP_ERR_FORKED);
        CHECK_FAILS(tp_map_next(b->map, every_timeout[t], NULL), TP_ERR_FORKED);
        CHECK_FAILS(tp_executor_join(b->ending, every_timeout[t]), TP_ERR_FORKED);
    }
    CHECK_FAILS(tp_completion_queue_add(b->queue, b->pending, 0), TP_ERR_FORKED);
    CHECK_FAILS(tp_completion_queue_close(b->queue), TP_ERR_FORKED);
    CHECK_FAILS(tp_executor_shutdown(b->ending, TP_SHUTDOWN_WAIT), TP_ERR_FORKED); /* before SHUTDOWN */
    CHECK(!tp_future_cancel(b->pending));
    tp_future_release(b->pending);
    tp_future_release(b->running);
    tp_completion_queue_free(b->queue);
    tp_map_free(b->map);
    tp_executor_free(b->ending);
    tp_executor_free(b->executor);
    tp_executor_detach(b->other);
    new_executors_work();
}

TEST(e02_fork_while_threads_sleep_in_every_kind_of_wait) {
    bed            b;
    static sleeper sleepers[SLEEPERS];
    bed_init(&b);
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i].bed = &b;
        sleepers[i].sleep = ways[i];
        sleepers[i].thread = start_thread(sleep_as_told, &sleepers[i]);
    }
    load_begin();
    for (int i = 0; i < SLEEPERS; i++) EVENTUALLY(asleep(&sleepers[i]));
    for (long time = repeat(TIMES); time > 0; time--) {
        pid_t pid = fork_child();
        if (pid == 0) {
            nothing_here_waits(&b);
            end_child();
        }
        CHECK_CHILD_OK(pid);
    }
    load_end();
    bed_end(&b, sleepers); /* each is woken, and finds what it waited for */
}

/* ---- while executors end -------------------------------------------------------------------------------------------------- */

static void *free_it(void *executor) {
    tp_executor_free(executor);
    return NULL;
}
static void *shut_it_down(void *executor) {
    CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT | TP_SHUTDOWN_CANCEL_FUTURES), TP_OK);
    tp_executor_free(executor);
    return NULL;
}
static void *join_it(void *executor) {
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    while (tp_executor_join(executor, TP_MSEC(1)) == TP_ERR_TIMEOUT) {}
    tp_executor_free(executor);
    return NULL;
}

static tp_status end_of(const tp_future *done) { return tp_future_cancelled(done) ? TP_ERR_CANCELLED : TP_OK; }

/* The handle is somebody else's to end; the child has the futures. */
TEST(e02_fork_while_another_thread_ends_an_executor) {
    static void *(*const ends[])(void *) = {free_it, shut_it_down, join_it};
    enum { TASKS = 32 };
    load_begin();
    for (long time = repeat(3 * TIMES); time > 0; time--) {
        tp_executor *executor = new_executor(3);
        tp_future   *futures[TASKS];
        for (int i = 0; i < TASKS; i++) futures[i] = submit(executor, return_arg, NULL);
        pthread_t thread = start_thread(ends[time % 3], executor);
        pid_t     pid = fork_child();
        if (pid == 0) {
            for (int i = 0; i < TASKS; i++) {
                tp_status expected = tp_future_done(futures[i]) ? end_of(futures[i]) : TP_ERR_FORKED;
                CHECK_STATUS(tp_future_result(futures[i], TP_FOREVER, NULL), expected);
                tp_future_release(futures[i]);
            }
            new_executors_work();
            end_child();
        }
        join_thread(thread);
        for (int i = 0; i < TASKS; i++) {
            CHECK_STATUS(tp_future_result(futures[i], 0, NULL), end_of(futures[i])); /* shut down and waited for: all are done */
            tp_future_release(futures[i]);
        }
        CHECK_CHILD_OK(pid);
    }
    load_end();
}
