//! The shared library as the dynamic linker sees it, and the shell's exports as their source shows them. How hard the library is
//! to abuse is another matter: tests/hardening.
//!
//! The library looked at is the release build, which this test makes (or finds up to date) itself.

#![cfg(all(not(loom), target_os = "linux"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `abi/tpexec.symbols`: everything that may be exported, sorted.
fn listed_symbols() -> Vec<String> {
    let list = fs::read_to_string(root().join("abi/tpexec.symbols")).expect("abi/tpexec.symbols can be read");
    list.lines().map(String::from).collect()
}

fn run(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C").output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The path of the release build's libtpexec.so, as cargo tells it.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        // Where this test itself was built: cargo puts CARGO_TARGET_TMPDIR right into its target directory.
        let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a directory in the target directory");
        let messages = run(Command::new(env!("CARGO"))
            .args(["build", "--lib", "--release", "--locked", "--message-format=json", "--target-dir"])
            .arg(target_dir)
            .current_dir(root()));
        let path = messages.split('"').find(|text| text.ends_with("/libtpexec.so"));
        PathBuf::from(path.expect("cargo names the shared library it has built"))
    })
}

#[test]
fn exactly_the_listed_symbols_are_exported() {
    let exported: BTreeSet<String> = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library()))
        .lines()
        .map(|line| line.rsplit(' ').next().expect("address, type, name").to_string())
        .collect();
    let listed = listed_symbols();
    assert!(listed.is_sorted(), "abi/tpexec.symbols is sorted");
    let listed = BTreeSet::from_iter(listed);
    let unlisted: Vec<&String> = exported.difference(&listed).collect();
    assert!(unlisted.is_empty(), "exported, but not in abi/tpexec.symbols (make abi-accept): {unlisted:?}");
    let missing: Vec<&String> = listed.difference(&exported).collect();
    assert!(missing.is_empty(), "in abi/tpexec.symbols, but not exported, which breaks programs: {missing:?}");
    assert!(exported.iter().all(|symbol| symbol.starts_with("tp_")));
}

#[test]
fn the_header_declares_exactly_the_listed_symbols() {
    let header = fs::read_to_string(root().join("include/tpexec.h")).expect("include/tpexec.h can be read");
    let declared: BTreeSet<String> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']) && !line.starts_with("typedef"))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .map(String::from)
        .collect();
    assert_eq!(declared, BTreeSet::from_iter(listed_symbols()));
}

#[test]
fn soname_and_nodelete_are_set() {
    let dynamic = run(Command::new("readelf").arg("-dW").arg(library()));
    let entry = |tag: &str| {
        let entry = dynamic.lines().find(|line| line.contains(&format!("({tag})")));
        entry.unwrap_or_else(|| panic!("no {tag} in\n{dynamic}"))
    };
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    // Before 1.0 a minor version may break the ABI, so its number is part of the name; from then on the major is it.
    let suffix = if major == "0" { format!("0.{minor}") } else { major.to_string() };
    let soname = format!("[libtpexec.so.{suffix}]");
    assert!(entry("SONAME").ends_with(&soname), "{} is not {soname}", entry("SONAME"));

    let flags: Vec<&str> = entry("FLAGS_1").split_whitespace().collect();
    assert!(flags.contains(&"NODELETE"), "{flags:?}");
}

/// An exported function: its name, and what its source says between the braces.
struct Export {
    name: String,
    body: Vec<String>,
}

/// All exports in `src/ffi`, found by `#[no_mangle]`.
fn exports() -> Vec<Export> {
    let files = fs::read_dir(root().join("src/ffi")).expect("src/ffi can be read");
    let sources = files.map(|file| fs::read_to_string(file.expect("an entry").path()).expect("a source file"));
    sources.flat_map(|source| source.split("#[no_mangle]\n").skip(1).map(export).collect::<Vec<_>>()).collect()
}

/// The export whose source begins `item`.
fn export(item: &str) -> Export {
    let (signature, rest) = item.split_once("{\n").expect("a function has a body");
    let (_, name) = signature.split_once("extern \"C\" fn ").expect("an export is a C function");
    let (body, _) = rest.split_once("\n}\n").expect("rustfmt puts the closing brace into the first column");
    Export { name: name.split('(').next().expect("a name").to_string(), body: body.lines().map(String::from).collect() }
}

#[test]
fn every_export_goes_through_the_guard() {
    let exports = exports();
    for Export { name, body } in &exports {
        // Of what stands at the body's own level there is one expression, and that is the guard, called by its name.
        let level = body.iter().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
        let mut level = level.map(|line| line.trim()).filter(|line| !line.starts_with("//"));
        let first = level.next().unwrap_or_default();
        let guard = format!("guard(\"{name}\", || ");
        assert!(first.starts_with(&guard), "{name} begins with {first:?}, not with {guard:?}");
        let rest: Vec<&str> = level.collect();
        assert!(
            rest == ["})"] || (rest.is_empty() && first.ends_with(')')),
            "{name} goes on outside of the guard: {rest:?}"
        );
    }
    let mut found: Vec<String> = exports.into_iter().map(|export| export.name).collect();
    found.sort();
    assert_eq!(found, listed_symbols(), "the exports found in src/ffi");
}
