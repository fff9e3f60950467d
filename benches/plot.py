"""The picture of `make bench-peers`, benches/results/peers.svg: a line per figure, a mark per peer, on a logarithmic scale of how
many times as long as libtpexec it takes. Plain SVG, with colours for light and for dark pages."""

import math
from html import escape

from comparison import each_figure
from subjects import OURS
from targets import BEST, BEST_C, best

WIDTH, LEFT, RIGHT = 1190, 350, 810  # of the picture; of the scale
TOP, LINE, BOTTOM = 112, 34, 60
COLUMN_BEST, COLUMN_BEST_C = RIGHT + 24, RIGHT + 204
RADIUS = 5.5
LANE = 6  # C and C++ this far above the line of a figure, the others below, so that fewer marks cover each other

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1f2328 }
  .title { font-size: 18px; font-weight: 600 }
  .muted { fill: #59636e }
  .page { fill: #ffffff }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .fine { stroke: #eff2f5; stroke-width: 1 }
  .one { stroke: #cf222e; stroke-width: 1.5 }
  .ours { fill: #cf222e; stroke: #ffffff }
  .c { fill: #0969da; stroke: #ffffff }
  .other { fill: #bf8700; stroke: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .muted { fill: #9198a1 }
    .page { fill: #0d1117 }
    .grid { stroke: #3d444d }
    .fine { stroke: #1c2128 }
    .one { stroke: #ff7b72 }
    .ours { fill: #ff7b72; stroke: #0d1117 }
    .c { fill: #4493f8; stroke: #0d1117 }
    .other { fill: #d29922; stroke: #0d1117 }
  }
"""


def lines_of(results):
    """(label, row key, unit, [(ratio to ours, peer's description)]) of every figure that can be divided by ours."""
    lines = []
    for row, unit in each_figure(results):
        mine = results.median(row.key, OURS, unit)
        if not mine:
            continue
        marks = []
        for peer in results.peers():
            theirs = results.median(row.key, peer["name"], unit)
            if theirs:
                marks.append((theirs / mine, peer))
        if marks:
            several = len(results.figures(row.key, OURS)) > 1
            lines.append((f"{row.label}, {unit.split()[0]}" if several else row.label, row, unit, marks))
    return lines


def ratio_text(value):
    return f"{value:.2f}×" if value < 9.95 else f"{value:,.0f}×"


def svg(results):
    lines = lines_of(results)
    ratios = [ratio for *_, marks in lines for ratio, _ in marks] + [1.0]
    first, last = math.floor(math.log10(min(ratios) * 0.9)), math.ceil(math.log10(max(ratios) * 1.1))

    def x(ratio):
        return LEFT + (RIGHT - LEFT) * (math.log10(ratio) - first) / (last - first)

    height = TOP + LINE * len(lines) + BOTTOM
    bottom = height - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>Time of each peer relative to {OURS}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
    ]

    def text(at, y, words, classes="", anchor="start"):
        parts.append(f'<text x="{at:.1f}" y="{y:.1f}" class="{classes}" text-anchor="{anchor}">{escape(words)}</text>')

    def vertical(at, classes):
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 14}" y2="{bottom}" class="{classes}"/>')

    def mark(at, y, peer, words):
        title = f"<title>{escape(words)}</title>"
        if peer is None or peer["is_c_family"]:
            classes = "ours" if peer is None else "c"
            parts.append(f'<circle cx="{at:.1f}" cy="{y:.1f}" r="{RADIUS}" class="{classes}">{title}</circle>')
        else:
            corners = f"{at:.1f},{y - 6.5:.1f} {at + 6.5:.1f},{y:.1f} {at:.1f},{y + 6.5:.1f} {at - 6.5:.1f},{y:.1f}"
            parts.append(f'<polygon points="{corners}" class="other">{title}</polygon>')

    text(24, 34, f"How many times as much as {OURS}: time, or memory, per task", "title")
    text(24, 56, "Medians; to the right of the line is slower or larger. One mark per peer.", "muted")
    legend = ((None, OURS), ({"is_c_family": True}, "peer in C or C++"), ({"is_c_family": False}, "peer in Rust, Java or Python"))
    for at, (peer, words) in zip((LEFT, LEFT + 100, LEFT + 240), legend):
        mark(at, 80, peer, words)
        text(at + 12, 84.5, words)
    text(COLUMN_BEST, 84.5, "best peer", "muted")
    text(COLUMN_BEST_C, 84.5, "best in C or C++", "muted")

    for decade in range(first, last + 1):
        for step in range(2, 10) if decade < last else ():
            vertical(x(step * 10**decade), "fine")
        vertical(x(10**decade), "grid")
        text(x(10**decade), bottom + 20, f"{10**decade:,g}×" if decade >= 0 else f"{10**decade:g}×", "muted", "middle")
    vertical(x(1), "one")

    for index, (label, row, unit, marks) in enumerate(lines):
        y = TOP + LINE * index + LINE / 2
        parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" class="grid"/>')
        text(24, y + 4.5, row.number, "muted")
        text(LEFT - 14, y + 4.5, label, anchor="end")
        for ratio, peer in sorted(marks, key=lambda found: -found[0]):
            mark(x(ratio), y - LANE if peer["is_c_family"] else y + LANE, peer, f"{peer['name']}: {ratio_text(ratio)}")
        mine = results.median(row.key, OURS, unit)
        mark(x(1), y, None, f"{OURS}: {mine:,.2f} {unit}")
        for at, against in ((COLUMN_BEST, BEST), (COLUMN_BEST_C, BEST_C)):
            if lowest := best(results, row.key, against, unit):
                text(at, y + 4.5, f"{ratio_text(lowest[0] / mine)} {lowest[1]}")

    text(24, height - 14, results.about["machine"].split("; load")[0], "muted")
    parts.append("</svg>\n")
    return "\n".join(parts)
