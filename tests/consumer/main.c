/* The smallest complete user of libtpexec: one task, its result, and the version of the library that was loaded. The consumer tests
 * build it in every way a project may get the library, and read its one line of output. It is also C++. */
#include <stdio.h>
#include <tpexec.h>

static void *twice(void *arg)
{
    *(int *)arg *= 2;
    return arg;
}

int main(void)
{
    int number = 21;
    void *result = NULL;
    tp_executor *executor = tp_executor_new(NULL);
    tp_future *future = tp_submit(executor, twice, &number);
    tp_status status = tp_future_result(future, TP_FOREVER, &result);

    /* The header that was compiled against and the library that runs come from one installation. */
    const uint32_t header = (uint32_t)TPEXEC_VERSION_MAJOR << 16 | (uint32_t)TPEXEC_VERSION_MINOR << 8 | (uint32_t)TPEXEC_VERSION_PATCH;
    if (status != TP_OK || result != &number || tp_version() != header) {
        fprintf(stderr, "%s (%s), library %#x, header %#x\n", tp_status_name(status), tp_last_error_message(), (unsigned)tp_version(),
                (unsigned)header);
        return 1;
    }
    printf("tpexec %s: %d\n", tp_version_string(), *(int *)result);
    tp_future_release(future);
    tp_executor_free(executor);
    return 0;
}
