"""The measurements of one run: taken in rounds, kept as JSON lines, read back for the reports."""

import json
import os
import platform
import statistics
import sys
import time
from collections import defaultdict

from rows import BY_KEY, figures
from subjects import OURS, Refused

STEADY_ROUNDS = 3


class Results:
    """`about` says where, when and what; `refusals` maps (row key, subject name) to the reason of a dash."""

    def __init__(self, about):
        self.about = about
        self.refusals = {}
        self._measurements = defaultdict(list)

    def add(self, line):
        place = line["row"], line["subject"]
        if "refused" in line:
            self.refusals[place] = line["refused"]
        else:
            self._measurements[place].append(line)

    def names(self):
        return [subject["name"] for subject in self.about["subjects"]]

    def peers(self):
        return [subject for subject in self.about["subjects"] if subject["name"] not in (OURS, "base")]

    def measurements(self, key, name):
        return self._measurements.get((key, name), [])

    def figures(self, key, name):
        """{unit: [a figure per round]}; empty where nothing was measured."""
        measurements = self.measurements(key, name)
        return figures(key, measurements) if measurements else {}

    def median(self, key, name, unit=None):
        """Of the row's first figure, or of the one named; None where nothing was measured."""
        shown = self.figures(key, name)
        if not shown:
            return None
        return statistics.median(shown[unit] if unit else next(iter(shown.values())))

    def rows(self):
        """Those with a measurement, in the order of the tables."""
        measured = {key for key, _ in self._measurements}
        return [row for key, row in BY_KEY.items() if key in measured]


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
        f"{' '.join(platform.libc_ver())}; load average before the start: {os.getloadavg()[0]:.2f}"
        f"{', run with real-time priority' if real_time else ''}"
    )


def describe(subjects, rounds, quick, absent):
    """What a report says about the run; JSON, as it is the first line of the file."""
    return {
        "machine": machine(),
        "rounds": rounds,
        "quick": quick,
        "subjects": [
            {
                "name": subject.name,
                "version": subject.version(),
                "language": subject.language,
                "is_c_family": subject.is_c_family,
                "has_future_per_call": subject.has_future_per_call,
                "hands_over": subject.hands_over,
                "divisor": subject.divisor,
            }
            for subject in subjects
        ],
        "absent": absent,
    }


def measure(subjects, rows, rounds, quick, path, absent=()):
    """Every row by every subject, in turns (A B C, then C B A, …), each measurement a process of its own, all of them kept in
    `path`."""
    results = Results(describe(subjects, rounds, quick, dict(absent)))
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:

        def keep(line):
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            out.flush()

        keep(results.about)
        for number in range(rounds):
            for row in rows:
                if row.is_steady and number >= STEADY_ROUNDS:
                    continue
                for subject in subjects if number % 2 == 0 else subjects[::-1]:
                    if (row.is_ours_only and subject.name not in (OURS, "base", "control")) or (
                        (row.key, subject.name) in results.refusals
                    ):
                        continue
                    line = {"row": row.key, "subject": subject.name, "round": number}
                    try:
                        line |= subject.run(row, quick)
                    except Refused as reason:
                        line["refused"] = str(reason)
                    keep(line)
                    results.add(line)
            progress = f"round {number + 1} of {rounds}"
            print(progress, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
    return results


def read(path):
    with open(path, encoding="utf-8") as file:
        about, *lines = (json.loads(line) for line in file)
    results = Results(about)
    for line in lines:
        results.add(line)
    return results
