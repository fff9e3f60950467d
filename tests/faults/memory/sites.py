#!/usr/bin/env python3
"""Compares the places in the library's code that could ask for memory or a thread with those where a test had that refused.

    sites.py LIBRARY SITES.TXT PROGRAM…

Run by ctest (deep.memory_sites). The disassembly has every place; the debug information says which source each comes from. Each
program, built with faults.h, appends the places that its requests came from to the file named by TPEXEC_TEST_SITES. SITES.TXT
says what there is to be: see its head. Ends with "N passed, N failed": one for each of its places, and each in the code.
"""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

# The library's allocator and the functions in front of it: a place is where they are called from.
ALLOCATOR = "src/alloc.rs"
SHIM = re.compile(r"(__rust_(alloc|alloc_zeroed|realloc)|^(alloc|alloc_zeroed|realloc|pthread_atfork))$")


@dataclass
class Expected:
    """What SITES.TXT says."""

    asks: set = field(default_factory=set)
    quiet: set = field(default_factory=set)
    fails: dict = field(default_factory=dict)
    never: dict = field(default_factory=dict)

    def read(self, path):
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                words = line.split("#")[0].split()
                if not words:
                    continue
                kind, rest = words[0], words[1:]
                if kind in ("asks", "quiet") and rest:
                    getattr(self, kind).update(rest)
                elif kind in ("fails", "never") and rest:
                    getattr(self, kind)[" ".join(rest)] = number
                else:
                    sys.exit(f"{path}:{number}: neither asks, quiet, fails nor never")
        return self


@dataclass
class Place:
    """A call of a function that asks; `address` is that of the instruction behind it, as a callee sees it."""

    address: int
    function: str
    frames: list = field(default_factory=list)

    def own(self):
        """The innermost frame of the library's own source that is not its allocator's; None in code of others."""
        for index, (name, source) in enumerate(self.frames):
            if source.startswith("src/") and source != ALLOCATOR and not SHIM.search(name) and "{closure" not in name:
                # addr2line has no name for the innermost frame.
                return source, "" if index == 0 else " " + re.sub("<.*", "", name).split("::")[-1]
        return None

    def what(self):
        """What is asked for: the type that alloc.rs makes, or the crate that asks."""
        for name, source in self.frames:
            kind = re.search(r"(\w+)>*$", name)
            crate = re.match(r"([\w-]+)-\d+\.\d+\.\d+/", source)
            if source == ALLOCATOR and "<" in name and kind:
                return " " + kind[1]
            if crate:
                return " " + crate[1]
        return ""

    def name(self):
        own = self.own()
        return f"{own[0]}{own[1]}{self.what()} {self.function}" if own else f"{self.frames[-1][0]} {self.function}"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def imports(library):
    """The functions that the library has from others."""
    return {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--undefined-only", library).splitlines()}


def slots(library):
    """The slots that hold the addresses of the allocator's functions: std calls them by way of those."""
    shims = {}
    for line in run("nm", "-C", "--defined-only", library).splitlines():
        address, _, name = line.split(" ", 2)
        if SHIM.search(name):
            shims[int(address, 16)] = name.removeprefix("__rustc::")
    relocations = (line.split() for line in run("readelf", "-rW", library).splitlines() if "_RELATIV" in line)
    return {int(words[0], 16): shims[int(words[-1], 16)] for words in relocations if int(words[-1], 16) in shims}


def calls(library, asks):
    """Every call of a function that asks: the address of the next instruction, the function, and whether that is but supposed."""
    named = re.compile(r"^\s*[0-9a-f]+:\s+(\w+)\s.*?(?:# ([0-9a-f]+) )?<(?:__rustc::)?([^>@]+).*>$")
    by_register = re.compile(r"^\s*[0-9a-f]+:\s+call\s+\*%")
    inside, loaded, pending, known = "", None, None, slots(library)
    for line in run("objdump", "-d", "--no-show-raw-insn", "-C", library).splitlines():
        label = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if label:
            inside, loaded = label[1], None
        address = re.match(r"^\s*([0-9a-f]+):", line)
        if not address:
            continue
        if pending:
            yield int(address[1], 16), *pending
            pending = None
        match = named.match(line)
        function = match and (known.get(int(match[2] or "0", 16)) or match[3])
        if match and (function in asks or SHIM.search(function)) and not (SHIM.search(inside) or inside.endswith("@plt")):
            if match[1] in ("call", "jmp"):
                pending = function, False
            elif match[1] == "mov":
                loaded = function  # to be called by way of a register, here and there in this function
            elif not match[1].startswith("cmp"):
                sys.exit(f"{line.strip()}: in {inside}: neither a call nor a load")
        elif loaded and by_register.match(line):
            pending = loaded, True


def places(library, asks):
    """The same with their frames, innermost first."""
    found = [(Place(address, function), supposed) for address, function, supposed in calls(library, asks)]
    text = run("addr2line", "-Cfi", "-a", "-e", library, *(hex(place.address - 1) for place, _ in found))
    for (place, _), part in zip(found, text.split("\n0x"), strict=True):
        lines = part.splitlines()[1:]
        place.frames = [(name, short(source)) for name, source in zip(lines[::2], lines[1::2])]
    # Of calls by way of a register those are meant that std's allocator makes, and not to free.
    def is_meant(place):
        return "/sys/alloc/" in place.frames[0][1] and all(name != "dealloc" for name, _ in place.frames)

    return [place for place, supposed in found if not supposed or is_meant(place)]


def short(source):
    """A source's path, without its line and what differs from machine to machine."""
    path = re.sub(r":(\d+|\?).*$", "", source)
    for known in (r"/registry/src/[^/]*/(.*)", r"/rust/deps/(.*)", r"(?:^|/)(library/.*)", r"(?:^|/)(src/.*)"):
        match = re.search(known, path)
        if match:
            return match[1]
    return path


def seen(programs):
    """Runs the programs; gives the places that requests came from, and whether one was refused there."""
    with tempfile.NamedTemporaryFile("r", encoding="ascii") as books:
        environment = dict(os.environ, TPEXEC_TEST_SITES=books.name)
        for program in programs:
            done = subprocess.run([program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                sys.exit(f"{done.stdout}{program}: exit status {done.returncode}")
        refused = {}
        for line in books:
            address, how = line.split()
            refused[int(address, 16)] = refused.get(int(address, 16), False) or how == "refused"
        return refused


def compare(expected, found, refused):
    """Yields for each thing that was looked at what is wrong with it, or None."""
    names = {place.name() for place in found}
    for name, number in expected.fails.items():
        yield None if name in names else f"line {number}: {name}: there is no such place"
    for place in found:
        name, was = place.name(), refused.pop(place.address, None)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in expected.never):
            yield None if was is None else f"{name}: asked, though it is listed as one that never does"
        elif name not in expected.fails:
            yield f"{name}: not listed"
        else:
            yield None if was else f"{name}: at {place.address:#x} {'met, but ' if was is False else ''}never refused by a test"
    yield from (f"{address:#x}: a request from a place that the disassembly does not show" for address in refused)


def main(library, listing, *programs):
    expected = Expected().read(listing)
    unknown = imports(library) - expected.asks - expected.quiet
    problems = [f"{name}: imported, but listed neither as asks nor as quiet" for name in unknown]
    looked_at = list(compare(expected, places(library, expected.asks), seen(programs)))
    problems += [problem for problem in looked_at if problem]
    for problem in sorted(problems):
        print(problem)
    print(f"{looked_at.count(None)} passed, {len(problems)} failed")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
