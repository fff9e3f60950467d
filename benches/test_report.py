"""The reports, from measurements made up for the purpose: `make -C benches test`, or python3 -m unittest in this directory."""

import os
import sys
import unittest
import xml.etree.ElementTree

import comparison
import plot
import report
import rows
import subjects
import targets
from measurements import Results

UNITS = {"one_us": "wall/ideal", "sleepers": "wall/plain", "memory": "B/task", "memory_execute": "B/task", "idle": "us CPU/s"}


def subject(name, language, **more):
    described = {
        "name": name,
        "version": f"{name} 1.0",
        "language": language,
        "is_c_family": language in ("C", "C++"),
        "has_future_per_call": True,
        "hands_over": True,
        "divisor": 1,
    }
    return described | more


def made_up(figures, refusals=()):
    """Results of a run in which {(row, subject): [value, …]} was measured and (row, subject, reason) refused."""
    results = Results(
        {
            "machine": "a machine",
            "rounds": 3,
            "quick": False,
            "subjects": [
                subject("libtpexec", "C"),
                subject("pool in C", "C"),
                subject("group in C++", "C++", has_future_per_call=False, hands_over=False),
                subject("pool in Rust", "Rust", divisor=4),
            ],
            "absent": {"absent pool": "make bench-peers ABSENT=/path"},
        }
    )
    for (key, name), values in figures.items():
        for value in values:
            line = {"row": key, "subject": name, "value": value, "p50_ns": value, "p99_ns": 3 * value, "wakeups_per_s": 0.0}
            results.add(line | {"unit": UNITS.get(key, "ns/task"), "cpu_ns": 2000, "tasks": 10})
    for key, name, reason in refusals:
        results.add({"row": key, "subject": name, "refused": reason})
    return results


def verdict(results, row, against):
    """Of the one target of the row that is against this."""
    (target,) = (t for t in targets.PEER_TARGETS if (t.row, t.against) == (row, against))
    return targets.judge(results, target)


class Figures(unittest.TestCase):
    def test_a_figure_is_the_median_of_the_rounds_with_the_lowest_and_the_highest(self):
        results = made_up({("collect", "libtpexec"): [90, 20, 30]})
        self.assertEqual(results.median("collect", "libtpexec"), 30)
        self.assertEqual(report.show([90, 20, 30]), "30 (20–90)")

    def test_small_figures_have_two_decimals_and_nothing_is_zero(self):
        self.assertEqual(report.show([1.257, 1.1, 1.4]), "1.26 (1.10–1.40)")
        self.assertEqual(report.number(0), "0")

    def test_a_ratio_is_of_medians_and_a_dash_where_a_side_is_missing_or_zero(self):
        self.assertEqual(report.quotient(30, 60), "0.50")
        self.assertEqual(report.quotient(None, 60), report.DASH)
        self.assertEqual(report.quotient(30, None), report.DASH)
        self.assertEqual(report.quotient(30, 0), report.DASH)

    def test_a_round_trip_shows_its_median_and_its_99th_percentile(self):
        results = made_up({("round_trip", "libtpexec"): [100, 200, 300]})
        self.assertEqual(results.median("round_trip", "libtpexec"), 200)
        self.assertEqual(results.median("round_trip", "libtpexec", "p99 ns"), 600)


class Targets(unittest.TestCase):
    def test_the_best_of_all_and_the_best_in_c_are_found_apart(self):
        medians = {"pool in C": 900, "group in C++": 800, "pool in Rust": 100}
        results = made_up({("collect", name): [median] for name, median in medians.items()})
        self.assertEqual(targets.best(results, "collect", targets.BEST), (100, "pool in Rust"))
        self.assertEqual(targets.best(results, "collect", targets.BEST_C), (800, "group in C++"))

    def test_our_own_figure_is_no_opponent(self):
        results = made_up({("collect", "libtpexec"): [10], ("collect", "pool in C"): [900]})
        self.assertEqual(targets.best(results, "collect", targets.BEST), (900, "pool in C"))

    def test_a_target_is_reached_at_the_figure_and_missed_above_it(self):
        for ours, is_reached in ((70, True), (71, False)):
            results = made_up({("collect", "libtpexec"): [ours], ("collect", "pool in C"): [100]})
            judged = verdict(results, "collect", targets.BEST)
            self.assertEqual((judged.is_reached, judged.opponent), (is_reached, "pool in C"))
            self.assertEqual(judged.words().split(":")[0], "reached" if is_reached else "MISSED")

    def test_fork_join_is_compared_with_those_that_make_a_future_per_call(self):
        results = made_up({("fib", "libtpexec"): [50], ("fib", "group in C++"): [25], ("fib", "pool in Rust"): [100]})
        self.assertEqual(verdict(results, "fib", targets.BEST_FUTURE).measured, 0.5)
        self.assertEqual(verdict(results, "fib", targets.BEST_C).measured, 2)

    def test_a_round_trip_is_compared_with_those_that_hand_over_and_both_figures_count(self):
        results = made_up(
            {("round_trip", "libtpexec"): [10], ("round_trip", "group in C++"): [1], ("round_trip", "pool in C"): [100]}
        )
        of_row = [t for t in targets.PEER_TARGETS if t.row == "round_trip"]
        self.assertEqual([t.unit for t in of_row], ["p50 ns", "p99 ns"])
        self.assertEqual([targets.judge(results, t).measured for t in of_row], [0.1, 0.1])

    def test_submitting_many_is_compared_with_submitting_one_by_one(self):
        results = made_up({("collect", "libtpexec"): [100], ("many", "libtpexec"): [75]})
        self.assertEqual(verdict(results, "many", targets.OWN_COLLECT).measured, 0.75)

    def test_growth_is_the_slowest_row_over_the_fastest(self):
        figures = {(key, "libtpexec"): [50 + i] for i, key in enumerate(rows.GROWTH)}
        self.assertEqual(verdict(made_up(figures), rows.GROWTH[-1], targets.GROWTH_SPREAD).measured, 53 / 50)
        del figures[rows.GROWTH[0], "libtpexec"]
        self.assertIsNone(verdict(made_up(figures), rows.GROWTH[-1], targets.GROWTH_SPREAD))

    def test_what_was_not_measured_is_not_judged(self):
        self.assertEqual(targets.judgements(made_up({("collect", "libtpexec"): [10]}), targets.PEER_TARGETS), [])

    def test_every_target_is_about_a_row_there_is(self):
        for target in targets.PEER_TARGETS + targets.CONTROL_TARGETS:
            self.assertIn(target.row, rows.BY_KEY)


class Reports(unittest.TestCase):
    def setUp(self):
        self.results = made_up(
            {
                ("collect", "libtpexec"): [50, 60, 40],
                ("collect", "pool in C"): [500, 600, 400],
                ("collect", "pool in Rust"): [100],
                ("fib", "libtpexec"): [70],
                ("fib", "pool in Rust"): [80],
                ("idle", "libtpexec"): [0],
                ("idle", "pool in C"): [0],
            },
            [("fib", "pool in C", "its tasks may not wait")],
        )

    def row(self, table, label):
        (line,) = (line for line in table.splitlines() if label in line)
        return [cell.strip() for cell in line.split("|")[1:-1]]

    def test_the_best_are_marked_and_the_spread_is_below_the_median(self):
        cells = self.row(comparison.everyone(self.results), "collect all, 2 workers")
        self.assertEqual(cells[3:], ["50<br>40–60", "500†<br>400–600", report.DASH, "**100**<br>100–100"])

    def test_a_dash_stands_where_a_subject_refuses_and_the_reason_below(self):
        self.assertEqual(self.row(comparison.everyone(self.results), "fib(27)")[4], report.DASH)
        self.assertIn("- pool in C: its tasks may not wait (nested fork-join: fib(27))", comparison.reasons(self.results))

    def test_a_peer_that_was_not_built_is_named_with_how_to_have_it(self):
        how = "absent pool: not part of this run; to have it: make bench-peers ABSENT=/path"
        self.assertIn(how, comparison.reasons(self.results))

    def test_the_summary_has_both_ratios_and_the_verdict(self):
        cells = self.row(comparison.summary(self.results), "collect all, 2 workers")
        self.assertEqual(cells[3:8], ["50", "100 pool in Rust", "0.50", "500 pool in C", "0.10"])
        self.assertIn("reached: 0.50 × pool in Rust, target ≤ 0.7 × best", cells[8])

    def test_the_divisor_of_a_slow_peer_is_said(self):
        self.assertIn("pool in Rust 1.0; per-task figures from 1/4 of the tasks", report.versions(self.results))

    def test_the_table_against_the_control_has_a_dash_for_what_is_missing(self):
        self.assertEqual(self.row(report.control_table(self.results, False), "fib(27)")[3], report.DASH)
        self.assertIn("200", self.row(report.control_table(self.results, True), "fib(27)"))

    def test_the_picture_is_well_formed_and_has_a_mark_per_measured_peer(self):
        tree = xml.etree.ElementTree.fromstring(plot.svg(self.results))
        space = "{http://www.w3.org/2000/svg}"
        titles = [title.text for shape in ("circle", "polygon") for title in tree.iterfind(f".//{space}{shape}/{space}title")]
        self.assertIn("pool in C: 10×", titles)
        self.assertIn("pool in Rust: 2.00×", titles)
        self.assertIn("pool in Rust: 1.14×", titles)
        # A ratio to nothing has no place on the scale.
        self.assertNotIn("pool in C: 0.00×", titles)


class Subjects(unittest.TestCase):
    def test_a_peer_that_fails_is_refused_with_its_message(self):
        failing = subjects.Subject("failing", ["sh", "-c", "echo out of threads >&2; exit 1"])
        with self.assertRaisesRegex(subjects.Refused, "status 1: out of threads"):
            failing.version()

    def test_a_peer_that_cannot_run_a_workload_is_refused_with_its_reason(self):
        refusing = subjects.Subject("refusing", ["sh", "-c", "echo has no queue >&2; exit 3"])
        with self.assertRaisesRegex(subjects.Refused, "^has no queue$"):
            refusing.run(rows.BY_KEY["memory"], False)

    def test_a_peer_is_there_once_its_driver_was_built_and_what_runs_it_is_installed(self):
        self.assertTrue(subjects.Subject("built", [sys.executable, os.path.abspath(__file__)]).is_there)
        self.assertFalse(subjects.Subject("not built", [sys.executable, "/no/such/driver"]).is_there)
        self.assertFalse(subjects.Subject("not installed", ["no-such-command", os.path.abspath(__file__)]).is_there)

    def test_a_failure_of_our_own_ends_the_run(self):
        with self.assertRaises(SystemExit):
            subjects.Subject(subjects.OURS, ["false"]).version()

    def test_only_figures_per_task_are_taken_from_fewer_tasks(self):
        slow = subjects.Subject("slow", ["sh", "-c", 'echo "[$3]"', "sh"], divisor=10)
        self.assertEqual(slow.run(rows.BY_KEY["collect"], False), [rows.MILLION // 10])
        self.assertEqual(slow.run(rows.BY_KEY["sleepers"], False), [10_000])


if __name__ == "__main__":
    unittest.main()
