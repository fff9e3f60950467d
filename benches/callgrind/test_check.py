"""Tests of how counts are read, kept and judged. `make test` here runs them; they need neither valgrind nor a build."""

import os
import tempfile
import unittest

import check
import counts
from counts import Count, CountError

# As callgrind writes it: two calls out of the library, one into it and one back into the driver.
CALLGRIND_FILE = """\
events: Ir

ob=/b/driver
fl=driver.c
fn=submit_all
10 40
cob=/b/libtpexec.so
cfi=submit.rs
cfn=tp_submit
calls=10 113
11 1000

ob=/b/libtpexec.so
fl=submit.rs
fn=tp_submit
113 300
fi=executor.rs
cfn=tpexec::publish
calls=10 5
114 500
cob=/lib/libc.so.6
cfi=malloc.c
cfn=malloc
calls=2 9
115 7000
fe=submit.rs
116 25
cob=/b/driver
cfi=driver.c
cfn=task
calls=10 3
117 20

fn=tpexec::publish
5 475

ob=/lib/libc.so.6
fl=malloc.c
fn=malloc
9 3000
cob=/lib/ld.so
cfn=__tls_get_addr
calls=2 1
9 4000
"""


def baseline(**phases):
    return {"rustc": "1.95.0", "machine": "x86_64", "phases": phases}


class Reading(unittest.TestCase):
    def test_only_what_runs_in_the_library_itself_counts(self):
        instructions, _ = counts.read(CALLGRIND_FILE.splitlines(keepends=True), {"/b/libtpexec.so"}, "/b/driver")
        self.assertEqual(instructions, 300 + 25 + 475)

    def test_calls_from_the_library_to_libc_count_but_not_those_to_tasks_or_within(self):
        _, calls = counts.read(CALLGRIND_FILE.splitlines(keepends=True), {"/b/libtpexec.so"}, "/b/driver")
        self.assertEqual(calls, 2)

    def test_where_the_driver_counts_too_its_own_instructions_are_added_but_still_not_libc(self):
        both = {"/b/libtpexec.so", "/b/driver"}
        counted = counts.read(CALLGRIND_FILE.splitlines(keepends=True), both, "/b/driver")
        self.assertEqual(counted, (40 + 300 + 25 + 475, 2))


class Agreement(unittest.TestCase):
    def test_runs_within_half_a_percent_give_their_median(self):
        runs = [Count(100.4, 0), Count(100, 0), Count(100.1, 0)]
        self.assertEqual(check.agreed("run", runs), Count(100.1, 0))

    def test_runs_further_apart_give_an_error_that_names_the_phase_and_every_run(self):
        with self.assertRaisesRegex(CountError, r"run: .*100\.00.*100\.10.*100\.60"):
            check.agreed("run", [Count(100, 0), Count(100.1, 0), Count(100.6, 0)])

    def test_runs_that_make_different_calls_give_an_error(self):
        with self.assertRaises(CountError):
            check.agreed("run", [Count(100, 0), Count(100, 0), Count(100, 0.1)])


class Judgement(unittest.TestCase):
    def judge(self, was, now, **other):
        return check.judge(baseline(submit=was), {**baseline(submit=now), **other})

    def test_five_percent_more_instructions_pass_and_above_fails(self):
        self.assertFalse(self.judge(Count(100, 0), Count(105, 0))[1])
        self.assertTrue(self.judge(Count(100, 0), Count(105.1, 0))[1])

    def test_a_slow_down_names_phase_counts_and_percent_and_how_to_accept_it(self):
        said, _ = self.judge(Count(100, 0), Count(112.5, 0))
        for part in ("submit", "112.50", "was 100.00", "+12.5%", "make bench-check ACCEPT=1"):
            self.assertIn(part, said)

    def test_one_more_call_into_libc_fails_even_where_instructions_do_not_grow(self):
        said, failed = self.judge(Count(100, 0), Count(100, 1))
        self.assertTrue(failed)
        self.assertIn("1.00 calls into libc", said)

    def test_fewer_instructions_or_calls_pass_and_ask_for_a_new_baseline(self):
        for now in (Count(94, 1), Count(100, 0)):
            with self.subTest(now):
                said, failed = self.judge(Count(100, 1), now)
                self.assertFalse(failed)
                self.assertIn("make bench-check ACCEPT=1", said)

    def test_what_stays_within_five_percent_asks_for_nothing(self):
        self.assertEqual(self.judge(Count(100, 1), Count(95, 1)), ("Every phase is within 5% of the baseline.", False))

    def test_a_speed_up_of_one_phase_does_not_excuse_another(self):
        was, now = baseline(run=Count(100, 0), submit=Count(100, 0)), baseline(run=Count(50, 0), submit=Count(120, 0))
        said, failed = check.judge(was, now)
        self.assertTrue(failed)
        self.assertIn("submit takes", said)

    def test_a_phase_that_only_one_side_has_fails(self):
        old, new = baseline(run=Count(1, 0)), baseline(submit=Count(1, 0))
        said, failed = check.judge(old, new)
        self.assertTrue(failed)
        self.assertIn("submit is not in the baseline", said)
        self.assertIn("run is in the baseline only", said)

    def test_no_baseline_fails(self):
        self.assertTrue(check.judge({}, baseline(submit=Count(1, 0)))[1])

    def test_another_processor_is_not_judged(self):
        said, failed = self.judge(Count(100, 0), Count(200, 0), machine="aarch64")
        self.assertFalse(failed)
        self.assertIn("Not judged", said)

    def test_another_minor_version_of_rustc_is_given_twenty_percent_and_says_so(self):
        for rustc in ("1.96.0", "unknown"):
            with self.subTest(rustc):
                said, failed = self.judge(Count(100, 0), Count(119, 0), rustc=rustc)
                self.assertFalse(failed)
                self.assertIn("20%", said)
                self.assertTrue(self.judge(Count(100, 0), Count(121, 0), rustc=rustc)[1])

    def test_another_patch_version_of_rustc_is_given_no_more(self):
        self.assertTrue(self.judge(Count(100, 0), Count(106, 0), rustc="1.95.1")[1])


class Overhead(unittest.TestCase):
    def judge(self, c, cpp):
        return check.judge_overhead(check.pairs({"execute-c": c, "execute-cpp": cpp}))

    def test_fifteen_percent_more_instructions_in_cpp_pass_and_above_fails(self):
        self.assertFalse(self.judge(Count(200, 0), Count(229.9, 0))[1])
        self.assertTrue(self.judge(Count(200, 0), Count(230.1, 0))[1])

    def test_a_failure_names_the_pair_its_counts_and_the_percent(self):
        said, _ = self.judge(Count(200, 0), Count(240, 0))
        for part in ("FAILED: execute takes", "240.00", "200.00", "+20.0%"):
            self.assertIn(part, said)

    def test_one_more_call_into_libc_than_in_c_fails(self):
        said, failed = self.judge(Count(200, 1), Count(200, 2))
        self.assertTrue(failed)
        self.assertIn("execute makes 2.00 calls into libc in C++, 1.00 in C", said)

    def test_the_fault_of_one_pair_is_not_excused_by_another(self):
        paired = check.pairs({"a-c": Count(100, 0), "a-cpp": Count(50, 0), "b-c": Count(100, 0), "b-cpp": Count(120, 0)})
        said, failed = check.judge_overhead(paired)
        self.assertTrue(failed)
        self.assertIn("b takes", said)
        self.assertNotIn("a takes", said)

    def test_a_phase_without_its_other_side_gives_an_error_that_names_what_is_missing(self):
        with self.assertRaisesRegex(CountError, "get-cpp"):
            check.pairs({"get-c": Count(1, 0)})
        with self.assertRaisesRegex(CountError, "get-c$"):
            check.pairs({"get-cpp": Count(1, 0)})
        with self.assertRaisesRegex(CountError, "get"):
            check.pairs({"get": Count(1, 0)})


class Baseline(unittest.TestCase):
    def test_what_is_accepted_is_what_the_next_check_compares_with(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "baseline.json")
            check.save(path, baseline(submit=Count(129.19, 0.01)))
            self.assertEqual(check.load(path), baseline(submit=Count(129.19, 0.01)))

    def test_a_missing_file_is_no_baseline(self):
        self.assertEqual(check.load("/nonexistent/baseline.json"), {})


if __name__ == "__main__":
    unittest.main()
