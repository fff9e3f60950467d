"""The rows of the tables: which workload of the driver, with how much of it, and what a row shows of the measurements."""

from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True)
class Row:
    key: str
    number: str  # as in the list of workloads: rows that belong together share it
    label: str
    workload: str  # the driver's name for it
    workers: int
    tasks: int
    quick_tasks: int
    # What does not depend on who else uses the machine needs few repetitions.
    is_steady: bool = False
    # About libtpexec itself: nothing to compare with.
    is_ours_only: bool = False
    # Time or memory per task: a slow subject may be given fewer tasks.
    is_divisible: bool = True


ROWS = [
    Row("collect1", "W1", "submit all, collect all, 1 worker", "collect", 1, MILLION, 300_000),
    Row("collect", "W1", "submit all, collect all, 2 workers", "collect", 2, MILLION, 300_000),
    Row("collect8", "W1", "submit all, collect all, 8 workers", "collect", 8, MILLION, 300_000),
    Row("windows", "W1b", "submit and collect in windows of 1,000", "windows", 2, MILLION, 200_000),
    Row("many", "W1c", "submit 1,000 a call, collect all", "many", 2, MILLION, 300_000, is_ours_only=True),
    Row("execute", "W2", "fire and forget, then drain", "execute", 2, MILLION, 300_000),
    Row("round_trip", "W3", "round trip, one task at a time", "round_trip", 2, 50_000, 10_000),
    Row("producers", "W4", "four producers, submit and collect", "producers", 2, MILLION, 300_000),
    # fib and idle know their number of tasks.
    Row("fib", "W5", "nested fork-join: fib(27)", "fib", 2, 1, 1, is_divisible=False),
    Row("inside", "W6", "one task submits and collects all", "inside", 2, MILLION, 300_000),
    Row("inside_execute", "W6", "one task fires and forgets all", "inside_execute", 2, MILLION, 300_000),
    Row("one_us", "W7", "tasks of 1 µs, submit and collect", "one_us", 2, 200_000, 50_000),
    Row("memory", "W8", "memory per pending task", "memory", 2, MILLION, 300_000, is_steady=True),
    Row("memory_execute", "W8", "memory per task, fire and forget", "memory_execute", 2, MILLION, 300_000, is_steady=True),
    Row("idle", "W8", "8 idle workers", "idle", 8, 1, 1, is_steady=True, is_divisible=False),
    Row("sleepers", "W9", "tasks that sleep 1 ms, 64 workers", "sleepers", 64, 10_000, 2_000, is_divisible=False),
    Row("growth4", "W10", "submit all, collect all, 10⁴ tasks", "collect", 2, 10**4, 10**3, is_ours_only=True),
    Row("growth5", "W10", "submit all, collect all, 10⁵ tasks", "collect", 2, 10**5, 10**4, is_ours_only=True),
    Row("growth6", "W10", "submit all, collect all, 10⁶ tasks", "collect", 2, 10**6, 10**5, is_ours_only=True),
    Row("growth7", "W10", "submit all, collect all, 10⁷ tasks", "collect", 2, 10**7, 10**6, is_ours_only=True),
]

BY_KEY = {row.key: row for row in ROWS}
GROWTH = [row.key for row in ROWS if row.number == "W10"]
# The comparison with the control is about the cost of a task: no need for ten million of them, or for tasks that sleep.
CONTROL_ROWS = [row for row in ROWS if row.number not in ("W9", "W10")]
PEER_ROWS = [row for row in ROWS if row.key != "inside_execute"]


def figures(key, measurements):
    """{unit: [a figure per round]}: what a row shows of its measurements. The first is what ratios are made of."""
    if key == "round_trip":
        return {"p50 ns": [m["p50_ns"] for m in measurements], "p99 ns": [m["p99_ns"] for m in measurements]}
    if key == "idle":
        return {
            "µs CPU/s": [m["value"] for m in measurements],
            "wake-ups/s": [m["wakeups_per_s"] for m in measurements],
        }
    units = {"ns/task": "ns", "wall/ideal": "wall ÷ ideal", "wall/plain": "wall ÷ plain threads", "B/task": "B"}
    return {units[measurements[0]["unit"]]: [m["value"] for m in measurements]}
