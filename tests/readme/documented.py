#!/usr/bin/env python3
"""documented.py: every public name of tpexec.hpp is in docs/cpp.md.

    documented.py HEADER DOCUMENT

Public is what the header declares outside of namespace detail and, in classes, above `private:` and `protected:`. The header is
formatted so that indentation tells: members of a namespace begin a line, members of a class stand four columns in. A name is
documented where an example uses it or it stands between backquotes.
"""
import re
import sys

ATTRIBUTES = re.compile(r"\[\[[\w:, ()\"]*\]\] ?|TPEXEC_VISIBLE ")
TYPE = re.compile(r"(class|struct|enum class) (\w+)[ :{]")
ALIAS = re.compile(r"using (\w+) =")
FUNCTION = re.compile(r"(?:[^(=]*?[\s*&])?(\w+)\(")
VARIABLE = re.compile(r"[\w:<>()*&\s]*?[\s*&](\w+)(?: = .*|\{.*\})?;")
ENUMERATOR = re.compile(r"(\w+)(?: = \w+)?,")


def first_name(patterns, declaration):
    for pattern in patterns:
        match = pattern.match(declaration)
        if match:
            return match[1]
    return None


def public_names(lines):
    """The names, each with the number of the line that declares it first."""
    names = {}
    hidden = False
    detail = 0  # how many braces are open in namespace detail
    enclosing = None  # the class or enumeration that begins at the last line without indentation
    for number, line in enumerate(lines, 1):
        if detail > 0 or line.startswith("namespace detail {"):
            detail += line.count("{") - line.count("}")
            continue
        declaration = ATTRIBUTES.sub("", line.split(" //")[0].strip())
        indentation = len(line) - len(line.lstrip())
        name = None
        if not declaration or declaration.startswith(("#", "/", "template", "friend", "static_assert")):
            continue
        if declaration in ("public:", "private:", "protected:"):
            hidden = declaration != "public:"
        elif indentation == 0 and TYPE.match(declaration):
            kind, name = TYPE.match(declaration).groups()
            enclosing, hidden = (kind, name), kind == "class"
        elif indentation == 0:
            name = first_name((ALIAS, FUNCTION, VARIABLE), declaration)
            enclosing = None
        elif indentation == 4 and enclosing is not None and not hidden:
            patterns = (ENUMERATOR,) if enclosing[0] == "enum class" else (ALIAS, FUNCTION, VARIABLE)
            name = first_name(patterns, declaration)
        if name is not None and name != "operator":
            names.setdefault(name, number)
    return names


def documented_names(text):
    blocks = re.findall(r"^```cpp.*?^```$", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", text)
    return set(re.findall(r"\w+", " ".join(blocks + spans)))


def main(header, document):
    with open(header, encoding="utf-8") as file:
        names = public_names(file.read().splitlines())
    with open(document, encoding="utf-8") as file:
        documented = documented_names(file.read())
    missing = [name for name in names if name not in documented]
    for name in missing:
        print(f"{header}:{names[name]}: {name} is not in {document}", file=sys.stderr)
    print(f"{len(names)} public names, {len(missing)} of them not documented")
    return 1 if missing or not names else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
