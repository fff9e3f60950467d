"""A C header as the compiler sees it: the functions it declares, the macros it defines, and a library of that shape.

The library is C: every function that the header declares, with an empty body. What its debug information says of types is what
the header says, whatever the language of the real library and whatever its compiler. check.py has abidw read it.
"""

import re
import subprocess
from pathlib import Path

# Differ in every release, or say nothing to programs.
UNGUARDED = re.compile(r"TPEXEC_VERSION_\w+|\w+_H")


class HeaderError(Exception):
    """The header, or what is made of it, does not compile."""


def run(*command, stdin=None):
    """What the command writes to standard output."""
    done = subprocess.run([str(word) for word in command], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HeaderError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def functions(header, cc):
    """The declaration of each function, without its semicolon, by name."""
    text = run(cc, "-std=c11", "-E", "-P", header)
    return {name: declaration for declaration, name in re.findall(r"^((?:\w+[\s*]+)+(tp_\w+)\([^;{}()]*\));", text, re.M)}


def shape(header, soname, library, cc):
    """Makes the shared library `library` of the header's shape, with this SONAME."""
    source = f'#include "{Path(header).resolve()}"\n'
    source += "".join(f"{declaration} {{ for (;;) {{}} }}\n" for declaration in functions(header, cc).values())
    run(cc, "-std=c11", "-g", "-O0", "-fPIC", "-shared", "-nostdlib", f"-Wl,-soname,{soname}", "-o", library, "-x", "c", "-",
        stdin=source)


def macros(header, program, cc):
    """Of each macro that the header itself defines: type and value of a constant, else its text. `program` is a file to use."""
    text = run(cc, "-std=c11", "-E", "-dD", header)
    found, constants, here = {}, [], False
    for line in text.splitlines():
        if marker := re.match(r'# \d+ "(.*?)"', line):
            here = marker[1] == str(header)
        elif here and (definition := re.match(r"#define (\w+)(\(.*?\))? ?(.*)", line)):
            name, parameters, body = definition.groups()
            if UNGUARDED.fullmatch(name):
                continue
            if parameters is None and body:
                constants.append(name)
            else:
                found[name] = f"{parameters or ''} {' '.join(body.split())}".strip() or "(empty)"
    return dict(sorted((found | values(header, constants, program, cc)).items()))


def values(header, names, program, cc):
    """Type and value of integer constants, as a program that is compiled with the header prints them."""
    source = f'#include "{Path(header).resolve()}"\n#include <stdio.h>\n'
    source += '#define TYPE(x) _Generic((x), int: "int", unsigned: "unsigned", long: "long", unsigned long: "unsigned long")\n'
    source += "int main(void) {\n"
    source += "".join(f'printf("{name}=%s %lld\\n", TYPE({name}), (long long)({name}));\n' for name in names)
    source += "}\n"
    run(cc, "-std=c11", "-o", program, "-x", "c", "-", stdin=source)
    return dict(line.split("=", 1) for line in run(program).splitlines())
