//! The header `include/tpexec.h`: it is what the sources say, every C and C++ compiler takes it, and C sees each struct
//! just as Rust does.

#![cfg(not(loom))]

use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::mem::{align_of, offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tpexec::ffi;

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors"];
const C_DIALECTS: [&str; 4] = ["-std=c99", "-std=c11", "-std=c17", "-std=c2x"];
const CXX_DIALECTS: [&str; 3] = ["-std=c++11", "-std=c++17", "-std=c++20"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn committed_header() -> String {
    fs::read_to_string(root().join("include/tpexec.h")).expect("include/tpexec.h can be read")
}

#[test]
fn header_is_current() {
    let generated = fs::read_to_string(concat!(env!("OUT_DIR"), "/include/tpexec.h")).expect("build.rs made a header");
    let committed = committed_header();
    if generated == committed {
        return;
    }
    let (line, (old, new)) = (1..)
        .zip(committed.lines().chain([""; 1]).zip(generated.lines().chain([""; 1])))
        .find(|(_, (old, new))| old != new)
        .unwrap_or((0, ("the ends differ", "")));
    panic!(
        "include/tpexec.h is not what src/ffi and cbindgen.toml say. From line {line}:\n-{old}\n+{new}\n\
         The header is generated. To refresh it: TPEXEC_UPDATE_HEADER=1 cargo build --locked"
    );
}

#[test]
fn header_is_ascii() {
    // Compilers differ in what else they take, and in how.
    let header = committed_header();
    let line = header.lines().find(|line| !line.is_ascii());
    assert!(line.is_none(), "not ASCII: {}", line.unwrap_or_default());
}

#[test]
fn version_macros_are_the_packages() {
    let header = committed_header();
    for (part, version) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        let line = format!("#define TPEXEC_VERSION_{part} {version}");
        assert!(header.lines().any(|given| given == line), "no line {line:?} in include/tpexec.h");
    }
    let numbers: Vec<u32> = env!("CARGO_PKG_VERSION").split('.').map(|number| number.parse().unwrap()).collect();
    assert_eq!(ffi::status::tp_version(), numbers[0] << 16 | numbers[1] << 8 | numbers[2]);
}

#[test]
fn every_dialect_takes_the_header_without_a_warning() {
    let contract = root().join("tests/header/contract.c");
    for (compiler, cxx_compiler) in [("gcc", "g++"), ("clang", "clang++")] {
        for dialect in C_DIALECTS {
            assert_compiles(c(compiler).args(STRICT).arg(dialect).arg(&contract));
        }
        for dialect in CXX_DIALECTS {
            assert_compiles(cxx(cxx_compiler).args(STRICT).args([dialect, "-x", "c++"]).arg(&contract));
        }
    }
}

#[test]
fn structs_have_no_padding() {
    let header = "#include <tpexec.h>\n\
                  size_t sizes(void);\n\
                  size_t sizes(void) { return sizeof(tp_error) + sizeof(tp_task) + sizeof(tp_executor_config); }\n";
    let padded = "struct padded { char a; int b; }; unsigned long size(void); \
                  unsigned long size(void) { return sizeof(struct padded); }\n";
    for compiler in ["gcc", "clang"] {
        let (compiles, messages) = compile(c(compiler).args(STRICT).arg("-Wpadded"), Some(header));
        assert!(compiles, "{messages}");
        let (compiles, _) = compile(c(compiler).args(STRICT).arg("-Wpadded"), Some(padded));
        assert!(!compiles, "{compiler} does not see padding, so it proves nothing");
    }
}

#[test]
fn comments_are_well_formed_and_name_real_parameters() {
    let (compiles, messages) = compile(c("clang").args(STRICT).arg("-Wdocumentation"), Some("#include <tpexec.h>\n"));
    assert!(compiles, "{messages}");
    let wrong = "/** @param b  There is none. */ int f(int a);\n";
    let (compiles, _) = compile(c("clang").args(STRICT).arg("-Wdocumentation"), Some(wrong));
    assert!(!compiles, "clang does not look at comments, so it proves nothing");
}

#[test]
fn every_function_is_documented() {
    let header = committed_header();
    let mut functions = 0;
    for item in header.split("/**\n").skip(1) {
        let (comment, declaration) = item.split_once("*/\n").expect("a comment ends");
        let declaration = declaration.split_once(";\n").map_or(declaration, |(first, _)| first);
        let Some((head, parameters)) = declaration.strip_suffix(')').and_then(|text| text.split_once('(')) else {
            continue; // a type or a macro
        };
        if head.starts_with("typedef") {
            continue;
        }
        functions += 1;
        for parameter in parameters.split(',').filter(|&parameter| parameter != "void") {
            let name = parameter.rsplit([' ', '*', '\n']).next().expect("a name");
            assert!(comment.contains(&format!(" * @param {name}  ")), "{head} does not describe {name}");
        }
        assert_eq!(comment.contains("@return "), !head.starts_with("void tp_"), "{head}: what it returns");
        assert!(comment.contains("Any thread") || comment.contains("Called by the task"), "{head}: who may call it");
        assert!(comment.contains("Blocks") || comment.contains("Does not block"), "{head}: whether it blocks");
    }
    let symbols = fs::read_to_string(root().join("abi/tpexec.symbols")).expect("abi/tpexec.symbols can be read");
    assert_eq!(functions, symbols.lines().count(), "every function has a comment of its own");
}

/// A struct's name, size and alignment, and each member's name, offset and size.
struct Layout {
    name: &'static str,
    size: usize,
    align: usize,
    members: Vec<(&'static str, usize, usize)>,
}

fn member_size<S, M>(_: fn(&S) -> &M) -> usize {
    size_of::<M>()
}

/// The layout that Rust gives to a struct.
macro_rules! layout {
    ($module:ident :: $name:ident { $($member:ident),* $(,)? }) => {{
        use ffi::$module::$name as Struct;
        Layout {
            name: stringify!($name),
            size: size_of::<Struct>(),
            align: align_of::<Struct>(),
            members: vec![$((
                stringify!($member).trim_start_matches("r#"),
                offset_of!(Struct, $member),
                member_size(|all: &Struct| &all.$member),
            )),*],
        }
    }};
}

#[test]
fn c_and_rust_lay_structs_out_alike() {
    let layouts = [
        layout!(callbacks::tp_error { code, reserved, message, payload }),
        layout!(executor::tp_executor_config {
            size,
            max_workers,
            thread_name_prefix,
            initializer,
            finalizer,
            unhandled_error,
            user_data,
            drop_user_data,
            stack_size,
            idle_timeout_ns,
            queue_capacity,
            max_stand_ins,
            full_policy,
            flags,
        }),
        layout!(submit::tp_task {
            size,
            r#fn,
            arg,
            drop_arg,
            drop_result,
            name,
            group,
            delay_ns,
            period_ns,
            priority,
            flags,
        }),
    ];
    let mut source = String::from("#include <tpexec.h>\n");
    for layout in &layouts {
        let name = layout.name;
        writeln!(source, "_Static_assert(sizeof({name}) == {}, \"size of {name}\");", layout.size).unwrap();
        writeln!(source, "_Static_assert(_Alignof({name}) == {}, \"alignment of {name}\");", layout.align).unwrap();
        // That the members follow each other without a gap also shows that none was left out above.
        let mut end = 0;
        for &(member, offset, size) in &layout.members {
            assert_eq!(offset, end, "{name}.{member} follows what is before it");
            end = offset + size;
            writeln!(
                source,
                "_Static_assert(offsetof({name}, {member}) == {offset}, \"offset of {name}.{member}\");\n\
                 _Static_assert(sizeof((({name} *)0)->{member}) == {size}, \"size of {name}.{member}\");"
            )
            .unwrap();
        }
        assert_eq!(end, layout.size, "{name} ends with its last member");
    }
    for (name, value) in [
        ("TP_MAX_WORKERS", ffi::executor::TP_MAX_WORKERS),
        ("TP_EXECUTOR_TIMES", ffi::executor::TP_EXECUTOR_TIMES as usize),
        ("TP_SHUTDOWN_WAIT", ffi::executor::TP_SHUTDOWN_WAIT as usize),
        ("TP_SHUTDOWN_CANCEL_FUTURES", ffi::executor::TP_SHUTDOWN_CANCEL_FUTURES as usize),
    ] {
        writeln!(source, "_Static_assert({name} == {value}, \"{name}\");").unwrap();
    }
    for compiler in ["gcc", "clang"] {
        let (compiles, messages) = compile(c(compiler).args(STRICT).arg("-std=c11"), Some(&source));
        assert!(compiles, "{messages}");
    }
}

/// Runs a compiler, with `source` as its input if there is one, and gives whether it succeeded and what it said.
fn compile(command: &mut Command, source: Option<&str>) -> (bool, String) {
    if source.is_some() {
        command.args(["-x", "c", "-"]);
    }
    let mut child = command
        // All the way to code: before that clang does not look at padding.
        .args(["-c", "-o", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().unwrap().write_all(source.unwrap_or_default().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), format!("{command:?}\n{}", String::from_utf8_lossy(&output.stderr)))
}

fn assert_compiles(command: &mut Command) {
    let (compiles, messages) = compile(command, None);
    assert!(compiles, "{messages}");
}

fn c(compiler: &str) -> Command {
    command(compiler, false)
}

fn cxx(compiler: &str) -> Command {
    command(compiler, true)
}

/// A compiler of this machine, with the header's directory to search.
fn command(compiler: &str, cxx: bool) -> Command {
    let version = Command::new(compiler).arg("--version").stdout(Stdio::null()).status();
    assert!(
        version.is_ok_and(|status| status.success()),
        "{compiler} is needed to test the header, and cannot be run. On Debian: apt-get install g++ clang"
    );
    let include: PathBuf = root().join("include");
    cc::Build::new()
        .compiler(compiler)
        .cpp(cxx)
        .target(env!("TPEXEC_TARGET"))
        .host(env!("TPEXEC_TARGET"))
        .opt_level(0)
        .include(include)
        .cargo_metadata(false)
        .cargo_warnings(false)
        .get_compiler()
        .to_command()
}
