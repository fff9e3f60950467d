/* Every operation of the library from several threads at once, with exact accounting: run by run.sh under each tool.
 *
 * Whatever a call accepts is entered in the ledger (stress_tasks.h), and again when it has come to its end; when the executor
 * is gone the two sides are equal. */
#include "stress_tasks.h"

enum { CLIENTS = 3, BOARD = 16, MANY = 5 };

/* ---- what clients share ---------------------------------------------------------------------------------------------------- */

typedef struct stage {
    tp_executor         *executor;
    tp_completion_queue *queue;
    bool                 forgetful; /* a shutdown may forget tasks that nobody holds a future of */
    pthread_mutex_t      lock;
    tp_future           *board[BOARD]; /* under the lock: futures that every client uses */
    long                 operations;   /* of each client */
    counter              halfway;
} stage;

typedef struct client {
    stage   *stage;
    uint64_t seed;
} client;

static long draw(client *c, long n) {
    c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
    return (long)((c->seed >> 33) % (uint64_t)n);
}

/* Puts a future on the board for all; the one that was there goes. */
static void pin(client *c, tp_future *future) {
    long place = draw(c, BOARD);
    pthread_mutex_lock(&c->stage->lock);
    tp_future *old = c->stage->board[place];
    c->stage->board[place] = future;
    pthread_mutex_unlock(&c->stage->lock);
    tp_future_release(old);
}

/* A reference to a future of the board; NULL: none there. */
static tp_future *pick(client *c) {
    long place = draw(c, BOARD);
    pthread_mutex_lock(&c->stage->lock);
    tp_future *future = tp_future_retain(c->stage->board[place]);
    pthread_mutex_unlock(&c->stage->lock);
    return future;
}

/* ---- operations ------------------------------------------------------------------------------------------------------------ */

static void op_submit_for_all(client *c) {
    tp_future *future = submit_item(c->stage->executor, (work)draw(c, WORKS), draw(c, 1000));
    if (future != NULL) pin(c, future);
}

static void op_submit_and_take(client *c) {
    tp_future *future = submit_item(c->stage->executor, (work)draw(c, WORKS), draw(c, 1000));
    void      *result = NULL;
    if (future == NULL) return;
    tp_status status = tp_future_take(future, TP_FOREVER, &result);
    check_outcome(future, status, result);
    if (status == TP_OK) drop_answer(result);
    tp_future_release(future);
}

/* Plain futures of our own: either we see a task cancelled, or it counts itself. */
static void release_counted(tp_future *future) {
    tp_status status = tp_future_result(future, TP_FOREVER, NULL);
    if (status == TP_ERR_CANCELLED) ended(TASKS);
    else CHECK_STATUS(status, TP_OK);
    tp_future_release(future);
}

static void op_submit_and_cancel(client *c) {
    begun(TASKS, 1);
    tp_future *future = tp_submit(c->stage->executor, count_task, NULL);
    if (future == NULL) {
        ended(TASKS);
        return;
    }
    (void)tp_future_cancel(future);
    release_counted(future);
}

static void op_submit_many(client *c) {
    void      *args[MANY] = {NULL};
    tp_future *futures[MANY];
    size_t     n_done = 0;
    begun(TASKS, MANY);
    if (tp_submit_many(c->stage->executor, count_task, args, MANY, futures) != TP_OK) {
        for (int i = 0; i < MANY; i++) ended(TASKS);
        return;
    }
    tp_wait_for what = draw(c, 2) == 0 ? TP_WAIT_FIRST_COMPLETED : TP_WAIT_ALL_COMPLETED;
    CHECK_STATUS(tp_wait(futures, MANY, TP_FOREVER, what, &n_done), TP_OK);
    CHECK(n_done >= (what == TP_WAIT_ALL_COMPLETED ? MANY : 1));
    for (int i = 0; i < MANY; i++) release_counted(futures[i]);
}

static void op_execute(client *c) {
    if (c->stage->forgetful) return;
    begun(TASKS, 1);
    if (tp_execute(c->stage->executor, count_task, NULL) != TP_OK) ended(TASKS);
}

/* In two steps: launched for all to see, executed, or given up. */
static void op_prepare(client *c) {
    tp_future *future = NULL;
    void      *payload = NULL;
    tp_status  status = tp_task_prepare(c->stage->executor, sizeof(item) + (size_t)draw(c, 400), sizeof(long), &future, &payload);
    if (status != TP_OK) {
        CHECK_STATUS(status, TP_ERR_SHUTDOWN);
        return;
    }
    item *i = (item *)payload;
    i->input = draw(c, 1000);
    i->ran = false;
    long way = draw(c, 3);
    if (way == 0) {
        tp_future_release(future);
        return;
    }
    begun(TASKS, 1);
    begun(ARGUMENTS, 1);
    status = (way == 1 ? tp_task_launch : tp_task_execute)(future, fail_task, drop_item_in_place);
    if (status != TP_OK) {
        CHECK_STATUS(status, TP_ERR_SHUTDOWN);
        drop_item_in_place(i);
        tp_future_release(future);
    } else if (way == 1) {
        pin(c, future);
    }
}

static void op_map(client *c) {
    void *args[MANY];
    for (int i = 0; i < MANY; i++) args[i] = (void *)(intptr_t)draw(c, 1000);
    tp_map *map = tp_map_new(c->stage->executor, answer_task, args, MANY, (size_t)draw(c, 3), drop_answer);
    REQUIRE(map != NULL);
    for (long wanted = draw(c, MANY + 2); wanted > 0; wanted--) {
        tp_future *future = NULL;
        void      *result = NULL;
        tp_status  status = tp_map_next(map, TP_FOREVER, &future);
        if (status == TP_END) break;
        if (status == TP_ERR_SHUTDOWN) continue; /* this one was not accepted */
        CHECK_STATUS(status, TP_OK);
        status = tp_future_result(future, 0, &result);
        check_outcome(future, status, result);
        tp_future_release(future);
    }
    tp_map_free(map);
}

static int64_t some_time(client *c) {
    static const int64_t times[] = {0, TP_MSEC(1), TP_FOREVER};
    return times[draw(c, 3)];
}

static void op_wait(client *c) {
    tp_future *future = pick(c);
    if (future == NULL) return;
    void     *result = NULL;
    tp_status status = tp_future_result(future, some_time(c), &result);
    check_outcome(future, status, result);
    tp_future_release(future);
}

static void op_wait_for_several(client *c) {
    tp_future *futures[MANY];
    size_t     n = 0, n_done = 0;
    for (int i = 0; i < MANY; i++)
        if ((futures[n] = pick(c)) != NULL) n++;
    tp_status status = tp_wait(futures, n, some_time(c), (tp_wait_for)draw(c, 3), &n_done);
    if (status != TP_ERR_TIMEOUT) CHECK_STATUS(status, TP_OK);
    CHECK(n_done <= n);
    while (n > 0) tp_future_release(futures[--n]);
}

static void op_cancel(client *c) {
    tp_future *future = pick(c);
    if (future == NULL) return;
    if (draw(c, 2) == 0) tp_future_request_stop(future);
    else if (tp_future_cancel(future)) CHECK_EQ(tp_future_state(future), TP_STATE_CANCELLED);
    tp_future_release(future);
}

static void op_listen(client *c) {
    tp_future *future = pick(c);
    if (future == NULL) return;
    listen(future);
    tp_future_release(future);
}

static void take_from_queue(tp_future *future) {
    CHECK(tp_future_done(future));
    tp_future_release(future);
    ended(QUEUED);
}

static void op_queue(client *c) {
    tp_future *future = pick(c);
    if (future == NULL) return;
    begun(QUEUED, 1);
    CHECK_STATUS(tp_completion_queue_add(c->stage->queue, future, 0), TP_OK);
    tp_future_release(future);
    int64_t timeout = draw(c, 2) == 0 ? 0 : TP_MSEC(1);
    if (tp_completion_queue_next(c->stage->queue, timeout, &future, NULL) == TP_OK) take_from_queue(future);
}

static void op_ask(client *c) {
    CHECK(tp_executor_worker_count(c->stage->executor) <= tp_executor_max_workers(c->stage->executor));
    (void)tp_executor_pending_count(c->stage->executor);
}

static void (*const operations[])(client *) = {
    op_submit_for_all, op_submit_for_all, op_submit_and_take,  op_submit_and_cancel, op_submit_many, op_execute, op_prepare,
    op_map,            op_wait,           op_wait_for_several, op_cancel,            op_listen,      op_queue,   op_ask,
};

/* ---- a round --------------------------------------------------------------------------------------------------------------- */

static void *client_run(void *arg) {
    client *c = (client *)arg;
    for (long i = 0; i < c->stage->operations; i++) {
        if (i == c->stage->operations / 2) counter_add(&c->stage->halfway, 1);
        operations[draw(c, (long)(sizeof operations / sizeof *operations))](c);
    }
    return NULL;
}

static int initialize(void *user_data) {
    (void)user_data;
    begun(WORKERS, 1);
    return 0;
}
static void finalize(void *user_data) {
    CHECK_EQ(*(long *)user_data, 0); /* it is still there */
    ended(WORKERS);
}
static void unhandled(const tp_error *error, void *user_data) {
    (void)user_data;
    CHECK_STR(error->message, "as it should");
}
static void drop_user_data(void *user_data) {
    free(user_data);
    ended(USER_DATA);
}

typedef enum ending { LEAVE_IT, SHUT_DOWN, SHUT_DOWN_AND_CANCEL } ending;

static void round_of(size_t max_workers, ending how, uint64_t seed) {
    tp_executor_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.max_workers = max_workers;
    config.initializer = initialize;
    config.finalizer = finalize;
    config.unhandled_error = unhandled;
    config.user_data = calloc(1, sizeof(long));
    config.drop_user_data = drop_user_data;
    begun(USER_DATA, 1);

    stage s;
    memset(&s, 0, sizeof s);
    s.executor = tp_executor_new(&config);
    s.queue = tp_completion_queue_new();
    REQUIRE(s.executor != NULL && s.queue != NULL);
    s.forgetful = how == SHUT_DOWN_AND_CANCEL;
    s.operations = 60;
    pthread_mutex_init(&s.lock, NULL);
    counter_init(&s.halfway);

    client    clients[CLIENTS];
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (client){&s, seed * CLIENTS + (uint64_t)i + 1};
        threads[i] = start_thread(client_run, &clients[i]);
    }
    if (how != LEAVE_IT) {
        counter_wait(&s.halfway, 1);
        CHECK_STATUS(tp_executor_shutdown(s.executor, how == SHUT_DOWN_AND_CANCEL ? TP_SHUTDOWN_CANCEL_FUTURES : 0), TP_OK);
    }
    for (int i = 0; i < CLIENTS; i++) join_thread(threads[i]);

    /* Futures outlive their executor, in every other round. */
    if (seed % 2 == 0) tp_executor_free(s.executor);
    tp_future *future;
    CHECK_STATUS(tp_completion_queue_close(s.queue), TP_OK);
    while (tp_completion_queue_next(s.queue, TP_FOREVER, &future, NULL) == TP_OK) take_from_queue(future);
    tp_completion_queue_free(s.queue);
    for (int i = 0; i < BOARD; i++) tp_future_release(s.board[i]);
    if (seed % 2 != 0) tp_executor_free(s.executor);

    check_ledger();
    if (test_failures != 0) fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
}

static void rounds(size_t max_workers, ending how) {
    for (long seed = repeat(400); seed > 0 && test_failures == 0; seed--) round_of(max_workers, how, (uint64_t)seed);
}

TEST(with_one_worker_everything_begun_ends_exactly_once) { rounds(1, LEAVE_IT); }
TEST(with_four_workers_everything_begun_ends_exactly_once) { rounds(4, LEAVE_IT); }
TEST(while_the_executor_shuts_down_everything_begun_ends_exactly_once) { rounds(4, SHUT_DOWN); }
TEST(while_the_executor_cancels_everything_begun_ends_exactly_once) { rounds(4, SHUT_DOWN_AND_CANCEL); }
