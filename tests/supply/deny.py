"""What may come into a build: every lock file of the repository is shown to cargo-deny, with the rules of deny.toml.

    deny.py --cargo-deny PROGRAM --work DIRECTORY

Licences, sources and bans; then advisories and yanked versions, against the RustSec database where it can be fetched, else
against advisories.toml beside this file, which is made into a database for cargo-deny. Each check is first run on something that
it has to refuse, so that one which is off, or asks nobody, does not pass. The last line is "N passed, N failed".
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deny.toml"
FACTS = Path(__file__).resolve().parent / "advisories.toml"
DATABASE = "https://github.com/RustSec/advisory-db"
FETCH_SECONDS = 60
# A version with an advisory, which was yanked for it: what both checks have to see.
VULNERABLE = ("crossbeam-channel", "0.5.14", "RUSTSEC-2025-0024")


class Deny:
    """The program, and how many of its checks went as they should."""

    def __init__(self, program, work):
        self.program, self.work = program, work
        self.passed = self.failed = 0

    def check(self, rules, manifest, *which):
        """Runs checks on a package; gives whether they passed, and what was said."""
        command = [self.program, "--locked", "--color", "never", "--manifest-path", manifest, "--config", rules, "check", *which]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    def expect(self, title, as_expected, said):
        """Counts a check."""
        self.passed, self.failed = self.passed + as_expected, self.failed + (not as_expected)
        print(f"{'ok' if as_expected else 'FAILED'}: {title}", flush=True)
        if not as_expected:
            print(said)

    def accepts(self, title, rules, manifest, *which):
        """The package has to pass."""
        self.expect(f"{title}: {', '.join(which)}", *self.check(rules, manifest, *which))

    def refuses(self, title, rules, manifest, which, *words):
        """The package has to be refused, with these words in what is said of it."""
        passed, said = self.check(rules, manifest, which)
        self.expect(f"{title} is refused: {which}", not passed and all(word in said for word in words), said)

    def write(self, name, text):
        """A file to work with."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def lock_files():
    """The packages of the repository that have a lock file: the path of each manifest."""
    done = subprocess.run(["git", "ls-files", "Cargo.lock", "*/Cargo.lock"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name.replace("Cargo.lock", "Cargo.toml") for name in done.stdout.split()]


def rules_with(deny, name, section, /, **values):
    """deny.toml with other values in a section, in a file of its own."""
    lines, inside = [], False
    for line in RULES.read_text().splitlines():
        inside = line == f"[{section}]" if line.startswith("[") else inside
        if not (inside and line.split(" =")[0].replace("-", "_") in values):
            lines.append(line)
        if line == f"[{section}]":
            lines += [f"{key.replace('_', '-')} = {value}" for key, value in values.items()]
    return deny.write(name, "\n".join(lines) + "\n")


def vulnerable_package(deny):
    """A package that depends on a version with an advisory, and its lock file; the manifest's path."""
    name, version, _ = VULNERABLE
    manifest = deny.write("vulnerable/Cargo.toml", f"""\
[package]
name = "vulnerable"
version = "0.0.0"
edition = "2021"
license = "MIT"
[lib]
path = "lib.rs"
[dependencies]
{name} = "={version}"
[workspace]
""")
    deny.write("vulnerable/lib.rs", "")
    # A yanked version can only be had through a lock file that names it.
    lock = (ROOT / "Cargo.lock").read_text()
    utils = next(one for one in lock.split("\n\n") if one.startswith('[[package]]\nname = "crossbeam-utils"\n'))
    deny.write("vulnerable/Cargo.lock", f"""\
version = 4

{utils.rstrip()}

[[package]]
name = "{name}"
version = "{version}"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "06ba6d68e24814cb8de6bb986db8222d3a027d15872cabc0d18817bc3c0e4471"
dependencies = [
 "crossbeam-utils",
]

[[package]]
name = "vulnerable"
version = "0.0.0"
dependencies = [
 "{name}",
]
""")
    return manifest


def advisory_rules(deny):
    """deny.toml with a place for the RustSec database. Where that cannot be fetched, git is told to take ours instead."""
    rules = rules_with(deny, "advisories.toml", "advisories", db_path=f'"{deny.work / "databases"}"')
    command = [deny.program, "--config", rules, "--manifest-path", ROOT / "Cargo.toml", "fetch", "db"]
    os.environ["GIT_TERMINAL_PROMPT"] = "0"
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, timeout=FETCH_SECONDS, check=False)
        fetched = done.returncode == 0
    except subprocess.TimeoutExpired:
        fetched = False
    if fetched:
        print("advisories: the RustSec database of today")
        return rules
    facts = tomllib.loads(FACTS.read_text())
    print(f"advisories: the RustSec database cannot be fetched; checked are {len(facts['advisory'])} of its advisories, as of "
          f"{facts['compiled']} ({FACTS.relative_to(ROOT)})")
    redirect = {"COUNT": "1", "KEY_0": f"url.{database(deny, facts)}.insteadOf", "VALUE_0": DATABASE}
    os.environ.update({f"GIT_CONFIG_{key}": value for key, value in redirect.items()})
    return rules


def database(deny, facts):
    """A git repository in the form of the RustSec database, with these facts; its path."""
    place = deny.work / "facts"
    shutil.rmtree(place, ignore_errors=True)
    for one in facts["advisory"]:
        entry = [f'id = "{one["id"]}"', f'package = "{one["package"]}"', f'date = "{one["id"].split("-")[1]}-01-01"']
        entry += [f'informational = "{one["informational"]}"'] if "informational" in one else []
        versions = [f"{key} = {json.dumps(one[key])}" for key in ("patched", "unaffected") if key in one]
        text = ["```toml", "[advisory]", *entry, "[versions]", *versions, "```", "", f"# {one['id']}", "", "See rustsec.org.", ""]
        deny.write(f"facts/crates/{one['package']}/{one['id']}.md", "\n".join(text))
    git = ["git", "-C", str(place), "-c", "user.name=deny.py", "-c", "user.email=deny.py@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "facts"]):
        subprocess.run(git + words, check=True)
    return place


def main():
    """The command line; the exit status says whether all went as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cargo-deny", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path, help="a directory for what is made for the checks")
    arguments = parser.parse_args()
    deny = Deny(arguments.cargo_deny.resolve(), arguments.work.resolve())
    library, vulnerable = ROOT / "Cargo.toml", vulnerable_package(deny)

    none = rules_with(deny, "licenses.toml", "licenses", allow='["Zlib"]', exceptions="[]")
    deny.refuses("a licence that is not allowed", none, library, "licenses", "libc", "rejected")
    none = rules_with(deny, "sources.toml", "sources", allow_registry="[]")
    deny.refuses("another registry", none, library, "sources", "libc", "source-not-allowed")
    deny.refuses("a banned crate", rules_with(deny, "bans.toml", "bans", deny='[{ crate = "libc" }]'), library, "bans", "libc")
    rules = advisory_rules(deny)
    deny.refuses("a vulnerable and yanked version", rules, vulnerable, "advisories", VULNERABLE[2], "yanked")

    for manifest in lock_files():
        title = str(manifest.relative_to(ROOT))
        deny.accepts(title, RULES, manifest, "licenses", "sources", "bans")
        deny.accepts(title, rules, manifest, "advisories")
    print(f"{deny.passed} passed, {deny.failed} failed")
    return 1 if deny.failed else 0


if __name__ == "__main__":
    sys.exit(main())
