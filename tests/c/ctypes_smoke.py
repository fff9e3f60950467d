"""libtpexec through ctypes, without a build step: what a binding in another language needs of the ABI.

usage: ctypes_smoke.py path/to/libtpexec.so
"""
import ctypes
import sys
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

TP_OK, TP_END, TP_ERR_INVALID_ARGUMENT, TP_ERR_TIMEOUT, TP_ERR_CANCELLED, TP_ERR_TASK, TP_ERR_SHUTDOWN = 0, 1, 2, 5, 6, 7, 8
TP_FOREVER = 2**63 - 1
TP_SHUTDOWN_WAIT = 1

TASK = CFUNCTYPE(c_void_p, c_void_p)
DROP = CFUNCTYPE(None, c_void_p)
DONE = CFUNCTYPE(None, c_void_p, c_void_p)
INITIALIZER = CFUNCTYPE(c_int, c_void_p)


class Error(Structure):
    _fields_ = [("code", c_int32), ("reserved", c_uint32), ("message", c_char_p), ("payload", c_void_p)]


class ExecutorConfig(Structure):
    _fields_ = [
        ("size", c_size_t), ("max_workers", c_size_t), ("thread_name_prefix", c_char_p), ("initializer", INITIALIZER), ("finalizer", DROP),
        ("unhandled_error", c_void_p), ("user_data", c_void_p), ("drop_user_data", DROP), ("stack_size", c_size_t), ("idle_timeout_ns", c_int64),
        ("queue_capacity", c_size_t), ("max_stand_ins", c_size_t), ("full_policy", c_int), ("flags", c_uint32),
    ]


def load(path):
    """Prototypes of what is used here; everything else in tpexec.h is declared in the same way."""
    lib = ctypes.CDLL(path)
    for name, result, *arguments in [
        ("tp_version_string", c_char_p), ("tp_last_error", c_int), ("tp_last_error_message", c_char_p), ("tp_status_name", c_char_p, c_int),
        ("tp_executor_new", c_void_p, POINTER(ExecutorConfig)), ("tp_executor_shutdown", c_int, c_void_p, c_uint32), ("tp_executor_free", None, c_void_p),
        ("tp_executor_max_workers", c_size_t, c_void_p), ("tp_submit", c_void_p, c_void_p, TASK, c_void_p),
        ("tp_submit_many", c_int, c_void_p, TASK, POINTER(c_void_p), c_size_t, POINTER(c_void_p)),
        ("tp_future_result", c_int, c_void_p, c_int64, POINTER(c_void_p)), ("tp_future_error", c_int, c_void_p, c_int64, POINTER(POINTER(Error))),
        ("tp_future_done", c_bool, c_void_p), ("tp_future_cancel", c_bool, c_void_p), ("tp_future_release", None, c_void_p),
        ("tp_future_add_done_callback", c_int, c_void_p, DONE, c_void_p), ("tp_task_fail", c_int, c_int32, c_char_p), ("tp_worker_name", c_char_p),
        ("tp_as_completed", c_void_p, POINTER(c_void_p), c_size_t),
        ("tp_completion_queue_next", c_int, c_void_p, c_int64, POINTER(c_void_p), POINTER(c_uint64)), ("tp_completion_queue_free", None, c_void_p),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


failures = 0


def check(what, actual, expected):
    global failures
    if actual != expected:
        failures += 1
        print(f"{what}: {actual!r}, expected {expected!r}", file=sys.stderr)


def main():
    lib = load(sys.argv[1])
    check("a version of three numbers", len(lib.tp_version_string().split(b".")), 3)
    check("status name", lib.tp_status_name(TP_ERR_TIMEOUT), b"TP_ERR_TIMEOUT")

    config = ExecutorConfig(size=ctypes.sizeof(ExecutorConfig), max_workers=3, thread_name_prefix=b"ctypes")
    executor = lib.tp_executor_new(byref(config))
    check("executor", bool(executor), True)
    check("max_workers", lib.tp_executor_max_workers(executor), 3)

    square = TASK(lambda arg: (arg or 0) * (arg or 0))

    # One task, its result and a callback.
    called = []
    callback = DONE(lambda future, user_data: called.append(user_data))
    future = lib.tp_submit(executor, square, 12)
    result = c_void_p()
    check("result", lib.tp_future_result(future, TP_FOREVER, byref(result)), TP_OK)
    check("12 * 12", result.value, 144)
    check("done", lib.tp_future_done(future), True)
    check("cancel of a done one", lib.tp_future_cancel(future), False)
    check("callback", lib.tp_future_add_done_callback(future, callback, 7), TP_OK)
    check("called at once", called, [7])
    lib.tp_future_release(future)

    # Many, as they complete, each with its input.
    n = 100
    args = (c_void_p * n)(*range(n))
    futures = (c_void_p * n)()
    check("submit_many", lib.tp_submit_many(executor, square, args, n, futures), TP_OK)
    queue = lib.tp_as_completed(futures, n)
    seen = {}
    out, tag = c_void_p(), c_uint64()
    while lib.tp_completion_queue_next(queue, TP_FOREVER, byref(out), byref(tag)) == TP_OK:
        check("result", lib.tp_future_result(out, 0, byref(result)), TP_OK)
        seen[tag.value] = result.value or 0
        lib.tp_future_release(out)
    lib.tp_completion_queue_free(queue)
    check("all squares", seen, {i: i * i for i in range(n)})
    for i in range(n):
        lib.tp_future_release(futures[i])

    # A failure, with its text; the name of the worker it happened on.
    names = []

    @TASK
    def fail(arg):
        names.append(lib.tp_worker_name())
        lib.tp_task_fail(-3, "fällt aus".encode())
        return None

    future = lib.tp_submit(executor, fail, None)
    error = POINTER(Error)()
    check("result of a failure", lib.tp_future_result(future, TP_FOREVER, None), TP_ERR_TASK)
    check("error", lib.tp_future_error(future, TP_FOREVER, byref(error)), TP_OK)
    check("code", error.contents.code, -3)
    check("message", error.contents.message.decode(), "fällt aus")
    check("worker", names[0].startswith(b"ctypes_"), True)
    lib.tp_future_release(future)

    # Refusals.
    check("shutdown", lib.tp_executor_shutdown(executor, TP_SHUTDOWN_WAIT), TP_OK)
    check("submit after shutdown", lib.tp_submit(executor, square, 1), None)
    check("last error", lib.tp_last_error(), TP_ERR_SHUTDOWN)
    check("its message", bool(lib.tp_last_error_message()), True)
    check("unknown flags", lib.tp_executor_shutdown(executor, 64), TP_ERR_INVALID_ARGUMENT)
    config.size = 8
    check("config too small", lib.tp_executor_new(byref(config)), None)
    check("last error", lib.tp_last_error(), TP_ERR_INVALID_ARGUMENT)
    lib.tp_executor_free(executor)

    print("ok" if failures == 0 else f"{failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
