/* Workloads whose tasks are submitted by tasks. */
#ifndef WORKLOADS_INSIDE_H
#define WORKLOADS_INSIDE_H

#include "tasks.h"

static subject_pool *nest_pool; /* set before the root task is submitted */
static size_t nest_tasks;

/* Each call submits one child, computes the other half itself, and waits. */
static void *fib(void *arg)
{
    uintptr_t n = (uintptr_t)arg;
    if (n < 2)
        return arg;
    subject_group group = subject_open(nest_pool);
    subject_child child;
    subject_fork(&group, &child, fib, (void *)(n - 1));
    uintptr_t here = (uintptr_t)fib((void *)(n - 2));
    return (void *)(here + (uintptr_t)subject_join(&group, &child));
}

static void *run_root(run *r, task_function root, void *arg)
{
    nest_tasks = r->tasks;
    begin(r);
    nest_pool = subject_new(r->workers);
    subject_future future = subject_submit(nest_pool, root, arg);
    void *result = subject_result(&future);
    subject_free(nest_pool);
    end(r);
    return result;
}

/* Nested fork-join: fib(27). `tasks` is what that makes. */
static void workload_fib(run *r)
{
    enum { N = 27 };
    uintptr_t below = 0, fib_n = 1; /* fib(N - 1) and fib(N) once the loop has ended */
    for (int i = 1; i < N; i++) {
        uintptr_t next = below + fib_n;
        below = fib_n;
        fib_n = next;
    }
    r->tasks = fib_n + below; /* fib(N + 1) - 1 children, and the root */
    check((uintptr_t)run_root(r, fib, (void *)(uintptr_t)N) == fib_n, "the Fibonacci number");
}

static void *fork_and_join_all(void *arg)
{
    subject_child *children = (subject_child *)arg;
    subject_group group = subject_open(nest_pool);
    uintptr_t sum = 0;
    for (size_t i = 0; i < nest_tasks; i++)
        subject_fork(&group, &children[i], identity, (void *)(uintptr_t)i);
    for (size_t i = 0; i < nest_tasks; i++)
        sum += (uintptr_t)subject_join(&group, &children[i]);
    check(sum == sum_below(nest_tasks), "the sum of the results");
    return arg;
}

/* One task submits all the others and collects them. */
static void workload_inside(run *r)
{
    subject_child *children = NEW_ARRAY(subject_child, r->tasks);
    run_root(r, fork_and_join_all, children);
    FREE_ARRAY(children);
}

static void *execute_inside(void *arg)
{
    for (size_t i = 0; i < nest_tasks; i++)
        subject_execute(nest_pool, count, NULL);
    return arg;
}

/* One task fires all the others and forgets them. */
static void workload_inside_execute(run *r)
{
    run_root(r, execute_inside, NULL);
    check(counted() == r->tasks, "the number of tasks that ran");
}

#endif
