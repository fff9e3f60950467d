"""What the loader and the kernel can do for a program that uses libtpexec: a shared library must not stand in their way.

    check.py FILE [--private DIRECTORY…]    a shared library, which must not name these directories: what is wrong with it
    check.py FILE.a --cc COMMAND --libraries=LIST    the static one: whether it can become part of a shared library

ctest runs it on the library that is built and on the one that is installed; test_check.py on libraries that are bad on purpose.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# What libtpexec is linked with: the C library with its loader, and gcc's for panics that unwind.
NEEDED = re.compile(r"libc\.so\.6|libgcc_s\.so\.1|ld-linux[-\w]*\.so\.\d")
# Weak references that gcc's start-up files make, and that may stay undefined.
UNVERSIONED = {"__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}
VERSIONED = re.compile(r".+@(GLIBC|GCC)_[\d.]+")


def readelf(option, library):
    """What readelf says, line by line."""
    done = subprocess.run(["readelf", "-W", option, str(library)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def segment_problems(library):
    """What the program headers say: which memory the loader makes, and with which rights."""
    headers = {}
    for line in readelf("--program-headers", library):
        if found := re.match(r"\s+([A-Z_]+)\s+0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ ([R ][W ][E ])", line):
            headers.setdefault(found[1], []).append(found[2].replace(" ", ""))
    if "LOAD" not in headers:
        yield "readelf shows no segment to load"
    for rights in headers.get("LOAD", []):
        if "W" in rights and "E" in rights:
            yield "a segment is writable and executable"
    if headers.get("GNU_STACK") != ["RW"]:
        yield f"the stack would be {headers.get('GNU_STACK', 'executable for want of a GNU_STACK header')}"
    if "GNU_RELRO" not in headers:
        yield "no RELRO: tables of addresses stay writable"


def dynamic_problems(library):
    """What the dynamic section says: what else is loaded, from where, and when symbols are bound."""
    lines = [re.match(r"\s*0x\S+ \((\w+)\)\s+(.*)", line) for line in readelf("--dynamic", library)]
    entries = [line.groups() for line in lines if line]
    flags = " ".join(text for tag, text in entries if tag in ("FLAGS", "FLAGS_1"))
    if "BIND_NOW" not in flags.split() or "NOW" not in flags.split():
        yield f"symbols are bound late, so RELRO is partial: {flags}"
    for tag, text in entries:
        if tag in ("RPATH", "RUNPATH"):
            yield f"a directory to search for libraries: {tag} {text}"
        if tag == "TEXTREL" or (tag == "FLAGS" and "TEXTREL" in text):
            yield "code is changed when it is loaded (TEXTREL)"
    needed = [text.split("[")[1].rstrip("]") for tag, text in entries if tag == "NEEDED"]
    for name in needed:
        if not NEEDED.fullmatch(name):
            yield f"needs {name}"
    if "libc.so.6" not in needed:
        yield f"does not need the C library, but {needed}"


def symbol_problems(library):
    """What is expected of others: functions of the C library and of gcc's, with their versions."""
    done = subprocess.run(["nm", "-D", "--undefined-only", str(library)], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        name = line.split()[-1]
        if name not in UNVERSIONED and not VERSIONED.fullmatch(name):
            yield f"undefined: {name}"


def path_problems(library, private):
    """Directories of the machine that built it."""
    data = library.read_bytes()
    for directory in private:
        if str(directory).encode() in data:
            yield f"names the directory {directory}"


def shared_problems(library, private):
    """All that is wrong with a shared library."""
    yield from segment_problems(library)
    yield from dynamic_problems(library)
    yield from symbol_problems(library)
    yield from path_problems(library, private)


def static_problems(archive, cc, libraries):
    """Whether all members of an archive are position independent: a shared library can be made of them."""
    with tempfile.TemporaryDirectory() as directory:
        command = [cc, "-shared", "-Wl,-z,text", "-o", str(Path(directory, "whole.so")), "-Wl,--whole-archive", str(archive),
                   "-Wl,--no-whole-archive", *libraries]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"no shared library can be made of it:\n{done.stderr}"


def main():
    """The command line; the exit status says whether nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--private", nargs="*", type=Path, default=[], help="directories that it must not name")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--libraries", default="", help="what a program links with a static library, separated by blanks")
    arguments = parser.parse_args()
    if arguments.library.suffix == ".a":
        problems = list(static_problems(arguments.library, arguments.cc, arguments.libraries.split()))
    else:
        problems = list(shared_problems(arguments.library, arguments.private))
    print("\n".join(problems) or f"nothing is wrong with {arguments.library}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
