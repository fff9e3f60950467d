"""What this project set out to reach, as data, compared with what was measured. A report, never an exit status."""

from dataclasses import dataclass

from rows import BY_KEY, GROWTH
from subjects import OURS

# What a target is a ratio to.
BEST = "best"
BEST_C = "best C/C++"
BEST_FUTURE = "best with a future per call"
BEST_HAND_OVER = "best that hands over to another thread"
CONTROL = "control"
OWN_COLLECT = "our own submit and collect"
# … or not a ratio to another subject at all: the figure itself; the slowest of the growth rows over the fastest.
ITSELF = "itself"
GROWTH_SPREAD = "fastest of the growth rows"

# Which peers count; the value is a test of a subject's description (measurements.describe).
OPPONENTS = {
    BEST: lambda peer: True,
    BEST_C: lambda peer: peer["is_c_family"],
    BEST_FUTURE: lambda peer: peer["has_future_per_call"],
    BEST_HAND_OVER: lambda peer: peer["hands_over"],
    CONTROL: lambda peer: peer["name"] == "control",
}


@dataclass(frozen=True)
class Target:
    row: str
    at_most: float
    against: str
    unit: str | None = None  # None: the row's first figure

    def words(self):
        return f"≤ {self.at_most:.3g}" + ("" if self.against == ITSELF else f" × {self.against}")


@dataclass(frozen=True)
class Judgement:
    target: Target
    measured: float  # what is compared with at_most
    opponent: str | None  # the subject that was best, where that is the question

    @property
    def is_reached(self):
        return self.measured <= self.target.at_most

    def words(self):
        times = f" × {self.opponent}" if self.opponent else ""
        return f"{'reached' if self.is_reached else 'MISSED'}: {self.measured:.2f}{times}"


# 0 ms in 3 s as the clock of a process shows them: rounded.
NO_CPU_US_PER_S = 500 / 3

PEER_TARGETS = [
    *(Target(key, 0.7, BEST) for key in ("collect1", "collect", "collect8")),
    *(Target(key, 0.1, BEST_C) for key in ("collect1", "collect", "collect8")),
    Target("windows", 0.5, BEST),
    Target("windows", 0.17, BEST_C),
    Target("many", 0.8, OWN_COLLECT),
    Target("execute", 0.7, BEST),
    Target("execute", 0.2, BEST_C),
    Target("round_trip", 0.2, BEST_HAND_OVER, "p50 ns"),
    Target("round_trip", 1.0, BEST_HAND_OVER, "p99 ns"),
    Target("producers", 0.7, BEST),
    Target("fib", 1.0, BEST_FUTURE),
    Target("fib", 0.5, BEST_C),
    Target("inside", 0.6, BEST),
    Target("one_us", 1.35, ITSELF),
    Target("memory", 64, ITSELF, "B"),
    Target("memory_execute", 20, ITSELF, "B"),
    Target("idle", NO_CPU_US_PER_S, ITSELF, "µs CPU/s"),
    Target("sleepers", 1.05, ITSELF),
    Target("sleepers", 1.0, BEST),
    Target(GROWTH[-1], 1.2, GROWTH_SPREAD),
]

CONTROL_TARGETS = [
    Target("collect", 1 / 3, CONTROL),
    *(Target(key, 1 / 2, CONTROL) for key in ("execute", "inside", "inside_execute")),
    Target("memory", 80, ITSELF, "B"),
    Target("memory_execute", 80, ITSELF, "B"),
    Target("idle", 0, ITSELF, "µs CPU/s"),
    Target("idle", 0, ITSELF, "wake-ups/s"),
]


def best(results, key, against, unit=None):
    """(median, name) of the lowest among the peers that count; None where none of them was measured."""
    found = [
        (median, peer["name"])
        for peer in results.peers()
        if OPPONENTS[against](peer) and (median := results.median(key, peer["name"], unit)) is not None
    ]
    return min(found, default=None)


def ratio(mine, theirs):
    """None where a side was not measured, or where there is nothing to divide by."""
    return mine / theirs if mine is not None and theirs else None


def judge(results, target):
    """None where what the target compares was not measured."""
    mine = results.median(target.row, OURS, target.unit)
    opponent = None
    if target.against == ITSELF:
        measured = mine
    elif target.against == OWN_COLLECT:
        measured = ratio(mine, results.median("collect", OURS))
    elif target.against == GROWTH_SPREAD:
        medians = [results.median(key, OURS) for key in GROWTH]
        measured = None if None in medians else ratio(max(medians), min(medians))
    else:
        lowest, opponent = best(results, target.row, target.against, target.unit) or (None, None)
        measured = ratio(mine, lowest)
    return None if measured is None else Judgement(target, measured, opponent)


def judgements(results, targets):
    return [judged for target in targets if (judged := judge(results, target))]


def report(results, targets):
    """Markdown: a line per target that was measured."""
    lines = []
    for judged in judgements(results, targets):
        row = BY_KEY[judged.target.row]
        unit = f" ({judged.target.unit})" if judged.target.unit else ""
        lines.append(f"- {row.number}, {row.label}{unit}: {judged.words()}; the target is {judged.target.words()}")
    return "\n".join(lines)
