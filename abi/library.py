"""Whether the library's own debug information agrees with the baseline: its Rust functions take and give what the header says.

The baseline is read off the header, which is generated from the same Rust source; this is the check that does not rely on the
generator. It needs a library with full debug information, as cargo's dev profile makes it. What is compared is how many
parameters a function has, of which size, signed or not, pointer to what; and structs, enums and function types in full.

    library.py FILE
"""

import argparse
import re
import sys
from pathlib import Path

import header
import surface

BASELINE = Path(__file__).resolve().parent / "tpexec.abi"


class Essence(surface.Types):
    """Types in words that C and Rust share, for instance "i64", "tp_future*", "i32 (*)(void*)"; const is C's alone."""

    def words(self, type_id):
        element = self.by_id[type_id]
        name, inner = element.get("name", ""), element.get("type-id")
        match element.tag:
            case "function-type":
                return self.signature(element, "(*)")
            case "pointer-type-def" if self.by_id[inner].tag == "function-type":
                return self.words(inner)
            case "pointer-type-def":
                return self.words(inner) + "*"
            case "qualified-type-def" | "typedef-decl":
                return self.words(inner)
            case "type-decl" if name in ("void", "bool"):
                return name
            case "type-decl":
                return ("u" if name.startswith("u") else "i") + element.get("size-in-bits")
        return rust(name)


def rust(name):
    """The same words for the name that Rust gives to a type."""
    # A function pointer that may be NULL is an option in Rust; an enum that C fills may have any value.
    if function := re.fullmatch(r'Option<unsafe extern "C(?:-unwind)?" fn\((.*)\)(?: -> (.*))?>', name):
        parameters = [rust(one) for one in function[1].split(", ")]
        return f"{rust(function[2] or 'void')} (*)({', '.join(parameters)})"
    if wrapped := re.fullmatch(r"MaybeUninit<(.*)>", name):
        return rust(wrapped[1])
    if pointer := re.fullmatch(r"\*(?:mut|const) (.*)", name):
        return rust(pointer[1]) + "*"
    last = name.split("::")[-1]
    return "void" if last == "c_void" else last


def read(text):
    """What C and Rust both have names for: all but the names that C gives to function types."""
    return {part: said for part, said in surface.read(text, Essence).items() if part[0] != "type"}


def disagreements(baseline, library):
    """A sentence for each part that one of them lacks or has differently."""
    return [f"{kind} {name}: the baseline says {baseline.get((kind, name))}, the library {library.get((kind, name))}"
            for kind, name in sorted(baseline.keys() | library.keys()) if baseline.get((kind, name)) != library.get((kind, name))]


def main():
    """The command line; the exit status says whether they agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, help="a libtpexec.so with full debug information")
    baseline = read(BASELINE.read_text())
    found = disagreements(baseline, read(header.run("abidw", parser.parse_args().library)))
    print("\n".join(found) or f"{len(baseline)} functions, types and constants are in the library as in the baseline")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
