#!/usr/bin/env python3
"""Breaks the library on purpose, one ordering or protocol step at a time, and demands that the named model notices.

The lists beside this file (*.toml) hold the mutants: a file, a text that occurs there exactly once (or `of` an outer text, once in that),
what it becomes, the model that must fail, and why that text is needed. A mutant that no model can kill is listed too, with `survives`, the
reason: its model must pass, so that the list stays true. In the unbroken copy every model that is named must pass.

Usage: tests/models/mutants/run.py BUILD_DIRECTORY [--only WORD]…
Copies the sources to BUILD_DIRECTORY/tree and builds there, hardly optimized, in the cargo directory CARGO_TARGET_DIR if that is set. The last line is "N passed, N failed".
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib

LISTS = pathlib.Path(__file__).resolve().parent
ROOT = LISTS.parents[2]
# What cargo needs to build the models.
PARTS = ["src", "tests/models", "include", "Cargo.toml", "Cargo.lock", "build.rs", "cbindgen.toml"]
# A broken protocol may make a model endless, in time or in what it allocates; an unbroken one takes seconds and megabytes.
LIMIT = 300
MEMORY = 4 << 30


class Broken(Exception):
    """The list, the copy or the build is not what it has to be."""


def mutants(only):
    """Every mutant of every list, with the name of its list."""
    found = []
    for path in sorted(LISTS.glob("*.toml")):
        for mutant in tomllib.loads(path.read_text())["mutant"]:
            mutant["list"] = path.stem
            if not only or any(word in json.dumps(mutant) for word in only):
                found.append(mutant)
    return found


def copy_sources(tree):
    """A fresh copy; what did not change keeps its time, so that cargo builds no more than it must, but for the files that a mutant
    changes: of those the last build may be another text's."""
    for part in PARTS:
        source, target = ROOT / part, tree / part
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        else:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    for mutant in mutants([]):
        (tree / mutant["file"]).touch()
    # Under the same name and version cargo would take the copy for the original where both are built in one directory.
    package = tomllib.loads((tree / "Cargo.toml").read_text())["package"]
    for part in ["Cargo.toml", "Cargo.lock"]:
        entry = f'name = "{package["name"]}"\nversion = "{package["version"]}"'
        text = (tree / part).read_text()
        once(entry, part, text)
        (tree / part).write_text(text.replace(entry, entry[:-1] + '-mutant"'))


def once(text, where, place):
    """Where `text` begins, which occurs exactly once."""
    if place.count(text) != 1:
        raise Broken(f"{where}: found {place.count(text)} times, not once: {text!r}")
    return place.index(text)


def apply(mutant, source):
    """The file's text with the mutant's change in it."""
    text, where = mutant["text"], mutant["file"]
    begin, scope = 0, source
    if "of" in mutant:
        begin, scope = once(mutant["of"], where, source), mutant["of"]
    begin += once(text, where, scope)
    return source[:begin] + mutant["becomes"] + source[begin + len(text):]


def build(tree):
    """Builds the models; returns the test program's path."""
    environment = dict(
        os.environ,
        RUSTFLAGS=os.environ.get("RUSTFLAGS", "") + " --cfg loom",
        CARGO_PROFILE_RELEASE_LTO="off",
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS="256",
        CARGO_PROFILE_RELEASE_DEBUG="0",
        CARGO_PROFILE_RELEASE_OPT_LEVEL="1",
        CARGO_INCREMENTAL="1",
    )
    # What is built once is optimized, loom first of all; what is built for each mutant hardly is.
    optimized = 'profile.release.package."*".opt-level=3'
    command = ["cargo", "--config", optimized, "test", "--release", "--locked", "--lib", "--no-run", "--message-format=json"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        messages = [json.loads(line).get("message", {}) for line in done.stdout.splitlines()]
        errors = [m["rendered"] for m in messages if isinstance(m, dict) and m.get("level") == "error"]
        raise Broken("does not compile:\n" + ("".join(errors) or done.stderr))
    artifacts = [json.loads(line) for line in done.stdout.splitlines()]
    programs = [a["executable"] for a in artifacts if a.get("executable") and a["profile"]["test"]]
    if len(programs) != 1:
        raise Broken(f"expected one test program, found {programs}")
    return pathlib.Path(programs[0])


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def run(program, model):
    """Whether the model passed, and how long it took."""
    start = time.monotonic()
    command = [program, "--exact", f"models::{model}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, preexec_fn=limit_memory)
    except subprocess.TimeoutExpired:
        raise Broken(f"{model}: no answer in {LIMIT} s") from None
    took = time.monotonic() - start
    # A model that does not exist must not look like one that passed, nor a crash of the harness like a failed one.
    if done.returncode == 0 and "test result: ok. 1 passed" in done.stdout:
        return True, took
    if done.returncode == 101 and "test result: FAILED. 0 passed; 1 failed" in done.stdout:
        return False, took
    # What loom's threads hold when a model fails may fail once more as it goes, which ends the program before it can say so. And
    # a model that follows a pointer which is none may end at once.
    output = done.stdout + done.stderr
    if done.returncode == -signal.SIGABRT and f"thread 'models::{model}'" in output:
        return False, took
    if done.returncode == -signal.SIGABRT and "memory allocation of" in output:
        return False, took
    if done.returncode == -signal.SIGSEGV and "running 1 test" in output:
        return False, took
    raise Broken(f"{model}: did not run (status {done.returncode}):\n{done.stdout}{done.stderr}")


def check(mutant, program):
    """Runs a mutant's model; the text to print, and whether it went as listed."""
    try:
        survived, took = run(program, mutant["model"])
    except Broken as broken:
        return f"{broken}", False
    finally:
        program.unlink()
    listed = "survives" in mutant
    if survived and listed:
        return f"survives {mutant['model']} in {took:.1f} s, as listed: {mutant['survives']}", True
    if survived:
        return f"SURVIVES {mutant['model']} ({took:.1f} s)", False
    if listed:
        return f"killed by {mutant['model']}, though listed as one that survives", False
    return f"killed by {mutant['model']} in {took:.1f} s", True


def describe(mutant):
    return f"{mutant['list']}: {mutant['why']}"


def main():
    parser = argparse.ArgumentParser(description="Demands that the models notice every mutant of the lists.")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--only", action="append", default=[], help="mutants that have this word in their entry")
    options = parser.parse_args()
    directory = options.directory.resolve()
    tree = directory / "tree"
    # Both would end up among the copied sources.
    os.environ.setdefault("CARGO_TARGET_DIR", str(directory / "target"))
    copy_sources(tree)
    listed = mutants(options.only)
    failed = []

    def report(mutant, line, good):
        print(f"{describe(mutant)}\n    {line}", flush=True)
        if not good:
            failed.append(mutant)

    # One mutant is built while the models of the others run, those of the unbroken copy first.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        program = directory / "unbroken"
        shutil.copy2(build(tree), program)
        models = sorted({mutant["model"] for mutant in listed})
        passed = {model: pool.submit(run, program, model) for model in models}
        running = {}
        for number, mutant in enumerate(listed):
            path = tree / mutant["file"]
            source = path.read_text()
            try:
                path.write_text(apply(mutant, source))
                broken = directory / f"mutant-{number}"
                shutil.copy2(build(tree), broken)
                running[pool.submit(check, mutant, broken)] = mutant
            except Broken as error:
                report(mutant, str(error), False)
            finally:
                path.write_text(source)
            for done in [check for check in running if check.done()]:
                report(running.pop(done), *done.result())
        for done in concurrent.futures.as_completed(running):
            report(running[done], *done.result())
        for model, done in passed.items():
            good, took = done.result()
            print(f"unbroken: {model}: {'passes' if good else 'FAILS'} in {took:.1f} s", flush=True)
        if not all(done.result()[0] for done in passed.values()):
            raise Broken("a model fails without any mutant")

    survivors = [mutant for mutant in listed if "survives" in mutant and mutant not in failed]
    print(f"\n{len(listed) - len(failed) - len(survivors)} mutants killed, {len(survivors)} survive as listed")
    for mutant in failed:
        print(f"not as listed: {describe(mutant)}")
    print(f"{len(listed) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not listed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as broken:
        print(f"{broken}\n0 passed, 1 failed")
        sys.exit(1)
