/* E2: other programs started while executors are alive and everything is at work: by fork and exec, by vfork, by posix_spawn,
 * from the main thread and from tasks; and exec in the process itself. The program finds one thread, the signal mask of the
 * thread that started it, and no file descriptor that the library opened. */
#include "under_load.h"

#include "gauges.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>

extern char **environ;

enum { TEXT = 64 };

/* ---- the started program --------------------------------------------------------------------------------------------------- */

/* What the starter put into the environment. */
#define MASK_VARIABLE "TPEXEC_TEST_MASK"
#define DESCRIPTORS_VARIABLE "TPEXEC_TEST_DESCRIPTORS"

/* Open descriptors, or those of them that an exec leaves open; without the one that looks. */
static long descriptors(bool inherited_only) {
    long n = 0;
    DIR *directory = opendir("/proc/self/fd");
    REQUIRE(directory != NULL);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] == '.' || fd == dirfd(directory)) continue;
        n += !inherited_only || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    }
    closedir(directory);
    return n;
}

/* The calling thread's signal mask, as text: a digit for each signal. */
static void mask_text(char text[static 2 * TEXT]) {
    sigset_t mask;
    int      n = 0;
    REQUIRE(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int i = 1; i < TEXT; i++) text[n++] = (char)('0' + sigismember(&mask, i));
    text[n] = '\0';
}

CHILD(look_around) {
    char        mask[2 * TEXT];
    const char *expected_mask = getenv(MASK_VARIABLE), *expected_descriptors = getenv(DESCRIPTORS_VARIABLE);
    REQUIRE(expected_mask != NULL && expected_descriptors != NULL);
    mask_text(mask);
    CHECK_STR(mask, expected_mask);
    CHECK_EQ(descriptors(false), strtol(expected_descriptors, NULL, 10));
    CHECK_EQ(gauge_threads(), 1);
    new_executors_work();
    return test_failures == 0 ? 42 : 1;
}

/* ---- starting it ----------------------------------------------------------------------------------------------------------- */

static char  program[4096];
static char *arguments[] = {program, "--child", "look_around", NULL};

/* With a mask that is not the default, to be handed on as it is. */
static void prepare_for_start(void) {
    char     mask[2 * TEXT], number[TEXT];
    sigset_t blocked;
    ssize_t  length = readlink("/proc/self/exe", program, sizeof program - 1);
    REQUIRE(length > 0);
    program[length] = '\0';
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGHUP);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
    mask_text(mask);
    snprintf(number, sizeof number, "%ld", descriptors(true));
    REQUIRE(setenv(MASK_VARIABLE, mask, 1) == 0 && setenv(DESCRIPTORS_VARIABLE, number, 1) == 0);
}

static pid_t by_fork(void) {
    pid_t pid = fork();
    if (pid == 0) {
        execv(program, arguments);
        _exit(127);
    }
    return pid;
}
static pid_t by_vfork(void) {
    pid_t pid = vfork();
    if (pid == 0) {
        execv(program, arguments);
        _exit(127);
    }
    return pid;
}
static pid_t by_spawn(void) {
    pid_t pid = -1;
    return posix_spawn(&pid, program, NULL, NULL, arguments, environ) == 0 ? pid : -1;
}

static void check_start(pid_t (*start)(void)) {
    pid_t pid = start();
    REQUIRE(pid > 0);
    test_check_child(__FILE__, __LINE__, "look_around", test_wait_for_child(pid), 42);
}

typedef struct starting {
    pid_t (*start)(void);
} starting;

static void *start_in_a_task(void *arg) {
    check_start(((starting *)arg)->start);
    return arg;
}
static void start_in_a_callback(tp_future *future, void *user_data) {
    (void)future;
    start_in_a_task(user_data);
}

static void starts(pid_t (*start)(void)) {
    enum { FEWER = 5 }; /* an exec takes longer than a fork */
    starting s = {start};
    prepare_for_start();
    load_begin();
    tp_executor *executor = new_executor(1); /* whose worker starts with this thread's mask */
    for (long time = repeat(TIMES / FEWER); time > 0; time--) {
        blocker busy;
        check_start(start);
        CHECK_PTR(result_of(submit(executor, start_in_a_task, &s)), &s);
        block(executor, &busy);
        CHECK_STATUS(tp_future_add_done_callback(busy.future, start_in_a_callback, &s), TP_OK);
        unblock(&busy);
    }
    tp_executor_free(executor);
    load_end();
}

TEST(e02_fork_and_exec) { starts(by_fork); }
TEST(e02_vfork_and_exec) { starts(by_vfork); }
TEST(e02_posix_spawn) { starts(by_spawn); }

/* ---- exec in the process itself -------------------------------------------------------------------------------------------- */

CHILD(become_it_on_the_main_thread) {
    prepare_for_start();
    load_begin();
    execv(program, arguments);
    return 1;
}

static void *become_it(void *arg) {
    execv(program, arguments);
    return arg;
}

CHILD(become_it_in_a_task) {
    prepare_for_start();
    load_begin();
    tp_executor *executor = new_executor(1);
    result_of(submit(executor, become_it, NULL));
    return 1;
}

TEST(e02_exec_ends_all_workers_and_the_program_starts_afresh) {
    for (int time = 0; time < 10; time++) {
        CHECK_CHILD("become_it_on_the_main_thread", 42);
        CHECK_CHILD("become_it_in_a_task", 42);
    }
}

/* ---- nothing of ours is handed on ------------------------------------------------------------------------------------------ */

TEST(e02_the_library_has_no_descriptor_open_and_leaves_masks_alone) {
    char before[2 * TEXT], after[2 * TEXT];
    long inherited = descriptors(true), open_before = descriptors(false);
    mask_text(before);
    load_begin();
    new_executors_work();
    CHECK_EQ(descriptors(true), inherited);
    load_end();
    CHECK_EQ(descriptors(false), open_before);
    mask_text(after);
    CHECK_STR(after, before);
}
