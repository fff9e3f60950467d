#!/usr/bin/env python3
"""Compares the instructions per task with a committed baseline, and those of C++ calls with the C calls they wrap. `make
bench-check` calls it; counts.py counts.

A count is kept only if three runs agree. More instructions than the baseline has, or one more call into libc, fail; fewer ask
for a new baseline. Another compiler makes other instructions of the same source: what another minor version of rustc has built is
given more tolerance, and what was built for another processor is shown but not judged. The C++ calls have no baseline, as their
counts depend on the C++ compiler: both sides of a pair are made by the same one, so that their ratio can be judged anywhere.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor

from counts import Count, CountError, add_arguments, subjects

BASELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")
RUNS = 3
AGREE = 0.005  # the runs of one phase, from the least to the most
TOLERANCE = 0.05  # of instructions, against the baseline
# The same, if another rustc made that. From 1.95 to 1.97 one phase changed by 8 %, all others by 1 % at most.
TOLERANCE_OTHER_RUSTC = 0.20
# Calls a task: what happens once in a chunk or a segment stays below, an allocation or a system call for each task does not.
CALLS_TOLERANCE = 0.05
MOST_OVERHEAD = 0.15  # of instructions, of a C++ call against the C calls that it wraps

HOW_TO_ACCEPT = "make bench-check ACCEPT=1 makes these counts the baseline; commit benches/callgrind/baseline.json with it."


def agreed(phase, counts):
    """One Count for several runs of a phase; a CountError if they differ."""
    instructions = [count.instructions for count in counts]
    calls = [count.calls for count in counts]
    if max(instructions) - min(instructions) > AGREE * min(instructions) or max(calls) - min(calls) > CALLS_TOLERANCE:
        runs = ", ".join(f"{count.instructions:.2f} instructions and {count.calls:.2f} calls" for count in counts)
        raise CountError(f"{phase}: the runs do not agree within {AGREE:.1%} and {CALLS_TOLERANCE} calls: {runs}")
    return Count(round(statistics.median(instructions), 2), round(statistics.median(calls), 2))


def count_all(subject):
    """{phase: Count}; as many runs at a time as there are processors, which cannot change a count."""
    phases = list(subject.phases())
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        runs = {phase: [executor.submit(subject.count, phase) for _ in range(RUNS)] for phase in phases}
        return {phase: agreed(phase, [run.result() for run in runs[phase]]) for phase in phases}


def change(old, new):
    """In words, for a table."""
    return f"{new / old - 1:+.1%}"


def worse(old, new, tolerance):
    """What got worse in each phase, as sentences. Both are {phase: Count}."""
    found = [f"{phase} is not in the baseline" for phase in new if phase not in old]
    found += [f"{phase} is in the baseline only" for phase in old if phase not in new]
    for phase in new.keys() & old.keys():
        was, now = old[phase], new[phase]
        if now.instructions > was.instructions * (1 + tolerance):
            percent = change(was.instructions, now.instructions)
            found.append(f"{phase} takes {now.instructions:.2f} instructions a task, was {was.instructions:.2f} ({percent})")
        if now.calls > was.calls + CALLS_TOLERANCE:
            found.append(f"{phase} makes {now.calls:.2f} calls into libc a task, was {was.calls:.2f}")
    return sorted(found)


def better(old, new, tolerance):
    """The phases that take so much less than the baseline that the next slow-down could hide in the difference."""

    def less(was, now):
        return now.instructions < was.instructions * (1 - tolerance) or now.calls < was.calls - CALLS_TOLERANCE

    return sorted(phase for phase in new.keys() & old.keys() if less(old[phase], new[phase]))


def same_minor(version, other):
    return version.split(".")[:2] == other.split(".")[:2]


def table(old, new):
    lines = [f"{'phase':<14}{'instructions':>14}{'baseline':>10}{'change':>9}{'calls':>8}{'baseline':>10}"]
    for phase, now in new.items():
        was = old.get(phase)
        known = ("–", "", "–")
        if was:
            known = (f"{was.instructions:.2f}", change(was.instructions, now.instructions), f"{was.calls:.2f}")
        lines.append(f"{phase:<14}{now.instructions:>14.2f}{known[0]:>10}{known[1]:>9}{now.calls:>8.2f}{known[2]:>10}")
    return "\n".join(lines)


def judge(baseline, now):
    """(what to tell the user, whether that is a failure). Both are as `load` and `main` make them."""
    if not baseline:
        return f"There is no baseline. {HOW_TO_ACCEPT}", True
    if baseline["machine"] != now["machine"]:
        return f"Not judged: the baseline is for {baseline['machine']}, this machine is {now['machine']}. {HOW_TO_ACCEPT}", False
    tolerance, said = TOLERANCE, []
    if not same_minor(baseline["rustc"], now["rustc"]):
        tolerance = TOLERANCE_OTHER_RUSTC
        said.append(f"The baseline is by rustc {baseline['rustc']}, this by {now['rustc']}: {tolerance:.0%} is tolerated.")
    slower = worse(baseline["phases"], now["phases"], tolerance)
    faster = better(baseline["phases"], now["phases"], tolerance)
    said += [f"FAILED: {what}" for what in slower]
    if slower:
        said.append(f"If that is meant: {HOW_TO_ACCEPT}")
    elif faster:
        said.append(f"Better than the baseline by more than is tolerated: {', '.join(faster)}. {HOW_TO_ACCEPT}")
    else:
        said.append(f"Every phase is within {tolerance:.0%} of the baseline.")
    return "\n".join(said), bool(slower)


def pairs(phases):
    """{name: (Count of the C calls, Count of the C++ call)}, of the C++ driver's phases NAME-c and NAME-cpp."""
    found = {phase.removesuffix("-cpp").removesuffix("-c") for phase in phases}
    odd = sorted({f"{name}-{side}" for name in found for side in ("c", "cpp")} ^ set(phases))
    if odd:
        raise CountError(f"not a pair of phases: {', '.join(odd)}")
    return {name: (phases[f"{name}-c"], phases[f"{name}-cpp"]) for name in sorted(found)}


def overhead_table(paired):
    lines = [f"{'C++ call':<18}{'instructions':>14}{'C calls':>10}{'overhead':>10}{'calls':>8}{'C calls':>10}"]
    for name, (c, cpp) in paired.items():
        added = change(c.instructions, cpp.instructions)
        lines.append(f"{name:<18}{cpp.instructions:>14.2f}{c.instructions:>10.2f}{added:>10}{cpp.calls:>8.2f}{c.calls:>10.2f}")
    return "\n".join(lines)


def judge_overhead(paired):
    """As `judge`, of the pairs."""
    said = []
    for name, (c, cpp) in paired.items():
        if cpp.instructions > c.instructions * (1 + MOST_OVERHEAD):
            percent = change(c.instructions, cpp.instructions)
            said.append(f"FAILED: {name} takes {cpp.instructions:.2f} instructions in C++, {c.instructions:.2f} in C ({percent})")
        if cpp.calls > c.calls + CALLS_TOLERANCE:
            said.append(f"FAILED: {name} makes {cpp.calls:.2f} calls into libc in C++, {c.calls:.2f} in C")
    if said:
        return "\n".join(said), True
    return f"Every C++ call takes at most {MOST_OVERHEAD:.0%} more than the C calls it wraps.", False


def load(path):
    """The baseline; {} if there is none."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        baseline = json.load(file)
    baseline["phases"] = {phase: Count(**count) for phase, count in baseline["phases"].items()}
    return baseline


def save(path, counted):
    phases = {phase: vars(count) for phase, count in counted["phases"].items()}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**counted, "phases": phases}, file, indent=2)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--accept", action="store_true", help="make the counts the baseline")
    options = parser.parse_args()
    baseline = load(BASELINE)
    try:
        c, cpp = subjects(options)
        now = {"rustc": c.rustc(), "machine": platform.machine(), "phases": count_all(c)}
        paired = pairs(count_all(cpp))
    except CountError as error:
        sys.exit(f"check.py: {error}")
    print(f"Instructions a task in {c.library}, and its calls into libc:")
    print(table(baseline.get("phases", {}), now["phases"]))
    if options.accept:
        save(BASELINE, now)
        verdict, failed = f"Accepted: {BASELINE}", False
    else:
        verdict, failed = judge(baseline, now)
    print(verdict)
    overhead, too_much = judge_overhead(paired)
    print("\nThe same of C++ calls and of the C calls that they wrap, with the code of tpexec.hpp:")
    print(overhead_table(paired))
    print(overhead)
    sys.exit(failed or too_much)


if __name__ == "__main__":
    main()
