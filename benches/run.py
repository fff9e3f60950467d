#!/usr/bin/env python3
"""Runs the benchmark: every workload in a process of its own, the subjects taking turns, medians over the rounds.

Called by the Makefile here, which builds what it runs. The table goes to stdout as Markdown, every single measurement as a line of
JSON to --out. Only ratios between subjects of one run mean something: they saw the same machine in the same minutes.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict

MILLION = 1_000_000

# key, what the table says, the driver's workload, workers, tasks, tasks in quick mode
ROWS = [
    ("collect1", "submit all, collect all, 1 worker", "collect", 1, MILLION, 300_000),
    ("collect", "submit all, collect all, 2 workers", "collect", 2, MILLION, 300_000),
    ("collect8", "submit all, collect all, 8 workers", "collect", 8, MILLION, 300_000),
    ("windows", "submit and collect in windows of 1,000", "windows", 2, MILLION, 200_000),
    ("many", "submit 1,000 a call, collect all", "many", 2, MILLION, 300_000),
    ("execute", "fire and forget, then drain", "execute", 2, MILLION, 300_000),
    ("producers", "four producers, submit and collect", "producers", 2, MILLION, 300_000),
    ("fib", "nested fork-join: fib(27)", "fib", 2, 1, 1),  # the workload knows its number of tasks
    ("inside", "one task submits and collects all", "inside", 2, MILLION, 300_000),
    ("inside_execute", "one task fires and forgets all", "inside_execute", 2, MILLION, 300_000),
    ("round_trip", "round trip, one task at a time", "round_trip", 2, 50_000, 10_000),
    ("one_us", "tasks of 1 µs, submit and collect", "one_us", 2, 200_000, 50_000),
    ("memory", "memory per pending task", "memory", 2, MILLION, 300_000),
    ("memory_execute", "memory per pending task, fire and forget", "memory_execute", 2, MILLION, 300_000),
    ("idle", "8 idle workers", "idle", 8, 1, 1),
]

# What does not depend on who else uses the machine needs few repetitions.
STEADY = {"memory", "memory_execute", "idle"}

# What this project set out to reach against the control, on 2 workers: row, figure, at most.
RATIO_TARGETS = [
    ("collect", 1 / 3, "at most a third of the control's time"),
    ("execute", 1 / 2, "at most half of the control's time"),
    ("inside", 1 / 2, "at most half of the control's time"),
    ("inside_execute", 1 / 2, "at most half of the control's time"),
]
BYTES_TARGETS = [("memory", 80), ("memory_execute", 80)]

HANG_AFTER = 120  # seconds; the slowest run takes a few


class Subject:
    """A driver, and where it finds the library it drives (None: where it was linked)."""

    def __init__(self, name, driver, library_dir=None):
        self.name, self.driver, self.library_dir = name, driver, library_dir

    def run(self, workload, workers, tasks, seconds):
        """One measurement as a dict; None if the subject cannot do this."""
        command = [self.driver, workload, str(workers), str(tasks), str(seconds)]
        environment = dict(os.environ)
        if self.library_dir:
            environment["LD_LIBRARY_PATH"] = self.library_dir
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG_AFTER)
        except subprocess.TimeoutExpired:
            sys.exit(f"run.py: {self.name} hangs: no end after {HANG_AFTER} s: {' '.join(command)}")
        if done.returncode == 3:
            return None
        if done.returncode != 0:
            sys.exit(f"run.py: {self.name}: status {done.returncode}: {' '.join(command)}\n{done.stderr}")
        return json.loads(done.stdout)


def measure(subjects, rows, rounds, quick, out):
    """{(row key, subject name): [measurement, …]}, the subjects taking turns; who begins changes from round to round."""
    found = defaultdict(list)
    for number in range(rounds):
        order = subjects if number % 2 == 0 else subjects[::-1]
        for key, _, workload, workers, tasks, quick_tasks in rows:
            if key in STEADY and number >= 3:
                continue
            for subject in order:
                got = subject.run(workload, workers, quick_tasks if quick else tasks, 0.5 if quick else 3)
                if got is None:
                    continue
                found[key, subject.name].append(got)
                out.write(json.dumps({"row": key, "subject": subject.name, "round": number, **got}) + "\n")
        progress = f"round {number + 1} of {rounds}"
        print(progress, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
    return found


def figures(key, measurements):
    """{label: [a figure per round]}: what a row shows of its measurements. The first is what ratios are made of."""
    if key == "round_trip":
        return {"p50 ns": [m["p50_ns"] for m in measurements], "p99 ns": [m["p99_ns"] for m in measurements]}
    if key == "idle":
        return {
            "µs CPU/s": [m["value"] for m in measurements],
            "wake-ups/s": [m["wakeups_per_s"] for m in measurements],
        }
    unit = {"ns/task": "ns", "wall/ideal": "wall ÷ ideal", "B/task": "B"}[measurements[0]["unit"]]
    return {unit: [m["value"] for m in measurements]}


def show(values):
    """The median, and in parentheses the lowest and the highest."""
    digits = 2 if 0 < max(values) < 10 else 0
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def ratio(mine, others):
    """Median over median; None where there is nothing to divide by."""
    theirs = statistics.median(others)
    return statistics.median(mine) / theirs if theirs else None


def table(rows, subjects, found, with_cpu):
    """Markdown: one line per figure; times as the median (lowest–highest), ratios of medians."""
    ours, others = subjects[0], subjects[1:]
    head = ["workload", "unit"] + [s.name for s in subjects] + [f"{ours.name} ÷ {s.name}" for s in others]
    head += [f"CPU ns/task {s.name}" for s in subjects] if with_cpu else []
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for key, label, *_ in rows:
        per_subject = {s.name: figures(key, found[key, s.name]) for s in subjects if found[key, s.name]}
        if not per_subject:
            continue
        for unit in next(iter(per_subject.values())):
            values = {name: shown[unit] for name, shown in per_subject.items()}
            cells = [label, unit] + [show(values[s.name]) if s.name in values else "–" for s in subjects]
            for other in others:
                quotient = ratio(values[ours.name], values[other.name]) if {ours.name, other.name} <= set(values) else None
                cells.append("–" if quotient is None else f"{quotient:.2f}")
            if with_cpu:
                for s in subjects:
                    cpu = [m["cpu_ns"] / m["tasks"] for m in found[key, s.name]]
                    cells.append(f"{statistics.median(cpu):,.0f}" if cpu and unit in ("ns", "p50 ns") else "–")
            lines.append(cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def targets(found):
    """Each target with what was measured, as a list. A report, not a test: it never changes the exit status."""
    lines = []

    def line(key, reached, measured, target):
        label = next(row[1] for row in ROWS if row[0] == key)
        lines.append(f"- {'reached' if reached else 'MISSED'}: {label}: {measured}; the target is {target}")

    for key, at_most, words in RATIO_TARGETS:
        mine, control = found[key, "libtpexec"], found[key, "control"]
        if mine and control:
            quotient = ratio(*(next(iter(figures(key, m).values())) for m in (mine, control)))
            line(key, quotient <= at_most, f"{quotient:.2f} of the control's time", words)
    for key, at_most in BYTES_TARGETS:
        if found[key, "libtpexec"]:
            value = statistics.median(m["value"] for m in found[key, "libtpexec"])
            line(key, value <= at_most, f"{value:.0f} bytes", f"at most {at_most}")
    if found["idle", "libtpexec"]:
        cpu, wakeups = (statistics.median(v) for v in figures("idle", found["idle", "libtpexec"]).values())
        line("idle", cpu == 0 and wakeups == 0, f"{cpu:.1f} µs of CPU and {wakeups:.1f} wake-ups a second", "none")
    return "\n".join(lines)


def machine():
    """One line that says where, when, and what else was going on."""
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        for text in info:
            if text.startswith("model name"):
                model = text.split(":", 1)[1].strip()
                break
    real_time = os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)
    return (
        f"{time.strftime('%Y-%m-%d %H:%M %Z')}; {model}, {os.cpu_count()} CPUs; Linux {platform.release()}, "
        f"{' '.join(platform.libc_ver())}; load average before the start: {os.getloadavg()[0]:.2f}{', run with real-time priority' if real_time else ''}"
    )


def put_into_readme(path, text):
    """Replaces what stands between README's two marks."""
    first, last = "<!-- measured: make -C benches readme -->\n", "<!-- end of measured -->\n"
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(first)
    after = rest.split(last)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{first}{text}\n{last}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="directory of the drivers")
    parser.add_argument("--out", required=True, help="file for the JSON lines")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="fewer tasks, 3 rounds; also shows CPU time")
    parser.add_argument("--only", default="", help="comma-separated rows: " + ",".join(row[0] for row in ROWS))
    parser.add_argument("--subjects", default="libtpexec,control")
    parser.add_argument("--base", help="directory of another build of libtpexec.so to compare with")
    parser.add_argument("--readme", help="put the table into this file too")
    options = parser.parse_args()

    known = {
        "libtpexec": Subject("libtpexec", os.path.join(options.bin, "driver-tpexec")),
        "control": Subject("control", os.path.join(options.bin, "driver-control")),
    }
    only = [key for key in options.only.split(",") if key]
    unknown = set(only) - {row[0] for row in ROWS} or set(options.subjects.split(",")) - set(known)
    if unknown:
        parser.error("unknown: " + ", ".join(sorted(unknown)))
    subjects = [known[name] for name in options.subjects.split(",")]
    if options.base:
        subjects.insert(1, Subject("base", known["libtpexec"].driver, os.path.abspath(options.base)))
    rows = [row for row in ROWS if not only or row[0] in only]
    rounds = options.rounds or (3 if options.quick else 9)

    intro = f"{machine()}.\n{rounds} rounds, each measurement its own process; median (lowest–highest)."
    print(intro, end="\n\n", flush=True)
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    with open(options.out, "w", encoding="utf-8") as out:
        found = measure(subjects, rows, rounds, options.quick, out)
    shown = table(rows, subjects, found, options.quick)
    print(shown)
    if judged := targets(found):
        print(f"\nTargets:\n\n{judged}")
    if options.readme:
        put_into_readme(options.readme, f"{intro}\n\n{shown}")
    print(f"\nEvery measurement: {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
