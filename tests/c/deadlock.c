/* Waits that could never end. */
#include "harness.h"

#include <stdatomic.h>

/* How a task waits for a future without limit. */
enum { BY_RESULT, BY_TAKE, BY_ERROR, BY_WAIT, WAYS };

static tp_status wait_by(int way, tp_future *future) {
    void *result = NULL;
    switch (way) {
    case BY_RESULT: return tp_future_result(future, TP_FOREVER, &result);
    case BY_TAKE: return tp_future_take(future, TP_FOREVER, &result);
    case BY_ERROR: return tp_future_error(future, TP_FOREVER, NULL);
    default: return tp_wait(&future, 1, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL);
    }
}

/* ---- a task that waits for itself --------------------------------------------------------------------------------------------------------- */

static void *wait_for_myself(void *arg) {
    int        way = (int)(intptr_t)arg;
    tp_future *me = tp_future_current();
    size_t     n_done = 99;
    void      *result = arg;
    if (way == BY_WAIT) {
        tp_future *twice[2] = {me, me};
        CHECK_FAILS(tp_wait(twice, 2, TP_FOREVER, TP_WAIT_ALL_COMPLETED, &n_done), TP_ERR_DEADLOCK);
        CHECK_EQ(n_done, 99);
    } else if (way == BY_TAKE) {
        CHECK_FAILS(tp_future_take(me, TP_FOREVER, &result), TP_ERR_DEADLOCK);
    } else {
        CHECK_FAILS(wait_by(way, me), TP_ERR_DEADLOCK);
    }
    CHECK_PTR(result, arg);
    /* Limited waits are not in the graph: they time out, and not before their time. */
    int64_t begin = now_ns();
    CHECK_STATUS(tp_future_result(me, TP_MSEC(2), NULL), TP_ERR_TIMEOUT);
    CHECK(now_ns() - begin >= TP_MSEC(2));
    CHECK_STATUS(tp_future_result(me, 0, NULL), TP_ERR_TIMEOUT);
    CHECK_STATUS(tp_wait(&me, 1, TP_MSEC(1), TP_WAIT_FIRST_COMPLETED, &n_done), TP_ERR_TIMEOUT);
    return arg;
}

TEST(n03_a_task_that_waits_for_itself) {
    for (size_t workers = 1; workers <= 3; workers += 2) {
        tp_executor *executor = new_executor(workers);
        for (int way = 0; way < WAYS; way++) CHECK_EQ((intptr_t)result_of(submit(executor, wait_for_myself, (void *)(intptr_t)way)), way);
        tp_executor_free(executor);
    }
}

/* ---- cycles of tasks that all run ------------------------------------------------------------------------------------------------------------- */

/* Task i waits for task i + 1, the last for the first. All have started before any waits, on as many executors as asked. Exactly one, the one
 * that closes the cycle, is told; then all end one after the other. */
enum { MAX_RING = 6 };
typedef struct ring ring;
typedef struct {
    ring      *ring;
    int        index;
    tp_status  status;
    tp_future *future;
} member;
struct ring {
    pthread_barrier_t all_started;
    gate              known; /* every task's future is noted */
    int               n, way;
    member            members[MAX_RING];
};

static void *wait_for_the_next(void *arg) {
    member *l = (member *)arg;
    gate_wait(&l->ring->known);
    pthread_barrier_wait(&l->ring->all_started);
    l->status = wait_by(l->ring->way < WAYS ? l->ring->way : l->index % WAYS, l->ring->members[(l->index + 1) % l->ring->n].future);
    return l;
}

static void cycle(int n, int executors, int way) {
    static ring  r;
    tp_executor *pools[MAX_RING];
    int          told = 0;
    memset(&r, 0, sizeof r);
    pthread_barrier_init(&r.all_started, NULL, (unsigned)n);
    gate_init(&r.known);
    r.n = n;
    r.way = way;
    for (int i = 0; i < executors; i++) pools[i] = new_executor((size_t)((n + executors - 1) / executors));
    for (int i = 0; i < n; i++) {
        r.members[i] = (member){&r, i, TP_END, NULL};
        r.members[i].future = submit(pools[i % executors], wait_for_the_next, &r.members[i]);
    }
    gate_open(&r.known);
    for (int i = 0; i < executors; i++) tp_executor_free(pools[i]); /* returns when all have ended */
    for (int i = 0; i < n; i++) {
        if (r.members[i].status == TP_ERR_DEADLOCK) told++;
        else CHECK_STATUS(r.members[i].status, TP_OK); /* the others go on */
    }
    CHECK_EQ(told, 1);
    for (int i = 0; i < n; i++) {
        CHECK_EQ(tp_future_state(r.members[i].future), TP_STATE_FINISHED);
        tp_future_release(r.members[i].future);
    }
    pthread_barrier_destroy(&r.all_started);
}

TEST(n03_of_two_tasks_that_wait_for_each_other_exactly_one_is_told) {
    long rounds = repeat(2000);
    for (long round = 0; round < rounds; round++) cycle(2, 1, (int)(round % 2) == 0 ? BY_RESULT : BY_ERROR);
}
TEST(n03_across_two_executors) {
    long rounds = repeat(2000);
    for (long round = 0; round < rounds; round++) cycle(2, 2, BY_RESULT);
}
TEST(n03_longer_cycles_on_one_executor_and_across_several) {
    long rounds = repeat(300);
    for (long round = 0; round < rounds; round++)
        for (int n = 3; n <= MAX_RING; n++) {
            cycle(n, 1, BY_RESULT);
            cycle(n, 2, BY_WAIT);
            cycle(n, n, BY_ERROR);
        }
}
TEST(n03_cycles_of_take_and_of_wait) {
    long rounds = repeat(200);
    for (long round = 0; round < rounds; round++) {
        cycle(2, 1, BY_WAIT);
        cycle(3, 3, BY_WAIT);
        cycle(2, 2, BY_TAKE);
        cycle(3, 1, BY_TAKE);
        cycle(5, 2, WAYS); /* each in its own way */
    }
}

/* ---- through tasks run inline --------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor, *other;
    tp_future   *outer;
    tp_status    inner_status, outer_status, far_status;
    int          way;
} inlined;

static void *wait_for_the_outer(void *arg) {
    inlined *i = (inlined *)arg;
    i->inner_status = wait_by(i->way, i->outer);
    return i;
}

static void *run_one_that_waits_for_me(void *arg) {
    inlined *i = (inlined *)arg;
    i->outer = tp_future_current();
    tp_future *inner = submit(i->executor, wait_for_the_outer, i);
    i->outer_status = tp_future_result(inner, TP_FOREVER, NULL);
    tp_future_release(inner);
    return i;
}

TEST(n03_an_inline_task_that_waits_for_the_task_that_runs_it) {
    for (int way = 0; way < WAYS; way++) {
        inlined i = {new_executor(1), NULL, NULL, TP_END, TP_END, TP_END, way};
        CHECK_PTR(result_of(submit(i.executor, run_one_that_waits_for_me, &i)), &i);
        CHECK_STATUS(i.inner_status, TP_ERR_DEADLOCK);
        CHECK_STATUS(i.outer_status, TP_OK);
        tp_executor_free(i.executor);
    }
}

/* outer (first executor) runs middle inline; middle waits for far (second executor); far waits for outer. */
static void *far_away(void *arg) {
    inlined *i = (inlined *)arg;
    i->far_status = tp_future_result(i->outer, TP_FOREVER, NULL);
    return i;
}
static void *middle(void *arg) {
    inlined   *i = (inlined *)arg;
    tp_future *far = submit(i->other, far_away, i);
    i->inner_status = tp_future_result(far, TP_FOREVER, NULL);
    tp_future_release(far);
    return i;
}
static void *outer(void *arg) {
    inlined *i = (inlined *)arg;
    i->outer = tp_future_retain(tp_future_current());
    tp_future *inner = submit(i->executor, middle, i);
    i->outer_status = tp_future_result(inner, TP_FOREVER, NULL);
    tp_future_release(inner);
    return i;
}

TEST(n03_a_cycle_across_executors_through_a_task_run_inline) {
    long rounds = repeat(500);
    for (long round = 0; round < rounds; round++) {
        inlined i = {new_executor(1), new_executor(1), NULL, TP_END, TP_END, TP_END, 0};
        result_of(submit(i.executor, outer, &i));
        tp_executor_free(i.executor);
        tp_executor_free(i.other);
        CHECK_STATUS(i.outer_status, TP_OK); /* it waits for one that runs on its own stack */
        CHECK_EQ((i.inner_status == TP_ERR_DEADLOCK) + (i.far_status == TP_ERR_DEADLOCK), 1);
        CHECK_EQ((i.inner_status == TP_OK) + (i.far_status == TP_OK), 1);
        tp_future_release(i.outer);
    }
}

/* A map's item that waits for the task that iterates over the map. */
static void *map_over_one_that_waits_for_me(void *arg) {
    inlined   *i = (inlined *)arg;
    void      *args[1] = {i};
    tp_future *item = NULL;
    i->outer = tp_future_retain(tp_future_current()); /* the item may go on waiting when this has ended */
    tp_map *map = tp_map_new(i->executor, wait_for_the_outer, args, 1, 0, NULL);
    REQUIRE(map != NULL);
    i->outer_status = tp_map_next(map, TP_FOREVER, &item);
    tp_future_release(item);
    tp_map_free(map);
    return i;
}

TEST(n03_through_a_map) {
    inlined i = {new_executor(1), NULL, NULL, TP_END, TP_END, TP_END, BY_RESULT};
    result_of(submit(i.executor, map_over_one_that_waits_for_me, &i));
    CHECK_STATUS(i.inner_status, TP_ERR_DEADLOCK);
    CHECK_STATUS(i.outer_status, TP_OK);
    tp_executor_free(i.executor);
    tp_future_release(i.outer);
    /* With a second worker the item may run there; the wait of the map's next is then in the graph itself. */
    long rounds = repeat(300);
    for (long round = 0; round < rounds; round++) {
        inlined j = {new_executor(2), NULL, NULL, TP_END, TP_END, TP_END, BY_RESULT};
        result_of(submit(j.executor, map_over_one_that_waits_for_me, &j));
        tp_executor_free(j.executor);
        CHECK_EQ((j.inner_status == TP_ERR_DEADLOCK) + (j.outer_status == TP_ERR_DEADLOCK), 1);
        tp_future_release(j.outer);
    }
}

/* A wait for all of several closes a cycle by any one of them. */
typedef struct {
    gate       known, go;
    tp_future *waiter, *waited; /* one may run inside the other: that closes the cycle as well */
    tp_future *innocent[3];
    tp_status  by_wait, by_result;
} several;

static void *wait_for_all(void *arg) {
    several *s = (several *)arg;
    gate_wait(&s->known);
    tp_future *all[4] = {s->innocent[0], s->innocent[1], s->waited, s->innocent[2]};
    s->by_wait = tp_wait(all, 4, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL);
    return s;
}
static void *wait_for_the_waiter(void *arg) {
    several *s = (several *)arg;
    gate_wait(&s->known);
    s->by_result = tp_future_result(s->waiter, TP_FOREVER, NULL);
    return s;
}
static void *stay(void *arg) {
    gate_wait(&((several *)arg)->go);
    return arg;
}

TEST(n03_a_wait_for_all_of_several_closes_a_cycle_by_any) {
    long rounds = repeat(500);
    for (long round = 0; round < rounds; round++) {
        several      s = {GATE_INIT, GATE_INIT, NULL, NULL, {NULL}, TP_END, TP_END};
        tp_executor *executor = new_executor(2), *other = new_executor(3);
        for (int i = 0; i < 3; i++) s.innocent[i] = submit(other, stay, &s);
        s.waiter = submit(executor, wait_for_all, &s);
        s.waited = submit(executor, wait_for_the_waiter, &s);
        gate_open(&s.known);
        if (round % 2 == 0) sleep_ms(1); /* the cycle closes before or after the innocent ones are done */
        gate_open(&s.go);
        tp_executor_free(executor);
        tp_executor_free(other);
        CHECK_EQ((s.by_wait == TP_ERR_DEADLOCK) + (s.by_result == TP_ERR_DEADLOCK), 1);
        CHECK_EQ((s.by_wait == TP_OK) + (s.by_result == TP_OK), 1);
        for (int i = 0; i < 3; i++) tp_future_release(s.innocent[i]);
        tp_future_release(s.waiter);
        tp_future_release(s.waited);
    }
}

/* ---- never a false alarm ---------------------------------------------------------------------------------------------------------------------------- */

/* Every task waits for some that were submitted before it: there is no cycle, whatever runs where and inside what. */
enum { NODES = 120 };
typedef struct graph graph;
typedef struct {
    graph    *g;
    int       index, n, way;
    int       before[4];
    tp_status worst;
} node;
struct graph {
    tp_executor *executors[3];
    counter      known;
    tp_future   *futures[NODES];
    node         nodes[NODES];
};
static graph the_graph;

static void *wait_for_earlier_ones(void *arg) {
    node *v = (node *)arg;
    counter_wait(&v->g->known, v->index); /* those before this are submitted: they are noted, or will be at once */
    if (v->way == BY_WAIT && v->n > 0) {
        tp_future *futures[4];
        for (int i = 0; i < v->n; i++) futures[i] = v->g->futures[v->before[i]];
        v->worst = tp_wait(futures, (size_t)v->n, TP_FOREVER, TP_WAIT_ALL_COMPLETED, NULL);
        return v;
    }
    for (int i = 0; i < v->n; i++) {
        tp_status status = v->way == BY_ERROR ? tp_future_error(v->g->futures[v->before[i]], TP_FOREVER, NULL)
                                              : tp_future_result(v->g->futures[v->before[i]], TP_FOREVER, NULL);
        if (status != TP_OK) v->worst = status;
    }
    return v;
}

/* On executors of one worker each the tasks of another executor could all be behind blocked workers, which is not covered; so with several
 * executors each has workers enough for all. */
static void no_false_alarm(int executors, size_t workers) {
    long     rounds = repeat(150);
    unsigned seed = (unsigned)workers * 31u + (unsigned)executors;
    for (long round = 0; round < rounds; round++) {
        graph *g = &the_graph;
        memset(g, 0, sizeof *g);
        counter_init(&g->known);
        for (int i = 0; i < executors; i++) g->executors[i] = new_executor(workers);
        for (int i = 0; i < NODES; i++) {
            node *v = &g->nodes[i];
            *v = (node){g, i, i == 0 ? 0 : (int)((unsigned)rand_r(&seed) % 5), (int)((unsigned)rand_r(&seed) % WAYS), {0}, TP_OK};
            if (v->way == BY_TAKE) v->way = BY_RESULT;
            for (int j = 0; j < v->n; j++) v->before[j] = (int)((unsigned)rand_r(&seed) % (unsigned)i);
            g->futures[i] = submit(g->executors[i % executors], wait_for_earlier_ones, v);
            counter_add(&g->known, 1);
        }
        for (int i = NODES - 1; i >= 0; i--) CHECK_STATUS(tp_future_result(g->futures[i], TP_FOREVER, NULL), TP_OK);
        for (int i = 0; i < NODES; i++) {
            CHECK_STATUS(g->nodes[i].worst, TP_OK);
            tp_future_release(g->futures[i]);
        }
        for (int i = 0; i < executors; i++) tp_executor_free(g->executors[i]);
    }
}

TEST(n03_no_false_alarm_on_one_worker) { no_false_alarm(1, 1); }
TEST(n03_no_false_alarm_on_two_workers) { no_false_alarm(1, 2); }
TEST(n03_no_false_alarm_on_seven_workers) { no_false_alarm(1, 7); }
TEST(n03_no_false_alarm_across_executors) { no_false_alarm(3, NODES); }

/* A limited wait breaks the cycle: it is not in the graph, so nobody is told. */
typedef struct {
    gate       known;
    counter    started; /* both: a pending one would be run by its waiter, inside of it */
    tp_future *limited, *unlimited;
    tp_status  limited_status, unlimited_status;
    int        how;
} pair;

static void *wait_with_a_limit(void *arg) {
    pair *p = (pair *)arg;
    counter_add(&p->started, 1);
    counter_wait(&p->started, 2);
    gate_wait(&p->known);
    tp_completion_queue *queue;
    switch (p->how) {
    case 0: p->limited_status = tp_future_result(p->unlimited, TP_MSEC(30), NULL); break;
    case 1: p->limited_status = tp_wait(&p->unlimited, 1, TP_MSEC(30), TP_WAIT_ALL_COMPLETED, NULL); break;
    case 2: p->limited_status = tp_wait(&p->unlimited, 1, TP_MSEC(30), TP_WAIT_FIRST_COMPLETED, NULL); break;
    default:
        queue = tp_as_completed(&p->unlimited, 1);
        p->limited_status = tp_completion_queue_next(queue, TP_MSEC(30), NULL, NULL);
        tp_completion_queue_free(queue);
    }
    return p;
}
static void *wait_without_limit(void *arg) {
    pair *p = (pair *)arg;
    counter_add(&p->started, 1);
    counter_wait(&p->started, 2);
    gate_wait(&p->known);
    p->unlimited_status = tp_future_result(p->limited, TP_FOREVER, NULL);
    return p;
}

TEST(n03_limited_waits_are_not_in_the_graph) {
    for (int how = 0; how < 4; how++)
        for (int round = 0; round < 8; round++) {
            pair         p = {GATE_INIT, COUNTER_INIT, NULL, NULL, TP_END, TP_END, how};
            tp_executor *executor = new_executor(2);
            p.limited = submit(executor, wait_with_a_limit, &p);
            p.unlimited = submit(executor, wait_without_limit, &p);
            gate_open(&p.known);
            tp_executor_free(executor);
            CHECK_STATUS(p.limited_status, TP_ERR_TIMEOUT);
            CHECK_STATUS(p.unlimited_status, TP_OK);
            tp_future_release(p.limited);
            tp_future_release(p.unlimited);
        }
}

/* FIRST_COMPLETED and FIRST_FAILED waits for several are not in the graph: another of them ends the wait. */
typedef struct {
    gate       known, go;
    counter    started;
    tp_future *first, *second, *free_one;
    tp_status  first_status, second_status;
} rescue;

static void *wait_for_any(void *arg) {
    rescue *r = (rescue *)arg;
    counter_add(&r->started, 1);
    counter_wait(&r->started, 3);
    gate_wait(&r->known);
    tp_future *any[2] = {r->second, r->free_one};
    r->first_status = tp_wait(any, 2, TP_FOREVER, TP_WAIT_FIRST_COMPLETED, NULL);
    return r;
}
static void *wait_for_first(void *arg) {
    rescue *r = (rescue *)arg;
    counter_add(&r->started, 1);
    counter_wait(&r->started, 3);
    gate_wait(&r->known);
    r->second_status = tp_future_result(r->first, TP_FOREVER, NULL);
    return r;
}
static void *come_to_the_rescue(void *arg) {
    counter_add(&((rescue *)arg)->started, 1);
    gate_wait(&((rescue *)arg)->go);
    return arg;
}

TEST(n03_waits_for_the_first_of_several_are_not_in_the_graph) {
    for (int round = 0; round < 100; round++) {
        rescue       r = {GATE_INIT, GATE_INIT, COUNTER_INIT, NULL, NULL, NULL, TP_END, TP_END};
        tp_executor *executor = new_executor(3);
        r.first = submit(executor, wait_for_any, &r);
        r.second = submit(executor, wait_for_first, &r);
        r.free_one = submit(executor, come_to_the_rescue, &r);
        gate_open(&r.known);
        if (round % 2 == 0) sleep_ms(1);
        gate_open(&r.go);
        tp_executor_free(executor);
        CHECK_STATUS(r.first_status, TP_OK);
        CHECK_STATUS(r.second_status, TP_OK);
        tp_future_release(r.first);
        tp_future_release(r.second);
        tp_future_release(r.free_one);
    }
}

/* Threads that are no workers hold nothing up: their waits close no cycle. */
static void *wait_from_outside(void *arg) {
    CHECK_STATUS(tp_future_result((tp_future *)arg, TP_FOREVER, NULL), TP_OK);
    return NULL;
}
static void *wait_for_a_thread(void *arg) {
    pthread_t thread = start_thread(wait_from_outside, arg);
    join_thread(thread);
    return NULL;
}

TEST(n03_threads_that_are_no_workers_are_not_in_the_graph) {
    tp_executor *executor = new_executor(1), *other = new_executor(1);
    blocker      busy;
    block(other, &busy);
    tp_future *awaited = tp_future_retain(busy.future), *future = submit(executor, wait_for_a_thread, awaited);
    sleep_ms(1);
    unblock(&busy);
    result_of(future);
    tp_future_release(awaited);
    tp_executor_free(executor);
    tp_executor_free(other);
}

/* A callback that waits is no task: the future whose callback it is, is done. */
static void wait_for_my_future(tp_future *future, void *user_data) {
    CHECK_STATUS(tp_future_result(future, TP_FOREVER, NULL), TP_OK);
    gate_open((gate *)user_data);
}

TEST(n03_a_callback_may_wait_for_its_own_future) {
    gate         called = GATE_INIT;
    tp_executor *executor = new_executor(1);
    blocker      busy;
    block(executor, &busy);
    CHECK_STATUS(tp_future_add_done_callback(busy.future, wait_for_my_future, &called), TP_OK);
    unblock(&busy);
    gate_wait(&called);
    tp_executor_free(executor);
}

/* ---- past the nesting limit --------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    tp_executor *executor;
    long         depth, refused_at;
    int          refusals;
} abyss;
static abyss the_abyss;

static void *fall(void *arg) {
    uintptr_t  depth = (uintptr_t)arg;
    tp_future *future;
    the_abyss.depth = (long)depth;
    if (depth == 100000) return NULL; /* a library that runs so deep needs no limit */
    future = submit(the_abyss.executor, fall, (void *)(depth + 1));
    tp_status status = tp_future_result(future, TP_FOREVER, NULL);
    if (status == TP_ERR_DEADLOCK) {
        the_abyss.refused_at = (long)depth;
        the_abyss.refusals++;
        CHECK(tp_future_cancel(future)); /* it is pending still */
    } else {
        CHECK_STATUS(status, TP_OK);
    }
    tp_future_release(future);
    return NULL;
}

TEST(n03_past_the_nesting_limit_one_worker_is_told) {
    memset(&the_abyss, 0, sizeof the_abyss);
    the_abyss.executor = new_executor(1);
    result_of(submit(the_abyss.executor, fall, NULL));
    CHECK(the_abyss.depth >= 2000);
    if (the_abyss.depth < 100000) {
        CHECK_EQ(the_abyss.refusals, 1);
        CHECK_EQ(the_abyss.refused_at, the_abyss.depth);
    }
    int value;
    CHECK_PTR(result_of(submit(the_abyss.executor, return_arg, &value)), &value); /* and all is well afterwards */
    tp_executor_free(the_abyss.executor);
}
