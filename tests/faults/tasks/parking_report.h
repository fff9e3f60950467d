/* What parking.c has learnt: where a thread was parked while others had to wait for it. */
#ifndef TPEXEC_TEST_PARKING_REPORT_H
#define TPEXEC_TEST_PARKING_REPORT_H

#include "harness.h"

#include <dlfcn.h>

/* With fewer places nothing was stepped. */
enum { FEWEST_STEPS = 20 };

/* What a child tells its parent. */
typedef struct {
    bool        parked, others_waited;
    const void *address;
    char        others_at[48];
} outcome;

/* The file of the library's source that an address is in; elsewhere, the function and the library it is in. */
static void name_place(const void *address, char *name, int size) {
    Dl_info info;
    char    command[4096], line[4096];
    snprintf(name, (size_t)size, "?");
    if (dladdr((void *)(uintptr_t)address, &info) == 0) return;
    const char *file = strrchr(info.dli_fname, '/');
    snprintf(name, (size_t)size, "%s of %s", info.dli_sname == NULL ? "a function" : info.dli_sname,
             file == NULL ? info.dli_fname : file + 1);
    if (strstr(info.dli_fname, "libtpexec") == NULL) return;
    snprintf(command, sizeof command, "addr2line -i -e '%s' %#lx", info.dli_fname,
             (unsigned long)address - (unsigned long)info.dli_fbase);
    FILE *answer = popen(command, "r"); /* a line for each inlined function, the innermost first */
    if (answer == NULL) return;
    bool found = false;
    while (fgets(line, sizeof line, answer) != NULL) {
        const char *source = strstr(line, "/src/");
        bool        everybodys = source == NULL || strstr(line, "/library/") != NULL || strstr(line, "/sync.rs") != NULL;
        if (found || everybodys) continue;
        line[strcspn(line, ":\n")] = '\0';
        snprintf(name, (size_t)size, "%.200s", source + 1);
        found = true;
    }
    pclose(answer);
}

/* Prints where others had to wait, a line for each place and what they were at. */
static void report(const outcome *told, long n) {
    typedef struct {
        char name[256], others_at[48];
        long count;
    } line;
    static line lines[200];
    int         n_lines = 0;
    long        parked = 0, waited = 0;
    for (long i = 0; i < n; i++) {
        parked += told[i].parked;
        if (!told[i].parked || !told[i].others_waited) continue;
        waited++;
        line new = {.count = 0};
        name_place(told[i].address, new.name, sizeof new.name);
        memcpy(new.others_at, told[i].others_at, sizeof new.others_at);
        int l = 0;
        while (l < n_lines && (strcmp(lines[l].name, new.name) != 0 || strcmp(lines[l].others_at, new.others_at) != 0)) l++;
        if (l == n_lines) {
            REQUIRE(n_lines < (int)(sizeof lines / sizeof *lines));
            lines[n_lines++] = new;
        }
        lines[l].count++;
    }
    printf("    parked at %ld instructions; others waited at %ld of them:\n", parked, waited);
    for (int l = 0; l < n_lines; l++)
        printf("    %6ld in %s, others were %s\n", lines[l].count, lines[l].name, lines[l].others_at);
    CHECK(parked >= FEWEST_STEPS);
}

#endif
