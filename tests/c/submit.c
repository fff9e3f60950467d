/* Submitting: every form, order, atomicity, exact accounting. */
#include "harness.h"

#include <sched.h>
#include <stdatomic.h>

/* ---- forms ------------------------------------------------------------------------------------------------------------------ */

TEST(submit_gives_back_what_the_task_returned) {
    tp_executor *executor = new_executor(2);
    int          value;
    CHECK_PTR(result_of(submit(executor, return_arg, &value)), &value);
    CHECK_PTR(result_of(submit(executor, return_null, &value)), NULL);
    CHECK_PTR(result_of(submit(executor, return_arg, NULL)), NULL);
    CHECK_PTR(result_of(submit(executor, return_arg, (void *)UINTPTR_MAX)), (void *)UINTPTR_MAX);
    CHECK_PTR(result_of(submit(executor, return_arg, (void *)1)), (void *)1);
    tp_executor_free(executor);
}

TEST(execute_runs_and_free_waits_for_it) {
    tp_executor *executor = new_executor(3);
    counter      ran = COUNTER_INIT;
    for (int i = 0; i < 10000; i++) CHECK_STATUS(tp_execute(executor, count_run, &ran), TP_OK);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 10000);
}

TEST(submit_many_gives_one_future_per_argument_in_order) {
    enum { N = 5000 };
    static void      *args[N];
    static tp_future *futures[N];
    tp_executor      *executor = new_executor(4);
    for (int i = 0; i < N; i++) args[i] = &args[i];
    CHECK_STATUS(tp_submit_many(executor, return_arg, args, N, futures), TP_OK);
    for (int i = 0; i < N; i++) CHECK_PTR(result_of(futures[i]), &args[i]);
    tp_executor_free(executor);
}

TEST(submit_many_without_futures_runs_all) {
    enum { N = 3000 };
    static void *args[N];
    counter      ran = COUNTER_INIT;
    tp_executor *executor = new_executor(2);
    for (int i = 0; i < N; i++) args[i] = &ran;
    CHECK_STATUS(tp_submit_many(executor, count_run, args, N, NULL), TP_OK);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), N);
}

TEST(submit_many_of_every_small_number) {
    tp_executor *executor = new_executor(2);
    counter      ran = COUNTER_INIT;
    void        *args[700];
    tp_future   *futures[700];
    long         expected = 0;
    for (int i = 0; i < 700; i++) args[i] = &ran;
    for (size_t n = 1; n < 700; n = n < 70 ? n + 1 : n + 63) {
        CHECK_STATUS(tp_submit_many(executor, count_run, args, n, futures), TP_OK);
        for (size_t i = 0; i < n; i++) CHECK_PTR(result_of(futures[i]), &ran);
        expected += (long)n;
    }
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), expected);
}

TEST(submit_many_of_none_is_fine) {
    tp_executor *executor = new_executor(1);
    void        *args[1] = {NULL};
    tp_future   *futures[1] = {(tp_future *)args};
    CHECK_STATUS(tp_submit_many(executor, return_arg, args, 0, futures), TP_OK);
    CHECK_PTR(futures[0], args);
    CHECK_EQ(tp_executor_worker_count(executor), 0);
    tp_executor_free(executor);
}

TEST(submit_task_full_form) {
    tp_executor *executor = new_executor(1);
    counter      arg_dropped = COUNTER_INIT, ran = COUNTER_INIT;
    char         name[] = "the name of a task";
    tp_future   *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &ran, .drop_arg = NULL, .name = name), &future), TP_OK);
    memset(name, 'x', sizeof name - 1);
    REQUIRE(future != NULL);
    CHECK_PTR(result_of(future), &ran);

    CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &arg_dropped, .drop_arg = count_drop), &future), TP_OK);
    CHECK_PTR(result_of(future), &arg_dropped);
    CHECK_EQ(counter_get(&arg_dropped), 1);
    tp_executor_free(executor);
}

TEST(submit_task_without_future_is_fire_and_forget) {
    tp_executor *executor = new_executor(2);
    counter      ran = COUNTER_INIT, other = COUNTER_INIT;
    for (int i = 0; i < 1000; i++)
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = count_run, .arg = &ran, .drop_arg = count_drop, .name = "forgotten"), NULL), TP_OK);
    for (int i = 0; i < 1000; i++)
        CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = return_arg, .arg = &other, .drop_result = count_drop), NULL), TP_OK);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 2000);   /* run and argument dropped, each once */
    CHECK_EQ(counter_get(&other), 1000); /* its result dropped */
}

/* The struct is read during the call only. */
TEST(submit_task_keeps_nothing_of_the_struct) {
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    char       name[] = "volatile";
    tp_task    task = {.size = sizeof task, .fn = return_arg, .arg = &busy, .name = name};
    tp_future *future = NULL;
    CHECK_STATUS(tp_submit_task(executor, &task, &future), TP_OK);
    memset(&task, 0xff, sizeof task);
    memset(name, 0xff, sizeof name);
    unblock(&busy);
    CHECK_PTR(result_of(future), &busy);
    tp_executor_free(executor);
}

/* ---- P3: order -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    atomic_long *next;
    long         position;
} ordered;

static void *note_position(void *arg) {
    ordered *o = (ordered *)arg;
    o->position = atomic_fetch_add(o->next, 1);
    return o;
}

TEST(p03_one_worker_starts_tasks_in_submission_order_whatever_the_form) {
    enum { N = 20000, MANY = 37 };
    static ordered tasks[N];
    atomic_long    next = 0;
    tp_executor   *executor = new_executor(1);
    for (int i = 0; i < N; i++) tasks[i] = (ordered){&next, -1};
    for (int i = 0; i < N;) {
        void *args[MANY];
        int   many = N - i < MANY ? N - i : MANY;
        switch (i % 4) {
        case 0: CHECK_STATUS(tp_execute(executor, note_position, &tasks[i++]), TP_OK); break;
        case 1: tp_future_release(submit(executor, note_position, &tasks[i++])); break;
        case 2: CHECK_STATUS(tp_submit_task(executor, TP_TASK(.fn = note_position, .arg = &tasks[i++], .name = "x"), NULL), TP_OK); break;
        default:
            for (int j = 0; j < many; j++) args[j] = &tasks[i + j];
            CHECK_STATUS(tp_submit_many(executor, note_position, args, (size_t)many, NULL), TP_OK);
            i += many;
        }
    }
    tp_executor_free(executor);
    for (int i = 0; i < N; i++) CHECK_EQ(tasks[i].position, i);
}

enum { PRODUCERS = 4, PER_PRODUCER = 20000 };
static ordered produced[PRODUCERS][PER_PRODUCER];

typedef struct {
    tp_executor *executor;
    ordered     *tasks;
} producer;

static void *produce(void *arg) {
    producer *p = (producer *)arg;
    for (int i = 0; i < PER_PRODUCER; i++) {
        if (i % 3 == 0) tp_future_release(submit(p->executor, note_position, &p->tasks[i]));
        else CHECK_STATUS(tp_execute(p->executor, note_position, &p->tasks[i]), TP_OK);
    }
    return NULL;
}

TEST(p03_one_worker_keeps_the_order_of_each_of_many_submitters) {
    atomic_long  next = 0;
    tp_executor *executor = new_executor(1);
    producer     producers[PRODUCERS];
    pthread_t    threads[PRODUCERS];
    for (int p = 0; p < PRODUCERS; p++) {
        for (int i = 0; i < PER_PRODUCER; i++) produced[p][i] = (ordered){&next, -1};
        producers[p] = (producer){executor, produced[p]};
        threads[p] = start_thread(produce, &producers[p]);
    }
    for (int p = 0; p < PRODUCERS; p++) join_thread(threads[p]);
    tp_executor_free(executor);
    CHECK_EQ(atomic_load(&next), (long)PRODUCERS * PER_PRODUCER);
    for (int p = 0; p < PRODUCERS; p++)
        for (int i = 1; i < PER_PRODUCER; i++) CHECK(produced[p][i].position > produced[p][i - 1].position);
}

/* The submitters: a thread outside, and the tasks themselves. One lock orders their submissions; the worker has to keep that order. */
enum { FROM_INSIDE = 3000 };
typedef struct {
    tp_executor    *executor;
    pthread_mutex_t lock;
    long            submitted;
    ordered         tasks[3 * FROM_INSIDE];
    atomic_long     next;
} submission_log;
static submission_log submissions;

static void submit_logged(submission_log *log) {
    pthread_mutex_lock(&log->lock);
    ordered *task = &log->tasks[log->submitted++];
    *task = (ordered){&log->next, -1};
    tp_future_release(submit(log->executor, note_position, task));
    pthread_mutex_unlock(&log->lock);
}

static void *submit_two_logged(void *arg) {
    submit_logged((submission_log *)arg);
    submit_logged((submission_log *)arg);
    return NULL;
}

TEST(p03_one_worker_keeps_the_order_of_tasks_that_submit_beside_others) {
    submission_log *log = &submissions;
    log->executor = new_executor(1);
    pthread_mutex_init(&log->lock, NULL);
    log->submitted = 0;
    atomic_store(&log->next, 0);
    for (int i = 0; i < FROM_INSIDE; i++) {
        CHECK_STATUS(tp_execute(log->executor, submit_two_logged, log), TP_OK);
        submit_logged(log);
    }
    /* Shut down only when the tasks have submitted all of theirs: after it they would be refused. */
    EVENTUALLY(atomic_load(&log->next) == 3 * FROM_INSIDE);
    tp_executor_free(log->executor);
    for (long i = 0; i < log->submitted; i++) CHECK_EQ(log->tasks[i].position, i);
}

/* ---- P3: bounded overtaking --------------------------------------------------------------------------------------------------
 * All workers but one are held by long tasks somewhere in the crowd, with whatever those workers had taken along; the last worker runs the
 * rest. From the moment that all long tasks have started, each of its tasks is counted, and the oldest task still pending is looked for: no
 * more than w × (32 + 64) later ones may have gone by. Only one thread moves, so it is no matter of timing. */

enum { CROWD = 4000, MAX_CROWD_WORKERS = 8 };
typedef struct crowd crowd;
typedef struct {
    crowd *c;
    bool   is_long, went_by; /* counted */
} one;
struct crowd {
    tp_executor *executor;
    size_t       workers;
    tp_future   *futures[CROWD];
    one          all[CROWD];
    counter      held, through; /* long tasks that have started, others that have run */
    gate         release;
    long         counted, worst;
    bool         root_is_long;
};
static crowd the_crowd;

static void look_for_the_overtaken(crowd *c) {
    long overtaking = 0;
    for (long i = 0; i < CROWD; i++) {
        if (tp_future_state(c->futures[i]) != TP_STATE_PENDING) continue;
        for (long later = i + 1; later < CROWD; later++) overtaking += c->all[later].went_by;
        if (overtaking > c->worst) c->worst = overtaking;
        return;
    }
}

static void *go_by(void *arg) {
    one   *o = (one *)arg;
    crowd *c = o->c;
    if (o->is_long) {
        counter_add(&c->held, 1);
        gate_wait(&c->release);
        return NULL;
    }
    if (counter_get(&c->held) == (long)c->workers - 1) { /* this is the only worker left */
        o->went_by = true;
        c->counted++;
        if (c->counted > (long)c->workers * (32 + 64) && c->counted % 16 == 0) look_for_the_overtaken(c);
    }
    counter_add(&c->through, 1);
    return NULL;
}

static void *submit_the_crowd(void *arg) {
    crowd *c = (crowd *)arg;
    for (long i = 0; i < CROWD; i++) c->futures[i] = submit(c->executor, go_by, &c->all[i]);
    if (!c->root_is_long) return NULL;
    counter_add(&c->held, 1); /* the task that submitted them is one of the long ones: what is in its own ring stays there */
    gate_wait(&c->release);
    return NULL;
}

static void overtaking(size_t workers, bool from_inside, unsigned seed) {
    crowd     *c = &the_crowd;
    blocker    busy[MAX_CROWD_WORKERS];
    tp_future *root = NULL;
    memset(c, 0, sizeof *c);
    counter_init(&c->held);
    counter_init(&c->through);
    gate_init(&c->release);
    c->executor = new_executor(workers);
    c->workers = workers;
    c->root_is_long = from_inside;
    for (long i = 0; i < CROWD; i++) c->all[i].c = c;
    long longs = (long)workers - 1 - from_inside;
    for (long i = 0; i < longs;) {
        one *o = &c->all[(unsigned)rand_r(&seed) % (64 * workers)];
        i += !o->is_long;
        o->is_long = true;
    }
    longs += from_inside;
    for (size_t i = from_inside; i < workers; i++) block(c->executor, &busy[i]); /* nobody starts before all are submitted */
    if (from_inside) {
        root = submit(c->executor, submit_the_crowd, c);
        counter_wait(&c->held, 1);
    } else {
        submit_the_crowd(c);
    }
    for (size_t i = from_inside; i < workers; i++) unblock(&busy[i]);
    counter_wait(&c->through, CROWD - (longs - from_inside));
    gate_open(&c->release);
    if (root != NULL) result_of(root);
    tp_executor_free(c->executor);
    for (long i = 0; i < CROWD; i++) result_of(c->futures[i]);
    if (c->worst > (long)workers * (32 + 64))
        test_failed(__FILE__, __LINE__, "%zu workers, submitted from %s: overtaken by %ld tasks", workers, from_inside ? "inside" : "outside", c->worst);
}

TEST(p03_a_pending_task_is_overtaken_by_a_bounded_number) {
    static const size_t workers[] = {2, 3, 4, 8};
    for (unsigned seed = 0; seed < repeat(10); seed++)
        for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
            overtaking(workers[i], false, seed);
            overtaking(workers[i], true, seed);
        }
}

/* ---- P3: nobody waits behind a blocked worker -------------------------------------------------------------------------------- */

typedef struct {
    gate    release;
    counter arrived; /* blockers that have started, others that have run */
} pass;

static void *stay(void *arg) {
    pass *p = (pass *)arg;
    gate_wait(&p->release);
    return NULL;
}

static void *go_through(void *arg) {
    counter_add(&((pass *)arg)->arrived, 1);
    return NULL;
}

/* w - 1 tasks that block, somewhere among others; all the others have to get through while those block. */
typedef struct {
    tp_executor *executor;
    pass        *pass;
    unsigned     seed;
    int          workers, n;
} mixture;

static void *submit_mixture(void *arg) {
    mixture *m = (mixture *)arg;
    bool     blocks[512] = {false};
    for (int i = 0; i < m->workers - 1; i++) {
        int at = (int)((unsigned)rand_r(&m->seed) % (unsigned)m->n);
        while (blocks[at]) at = (at + 1) % m->n;
        blocks[at] = true;
    }
    for (int i = 0; i < m->n; i++) CHECK_STATUS(tp_execute(m->executor, blocks[i] ? stay : go_through, m->pass), TP_OK);
    return NULL;
}

static void nobody_waits(bool from_inside) {
    long rounds = repeat(600);
    for (long round = 0; round < rounds; round++) {
        pass    p = {GATE_INIT, COUNTER_INIT};
        mixture m = {NULL, &p, (unsigned)round * 7919u + 1, 2 + (int)(round % 7), 1 << (3 + round % 6)};
        m.executor = new_executor((size_t)m.workers);
        if (from_inside) result_of(submit(m.executor, submit_mixture, &m));
        else submit_mixture(&m);
        counter_wait(&p.arrived, m.n - (m.workers - 1));
        gate_open(&p.release);
        tp_executor_free(m.executor);
    }
}

TEST(p03_no_task_waits_behind_a_blocked_worker) { nobody_waits(false); }
TEST(p03_no_task_waits_behind_a_blocked_worker_when_submitted_from_inside) { nobody_waits(true); }

typedef struct {
    pass *p;
    bool  blocks;
} passer;

static void *stay_or_go(void *arg) {
    passer *q = (passer *)arg;
    return q->blocks ? stay(q->p) : go_through(q->p);
}

TEST(p03_no_task_waits_behind_a_blocked_worker_when_submitted_at_once) {
    enum { N = 200 };
    long rounds = repeat(400);
    for (long round = 0; round < rounds; round++) {
        pass     p = {GATE_INIT, COUNTER_INIT};
        unsigned seed = (unsigned)round + 17;
        int      workers = 2 + (int)(round % 6), left = workers - 1;
        passer   passers[N];
        void    *args[N];
        for (int i = 0; i < N; i++) {
            passers[i] = (passer){&p, false};
            args[i] = &passers[i];
        }
        while (left > 0) {
            passer *q = &passers[(unsigned)rand_r(&seed) % N];
            left -= !q->blocks;
            q->blocks = true;
        }
        tp_executor *executor = new_executor((size_t)workers);
        CHECK_STATUS(tp_submit_many(executor, stay_or_go, args, N, NULL), TP_OK);
        counter_wait(&p.arrived, N - (workers - 1));
        gate_open(&p.release);
        tp_executor_free(executor);
    }
}

/* ---- P9 --------------------------------------------------------------------------------------------------------------------- */

static void *meet(void *arg) {
    pthread_barrier_wait((pthread_barrier_t *)arg);
    return NULL;
}

TEST(p09_submit_many_spreads_over_idle_workers) {
    enum { WORKERS = 6 };
    tp_executor      *executor = new_executor(WORKERS);
    pthread_barrier_t together;
    pthread_barrier_init(&together, NULL, WORKERS);
    void *args[WORKERS];
    for (int i = 0; i < WORKERS; i++) args[i] = &together;
    long rounds = repeat(300);
    for (long round = 0; round < rounds; round++) { /* the first round starts the workers, the later ones find them idle */
        tp_future *futures[WORKERS];
        CHECK_STATUS(tp_submit_many(executor, meet, args, WORKERS, futures), TP_OK);
        for (int i = 0; i < WORKERS; i++) result_of(futures[i]);
        if (round % 10 == 0) sleep_ms(1); /* let them fall asleep */
    }
    tp_executor_free(executor);
    pthread_barrier_destroy(&together);
}

TEST(p09_submit_many_is_all_or_none) {
    tp_executor *executor = new_executor(1);
    counter      ran = COUNTER_INIT;
    void        *args[3] = {&ran, &ran, &ran};
    tp_future   *futures[3] = {(tp_future *)args, (tp_future *)args, (tp_future *)args};
    CHECK_FAILS(tp_submit_many(executor, NULL, args, 3, futures), TP_ERR_INVALID_ARGUMENT);
    CHECK_FAILS(tp_submit_many(NULL, count_run, args, 3, futures), TP_ERR_INVALID_ARGUMENT);
    CHECK_STATUS(tp_executor_shutdown(executor, 0), TP_OK);
    CHECK_FAILS(tp_submit_many(executor, count_run, args, 3, futures), TP_ERR_SHUTDOWN);
    for (int i = 0; i < 3; i++) CHECK_PTR(futures[i], args);
    tp_executor_free(executor);
    CHECK_EQ(counter_get(&ran), 0);
}

/* A submit_many that races with shutdown runs all of its tasks or none. */
typedef struct {
    tp_executor       *executor;
    pthread_barrier_t *start;
    void             **args;
    size_t             n;
    tp_status          status;
} bulk;

static void *submit_bulk(void *arg) {
    bulk *b = (bulk *)arg;
    pthread_barrier_wait(b->start);
    b->status = tp_submit_many(b->executor, count_run, b->args, b->n, NULL);
    return NULL;
}

TEST(p09_submit_many_against_shutdown_is_all_or_none) {
    enum { N = 600, BULKS = 3 };
    static void *args[BULKS][N];
    long         rounds = repeat(400);
    long         accepted = 0;
    for (long round = 0; round < rounds; round++) {
        tp_executor      *executor = new_executor(2);
        pthread_barrier_t start;
        counter           ran[BULKS];
        bulk              bulks[BULKS];
        pthread_t         threads[BULKS];
        pthread_barrier_init(&start, NULL, BULKS + 1);
        for (int b = 0; b < BULKS; b++) {
            counter_init(&ran[b]);
            for (int i = 0; i < N; i++) args[b][i] = &ran[b];
            bulks[b] = (bulk){executor, &start, args[b], N, TP_OK};
            threads[b] = start_thread(submit_bulk, &bulks[b]);
        }
        pthread_barrier_wait(&start);
        if (round % 2 == 0) sched_yield();
        CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
        for (int b = 0; b < BULKS; b++) join_thread(threads[b]);
        /* A bulk accepted before the close is complete when shutdown returns; one refused never ran. */
        for (int b = 0; b < BULKS; b++) {
            if (bulks[b].status == TP_OK) accepted++;
            else CHECK_STATUS(bulks[b].status, TP_ERR_SHUTDOWN);
            CHECK_EQ(counter_get(&ran[b]), bulks[b].status == TP_OK ? N : 0);
        }
        tp_executor_free(executor);
        pthread_barrier_destroy(&start);
    }
    (void)accepted; /* how the races went; either way is right */
}

/* ---- P4, P7: exact accounting under many submitters --------------------------------------------------------------------------- */

enum { SUBMITTERS = 8, PER_SUBMITTER = 30000 };
static atomic_uchar runs[SUBMITTERS][PER_SUBMITTER];

static void *mark(void *arg) {
    atomic_fetch_add((atomic_uchar *)arg, 1);
    return arg;
}

typedef struct {
    tp_executor *executor;
    int          index;
} submitter;

static void *submit_all_forms(void *arg) {
    submitter   *s = (submitter *)arg;
    atomic_uchar *mine = runs[s->index];
    for (int i = 0; i < PER_SUBMITTER;) {
        if (i % 5 == 0 && i + 64 <= PER_SUBMITTER) {
            void      *args[64];
            tp_future *futures[64];
            for (int j = 0; j < 64; j++) args[j] = &mine[i + j];
            CHECK_STATUS(tp_submit_many(s->executor, mark, args, 64, futures), TP_OK);
            for (int j = 0; j < 64; j++) tp_future_release(futures[j]);
            i += 64;
        } else if (i % 5 == 1) {
            CHECK_PTR(result_of(submit(s->executor, mark, &mine[i])), &mine[i]);
            i++;
        } else if (i % 5 == 2) {
            CHECK_STATUS(tp_submit_task(s->executor, TP_TASK(.fn = mark, .arg = &mine[i], .name = "n"), NULL), TP_OK);
            i++;
        } else {
            CHECK_STATUS(tp_execute(s->executor, mark, &mine[i]), TP_OK);
            i++;
        }
    }
    return NULL;
}

TEST(p04_every_accepted_task_runs_exactly_once) {
    tp_executor *executor = new_executor(4);
    submitter    submitters[SUBMITTERS];
    pthread_t    threads[SUBMITTERS];
    memset(runs, 0, sizeof runs);
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){executor, i};
        threads[i] = start_thread(submit_all_forms, &submitters[i]);
    }
    for (int i = 0; i < SUBMITTERS; i++) join_thread(threads[i]);
    tp_executor_free(executor);
    for (int s = 0; s < SUBMITTERS; s++)
        for (int i = 0; i < PER_SUBMITTER; i++) CHECK_EQ(runs[s][i], 1);
}

/* Submitters that race with a shutdown: what was accepted ran, what was refused did not. */
typedef struct {
    tp_executor  *executor;
    atomic_uchar *runs;
    bool         *accepted;
    long          n;
} racer;

static void *submit_until_refused(void *arg) {
    racer *r = (racer *)arg;
    long   i = 0;
    for (; i < r->n; i++) {
        if (i % 2 == 0) {
            tp_future *future = tp_submit(r->executor, mark, &r->runs[i]);
            r->accepted[i] = future != NULL;
            if (future == NULL) CHECK_LAST_ERROR(TP_ERR_SHUTDOWN);
            tp_future_release(future);
        } else {
            tp_status status = tp_execute(r->executor, mark, &r->runs[i]);
            r->accepted[i] = status == TP_OK;
            if (status != TP_OK) CHECK_STATUS(status, TP_ERR_SHUTDOWN);
        }
        if (!r->accepted[i]) break;
    }
    return NULL;
}

TEST(p04_accepted_means_run_and_refused_means_not_run_against_shutdown) {
    enum { RACERS = 3, N = 4000 };
    static atomic_uchar racer_runs[RACERS][N];
    static bool         accepted[RACERS][N];
    long                rounds = repeat(300);
    for (long round = 0; round < rounds; round++) {
        tp_executor *executor = new_executor(1 + (size_t)round % 3);
        racer        racers[RACERS];
        pthread_t    threads[RACERS];
        memset(racer_runs, 0, sizeof racer_runs);
        memset(accepted, 0, sizeof accepted);
        for (int i = 0; i < RACERS; i++) {
            racers[i] = (racer){executor, racer_runs[i], accepted[i], N};
            threads[i] = start_thread(submit_until_refused, &racers[i]);
        }
        for (long spin = 0; spin < round % 50; spin++) sched_yield();
        CHECK_STATUS(tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK);
        CHECK_EQ(tp_executor_worker_count(executor), 0);
        /* Nothing runs after this point, also what is refused only now. */
        static unsigned char after[RACERS][N];
        for (int i = 0; i < RACERS; i++)
            for (int j = 0; j < N; j++) after[i][j] = racer_runs[i][j];
        for (int i = 0; i < RACERS; i++) join_thread(threads[i]);
        tp_executor_free(executor);
        for (int i = 0; i < RACERS; i++)
            for (int j = 0; j < N; j++) {
                CHECK_EQ(racer_runs[i][j], accepted[i][j] ? 1 : 0);
                CHECK_EQ(racer_runs[i][j], after[i][j]);
            }
    }
}

/* P7: from a task, a callback and a drop hook. */
typedef struct {
    tp_executor *executor;
    counter      ran;
} everywhere;

static void *submit_from_task(void *arg) {
    everywhere *e = (everywhere *)arg;
    CHECK_STATUS(tp_execute(e->executor, count_run, &e->ran), TP_OK);
    return NULL;
}
static void submit_from_callback(tp_future *future, void *user_data) {
    (void)future;
    submit_from_task(user_data);
}
static void submit_from_drop(void *arg) { submit_from_task(arg); }

TEST(p07_submit_from_tasks_callbacks_and_drop_hooks) {
    everywhere e = {new_executor(2), COUNTER_INIT};
    tp_future *future = NULL;
    for (int i = 0; i < 1000; i++) {
        CHECK_STATUS(tp_submit_task(e.executor, TP_TASK(.fn = submit_from_task, .arg = &e, .drop_arg = submit_from_drop), &future), TP_OK);
        CHECK_STATUS(tp_future_add_done_callback(future, submit_from_callback, &e), TP_OK);
        tp_future_release(future);
    }
    counter_wait(&e.ran, 3000);
    tp_executor_free(e.executor);
    CHECK_EQ(counter_get(&e.ran), 3000);
}

/* A tree of tasks: each submits its children, on few workers, with nobody waiting inside. */
typedef struct {
    tp_executor *executor;
    counter      left;
} tree;
static tree the_tree;

static void *grow(void *arg) {
    uintptr_t depth = (uintptr_t)arg;
    if (depth > 0)
        for (int i = 0; i < 2; i++) CHECK_STATUS(tp_execute(the_tree.executor, grow, (void *)(depth - 1)), TP_OK);
    counter_add(&the_tree.left, 1);
    return NULL;
}

TEST(p07_a_tree_of_a_hundred_thousand_tasks) {
    counter_init(&the_tree.left);
    the_tree.executor = new_executor(3);
    CHECK_STATUS(tp_execute(the_tree.executor, grow, (void *)16), TP_OK);
    counter_wait(&the_tree.left, (1L << 17) - 1);
    tp_executor_free(the_tree.executor);
    CHECK_EQ(counter_get(&the_tree.left), (1L << 17) - 1);
}
