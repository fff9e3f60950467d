/* pwc_walk.c: which files to count: the walk through the operands of pwc. Single-threaded, and done before the first task starts. */
#define _DEFAULT_SOURCE /* d_type: saves a stat per file */
#include "pwc.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void out_of_memory(void)
{
    fputs("pwc: out of memory\n", stderr);
    exit(1);
}

/* Takes name over. */
static void append(struct files *files, char *name)
{
    if (files->n == files->capacity) {
        size_t capacity = files->capacity > 0 ? files->capacity * 2 : 64;
        void **names = realloc(files->names, capacity * sizeof *names);
        if (names == NULL)
            out_of_memory();
        files->names = names;
        files->capacity = capacity;
    }
    files->names[files->n++] = name;
}

/* directory/entry, with no second slash where the directory's name ends with one; the same as find does it. */
static char *join(const char *directory, const char *entry)
{
    size_t n = strlen(directory), m = strlen(entry);
    char *name = malloc(n + m + 2);
    if (name == NULL)
        out_of_memory();
    memcpy(name, directory, n);
    if (n > 0 && directory[n - 1] != '/')
        name[n++] = '/';
    memcpy(name + n, entry, m + 1);
    return name;
}

enum kind { REGULAR, DIRECTORY, OTHER, UNKNOWN };

static enum kind kind_of_mode(mode_t mode)
{
    return S_ISREG(mode) ? REGULAR : S_ISDIR(mode) ? DIRECTORY : OTHER;
}

/* Symbolic links inside of a tree are not followed: they are OTHER. */
static enum kind kind_of_entry(const struct dirent *entry, const char *name)
{
    struct stat status;
    switch (entry->d_type) {
    case DT_REG:
        return REGULAR;
    case DT_DIR:
        return DIRECTORY;
    case DT_UNKNOWN: /* not every file system tells */
        return lstat(name, &status) == 0 ? kind_of_mode(status.st_mode) : UNKNOWN;
    default:
        return OTHER;
    }
}

/* One directory's files go to files, its directories to directories. */
static void read_directory(const char *path, struct files *files, struct files *directories, complain_fn complain)
{
    DIR *stream = opendir(path);
    if (stream == NULL) {
        complain(path, strerror(errno));
        return;
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *name = join(path, entry->d_name);
        enum kind kind = kind_of_entry(entry, name);
        if (kind == UNKNOWN)
            complain(name, strerror(errno));
        if (kind == REGULAR)
            append(files, name);
        else if (kind == DIRECTORY)
            append(directories, name);
        else
            free(name);
    }
    if (errno != 0)
        complain(path, strerror(errno));
    closedir(stream);
}

void files_add(struct files *files, const char *path, complain_fn complain)
{
    struct stat status;
    if (stat(path, &status) != 0) { /* a link that was named is followed */
        complain(path, strerror(errno));
        return;
    }
    enum kind kind = kind_of_mode(status.st_mode);
    if (kind == OTHER)
        return;
    char *name = strdup(path);
    if (name == NULL)
        out_of_memory();
    if (kind == REGULAR) {
        append(files, name);
        return;
    }

    /* Directories yet to be read: a list instead of recursion needs one open directory at a time, however deep the tree. */
    struct files directories = {0};
    append(&directories, name);
    while (directories.n > 0) {
        char *directory = directories.names[--directories.n];
        read_directory(directory, files, &directories, complain);
        free(directory);
    }
    free(directories.names);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(void *const *)a, *(void *const *)b);
}

void files_sort(struct files *files)
{
    if (files->n > 1)
        qsort(files->names, files->n, sizeof *files->names, compare_names);
}

void files_free(struct files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->names[i]);
    free(files->names);
}
