"""Makes a copy of the library's source as a later version of the same ABI might be: every public struct has one member more.

    grow.py SOURCE COPY VALUE

The version is the next patch version, so the SONAME stays. In a struct that callers fill the new member is refused unless it is
zero, with a message of its own; in tp_error, which the library fills, it is VALUE. Files of COPY that are as they should be are
left alone, so that building it again is cheap.
"""

import re
import sys
from pathlib import Path

MEMBER = "    pub appended: u64,\n"
# Of each file: what is replaced by what, {value} being that of tp_error's member. Each text occurs once, or there is no copy.
EDITS = {
    "src/ffi/executor.rs": [
        ("    pub flags: u32,\n}\n", "    pub flags: u32,\n    /// For later versions still.\n" + MEMBER + "}\n"),
        ("        require(self.flags == 0, unsupported(", """\
        require(self.appended == 0, unsupported("config->appended is not supported by this version"))?;
        require(self.flags == 0, unsupported("""),
    ],
    "src/ffi/submit.rs": [
        ("    pub flags: u32,\n}\n", "    pub flags: u32,\n    /// For later versions still.\n" + MEMBER + "}\n"),
        ("        require(self.period_ns == 0, unsupported(", """\
        require(self.appended == 0, unsupported("task->appended is not supported by this version"))?;
        require(self.period_ns == 0, unsupported("""),
    ],
    "src/ffi/callbacks.rs": [
        ("    pub payload: *mut c_void,\n}\n", "    pub payload: *mut c_void,\n    /// Always {value}.\n" + MEMBER + "}\n"),
    ],
    # A record that is kept in the task's node, for want of memory, has no room for another member. Nothing here runs out.
    "src/task/extra.rs": [
        ("    pub payload: *mut c_void,\n}\n", "    pub payload: *mut c_void,\n" + MEMBER + "}\n"),
        ("size_of::<ErrorRecord>() == 24", "size_of::<ErrorRecord>() == 32"),
        ("payload: std::ptr::null_mut() }", "payload: std::ptr::null_mut(), appended: {value} }"),
        ("message: text.cast(), payload }", "message: text.cast(), payload, appended: {value} }"),
    ],
}


def next_patch(text):
    """The package's version raised, in Cargo.toml or Cargo.lock."""
    version = re.compile(r'(name = "tpexec"\nversion = "\d+\.\d+\.)(\d+)')
    return version.sub(lambda found: found[1] + str(int(found[2]) + 1), text, count=1)


def edit(path, text, value):
    """The text of a file in the copy."""
    if path in ("Cargo.toml", "Cargo.lock"):
        text = next_patch(text)
    for before, after in EDITS.get(path, []):
        if text.count(before) != 1:
            sys.exit(f"grow.py: {path} has {before!r} {text.count(before)} times; tell grow.py what stands there now")
        text = text.replace(before, after.replace("{value}", value))
    return text


def grow(source, copy, value):
    """Writes the files that a build of the library needs."""
    names = ["Cargo.toml", "Cargo.lock", "build.rs", "cbindgen.toml"]
    names += [str(path.relative_to(source)) for path in sorted((source / "src").rglob("*.rs"))]
    missing = EDITS.keys() - set(names)
    if missing:
        sys.exit(f"grow.py: there is no {', '.join(sorted(missing))} any more")
    for name in names:
        text, place = edit(name, (source / name).read_text(), value), copy / name
        if not place.exists() or place.read_text() != text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)


if __name__ == "__main__":
    grow(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
