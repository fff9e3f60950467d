#!/usr/bin/env python3
"""Runs the benchmark: every workload in a process of its own, the subjects taking turns, medians over the rounds.

Called by the Makefile here, which builds what it runs. Without --peers: libtpexec and the control; the table goes to stdout. With
--peers: libtpexec and its peers; the report, the picture and every measurement go to a directory. Only ratios between subjects of
one run mean something: they saw the same machine in the same minutes.
"""

import argparse
import os
import sys

import comparison
import measurements
import plot
import report
import rows
import subjects
import targets

DEFAULT_ROUNDS, DEFAULT_PEER_ROUNDS, QUICK_ROUNDS = 9, 5, 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=os.path.abspath, help="directory of the drivers")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="fewer tasks, 3 rounds; also shows CPU time")
    parser.add_argument("--only", default="", help="comma-separated rows: " + ",".join(rows.BY_KEY))
    parser.add_argument("--base", help="directory of another build of libtpexec.so to compare with")
    parser.add_argument("--out", help="file for the JSON lines")
    parser.add_argument("--subjects", default=f"{subjects.OURS},control")
    parser.add_argument("--readme", help="put the summary of the peers into this file too")
    parser.add_argument("--peers", nargs="?", const="", help="compare with these, or with all that were built")
    parser.add_argument("--results", help="directory of peers.jsonl, peers.md and peers.svg")
    parser.add_argument("--again", action="store_true", help="measure nothing: report once more what --results holds")
    options = parser.parse_args()
    if (options.results if options.peers is not None or options.again else options.out) is None:
        parser.error("--out is needed, or with --peers --results")
    return parser, options


def chosen(parser, names, known):
    unknown = set(names) - set(known)
    if unknown:
        parser.error("unknown: " + ", ".join(sorted(unknown)) + "; known: " + ", ".join(known))
    return [known[name] for name in names]


def words(text):
    return [word for word in text.split(",") if word]


def bench(parser, options):
    """libtpexec, another build of it if there is one, and the control."""
    known = subjects.ours(options.bin)
    measured = chosen(parser, words(options.subjects), known)
    if options.base:
        measured.insert(1, subjects.base_of(known[subjects.OURS], options.base))
    wanted = chosen(parser, words(options.only), rows.BY_KEY) or rows.CONTROL_ROWS
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else DEFAULT_ROUNDS)
    found = measurements.measure(measured, wanted, rounds, options.quick, options.out)
    shown = f"{report.intro(found.about)}\n\n{report.control_table(found, options.quick)}"
    print(shown)
    if judged := targets.report(found, targets.CONTROL_TARGETS):
        print(f"\nTargets:\n\n{judged}")
    print(f"\nEvery measurement: {options.out}", file=sys.stderr)


def measure_peers(parser, options, path):
    known = subjects.peers(options.bin)
    named = chosen(parser, words(options.peers), known)
    missing = [peer for peer in named or known.values() if not peer.is_there]
    if named and missing:
        parser.error("not built: " + "; ".join(f"{peer.name} (from {peer.source})" for peer in missing))
    there = [subjects.ours(options.bin)[subjects.OURS], *(peer for peer in named or known.values() if peer.is_there)]
    wanted = chosen(parser, words(options.only), rows.BY_KEY) or rows.PEER_ROWS
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else DEFAULT_PEER_ROUNDS)
    absent = {peer.name: peer.source for peer in missing}
    return measurements.measure(there, wanted, rounds, options.quick, path, absent)


def bench_peers(parser, options):
    """libtpexec and its peers, or what the last such run measured."""
    path = os.path.join(options.results, "peers.jsonl")
    found = measurements.read(path) if options.again else measure_peers(parser, options, path)
    for name, text in (("peers.md", comparison.markdown(found)), ("peers.svg", plot.svg(found))):
        with open(os.path.join(options.results, name), "w", encoding="utf-8") as file:
            file.write(text)
    intro = report.intro(found.about)
    if options.readme:
        report.put_into_readme(options.readme, f"{intro}\n\n{comparison.summary(found, with_targets=False)}")
    print(f"{intro}\n\n{comparison.summary(found)}\n\nTargets:\n")
    print(targets.report(found, targets.PEER_TARGETS))
    if why := comparison.reasons(found):
        print(f"\nDashes:\n\n{why}")
    print(f"\nWritten: peers.jsonl, peers.md, peers.svg in {options.results}", file=sys.stderr)


def main():
    parser, options = arguments()
    (bench if options.peers is None and not options.again else bench_peers)(parser, options)


if __name__ == "__main__":
    main()
