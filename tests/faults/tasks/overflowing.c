/* Tasks that need more stack than their worker has: what tp_task_fn in tpexec.h promises, with stacks of every size. In child
 * processes, which end by it. */
#include "ending.h"

#include <inttypes.h>
#include <limits.h>

/* The guard below the stack of the worker that runs the task. */
static uintptr_t guard_begin, guard_end;

/* The mapping without access that the stack, which `here` is on, ends at. */
static void find_the_guard(const void *here) {
    FILE     *maps = fopen("/proc/self/maps", "r");
    char      line[512], access[5];
    uintptr_t begin, end, below_begin = 0, below_end = 0;
    bool      below_is_closed = false;
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL && sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, access) == 3) {
        if ((uintptr_t)here >= begin && (uintptr_t)here < end) {
            REQUIRE(below_end == begin && below_is_closed);
            guard_begin = below_begin;
            guard_end = below_end;
            break;
        }
        below_begin = begin;
        below_end = end;
        below_is_closed = strcmp(access, "---p") == 0;
    }
    fclose(maps);
}

static void tell_where(int number, siginfo_t *info, void *context) {
    static const char guard[] = "in the guard\n", elsewhere[] = "elsewhere\n";
    uintptr_t         at = (uintptr_t)info->si_addr;
    (void)context;
    bool    in_guard = at >= guard_begin && at < guard_end;
    ssize_t written = in_guard ? write(2, guard, sizeof guard - 1) : write(2, elsewhere, sizeof elsewhere - 1);
    (void)written;
    signal(number, SIG_DFL); /* and back to the access, which now ends the process */
}

static int recurse(int depth, volatile char *caller) {
    volatile char frame[256];
    frame[0] = (char)depth;
    if (depth < 0) return 0;
    return recurse(depth + 1, frame) + frame[0] + (caller == NULL ? 0 : caller[0]);
}

static void prepare_to_tell(void) {
    char here;
    find_the_guard(&here);
    static char      alternate[64 * 1024];
    const stack_t    stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = tell_where;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    REQUIRE(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
}

static void *recurse_without_end(void *arg) {
    prepare_to_tell();
    return (void *)(intptr_t)(recurse(0, NULL) + (arg == NULL));
}

static void *touch_what_is_not_there(void *arg) {
    prepare_to_tell();
    *(volatile char *)arg = 1;
    return arg;
}

static void run_with_a_stack(tp_task_fn fn, void *arg) {
    size_t       size = strtoul(getenv("STAGE_STACK"), NULL, 10);
    tp_executor *executor = tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .stack_size = size));
    REQUIRE(executor != NULL);
    result_of(submit(executor, fn, arg));
    tp_executor_free(executor);
}

CHILD(recursion) {
    run_with_a_stack(recurse_without_end, NULL);
    return WENT_ON;
}

CHILD(wild_access) {
    run_with_a_stack(touch_what_is_not_there, (void *)8);
    return WENT_ON;
}

enum { STACK_SIZES = 5 };
static size_t nth_stack_size(int n) {
    const size_t sizes[STACK_SIZES] = {0 /* the default */, PTHREAD_STACK_MIN, PTHREAD_STACK_MIN + 1, 64 * 1024, 1024 * 1024};
    return sizes[n];
}

TEST(r07_a_task_that_needs_more_stack_than_there_is_dies_on_the_guard_page) {
    for (int i = 0; i < STACK_SIZES; i++) {
        char size[32];
        snprintf(size, sizeof size, "%zu", nth_stack_size(i));
        REQUIRE(setenv("STAGE_STACK", size, 1) == 0);
        ending end = run_and_listen("recursion");
        CHECK_KILLED(size, &end, SIGSEGV, "in the guard");
        end = run_and_listen("wild_access"); /* so the handler can tell */
        CHECK_KILLED(size, &end, SIGSEGV, "elsewhere");
    }
}

/* One task waits for the next, without end: however small the stack, that is refused in time. */
typedef struct {
    tp_executor *executor;
    long         depth;
    tp_status    refusal;
} nest;

static void *wait_for_the_next(void *arg) {
    nest      *n = (nest *)arg;
    tp_future *next = submit(n->executor, wait_for_the_next, n);
    n->depth++;
    tp_status status = tp_future_result(next, TP_FOREVER, NULL);
    if (status != TP_OK) {
        n->refusal = status;
        CHECK(tp_future_cancel(next));
    }
    tp_future_release(next);
    return n;
}

TEST(n01_nesting_never_is_what_overflows_a_stack) {
    for (int i = 0; i < STACK_SIZES; i++) {
        nest n = {tp_executor_new(TP_EXECUTOR_CONFIG(.max_workers = 1, .stack_size = nth_stack_size(i))), 0, TP_OK};
        REQUIRE(n.executor != NULL);
        CHECK_PTR(result_of(submit(n.executor, wait_for_the_next, &n)), &n);
        CHECK_STATUS(n.refusal, TP_ERR_DEADLOCK);
        CHECK(n.depth > 0);
        tp_executor_free(n.executor);
    }
}
