/* What the system may refuse, refused on demand. Included, once, by each program of tests/faults that needs it, after
 * harness.h.
 *
 * The program defines malloc and its family, mmap, pthread_create and what else may fail for want of memory; the library is
 * loaded by this program, so its calls, and those of the C library on its behalf, come here. A call is a request when it is
 * made on a thread that is armed. Of the requests, those fail that `fault` says.
 *
 * It also keeps books: what the library has; and where in the library's code each request came from, which
 * sites.py compares with all the places in that code that could make one. */
#ifndef TPEXEC_TEST_FAULTS_H
#define TPEXEC_TEST_FAULTS_H

#include "harness.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* ---- which requests fail ----------------------------------------------------------------------------------------------- */

/* What is asked for. */
enum {
    HEAP = 1,     /* malloc and its family */
    MAPPING = 2,  /* mmap */
    THREAD = 4,   /* pthread_create */
    KEY = 8,      /* what makes the C library call the library when a thread ends */
    STACK = 16,   /* pthread_getattr_np: where the calling thread's stack is */
    SIZE = 32,    /* pthread_attr_setstacksize */
    NAME = 64,    /* pthread_setname_np */
    MEMORY = HEAP | MAPPING | THREAD | KEY | STACK /* whatever memory may be missing for */
};

/* Set by the tests, between armed calls. */
static struct {
    atomic_uint kinds;     /* the kinds of call that count as requests */
    atomic_long at;        /* the number of the request that fails, from 0; negative: none does */
    atomic_bool goes_on;   /* all later ones fail, too */
    atomic_uint one_in;    /* not 0: one request in so many fails, whichever; `seed` says which */
    atomic_ulong seed;
    atomic_int  error;     /* what pthread_create answers */
    atomic_bool everywhere; /* every thread is armed */
    atomic_long requests;  /* made since it was last set to 0 */
    atomic_long refused;   /* requests that failed, likewise */
} fault = {.kinds = MEMORY, .at = -1, .error = EAGAIN};

/* Whether the calling thread's calls count, and whether one of them was for a thread and came to nothing. */
static _Thread_local bool armed, thread_refused;

/* Makes that call, or several, with the calling thread armed. */
#define ARMED(statement) (thread_refused = false, armed = true, (void)(statement), armed = false)

static inline bool is_unlucky(unsigned long request, unsigned one_in) {
    unsigned long mixed = (request + atomic_load(&fault.seed)) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93u;
    return (mixed ^ (mixed >> 32)) % one_in == 0;
}

static inline bool is_refused(unsigned kind) {
    if ((!armed && !atomic_load(&fault.everywhere)) || !(atomic_load(&fault.kinds) & kind)) return false;
    long     request = atomic_fetch_add(&fault.requests, 1), at = atomic_load(&fault.at);
    unsigned one_in = atomic_load(&fault.one_in);
    bool     refused = one_in != 0 ? is_unlucky((unsigned long)request, one_in)
                                   : at >= 0 && (request == at || (request > at && atomic_load(&fault.goes_on)));
    if (refused) atomic_fetch_add(&fault.refused, 1);
    return refused;
}

/* From now on, request number `at` fails, and where `goes_on` all behind it. */
static inline void fail_at(long at, bool goes_on) {
    atomic_store(&fault.requests, 0);
    atomic_store(&fault.refused, 0);
    atomic_store(&fault.goes_on, goes_on);
    atomic_store(&fault.at, at);
}

static inline void fail_nothing(void) {
    atomic_store(&fault.everywhere, false);
    atomic_store(&fault.kinds, MEMORY);
    atomic_store(&fault.error, EAGAIN);
    atomic_store(&fault.one_in, 0);
    atomic_store(&fault.at, -1);
}

/* From now on all calls of these kinds fail, on every thread. */
static inline void fail_all(unsigned kinds) {
    atomic_store(&fault.kinds, kinds);
    fail_at(0, true);
    atomic_store(&fault.everywhere, true);
}

/* ---- the books --------------------------------------------------------------------------------------------------------- */

/* Where the library's code lies. */
static uintptr_t library_begin, library_end;
/* The blocks that the library has; the threads that it has started and not joined or detached; the mappings that it has made, of
 * which it gives none back. */
static atomic_long library_blocks, library_threads, library_mappings;

static int find_library(struct dl_phdr_info *object, size_t size, void *data) {
    tp_executor *(*inside)(const tp_executor_config *) = tp_executor_new;
    uintptr_t    address, end = 0;
    (void)size, (void)data;
    memcpy(&address, &inside, sizeof address);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && object->dlpi_addr + segment->p_vaddr + segment->p_memsz > end)
            end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
    }
    if (address < object->dlpi_addr || address >= end) return 0;
    library_begin = object->dlpi_addr;
    library_end = end;
    return 1;
}

__attribute__((constructor)) static void open_books(void) { REQUIRE(dl_iterate_phdr(find_library, NULL) == 1); }

/* The places in the library that requests came from: the address behind the call, and whether one was refused. */
static struct {
    atomic_uintptr_t place;
    atomic_bool      refused;
} sites[1024];

static inline bool is_library(const void *caller) {
    return (uintptr_t)caller >= library_begin && (uintptr_t)caller < library_end;
}

/* The blocks that the library has, by their addresses: who frees one may have been jumped to by it. Open addressing; a place once
 * used is never empty again, so that a search may end at the first that is. */
static atomic_uintptr_t blocks[1 << 17];

enum { BLOCKS = sizeof blocks / sizeof blocks[0], LEFT = 1 /* the address of no block */ };

static inline size_t place_of(uintptr_t block) { return (block / 16 * 0x9E3779B97F4A7C15u) >> (64 - 17); }

static inline void note_block(uintptr_t block) {
    for (size_t i = place_of(block), tried = 0; tried < BLOCKS; i = (i + 1) % BLOCKS, tried++) {
        uintptr_t seen = atomic_load(&blocks[i]);
        if (seen <= LEFT && atomic_compare_exchange_strong(&blocks[i], &seen, block)) {
            atomic_fetch_add(&library_blocks, 1);
            return;
        }
    }
    abort(); /* more blocks than any of these tests needs */
}

static inline void forget_block(uintptr_t block) {
    for (size_t i = place_of(block), tried = 0; tried < BLOCKS; i = (i + 1) % BLOCKS, tried++) {
        uintptr_t seen = atomic_load(&blocks[i]);
        if (seen == 0) return;
        if (seen == block) {
            atomic_store(&blocks[i], LEFT);
            atomic_fetch_sub(&library_blocks, 1);
            return;
        }
    }
}

static inline void note_site(const void *caller, bool refused) {
    if (!is_library(caller)) return;
    uintptr_t    place = (uintptr_t)caller - library_begin;
    const size_t room = sizeof sites / sizeof sites[0];
    for (size_t i = place % room, tried = 0; tried < room; i = (i + 1) % room, tried++) {
        uintptr_t seen = 0;
        if (atomic_compare_exchange_strong(&sites[i].place, &seen, place) || seen == place) {
            if (refused) atomic_store(&sites[i].refused, true);
            return;
        }
    }
    abort(); /* more sites than the library can have */
}

/* For what the library asks for while it is loaded, before these books are opened. */
static const void *loading_caller;
static bool        loading_refused;

__attribute__((unused)) static void loading_from(const void *caller, bool refused) {
    loading_caller = caller;
    loading_refused = refused;
}

/* Adds what was seen to the file that sites.py named. */
__attribute__((destructor)) static void close_books(void) {
    const char *path = getenv("TPEXEC_TEST_SITES");
    FILE       *file = path == NULL ? NULL : fopen(path, "a");
    if (file == NULL) return;
    note_site(loading_caller, loading_refused);
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) {
        unsigned long place = (unsigned long)atomic_load(&sites[i].place);
        if (place != 0) fprintf(file, "%lx %s\n", place, atomic_load(&sites[i].refused) ? "refused" : "met");
    }
    fclose(file);
}

/* ---- the calls --------------------------------------------------------------------------------------------------------- */

#define CALLER __builtin_return_address(0)

/* Whether the call is refused; the books are kept. */
static inline bool refuse(unsigned kind, const void *caller) {
    bool refused = is_refused(kind);
    note_site(caller, refused);
    return refused;
}

/* The function of that name that this program's own hides. */
#define BEHIND(name)                                  \
    static __typeof__(&name) behind_##name(void) {    \
        static __typeof__(&name) function;            \
        if (function == NULL) {                       \
            void *symbol = dlsym(RTLD_NEXT, #name);   \
            memcpy(&function, &symbol, sizeof symbol); \
        }                                             \
        return function;                              \
    }
BEHIND(mmap)
BEHIND(pthread_create)
BEHIND(pthread_join)
BEHIND(pthread_detach)
BEHIND(pthread_key_create)
BEHIND(pthread_setspecific)
BEHIND(pthread_getattr_np)
BEHIND(pthread_attr_setstacksize)
BEHIND(pthread_setname_np)

/* glibc's own, under the names that programs which replace malloc are given; dlsym itself may call malloc. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void  __libc_free(void *block);

static inline void *allocated(void *block, const void *caller) {
    if (block != NULL && is_library(caller)) note_block((uintptr_t)block);
    if (block == NULL) errno = ENOMEM;
    return block;
}

void *malloc(size_t size) { return allocated(refuse(HEAP, CALLER) ? NULL : __libc_malloc(size), CALLER); }
void *calloc(size_t n, size_t size) { return allocated(refuse(HEAP, CALLER) ? NULL : __libc_calloc(n, size), CALLER); }
static void *align_block(size_t align, size_t size, const void *caller) {
    return allocated(refuse(HEAP, caller) ? NULL : __libc_memalign(align, size), caller);
}
void *memalign(size_t align, size_t size);
void *memalign(size_t align, size_t size) { return align_block(align, size, CALLER); }
void *aligned_alloc(size_t align, size_t size) { return align_block(align, size, CALLER); }
int   posix_memalign(void **block, size_t align, size_t size) {
    void *got = align_block(align, size, CALLER);
    if (got != NULL) *block = got;
    return got == NULL ? ENOMEM : 0;
}
void *realloc(void *block, size_t size) {
    if (refuse(HEAP, CALLER)) return errno = ENOMEM, (void *)NULL;
    if (block != NULL) forget_block((uintptr_t)block);
    return allocated(__libc_realloc(block, size), CALLER);
}
void free(void *block) {
    if (block != NULL) forget_block((uintptr_t)block);
    __libc_free(block);
}

static void *map(void *address, size_t length, int protection, int flags, int fd, off_t offset, const void *caller) {
    if (refuse(MAPPING, caller)) return errno = ENOMEM, MAP_FAILED;
    if (is_library(caller)) atomic_fetch_add(&library_mappings, 1);
    return behind_mmap()(address, length, protection, flags, fd, offset);
}
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    return map(address, length, protection, flags, fd, offset, CALLER);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    return map(address, length, protection, flags, fd, offset, CALLER);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg) {
    int error = refuse(THREAD, CALLER) ? atomic_load(&fault.error) : behind_pthread_create()(thread, attributes, run, arg);
    if (error != 0) thread_refused = true;
    else if (is_library(CALLER)) atomic_fetch_add(&library_threads, 1);
    return error;
}
int pthread_join(pthread_t thread, void **result) {
    if (is_library(CALLER)) atomic_fetch_sub(&library_threads, 1);
    return behind_pthread_join()(thread, result);
}
int pthread_detach(pthread_t thread) {
    if (is_library(CALLER)) atomic_fetch_sub(&library_threads, 1);
    return behind_pthread_detach()(thread);
}
int pthread_key_create(pthread_key_t *key, void (*end)(void *)) {
    return refuse(KEY, CALLER) ? EAGAIN : behind_pthread_key_create()(key, end);
}
int pthread_setspecific(pthread_key_t key, const void *value) {
    return refuse(KEY, CALLER) ? ENOMEM : behind_pthread_setspecific()(key, value);
}
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes) {
    return refuse(STACK, CALLER) ? ENOMEM : behind_pthread_getattr_np()(thread, attributes);
}
int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size) {
    int error = refuse(SIZE, CALLER) ? EINVAL : behind_pthread_attr_setstacksize()(attributes, size);
    if (error != 0) thread_refused = true;
    return error;
}
int pthread_setname_np(pthread_t thread, const char *name) {
    return refuse(NAME, CALLER) ? ERANGE : behind_pthread_setname_np()(thread, name);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------------- */

/* A call of `function` on this thread was refused, with this status: the right one, and tp_last_error() and its message agree. */
static inline void check_refusal(const char *file, int line, const char *function, tp_status status) {
    size_t length = strlen(function);
    test_check_status(file, line, function, status, thread_refused ? TP_ERR_SYSTEM : TP_ERR_NO_MEMORY);
    test_check_last_error(file, line, status);
    if (strncmp(tp_last_error_message(), function, length) != 0 || tp_last_error_message()[length] != ':')
        test_failed(file, line, "the message \"%s\" does not name %s", tp_last_error_message(), function);
}
#define CHECK_REFUSAL(function, status) check_refusal(__FILE__, __LINE__, #function, (status))

#endif
