/* pwc_count.c: what wc says about a file: lines, words and bytes, and how names are written. In the C locale, byte for byte as GNU wc. */
#define _POSIX_C_SOURCE 200809L
#include "pwc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- counting -------------------------------------------------------------------------------------------------------------- */

static bool is_blank(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Blanks end a word. A byte that is not printable is part of a word but, to some versions of wc, makes none. */
static bool makes_a_word(unsigned char c)
{
#ifdef PWC_ANY_BYTE_MAKES_A_WORD
    return !is_blank(c);
#else
    return c > ' ' && c < 0x7f;
#endif
}

/* Where only the size is asked: takes what the file system says instead of reading. A size of whole pages may be made up (/proc, /sys):
 * then true is not returned and reading starts just before that end, if it is far. All as wc does. */
static bool size_tells(int fd, struct counts *counts)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    if (status.st_size % sysconf(_SC_PAGESIZE) != 0) {
        counts->bytes = (uintmax_t)status.st_size;
        return true;
    }
    off_t skip = status.st_size - status.st_size % (status.st_blksize + 1);
    if (skip > 0 && lseek(fd, skip, SEEK_SET) == skip)
        counts->bytes = (uintmax_t)skip;
    return false;
}

void counts_of(int fd, const struct wanted *wanted, struct counts *counts)
{
    unsigned char block[64 * 1024]; /* large, so that reads are few; on the worker's own stack */
    unsigned in_word = 0; /* 0 or 1 */
    ssize_t n;

    if (!wanted->lines && !wanted->words && size_tells(fd, counts))
        return;
    while ((n = read(fd, block, sizeof block)) != 0) {
        if (n < 0) {
            if (errno == EINTR)
                continue;
            counts->error = errno;
            return;
        }
        counts->bytes += (uintmax_t)n;
        if (wanted->lines) {
            unsigned lines = 0;
            for (ssize_t i = 0; i < n; i++)
                lines += block[i] == '\n';
            counts->lines += lines;
        }
        if (wanted->words) {
            unsigned words = 0;
            for (ssize_t i = 0; i < n; i++) { /* no branches: where words end is nothing a processor could predict */
                unsigned starts = makes_a_word(block[i]), goes_on = !is_blank(block[i]);
                unsigned now = starts | (in_word & goes_on);
                words += now & ~in_word;
                in_word = now;
            }
            counts->words += words;
        }
    }
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

void counts_print(const struct counts *counts, const struct wanted *wanted, const char *name)
{
    /* wc pads its columns only when it can know the widths beforehand; reading names from a pipe it cannot. */
    const char *separator = "";
    if (wanted->lines) {
        printf("%" PRIuMAX, counts->lines);
        separator = " ";
    }
    if (wanted->words) {
        printf("%s%" PRIuMAX, separator, counts->words);
        separator = " ";
    }
    if (wanted->bytes)
        printf("%s%" PRIuMAX, separator, counts->bytes);
    putchar(' ');
    if (strchr(name, '\n') == NULL)
        fputs(name, stdout);
    else
        name_print_quoted(stdout, name); /* one line stays one line */
    putchar('\n');
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

/* Would a shell, or a reader who looks for the colon after the name, take this name for something else? */
static bool needs_quotes(const char *name)
{
    if (name[0] == '\0' || name[0] == '#' || name[0] == '~' || strcmp(name, "{") == 0 || strcmp(name, "}") == 0)
        return true;
    for (const char *c = name; *c != '\0'; c++)
        if (!is_printable(*c) || strchr(" !\"$&'()*:;<=>?[\\^`|", *c) != NULL)
            return true;
    return false;
}

/* it's: easier to read as "it's" than as 'it'\''s'; if nothing in it is special between double quotes. */
static bool better_in_double_quotes(const char *name)
{
    if (strchr(name, '\'') == NULL)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!is_printable(*c) || strchr("!\"$&()*;<=>?[\\^`{|}", *c) != NULL || (c > name && (*c == '#' || *c == '~')))
            return false;
    return true;
}

void name_print_quoted(FILE *out, const char *name)
{
    static const char escaped[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";

    if (!needs_quotes(name)) {
        fputs(name, out);
    } else if (better_in_double_quotes(name)) {
        fprintf(out, "\"%s\"", name);
    } else {
        bool dollar = false; /* inside of $'…', where \n and \303 stand for bytes */
        putc('\'', out);
        for (const char *c = name; *c != '\0'; c++) {
            if (!is_printable(*c)) {
                const char *known = strchr(escaped, *c);
                if (!dollar)
                    fputs("'$'", out);
                dollar = true;
                if (known != NULL)
                    fprintf(out, "\\%c", letters[known - escaped]);
                else
                    fprintf(out, "\\%03o", (unsigned char)*c);
            } else if (*c == '\'') {
                fputs("'\\''", out);
                dollar = false;
            } else {
                if (dollar)
                    fputs("''", out);
                dollar = false;
                putc(*c, out);
            }
        }
        putc('\'', out);
    }
}
