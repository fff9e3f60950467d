"""The report of `make bench-peers`, benches/results/peers.md: how far libtpexec is from the best peer of each row, what every peer
took, which versions ran, and why a peer is missing in a row."""

import statistics

from report import DASH, intro, lines_of, number, quotient, versions
from rows import BY_KEY
from subjects import OURS
from targets import BEST, BEST_C, PEER_TARGETS, best, judgements

BEST_MARK, BEST_C_MARK = "**", "†"
WORDS = 3  # columns of words that begin each table


def each_figure(results):
    """(row, unit) of every line of the tables."""
    for row in results.rows():
        names = [name for name in results.names() if results.measurements(row.key, name)]
        for unit in results.figures(row.key, names[0]):
            yield row, unit


def summary(results, with_targets=True):
    """Our figure beside the best of all and the best of the C and C++ peers; with the targets of the row, if wanted."""
    judged = judgements(results, PEER_TARGETS)
    table = [["", "workload", "unit", OURS, "best peer", "ratio", "best C/C++", "ratio"] + ["target"] * with_targets]
    for row, unit in each_figure(results):
        mine = results.median(row.key, OURS, unit)
        cells = [row.number, row.label, unit, DASH if mine is None else number(mine)]
        for against in (BEST, BEST_C):
            lowest = best(results, row.key, against, unit)
            cells.append(f"{number(lowest[0])} {lowest[1]}" if lowest and lowest[0] else DASH)
            cells.append(quotient(mine, lowest and lowest[0]))
        if not with_targets:
            table.append(cells)
            continue
        is_first = unit == next(iter(results.figures(row.key, OURS)), None)
        of_this = [j for j in judged if j.target.row == row.key and (j.target.unit == unit or (is_first and not j.target.unit))]
        cells.append("<br>".join(f"{j.words()}, target {j.target.words()}" for j in of_this) or DASH)
        table.append(cells)
    return lines_of(table, WORDS)


def everyone(results):
    """Every subject's median, with the lowest and the highest below it; the two bests marked."""
    names = results.names()
    table = [["", "workload", "unit", *names]]
    for row, unit in each_figure(results):
        best_of_all, best_of_c = (
            lowest and lowest[1] for lowest in (best(results, row.key, against, unit) for against in (BEST, BEST_C))
        )
        cells = [row.number, row.label, unit]
        for name in names:
            values = results.figures(row.key, name).get(unit)
            if not values:
                cells.append(DASH)
                continue
            middle = number(statistics.median(values))
            if name == best_of_all:
                middle = f"{BEST_MARK}{middle}{BEST_MARK}"
            if name == best_of_c:
                middle += BEST_C_MARK
            cells.append(f"{middle}<br>{number(min(values))}–{number(max(values))}")
        table.append(cells)
    return lines_of(table, WORDS)


def reasons(results):
    """Why there are dashes; a reason that several subjects or rows share is said once."""
    rows_of = {}  # of each reason of each subject
    for (key, name), reason in results.refusals.items():
        rows_of.setdefault((name, reason), []).append(BY_KEY[key].label)
    names_of = {}
    for (name, reason), labels in sorted(rows_of.items()):
        names_of.setdefault((reason, "; ".join(labels)), []).append(name)
    lines = [f"- {', '.join(names)}: {reason} ({labels})" for (reason, labels), names in names_of.items()]
    lines += [f"- {name}: not part of this run; to have it: {source}" for name, source in results.about["absent"].items()]
    return "\n".join(lines)


def markdown(results):
    return f"""# libtpexec and its peers

{intro(results.about)}
The clock runs from before the pool is made until it is freed. Compare the columns of one run only: they saw the same machine
in the same minutes. `make bench-peers` makes this file, the picture `peers.svg` and `peers.jsonl`, which has every measurement.

![Time relative to libtpexec, per workload](peers.svg)

## Against the best

Medians; a ratio is ours divided by theirs, so that less is better.

{summary(results)}

## Every peer

{BEST_MARK}Best peer{BEST_MARK}, {BEST_C_MARK} best of those in C or C++.

{everyone(results)}

## Dashes

W1c and W10 are about libtpexec alone.

{reasons(results)}

## Versions

{versions(results)}
"""
