/* gate.c: preloaded into pwc (and wc) by test_pwc.py, so that the tests decide when a file can be read and when reading fails.
 *
 * By the first letters of a file's name:
 *   gate…    open waits until the test writes a byte into the fifo $PWC_GATE/open
 *   broken…  the first read gives at most five bytes, the next one EIO
 *   gate…, logged…  one byte is appended to $PWC_GATE/opened when open is called (before it waits); for gate… then also to $PWC_GATE/at_gate
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*open_fn)(const char *path, int flags, ...);
typedef ssize_t (*read_fn)(int fd, void *buffer, size_t n);

enum { DESCRIPTORS = 1024 };
static atomic_int reads_of_broken[DESCRIPTORS]; /* per descriptor: 0, not a broken file; else reads so far + 1 */

static void *next_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (symbol == NULL)
        abort();
    return symbol;
}

static int real_open(const char *path, int flags, mode_t mode)
{
    void *symbol = next_symbol("open");
    open_fn function;
    memcpy(&function, &symbol, sizeof function); /* ISO C has no cast from void * to a function */
    return function(path, flags, mode);
}

static ssize_t real_read(int fd, void *buffer, size_t n)
{
    void *symbol = next_symbol("read");
    read_fn function;
    memcpy(&function, &symbol, sizeof function);
    return function(fd, buffer, n);
}

static bool starts_with(const char *path, const char *letters)
{
    const char *slash = strrchr(path, '/');
    return strncmp(slash != NULL ? slash + 1 : path, letters, strlen(letters)) == 0;
}

static int open_control(const char *name, int flags)
{
    const char *directory = getenv("PWC_GATE");
    char path[4096];
    if (directory == NULL)
        abort();
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = real_open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        abort();
    return fd;
}

static void append_to(const char *log)
{
    int fd = open_control(log, O_WRONLY | O_CREAT | O_APPEND);
    if (write(fd, ".", 1) != 1)
        abort();
    close(fd);
}

static int gated_open(const char *path, int flags, mode_t mode)
{
    bool gate = starts_with(path, "gate");
    if (gate || starts_with(path, "logged"))
        append_to("opened");
    if (gate) {
        append_to("at_gate");
        int fifo = open_control("open", O_RDONLY); /* the test has it open for writing: this does not wait, the read does */
        char byte;
        while (real_read(fifo, &byte, 1) < 0 && errno == EINTR)
            ;
        close(fifo);
    }
    int fd = real_open(path, flags, mode);
    if (fd >= 0 && fd < DESCRIPTORS)
        reads_of_broken[fd] = starts_with(path, "broken");
    return fd;
}

static mode_t mode_of(int flags, va_list list)
{
    return flags & O_CREAT ? (mode_t)va_arg(list, int) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return gated_open(path, flags, mode);
}

/* The name that open has in programs built for large files, as wc is. */
int open64(const char *path, int flags, ...);
int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return gated_open(path, flags | O_LARGEFILE, mode);
}

ssize_t read(int fd, void *buffer, size_t n)
{
    if (fd >= 0 && fd < DESCRIPTORS && reads_of_broken[fd] > 0) {
        if (reads_of_broken[fd]++ > 1) {
            errno = EIO;
            return -1;
        }
        n = n < 5 ? n : 5;
    }
    return real_read(fd, buffer, n);
}
