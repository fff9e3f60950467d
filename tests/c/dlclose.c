/* E3: dlclose leaves the library in place. This program is not linked with it: it loads it by the path that is its first argument. */
#include "loaded.h"

static void *double_it(void *arg) { return (char *)arg + (size_t)(char *)arg; }

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    library_path = argv[1];
    for (int round = 0; round < 20; round++) {
        library      l = library_open();
        tp_executor *executor = l.executor_new(NULL);
        REQUIRE(executor != NULL);
        tp_future *before = l.submit(executor, double_it, (void *)21);
        REQUIRE(before != NULL);
        library_close(&l); /* with a worker alive, in its code */
        REQUIRE(library_is_there());

        void *result = NULL;
        REQUIRE(l.future_result(before, TP_FOREVER, &result) == TP_OK);
        REQUIRE(result == (void *)42);
        tp_future *after = l.submit(executor, double_it, (void *)4);
        REQUIRE(after != NULL);
        REQUIRE(l.future_result(after, TP_FOREVER, &result) == TP_OK);
        REQUIRE(result == (void *)8);
        l.future_release(before);
        l.future_release(after);
        if (round % 2 == 0) l.executor_free(executor); /* the others are left alive */
    }
    puts("ok");
    return 0;
}
