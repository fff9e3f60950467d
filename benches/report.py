"""The table of `make bench`: libtpexec, the control, and another build of the library if there is one. In Markdown, also for
README."""

import statistics

from subjects import OURS
from targets import ratio

DASH = "–"


def lines_of(rows, n_words=2):
    """Markdown of a table from lists of cells, the head first; the first `n_words` columns are words, the others figures."""
    head, *body = rows
    lines = [head, ["---"] * n_words + ["---:"] * (len(head) - n_words), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def number(value, largest=None):
    """Two decimals for figures below 10; with `largest`, as many as that one gets."""
    digits = 2 if 0 < (value if largest is None else largest) < 10 else 0
    return f"{value:,.{digits}f}"


def show(values):
    """The median, and in parentheses the lowest and the highest."""
    middle, lowest, highest = (number(v, max(values)) for v in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({lowest}–{highest})"


def quotient(mine, theirs):
    value = ratio(mine, theirs)
    return DASH if value is None else f"{value:.2f}"


def control_table(results, with_cpu):
    """One line per figure; times as the median (lowest–highest), ratios of medians."""
    names = results.names()
    others = names[1:]
    head = ["workload", "unit"] + names + [f"{names[0]} ÷ {other}" for other in others]
    head += [f"CPU ns/task {name}" for name in names] if with_cpu else []
    table = [head]
    for row in results.rows():
        shown = {name: results.figures(row.key, name) for name in names}
        for unit in next(figures for figures in shown.values() if figures):
            cells = [row.label, unit] + [show(shown[name][unit]) if shown[name] else DASH for name in names]
            mine = results.median(row.key, names[0], unit)
            cells += [quotient(mine, results.median(row.key, other, unit)) for other in others]
            if with_cpu:
                cells += [cpu_per_task(results, row, name) if unit in ("ns", "p50 ns") else DASH for name in names]
            table.append(cells)
    return lines_of(table)


def cpu_per_task(results, row, name):
    values = [m["cpu_ns"] / m["tasks"] for m in results.measurements(row.key, name)]
    return f"{statistics.median(values):,.0f}" if values else DASH


def intro(about):
    return (
        f"{about['machine']}.\nRounds: {about['rounds']}, each measurement its own process; median (lowest–highest)."
        f"{' Quick: fewer tasks, not for comparison.' if about['quick'] else ''}"
    )


def versions(results):
    """One line per subject: which version, and how many tasks it got."""
    lines = []
    for subject in results.about["subjects"]:
        fewer = f"; per-task figures from 1/{subject['divisor']} of the tasks" if subject["divisor"] > 1 else ""
        lines.append(f"- {subject['name']}: {subject['version']}{'' if subject['name'] == OURS else fewer}")
    return "\n".join(lines)


def put_into_readme(path, text):
    """Replaces what stands between README's two marks."""
    first, last = "<!-- measured: make bench-peers && make -C benches readme -->\n", "<!-- end of measured -->\n"
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(first)
    after = rest.split(last)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{first}{text}\n{last}{after}")
