#!/usr/bin/env python3
"""Counts the instructions of one phase of the driver, with valgrind's callgrind. check.py calls it; on its own it leaves
callgrind's file for callgrind_annotate (`make profile`).

What counts is what is executed in libtpexec.so: not the driver's loop, and not libc, whose code differs from version to version
and from processor to processor. What the library makes libc do shows in the number of calls. Of the C++ driver everything counts
as well: what tpexec.hpp adds is compiled into its loops.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

# So many that what happens once (the first chunk of memory, the last look for work) does not show.
TASKS = 100_000
HANG_AFTER = 300  # seconds; the slowest phase takes a few


class CountError(Exception):
    """Something that leaves us without a count; the text is for the user."""


@dataclass
class Count:
    """Per task: instructions in what counts, and calls from it into other libraries: libc, the dynamic loader."""

    instructions: float
    calls: float


def output_of(command, **options):
    """What the command prints; a CountError if it cannot be had."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_AFTER, check=False, **options)
    except FileNotFoundError as error:
        raise CountError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CountError(f"no end after {HANG_AFTER} s: {' '.join(command)}") from error
    if done.returncode != 0:
        raise CountError(f"status {done.returncode}: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


class Subject:
    """A driver, and the library it is to run with."""

    def __init__(self, driver, library, driver_counts=False):
        if not os.path.exists(library):
            raise CountError(f"there is no {library}")
        # As callgrind names them.
        self.driver, self.library = os.path.realpath(driver), os.path.realpath(library)
        self._counted = {self.library, self.driver} if driver_counts else {self.library}
        # The loader looks for the SONAME, which the file need not have as its name.
        soname = re.search(r"\(SONAME\).*\[(.*)\]", output_of(["readelf", "-d", self.library]))
        if not soname:
            raise CountError(f"{library} has no SONAME")
        self._directory = tempfile.TemporaryDirectory(prefix="tpexec-")
        os.symlink(self.library, os.path.join(self._directory.name, soname[1]))
        self._environment = {**os.environ, "LD_LIBRARY_PATH": self._directory.name}

    def rustc(self):
        """The version of the compiler that made the library, as that says itself."""
        version = re.search(r"rustc version (\S+)", output_of(["readelf", "-p", ".comment", self.library]))
        return version[1] if version else "unknown"

    def phases(self):
        """{name of each phase: what it is}"""
        lines = output_of([self.driver], env=self._environment).splitlines()
        return dict(line.split("\t") for line in lines)

    def count(self, phase, out=None):
        """The Count of one run; callgrind's file is left in `out` if that is given."""
        with tempfile.NamedTemporaryFile(dir=self._directory.name) as own:
            out = out or own.name
            callgrind = ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={out}"]
            # For `read`: names and line numbers in full, everywhere.
            callgrind += ["--compress-strings=no", "--compress-pos=no"]
            output_of([*callgrind, self.driver, phase, str(TASKS)], env=self._environment)
            with open(out, encoding="utf-8", errors="replace") as file:
                instructions, calls = read(file, self._counted, self.driver)
        if instructions == 0:
            raise CountError(f"{phase}: nothing was counted in {self.library}")
        return Count(instructions / TASKS, calls / TASKS)


def read(lines, counted, driver):
    """From callgrind's file: instructions executed in the counted files, and calls from them to others than these and the driver.

    The format: `ob=` names the object file of the lines below. `calls=N …` stands for N calls, to the object that `cob=` names
    just before it, or else to the same one; the line after it is the cost inside of the callee. Any other line that begins with
    a digit is a cost.
    """
    instructions = calls = 0
    here = callee = None
    inside_callee = False
    for line in lines:
        if inside_callee:
            inside_callee = False
        elif line.startswith("ob="):
            here = line[3:].rstrip()
        elif line.startswith("cob="):
            callee = line[4:].rstrip()
        elif line.startswith("calls="):
            if here in counted and callee not in (None, driver, *counted):
                calls += int(line[6:].split()[0])
            callee, inside_callee = None, True
        elif line[0].isdigit() and here in counted:
            instructions += int(line.split()[1])
    return instructions, calls


def add_arguments(parser):
    """Those that check.py has, too."""
    parser.add_argument("--driver", required=True)
    parser.add_argument("--cpp-driver", required=True)
    parser.add_argument("--library", required=True, help="the libtpexec.so to count")


def subjects(options):
    """The subjects of the C and of the C++ driver."""
    return Subject(options.driver, options.library), Subject(options.cpp_driver, options.library, driver_counts=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--phase", required=True)
    parser.add_argument("--out", required=True, help="callgrind's file")
    options = parser.parse_args()
    try:
        phases = {name: (subject, what) for subject in subjects(options) for name, what in subject.phases().items()}
        if options.phase not in phases:
            known = "\n".join(f"  {name:<19} {what}" for name, (_, what) in phases.items())
            raise CountError(f"no phase '{options.phase}'. There are:\n{known}")
        subject, _ = phases[options.phase]
        count = subject.count(options.phase, options.out)
    except CountError as error:
        sys.exit(f"counts.py: {error}")
    print(f"{options.phase}: {count.instructions:.2f} instructions a task, {count.calls:.2f} calls into libc")


if __name__ == "__main__":
    main()
