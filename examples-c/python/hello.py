#!/usr/bin/env python3
"""hello.py: hello.c from Python through ctypes, without a build step.

    hello.py [PATH-OF-libtpexec.so]

A Python function becomes a C task by CFUNCTYPE; ctypes takes the interpreter's lock whenever a worker calls it. Keep the wrapped function
and every buffer it returns alive as long as C may use them: that is what the module-level names are for.
"""
import ctypes
import sys
import threading

tpexec = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libtpexec.so.0.1")

TP_OK, TP_FOREVER = 0, 2**63 - 1
TaskFn = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
for name, result, *arguments in (
    ("tp_executor_new", ctypes.c_void_p, ctypes.c_void_p),
    ("tp_executor_free", None, ctypes.c_void_p),
    ("tp_submit", ctypes.c_void_p, ctypes.c_void_p, TaskFn, ctypes.c_char_p),
    ("tp_future_running", ctypes.c_bool, ctypes.c_void_p),
    ("tp_future_done", ctypes.c_bool, ctypes.c_void_p),
    ("tp_future_result", ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_void_p)),
    ("tp_future_release", None, ctypes.c_void_p),
    ("tp_last_error_message", ctypes.c_char_p),
    ("tp_status_message", ctypes.c_char_p, ctypes.c_int),
):
    function = getattr(tpexec, name)
    function.restype, function.argtypes = result, arguments

started, go_on = threading.Event(), threading.Event()
buffers = []


@TaskFn
def greet(arg):
    started.set()
    go_on.wait()
    buffers.append(ctypes.create_string_buffer(b"hello, " + ctypes.string_at(arg)))
    return ctypes.addressof(buffers[-1])


def show(when, future):
    answers = ("yes" if ask(future) else "no" for ask in (tpexec.tp_future_running, tpexec.tp_future_done))
    print("{}: running {}, done {}".format(when, *answers))


executor = tpexec.tp_executor_new(None)  # None: every default
world = ctypes.c_char_p(b"world")
future = tpexec.tp_submit(executor, greet, world)
if not future:
    sys.exit("hello.py: " + tpexec.tp_last_error_message().decode())
started.wait()
show("before", future)
go_on.set()

result = ctypes.c_void_p()
status = tpexec.tp_future_result(future, TP_FOREVER, ctypes.byref(result))
if status != TP_OK:
    sys.exit("hello.py: " + tpexec.tp_status_message(status).decode())
print("result:", ctypes.string_at(result.value).decode())
show("after", future)

tpexec.tp_future_release(future)
tpexec.tp_executor_free(executor)
