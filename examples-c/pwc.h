/* pwc.h: the two parts of pwc that know nothing of threads: which files there are (pwc_walk.c), and what wc says about one (pwc_count.c).
 */
#ifndef PWC_H
#define PWC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The names found, each a malloc'ed string. An array of void *, as tp_map wants its arguments. */
struct files {
    void **names;
    size_t n, capacity;
};

/* Is told of everything that could not be read, and why. */
typedef void (*complain_fn)(const char *name, const char *why);

/* Adds the regular files at and below path, as `find -H path -type f` names them. */
void files_add(struct files *files, const char *path, complain_fn complain);
void files_sort(struct files *files); /* by the bytes of the whole name, as LC_ALL=C sort -z */
void files_free(struct files *files);

struct counts {
    uintmax_t lines, words, bytes;
    int error; /* errno of a read that failed; the counts go as far as it came */
};

struct wanted {
    bool lines, words, bytes;
};

/* Counts what is wanted, and perhaps more, from the start of the file to its end. */
void counts_of(int fd, const struct wanted *wanted, struct counts *counts);
void counts_print(const struct counts *counts, const struct wanted *wanted, const char *name); /* one line of output */
void name_print_quoted(FILE *out, const char *name); /* as GNU tools name files in their messages: quoted if a shell would need it */

#endif
