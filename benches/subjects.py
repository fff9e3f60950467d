"""What is measured: libtpexec, the control and the peers, each a command that runs one workload once (driver.c, and the like in
other languages), with what a comparison must know of it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace

HERE = os.path.dirname(os.path.abspath(__file__))
STATUS_REFUSED = 3  # refusal.h: the subject cannot do this; the reason is on stderr
HANG_AFTER = 120  # seconds; the slowest run takes a few

OURS = "libtpexec"


class Refused(Exception):
    """The subject cannot run a workload; the argument says why."""


@dataclass(frozen=True)
class Subject:
    name: str
    command: list = field(repr=False)
    language: str = "C"
    # How many times fewer tasks it gets where figures are per task: so that a slow subject does not take most of the time.
    divisor: int = 1
    # A call of fib(27) gets a future, not only a place in a group that is waited for.
    has_future_per_call: bool = True
    # A task always runs on another thread than the one that waits for it.
    hands_over: bool = True
    # How to get it, for who does not have it.
    source: str = ""
    # Where it finds the library it drives; None: where it was linked.
    library_dir: str | None = None

    @property
    def is_c_family(self):
        return self.language in ("C", "C++")

    @property
    def is_there(self):
        """Whether its driver was built, and what runs the driver is installed."""
        return shutil.which(self.command[0]) is not None and all(map(os.path.exists, filter(os.path.isabs, self.command)))

    def version(self):
        return self._call(["version"]).strip()

    def run(self, row, quick):
        """One measurement as a dict."""
        tasks = row.quick_tasks if quick else row.tasks
        if row.is_divisible:
            tasks = max(tasks // self.divisor, 1)
        return json.loads(self._call([row.workload, str(row.workers), str(tasks), "0.5" if quick else "3"]))

    def _call(self, arguments):
        environment = dict(os.environ)
        if self.library_dir:
            environment["LD_LIBRARY_PATH"] = self.library_dir
        try:
            done = subprocess.run(
                self.command + arguments, env=environment, capture_output=True, text=True, timeout=HANG_AFTER
            )
        except subprocess.TimeoutExpired:
            return self._failed(f"no end after {HANG_AFTER} s", arguments)
        if done.returncode == STATUS_REFUSED:
            raise Refused(done.stderr.strip())
        if done.returncode != 0:
            return self._failed(f"status {done.returncode}: {done.stderr.strip()}", arguments)
        return done.stdout

    def _failed(self, what, arguments):
        """A failure of ours ends the run; one of a peer is its result, and the others still count."""
        if self.name in (OURS, "base", "control"):
            sys.exit(f"run.py: {self.name}: {what}: {' '.join(self.command + arguments)}")
        raise Refused(what.splitlines()[0])


def ours(drivers):
    """libtpexec and the control, by name."""
    return {
        OURS: Subject(OURS, [os.path.join(drivers, "driver-tpexec")], "C"),
        "control": Subject("control", [os.path.join(drivers, "driver-control")], "Rust"),
    }


def base_of(subject, library_dir):
    """The same driver with another build of the library."""
    return replace(subject, name="base", library_dir=os.path.abspath(library_dir))


def peers(drivers):
    """Every peer there is an adapter for, by the name that PEERS= takes; is_there says which of them were built."""

    def built(name):
        return [os.path.join(drivers, "peers", f"driver-{name}")]

    def copy(variable):
        return f"make bench-peers {variable}=/path/to/a/copy"

    def rust(name):
        return [os.path.join(drivers, "rust-peers", "release", f"peer-{name}")]

    def java(pool):
        return ["java", "-cp", os.path.join(drivers, "java"), "Driver", pool]

    return {
        "onetbb": Subject("oneTBB", built("onetbb"), "C++", has_future_per_call=False, divisor=4, source="libtbb-dev"),
        "asio": Subject("Boost.Asio", built("asio"), "C++", divisor=4, source="libboost-dev"),
        "glib": Subject("GLib", built("glib"), "C", divisor=4, source="libglib2.0-dev"),
        "libuv": Subject("libuv", built("libuv"), "C", divisor=4, source="libuv1-dev"),
        # Its queue is walked by every submit: the time per task grows with the number of pending tasks.
        "apr": Subject("APR", built("apr"), "C", divisor=50, source="libaprutil1-dev"),
        "std-async": Subject("std::async", built("std-async"), "C++", divisor=100, source="the C++ compiler"),
        "textbook": Subject("textbook", built("textbook"), "C++", divisor=4, source="the C++ compiler"),
        "taskflow": Subject("Taskflow", built("taskflow"), "C++", divisor=4, has_future_per_call=False, source=copy("TASKFLOW")),
        "bs": Subject("BS::thread_pool", built("bs"), "C++", divisor=4, source=copy("BS_THREAD_POOL")),
        "enkits": Subject("enkiTS", built("enkits"), "C++", hands_over=False, source=copy("ENKITS")),
        "stdexec": Subject("stdexec", built("stdexec"), "C++", divisor=4, source=copy("STDEXEC")),
        "dispatch": Subject("libdispatch", built("dispatch"), "C", divisor=4, source=copy("LIBDISPATCH")),
        "rayon": Subject("rayon", rust("rayon"), "Rust", has_future_per_call=False, source="crates.io"),
        "tokio": Subject("tokio", rust("tokio"), "Rust", divisor=4, source="crates.io"),
        "tokio-blocking": Subject("tokio blocking", rust("tokio-blocking"), "Rust", divisor=4, source="crates.io"),
        "threadpool": Subject("threadpool", rust("threadpool"), "Rust", divisor=4, source="crates.io"),
        "rusty-pool": Subject("rusty_pool", rust("rusty-pool"), "Rust", divisor=4, source="crates.io"),
        "python": Subject(
            "Python", [sys.executable, os.path.join(HERE, "python", "driver.py")], "Python", divisor=50, source="python3"
        ),
        "java": Subject("Java", java("ThreadPoolExecutor"), "Java", source="default-jdk-headless"),
        "java-forkjoin": Subject("Java ForkJoin", java("ForkJoinPool"), "Java", source="default-jdk-headless"),
    }
