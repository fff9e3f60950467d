"""What a program can rely on, out of the XML that abidw writes: functions, structs, enums and function types, in C's words.

Used by check.py, which compares two of them, and by library.py, which compares one with the library itself.
"""

import xml.etree.ElementTree as xml
from dataclasses import dataclass, field


@dataclass
class Struct:
    """Its size, and of each member in order: name, offset and type. Sizes and offsets are in bytes."""

    size: int
    members: list = field(default_factory=list)

    def __str__(self):
        return f"{self.size} bytes: " + ", ".join(f"{type} {name} at {offset}" for name, offset, type in self.members)


@dataclass
class Enum:
    """Its constants: value by name."""

    values: dict

    def __str__(self):
        return ", ".join(f"{name} = {value}" for name, value in self.values.items())


class Types:
    """The types of one file of abidw's, by its ids."""

    def __init__(self, root):
        self.by_id = {element.get("id"): element for element in root.iter() if element.get("id")}

    def words(self, type_id):
        """A type as C writes it."""
        element = self.by_id[type_id]
        inner = element.get("type-id")
        match element.tag:
            case "pointer-type-def":
                if self.by_id[inner].tag == "function-type":
                    return self.signature(self.by_id[inner], "(*)")
                target = self.words(inner)
                return target + ("*" if target.endswith("*") else " *")
            case "qualified-type-def":
                target = self.words(inner)
                qualifiers = [word for word in ("const", "volatile", "restrict") if element.get(word) == "yes"]
                return " ".join([target, *qualifiers] if target.endswith("*") else [*qualifiers, target])
            case "class-decl":
                return f"struct {element.get('name')}"
            case "enum-decl":
                return f"enum {element.get('name')}"
            case "typedef-decl" | "type-decl":
                return element.get("name")
        raise ValueError(f"abidw wrote a {element.tag}, which surface.py does not know yet")

    def signature(self, function, name=""):
        """What a function or a function type takes and gives."""
        parameters = [self.words(one.get("type-id")) for one in function.findall("parameter")]
        return f"{self.words(function.find('return').get('type-id'))} {name}({', '.join(parameters) or 'void'})"


def struct(types, element):
    """A class-decl that has members."""
    members = []
    for member in element.findall("data-member"):
        variable = member.find("var-decl")
        offset = int(member.get("layout-offset-in-bits")) // 8
        members.append((variable.get("name"), offset, types.words(variable.get("type-id"))))
    return Struct(int(element.get("size-in-bits")) // 8, members)


def read(text, words=Types):
    """The surface: each part by kind and name, of the functions and types that begin with tp_. `words` puts types into words."""
    root = xml.fromstring(text)
    types = words(root)
    surface = {("SONAME", ""): root.get("soname")}
    for element in root.iter():
        name = element.get("name", "")
        if not name.startswith("tp_"):
            continue
        match element.tag:
            case "function-decl":
                surface["function", name] = types.signature(element)
            case "typedef-decl" if types.by_id[element.get("type-id")].tag == "pointer-type-def":
                surface["type", name] = types.words(element.get("type-id"))
            case "enum-decl":
                surface["enum", name] = Enum({one.get("name"): int(one.get("value")) for one in element.findall("enumerator")})
            case "class-decl" if element.get("size-in-bits"):
                surface["struct", name] = struct(types, element)
            case "class-decl":
                surface["handle", name] = "struct"
    return surface
