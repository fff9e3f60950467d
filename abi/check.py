"""Compares the ABI that include/tpexec.h and libtpexec.so have with the baseline in this directory: `make abi-check`.

What is missing or different is a break, what is new an addition; both fail, for an addition has to be accepted and a break needs
a new SONAME. Two readers look: surface.py, which can tell the two apart, and abidiff, which has the last word on whether there is
a difference at all.

    check.py --library FILE            compare
    check.py --library FILE --accept   make what is there the baseline, unless it is a break
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import header
import surface
from surface import Enum, Struct

HERE = Path(__file__).resolve().parent
# What abidw leaves out changes without the ABI: where things are declared, what parameters are called, where it was compiled.
ABIDW = ["abidw", "--no-show-locs", "--no-parameter-names", "--no-comp-dir-path", "--no-corpus-path", "--no-elf-needed",
         "--type-id-style", "hash", "--no-write-default-sizes"]


class Baseline:
    """The files of a baseline, as they are on disk or as they would be for a header and a library."""

    def __init__(self, abi, macros, symbols):
        self.files = {"tpexec.abi": abi, "tpexec.macros": macros, "tpexec.symbols": symbols}

    @classmethod
    def load(cls, directory):
        """The one in the tree."""
        return cls(*((directory / name).read_text() for name in ("tpexec.abi", "tpexec.macros", "tpexec.symbols")))

    @classmethod
    def make(cls, header_file, library, cc):
        """That of a header, and of the library it belongs to, whose SONAME and exports it takes."""
        with tempfile.TemporaryDirectory() as directory:
            directory = Path(directory)
            header.shape(header_file, soname(library), directory / "shape.so", cc)
            abi = header.run(*ABIDW, directory / "shape.so")
            macros = header.macros(header_file, directory / "macros", cc)
        return cls(abi, lines(f"{name} = {text}" for name, text in macros.items()), lines(exports(library)))

    def surface(self):
        """All of it as one: the parts that abidw saw, the macros and the exports."""
        parts = surface.read(self.files["tpexec.abi"])
        for line in self.files["tpexec.macros"].splitlines():
            name, text = line.split(" = ", 1)
            parts["macro", name] = text
        for name in self.files["tpexec.symbols"].splitlines():
            parts["export", name] = "exported"
        return parts

    def save(self, directory):
        """Writes the files that differ; gives their names."""
        written = []
        for name, text in self.files.items():
            path = directory / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
                written.append(name)
        return written


def lines(texts):
    """A file of them."""
    return "".join(f"{text}\n" for text in texts)


def soname(library):
    """The SONAME of a shared library."""
    for line in header.run("readelf", "-dW", library).splitlines():
        if "(SONAME)" in line:
            return line.split("[", 1)[1].rstrip("]")
    raise header.HeaderError(f"{library} has no SONAME")


def exports(library):
    """The symbols that a shared library defines for others, sorted as C sorts."""
    return sorted(line.split()[-1] for line in header.run("nm", "-D", "--defined-only", library).splitlines())


def compare(old, new):
    """Two surfaces: what the second breaks, and what it adds, as sentences."""
    breaks, additions = [], []
    for kind, name in sorted(old.keys() | new.keys()):
        before, after, what = old.get((kind, name)), new.get((kind, name)), f"{kind} {name}".strip()
        if before == after:
            continue
        if before is None:
            additions.append(f"{what}: {after}")
        elif after is None:
            breaks.append(f"{what} is gone")
        elif grown(before, after):
            additions.append(f"{what} has grown, from {before}\n      to {after}")
        else:
            breaks.append(f"{what} differs, from {before}\n      to {after}")
    return breaks, additions


def grown(before, after):
    """Whether programs that know only the first are served by the second: members were appended, or constants added."""
    match before, after:
        case Struct(), Struct():
            return after.size > before.size and after.members[:len(before.members)] == before.members
        case Enum(), Enum():
            return before.values.items() <= after.values.items()
    return False


def abidiff(old, new):
    """What abidiff has to say about two files of abidw's; "" when they are one ABI to it."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory, name) for name in ("baseline.abi", "present.abi")]
        for path, text in zip(paths, (old, new)):
            path.write_text(text)
        # The macros and the exports are not its business; neither is the machine, whose types are those of every LP64 one.
        done = subprocess.run(["abidiff", "--no-default-suppression", "--no-architecture", "--harmless", *map(str, paths)],
                              capture_output=True, text=True, check=False)
    if done.returncode & 3:
        raise header.HeaderError(f"abidiff failed:\n{done.stdout}{done.stderr}")
    # Changes that it calls harmless, such as a new enum constant, it reports and exits with 0.
    return done.stdout if done.returncode or "change:" in done.stdout or "changes:" in done.stdout else ""


def judge(old, new):
    """Two baselines: breaks and additions. What only abidiff sees is a break, for nobody can say that it is none."""
    breaks, additions = compare(old.surface(), new.surface())
    report = abidiff(old.files["tpexec.abi"], new.files["tpexec.abi"])
    if report and not breaks and not additions:
        breaks.append("abidiff sees a change:\n" + report)
    return breaks, additions


def main():
    """The command line; the exit status says whether all is as the baseline says, or accepted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True, type=Path, help="the libtpexec.so that is to be released")
    parser.add_argument("--header", default=HERE.parent / "include/tpexec.h", type=Path)
    parser.add_argument("--baseline", default=HERE, type=Path, help="a directory with the three files of a baseline")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--accept", action="store_true", help="make what is there the baseline")
    arguments = parser.parse_args()

    new = Baseline.make(arguments.header, arguments.library, arguments.cc)
    old = Baseline.load(arguments.baseline)
    breaks, additions = judge(old, new)
    renamed = old.surface()["SONAME", ""] != new.surface()["SONAME", ""]
    for title, sentences in (("breaks the ABI:", breaks), ("adds to the ABI:", additions)):
        for sentence in sentences:
            print(f"{title} {sentence}")

    if arguments.accept:
        if breaks and not renamed:
            print("not accepted: a break needs a new SONAME, that is a new version in Cargo.toml (CONTRIBUTING.md)")
            return 1
        print("now the baseline:", ", ".join(new.save(arguments.baseline)) or "nothing that it was not before")
        return 0
    if breaks and not renamed:
        print("Programs linked to an earlier build would not work with this one. If that is meant: a new SONAME, and then")
    if breaks or additions:
        print("make abi-accept     makes it the baseline; commit abi/ and tell of it under \"C ABI\" in CHANGELOG.md")
        return 1
    parts = len(new.surface())
    print(f"{parts} functions, types, constants and exports of {arguments.library.name} are as the baseline says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
