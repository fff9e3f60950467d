"""Tests of check.py: libraries with one flaw each, and a good one.

    test_check.py [CC]
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import check

SOURCE = "#include <string.h>\nint table[4]; size_t length(const char *s) { return strlen(s) + (size_t)table[0]; }\n"
GOOD = ["-fPIC", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
# What check.py says of a flaw, what makes it for the linker, and what in the source; @ is a directory.
FLAWS = [
    ("the stack would be", ["-Wl,-z,execstack"], ""),
    ("no RELRO", ["-Wl,-z,norelro"], ""),
    ("symbols are bound late", ["-Wl,-z,lazy"], ""),
    ("RUNPATH", ["-Wl,--enable-new-dtags,-rpath,/opt/lib"], ""),
    ("RPATH", ["-Wl,--disable-new-dtags,-rpath,/opt/lib"], ""),
    ("a segment is writable and executable", [], '__asm__(".section .both, \\"awx\\"\\n.byte 1\\n");'),
    # An address amid the code, on any machine.
    ("code is changed when it is loaded", ["-Wl,-z,notext"], '__asm__(".text\\n.p2align 3\\n.dc.a table\\n");'),
    ("needs libm.so.6", ["-Wl,--no-as-needed", "-lm"], ""),
    ("undefined: somebody_else", [], "int somebody_else(void); int call(void) { return somebody_else(); }"),
    ("names the directory", [], 'const char *name(void) { return "@/file"; }'),
]


class Check(unittest.TestCase):
    """What check.py says of libraries made for it."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def build(self, options, more):
        """A shared library of SOURCE and more of it, with these options for the linker."""
        source, library = self.directory / "source.c", self.directory / "library.so"
        source.write_text(SOURCE + more.replace("@", str(self.directory)) + "\n")
        subprocess.run([CC, "-shared", str(source), "-o", str(library), *GOOD, *options], check=True, stderr=subprocess.DEVNULL)
        return library

    def test_a_good_library_has_no_flaw(self):
        self.assertEqual(list(check.shared_problems(self.build([], ""), [self.directory])), [])

    def test_every_flaw_is_found(self):
        for words, options, more in FLAWS:
            with self.subTest(words):
                problems = list(check.shared_problems(self.build(options, more), [self.directory]))
                self.assertTrue(any(words in problem for problem in problems), problems)

    def test_an_archive_with_a_member_that_has_a_fixed_place_is_refused(self):
        source, member = self.directory / "member.c", self.directory / "member.o"
        source.write_text(SOURCE)
        for options, flaws in (["-fPIC"], 0), (["-fno-pic"], 1):
            archive = self.directory / f"{flaws}.a"
            subprocess.run([CC, "-c", str(source), "-o", str(member), *options], check=True)
            subprocess.run(["ar", "rc", str(archive), str(member)], check=True)
            self.assertEqual(len(list(check.static_problems(archive, CC, []))), flaws)


if __name__ == "__main__":
    CC = sys.argv.pop(1) if len(sys.argv) > 1 else "cc"
    unittest.main()
