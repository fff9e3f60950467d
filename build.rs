//! Generates the C header from `src/ffi`, and tells the linker what a well-behaved shared library needs.
//!
//! The header goes to `$OUT_DIR/include/tpexec.h`. The copy that C programs use, `include/tpexec.h`, is committed, and
//! `tests/header.rs` compares the two; `TPEXEC_UPDATE_HEADER=1 cargo build --locked` refreshes it. A build never writes outside
//! of `OUT_DIR` unasked, as cargo wants it.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    for path in ["build.rs", "cbindgen.toml", "src/ffi", "include/tpexec.h"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=TPEXEC_UPDATE_HEADER");
    // The tests compile C for the machine they run on, and ask for its compilers by this name.
    println!("cargo::rustc-env=TPEXEC_TARGET={}", variable("TARGET"));

    link_arguments();
    // Models see neither the header nor a linked library, and are rebuilt often.
    if ["CARGO_CFG_LOOM", "CARGO_CFG_SHUTTLE"].iter().all(|model| env::var_os(model).is_none()) {
        header();
    }
}

fn header() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    config.after_includes =
        Some(format!("{}{}", version_macros(), config.after_includes.as_deref().unwrap_or_default().trim_end()));

    // The files are named one by one: cbindgen puts what it finds in that order, and the core, which it does not read,
    // can have any names. They are the public modules of the shell.
    let shell = root.join("src/ffi");
    let modules = fs::read_to_string(shell.join("mod.rs")).expect("src/ffi/mod.rs can be read");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for module in modules.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')) {
        builder = builder.with_src(shell.join(module).with_extension("rs"));
    }

    let bindings = match builder.generate() {
        Ok(bindings) => bindings,
        Err(error @ cbindgen::Error::ParseSyntaxError { .. }) => {
            // The compiler explains it better, and will do so in a moment.
            println!("cargo::warning=no header: {error}");
            return;
        }
        Err(error) => panic!("cbindgen: {error}"),
    };
    write(&bindings, &Path::new(&variable("OUT_DIR")).join("include/tpexec.h"));
    if env::var_os("TPEXEC_UPDATE_HEADER").is_some_and(|value| value == "1") {
        write(&bindings, &root.join("include/tpexec.h"));
    }
}

/// cbindgen leaves a file alone that has the right content already.
fn write(bindings: &cbindgen::Bindings, path: &Path) {
    fs::create_dir_all(path.parent().expect("a file in a directory")).expect("the directory can be made");
    bindings.write_to_file(path);
}

fn version_macros() -> String {
    let mut macros = String::from("\n/* The version of this header. tp_version() gives that of the library. */\n");
    for part in ["MAJOR", "MINOR", "PATCH"] {
        macros += &format!("#define TPEXEC_VERSION_{part} {}\n", variable(&format!("CARGO_PKG_VERSION_{part}")));
    }
    macros
}

fn link_arguments() {
    let (os, family) = (variable("CARGO_CFG_TARGET_OS"), variable("CARGO_CFG_TARGET_FAMILY"));
    let elf = family.split(',').any(|name| name == "unix") && !matches!(os.as_str(), "macos" | "ios");
    if !elf {
        return;
    }
    // The SONAME carries what must agree for a program to run: before 1.0 a minor version may break the ABI.
    let suffix = match variable("CARGO_PKG_VERSION_MAJOR").as_str() {
        "0" => format!("0.{}", variable("CARGO_PKG_VERSION_MINOR")),
        major => major.to_string(),
    };
    for argument in [
        format!("-soname,libtpexec.so.{suffix}"),
        // The library owns threads and thread-local destructors: unmapping it under them would crash the program, so
        // dlclose() leaves it where it is.
        "-z,nodelete".to_string(),
        // All symbols are bound at start, and the tables that hold them are then read-only.
        "-z,now".to_string(),
        "-z,relro".to_string(),
    ] {
        println!("cargo::rustc-cdylib-link-arg=-Wl,{argument}");
    }
}

/// A variable that cargo sets.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
