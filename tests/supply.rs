//! What a build takes in: the crates that are linked into the library, and that every call of cargo keeps to the lock file.
//! scripts/supply.sh looks further, with cargo-deny.

#![cfg(not(loom))]
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The crates in libtpexec.so besides Rust's own library. CONTRIBUTING.md says what each is for; one more needs a reason there.
const LINKED: [&str; 3] = ["crossbeam-channel", "crossbeam-utils", "libc"];

#[test]
fn the_library_is_linked_from_exactly_the_listed_crates() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--target", env!("TPEXEC_TARGET")])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let mut linked: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    linked.sort_unstable();
    linked.dedup();
    linked.retain(|&name| name != env!("CARGO_PKG_NAME"));
    assert_eq!(linked, LINKED);
}

/// What asks for a set of crates, and so has to be told to take the locked one.
const RESOLVING: [&str; 17] = [
    "bench", "build", "check", "clippy", "doc", "fetch", "fuzz", "install", "metadata", "miri", "nextest", "pkgid",
    "run", "rustc", "test", "tree", "vendor",
];

/// The calls of cargo in a script, makefile, CMake file or test that lack `--locked`, each from "cargo" to the end of its line.
///
/// A call is cargo, or a variable of that name, and a command that resolves, neither in a comment nor amid a quoted text. What
/// stands up to the next call, or to an empty line, belongs to it.
fn unlocked_calls(text: &str) -> Vec<String> {
    let code = code(text);
    let starts = calls(&code);
    let ends = starts.iter().skip(1).copied().chain([code.len()]);
    let segments =
        starts.iter().zip(ends).map(|(&start, end)| code[start..end].split("\n\n").next().unwrap_or_default());
    let unlocked = segments.filter(|segment| !segment.contains("--locked"));
    unlocked.map(|segment| segment.lines().next().unwrap_or_default().to_string()).collect()
}

/// A text without what is in lines of comment, and with lines joined that are one: after a backslash, before a method's dot.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let start = line.trim_start();
        if code.ends_with('\\') || start.starts_with('.') {
            code.truncate(code.trim_end_matches('\\').len());
            code.push(' ');
        } else {
            code.push('\n');
        }
        code.push_str(if start.starts_with(['#', '/', '*']) { "#" } else { line });
    }
    code
}

/// Where calls of cargo begin.
fn calls(code: &str) -> Vec<usize> {
    let part_of_a_word = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let is_call = |at: usize| {
        let (before, after) = (&code[..at], &code[at + "cargo".len()..]);
        let whole = !after.starts_with(part_of_a_word) && !before.trim_end_matches("TPEXEC_").ends_with(part_of_a_word);
        // A name that is quoted as a whole is a word of a list; otherwise the quotes before it in its line are closed.
        let quotes = before.rsplit('\n').next().unwrap_or_default().matches('"').count();
        let prose = quotes % 2 == 1 && !after.starts_with(['"', '}', ')']);
        let line = after.lines().next().unwrap_or_default();
        let words = line.split(|c: char| !part_of_a_word(c) && c != '+').filter(|word| !word.is_empty());
        let mut words = words.skip_while(|word| word.starts_with('+') || *word == ".args");
        whole && !prose && words.next().is_some_and(|command| RESOLVING.contains(&command))
    };
    let mut starts: Vec<usize> = code
        .match_indices("cargo")
        .chain(code.match_indices("CARGO"))
        .map(|(at, _)| at)
        .filter(|&at| is_call(at))
        .collect();
    starts.sort_unstable();
    starts
}

/// The files that may call cargo, other than this one, whose examples do.
fn callers() -> Vec<PathBuf> {
    let mut files = vec![root().join("Makefile"), root().join("CMakeLists.txt")];
    let mut directories: Vec<PathBuf> =
        [".ci", "benches", "cmake", "examples-c", "scripts", "tests"].iter().map(|name| root().join(name)).collect();
    while let Some(directory) = directories.pop() {
        for entry in
            fs::read_dir(&directory).expect("a directory of the repository").map(|entry| entry.expect("an entry"))
        {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => directories.push(path),
                Some("cmake" | "in" | "py" | "rs" | "sh" | "txt") | None => files.push(path),
                Some(_) => {}
            }
        }
    }
    files.retain(|path| !path.ends_with(file!()));
    files
}

#[test]
fn every_call_of_cargo_is_locked() {
    let files = callers();
    let mut locked = 0;
    for path in &files {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(unlocked_calls(&text), [""; 0], "{}: cargo without --locked", path.display());
        locked += calls(&code(&text)).len();
    }
    assert!(locked > 0, "no call of cargo was found in {} files", files.len());
}

#[test]
fn calls_without_locked_are_found_in_every_language() {
    for line in [
        "cargo build --lib",
        "step rust cargo_tests cargo test --no-fail-fast",
        "    CARGO_TARGET_DIR=x cargo +nightly miri test",
        "\tcd control && $(CARGO) build --release",
        "    COMMAND \"${CARGO}\" rustc --lib",
        "        \"${TPEXEC_CARGO}\" build --lib",
        "run([\"cargo\", \"tree\"])",
        "cargo build\n\ncargo test --locked",
        "cargo build\ncargo test --locked",
        "cargo build && cargo test --locked",
        "cargo test --locked && cargo build",
        "Command::new(env!(\"CARGO\"))\n    .args([\"build\", \"--lib\"])",
    ] {
        assert_eq!(unlocked_calls(line).len(), 1, "{line}");
    }
    for line in [
        "cargo build --locked",
        "cargo test --release \\\n    --locked --lib",
        "COMMAND \"${CARGO}\" build\n    # The rest.\n    --locked)",
        "cargo fmt --check",
        "# as cargo build does",
        "fail(\"cargo pkgid ended with ${result}\")",
        "COMMENT \"cargo build (libtpexec)\"",
        "scripts/setup-debian.sh cargo cc",
        "Command::new(env!(\"CARGO\"))\n    .args([\"build\", \"--locked\"])",
    ] {
        assert_eq!(unlocked_calls(line), [""; 0], "{line}");
    }
}
