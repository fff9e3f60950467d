#include "crew.h"

#include <stdio.h>
#include <stdlib.h>

enum { WIDE = 4, FLEETING_IDLE_NS = 200000 };

void crew_init(crew *c, uint64_t seed) {
    for (int i = 0; i < LANES; i++) {
        c->lanes[i] = calloc(1, sizeof(lane));
        if (c->lanes[i] == NULL) abort();
        c->lanes[i]->common = &c->shared;
        /* Any start but 0; the multiplier spreads neighbouring seeds. */
        c->lanes[i]->random = (seed * LANES + (uint64_t)i + 1) * 0x9E3779B97F4A7C15ULL;
    }
}

static tp_executor *make(size_t workers, int64_t idle_ns) {
    tp_executor *executor =
        tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = workers, .idle_timeout_ns = idle_ns, .unhandled_error = job_unhandled));
    if (executor == NULL) {
        fprintf(stderr, "soak: no executor: %s\n", tp_last_error_message());
        abort();
    }
    return executor;
}

typedef struct start {
    crew *crew;
    lane *lane;
} start;

static void *lane_main(void *arg) {
    start s = *(start *)arg;
    free(arg);
    while (!atomic_load(&s.crew->stop)) lane_round(s.lane);
    return NULL;
}

void crew_start(crew *c) {
    c->shared.wide = make(WIDE, 0);
    c->shared.fleeting = make(WIDE, FLEETING_IDLE_NS);
    c->shared.single = make(1, FLEETING_IDLE_NS);
    atomic_store(&c->stop, false);
    for (int i = 0; i < LANES; i++) {
        start *s = malloc(sizeof *s);
        if (s == NULL) abort();
        *s = (start){c, c->lanes[i]};
        if (pthread_create(&c->threads[i], NULL, lane_main, s) != 0) abort();
    }
}

void crew_stop(crew *c) {
    atomic_store(&c->stop, true);
    for (int i = 0; i < LANES; i++) pthread_join(c->threads[i], NULL);
    atomic_store(&c->stopping_since, soak_now());
    tp_executor_free(c->shared.wide);
    tp_executor_free(c->shared.fleeting);
    tp_executor_free(c->shared.single);
    atomic_store(&c->stopping_since, 0);
}

const char *crew_stuck(const crew *c, int64_t longer_than_ns) {
    int64_t now = soak_now(), since = atomic_load(&c->stopping_since);
    if (since != 0 && now - since > longer_than_ns) return "freeing the common executors";
    for (int i = 0; i < LANES; i++) {
        since = atomic_load(&c->lanes[i]->busy_since);
        if (since != 0 && now - since > longer_than_ns) return atomic_load(&c->lanes[i]->mix);
    }
    return NULL;
}

long crew_ops(const crew *c, op o) {
    long n = 0;
    for (int i = 0; i < LANES; i++) n += atomic_load(&c->lanes[i]->ops[o]);
    return n;
}

int64_t crew_longest_wait(const crew *c) {
    int64_t longest = 0;
    for (int i = 0; i < LANES; i++) {
        int64_t wait = atomic_load(&c->lanes[i]->longest_wait);
        if (wait > longest) longest = wait;
    }
    return longest;
}

/* ---- the books ------------------------------------------------------------------------------------------------------------ */

static bool balances(const tally *t) {
    bool good = atomic_load(&t->wrong) == 0;
    for (event e = 0; e < EVENTS; e++) {
        long due = atomic_load(&t->due[e]), seen = atomic_load(&t->seen[e]);
        if (due == seen) continue;
        printf("%s: %s: %ld due, %ld seen, %+ld\n", t->name, event_names[e], due, seen, seen - due);
        good = false;
    }
    return good;
}

bool books_balance(void) {
    bool good = true;
    for (size_t i = 0; i < n_mixes; i++) good = balances(&mixes[i].books) && good;
    return good;
}

#define SUM(member)                                                                       \
    do {                                                                                  \
        long sum = 0;                                                                     \
        for (size_t i = 0; i < n_mixes; i++) sum += atomic_load(&mixes[i].books.member);  \
        return sum;                                                                       \
    } while (0)

long books_accepted(void) { SUM(accepted); }
long books_fate(fate f) { SUM(fates[f]); }
long books_seen(event e) { SUM(seen[e]); }
long books_due(event e) { SUM(due[e]); }
long books_wrong(void) { SUM(wrong); }
