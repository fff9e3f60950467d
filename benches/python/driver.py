#!/usr/bin/env python3
"""Runs one workload of the benchmark once with Python's concurrent.futures.ThreadPoolExecutor and prints one line of JSON.

`driver.py WORKLOAD WORKERS TASKS SECONDS`; `driver.py version` names the peer. Exit status: 1 for a wrong result, 2 for a wrong
call, 3 for a workload that this pool does not run.
"""

import json
import math
import platform
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import workloads
from measure import Run
from workloads import Unsupported

PER_TASK = "ns/task"

# With PER_TASK the driver divides the wall time; else the workload computes its value.
UNITS = {
    "collect": PER_TASK,
    "windows": PER_TASK,
    "many": PER_TASK,
    "execute": PER_TASK,
    "round_trip": PER_TASK,
    "producers": PER_TASK,
    "fib": PER_TASK,
    "inside": PER_TASK,
    "inside_execute": PER_TASK,
    "one_us": "wall/ideal",
    "sleepers": "wall/plain",
    "memory": "B/task",
    "memory_execute": "B/task",
    "idle": "us CPU/s",
}


def usage():
    print(f"usage: driver.py WORKLOAD WORKERS TASKS SECONDS, or: version\nworkloads: {' '.join(UNITS)}", file=sys.stderr)
    sys.exit(2)


def parse(arguments):
    try:
        name, workers, tasks, seconds = arguments
        run = Run(int(workers), int(tasks), float(seconds))
        unit = UNITS[name]
    except (ValueError, KeyError):
        usage()
    if min(run.workers, run.tasks, run.window) <= 0 or run.window == math.inf:
        usage()
    return name, unit, run


def main():
    if sys.argv[1:] == ["version"]:
        print(f"{platform.python_implementation()} {platform.python_version()} {ThreadPoolExecutor.__name__}")
        return
    name, unit, run = parse(sys.argv[1:])
    try:
        getattr(workloads, name)(run)
    except Unsupported as reason:
        print(reason, file=sys.stderr)
        sys.exit(3)
    if not run.tasks:
        print(f"too few tasks for {name}", file=sys.stderr)
        sys.exit(2)
    if unit == PER_TASK:
        run.value = run.wall_ns / run.tasks
    used = resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "workload": name,
        "workers": run.workers,
        "tasks": run.tasks,
        "value": round(run.value, 3),
        "unit": unit,
        "wall_ns": run.wall_ns,
        "cpu_ns": run.cpu_ns,
        "p50_ns": run.p50_ns,
        "p99_ns": run.p99_ns,
        "wakeups_per_s": round(run.wakeups, 1),
        "max_rss_kib": used.ru_maxrss,
        "minor_faults": used.ru_minflt,
        "voluntary_switches": used.ru_nvcsw,
        "involuntary_switches": used.ru_nivcsw,
        "language": "Python",
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
