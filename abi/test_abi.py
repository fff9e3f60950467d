"""Tests of the ABI check: each kind of change is made to a copy of the header, and has to be called what it is.

    test_abi.py HEADER [CC]    needs abidw and abidiff
"""

import functools
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import check
import header
import library
from check import Baseline

SONAME = "libexample.so.1"

# What is done to the header: a name for it, and what is replaced by what, once each.
BREAKS = [
    ("function removed", ("void tp_map_free(struct tp_map *map);", "")),
    ("function renamed", ("void tp_map_free(struct tp_map *map);", "void tp_map_end(struct tp_map *map);")),
    ("parameter of another size", ("tp_executor_free(struct tp_executor *executor);", "tp_executor_free(int executor);")),
    ("parameter added", ("uint32_t tp_version(void);", "uint32_t tp_version(int of_what);")),
    ("parameter of another handle", ("void tp_map_free(struct tp_map *map);", "void tp_map_free(struct tp_executor *map);")),
    ("return type changed", ("uint32_t tp_version(void);", "uint64_t tp_version(void);")),
    ("function type changed", ("typedef void (*tp_drop_fn)(void *ptr);", "typedef int (*tp_drop_fn)(void *ptr);")),
    ("member inserted", ("    void *arg;\n", "    void *inserted;\n    void *arg;\n")),
    ("member removed at the end", ("    uint32_t flags;\n} tp_task;", "} tp_task;")),
    ("members swapped", ("    size_t queue_capacity;\n", "    size_t keep;\n"),
     ("    size_t max_stand_ins;\n", "    size_t queue_capacity;\n"), ("    size_t keep;\n", "    size_t max_stand_ins;\n")),
    ("member of another size", ("    int32_t code;\n", "    int64_t code;\n")),
    ("member of another type and the same size", ("    int32_t code;\n", "    uint32_t code;\n")),
    ("member renamed", ("    int32_t code;\n", "    int32_t number;\n")),
    ("member retyped while another is appended", ("    int64_t delay_ns;\n", "    uint64_t delay_ns;\n"),
     ("    uint32_t flags;\n} tp_task;", "    uint32_t flags;\n    uint64_t appended;\n} tp_task;")),
    ("enum constant renumbered", ("TP_ERR_TIMEOUT = 5,", "TP_ERR_TIMEOUT = 55,")),
    ("enum constant removed", ("    TP_WAIT_FIRST_FAILED = 2,\n", "")),
]
MACRO_BREAKS = [
    ("constant changed", ("#define TP_SHUTDOWN_WAIT 1u", "#define TP_SHUTDOWN_WAIT 4u")),
    ("constant of another type", ("#define TP_SHUTDOWN_WAIT 1u", "#define TP_SHUTDOWN_WAIT 1l")),
    ("constant removed", ("#define TP_SHUTDOWN_WAIT 1u", "")),
    ("macro changed", ("((int64_t)(n) * 1000000)", "((int64_t)(n) * 1000)")),
]
ADDITIONS = [
    ("function added", ("uint32_t tp_version(void);", "uint32_t tp_version(void);\nvoid tp_added(void);")),
    ("member appended", ("    uint32_t flags;\n} tp_task;", "    uint32_t flags;\n    uint64_t appended;\n} tp_task;")),
    ("member appended to what the library fills", ("} tp_error;", "    uint64_t appended;\n} tp_error;")),
    ("enum constant added", ("TP_ERR_UNSUPPORTED = 14,", "TP_ERR_UNSUPPORTED = 14,\n    TP_ERR_ADDED = 15,")),
]
MACRO_ADDITIONS = [
    ("constant added", ("#define TP_SHUTDOWN_WAIT 1u", "#define TP_SHUTDOWN_WAIT 1u\n#define TP_SHUTDOWN_ADDED 8u")),
]
NO_CHANGES = [
    ("comment changed", ("As timeout_ns: wait without limit.", "Another comment.")),
    ("parameter renamed", ("void tp_map_free(struct tp_map *map);", "void tp_map_free(struct tp_map *other);")),
    ("declarations moved", ("uint32_t tp_version(void);", "\n\nuint32_t tp_version(void);")),
    ("constant written otherwise", ("#define TP_SHUTDOWN_WAIT 1u", "#define TP_SHUTDOWN_WAIT 0x1u")),
    ("version raised", ("#define TPEXEC_VERSION_PATCH ", "#define TPEXEC_VERSION_PATCH 9")),
]


class AbiCheck(unittest.TestCase):
    """What the check says of a header that was changed."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.text = HEADER.read_text()
        cls.old = cls.baseline(cls.text)

    @classmethod
    def baseline(cls, text, soname=SONAME):
        """That of a header, with a library that exports what the header declares."""
        changed, shape = Path(cls.directory.name, "changed.h"), Path(cls.directory.name, "libexample.so")
        changed.write_text(text)
        header.shape(changed, soname, shape, CC)
        return Baseline.make(changed, shape, CC)

    @classmethod
    @functools.cache
    def changed(cls, name, *replacements):
        """The baseline of the header with one change."""
        text = cls.text
        for before, after in replacements:
            if before not in text:
                raise ValueError(f"{name}: the header has no {before!r} any more")
            text = text.replace(before, after, 1)
        return cls.baseline(text)

    def test_every_break_is_one(self):
        for change in BREAKS + MACRO_BREAKS:
            with self.subTest(change[0]):
                breaks, _ = check.judge(self.old, self.changed(*change))
                self.assertTrue(breaks)

    def test_additions_break_nothing_and_are_reported(self):
        for change in ADDITIONS + MACRO_ADDITIONS:
            with self.subTest(change[0]):
                breaks, additions = check.judge(self.old, self.changed(*change))
                self.assertEqual(breaks, [])
                self.assertTrue(additions)

    def test_what_is_no_change_is_none(self):
        for change in NO_CHANGES:
            with self.subTest(change[0]):
                self.assertEqual(check.judge(self.old, self.changed(*change)), ([], []))

    def test_abidiff_sees_changes_of_its_own_accord(self):
        for change in BREAKS + ADDITIONS:
            with self.subTest(change[0]):
                new = self.changed(*change)
                self.assertTrue(check.abidiff(self.old.files["tpexec.abi"], new.files["tpexec.abi"]))

    def test_another_soname_is_a_break(self):
        breaks, _ = check.judge(self.old, self.baseline(self.text, "libexample.so.2"))
        self.assertEqual(len(breaks), 1)
        self.assertIn("SONAME differs, from libexample.so.1", breaks[0])

    def test_an_export_that_no_header_declares_is_an_addition(self):
        more = Baseline(*self.old.files.values())
        more.files["tpexec.symbols"] += "tp_undeclared\n"
        self.assertEqual(check.judge(self.old, more), ([], ["export tp_undeclared: exported"]))
        self.assertEqual(check.judge(more, self.old), (["export tp_undeclared is gone"], []))

    def test_a_library_that_disagrees_is_reported(self):
        said = library.read(self.old.files["tpexec.abi"])
        for change in BREAKS:
            with self.subTest(change[0]):
                found = library.read(self.changed(*change).files["tpexec.abi"])
                self.assertTrue(library.disagreements(said, found))

    def accept(self, text, soname):
        """Runs check.py --accept on a copy of the old baseline; gives its status and the surface of the baseline then."""
        changed, built = Path(self.directory.name, "accepted.h"), Path(self.directory.name, "libexample.so")
        changed.write_text(text)
        header.shape(changed, soname, built, CC)
        with tempfile.TemporaryDirectory() as baseline:
            self.old.save(Path(baseline))
            command = [sys.executable, check.__file__, "--accept", "--cc", CC, "--baseline", baseline]
            done = subprocess.run([*command, "--header", changed, "--library", built], stdout=subprocess.DEVNULL, check=False)
            return done.returncode, Baseline.load(Path(baseline)).surface()

    def test_an_addition_is_accepted_and_a_break_only_with_a_new_soname(self):
        added = self.text.replace("TP_ERR_UNSUPPORTED = 14,", "TP_ERR_UNSUPPORTED = 14,\n    TP_ERR_ADDED = 15,")
        status, surface = self.accept(added, SONAME)
        self.assertEqual((status, surface["enum", "tp_status"].values["TP_ERR_ADDED"]), (0, 15))
        broken = self.text.replace("TP_ERR_TIMEOUT = 5,", "TP_ERR_TIMEOUT = 55,")
        status, surface = self.accept(broken, SONAME)
        self.assertEqual((status, surface["enum", "tp_status"].values["TP_ERR_TIMEOUT"]), (1, 5))
        status, surface = self.accept(broken, "libexample.so.2")
        self.assertEqual((status, surface["enum", "tp_status"].values["TP_ERR_TIMEOUT"]), (0, 55))

    def test_types_of_rust_are_known_by_the_names_of_c(self):
        function = 'Option<unsafe extern "C" fn(*mut a::tp_x, *const core::ffi::c_void) -> i32>'
        self.assertEqual(library.rust(function), "i32 (*)(tp_x*, void*)")
        self.assertEqual(library.rust("MaybeUninit<a::tp_x>"), "tp_x")


if __name__ == "__main__":
    HEADER, CC = Path(sys.argv.pop(1)), sys.argv.pop(1) if len(sys.argv) > 1 else "cc"
    unittest.main()
