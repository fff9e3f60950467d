"""What the workloads measure with: the record of a run, resident memory, the CPU time of other threads."""

import os
import sys
import time


class Run:
    """What a workload is given, and what it reports."""

    def __init__(self, workers, tasks, window):
        self.workers, self.tasks, self.window = workers, tasks, window
        self.wall_ns = self.cpu_ns = self.value = self.p50_ns = self.p99_ns = self.wakeups = 0

    def __enter__(self):
        """Starts the clock."""
        self.cpu_ns = -time.process_time_ns()
        self.wall_ns = -time.monotonic_ns()

    def __exit__(self, *_):
        self.wall_ns += time.monotonic_ns()
        self.cpu_ns += time.process_time_ns()


def check(right, what):
    """A pool that loses tasks must not win."""
    if not right:
        sys.exit(f"wrong result: {what}")


def resident_bytes():
    """From smaps_rollup, which walks the page tables: exact, unlike the batched counters in statm."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as rollup:
        return 1024 * next(int(line.split()[1]) for line in rollup if line.startswith("Rss:"))


def usage_of_others():
    """Every thread but the main one, which calls: CPU time in ns, and times given a CPU, from the scheduler's own books."""
    cpu_ns = runs = 0
    for thread in os.listdir("/proc/self/task"):
        if int(thread) != os.getpid():
            with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as schedstat:
                on_cpu, _, times_run = map(int, schedstat.read().split())
            cpu_ns += on_cpu
            runs += times_run
    return cpu_ns, runs
