# shellcheck shell=bash disable=SC2034 # the variables are run.sh's
# Sourced by run.sh: how the library and the programs are built for each tool, and how the tool is asked. use_tool TOOL sets
#
#   build              the build directory, below build/sanitizers
#   programs_by        the tool whose build has the programs
#   toolchain          the Rust toolchain, where it has to be a certain one
#   rust_target, rust_flags, cargo_flags     what Rust is told
#   compiler, compiler_cxx, c_flags, link_flags   what C and C++ are told
#   imports            a symbol that the library imports if it has been built for the tool
#   options            of a sanitizer
#   valgrind           of valgrind, what it is started with; nothing for the sanitizers
#   found              a pattern that is in a file of reports if the tool has found something
#   divisor            TPEXEC_TEST_DIVISOR, so that all of it takes minutes

rust_host=$(rustc -vV | sed -n 's/^host: //p')

use_tool() {
    build=$1 programs_by=$1
    toolchain='' rust_target='' rust_flags='' cargo_flags=''
    c_flags='' link_flags='' imports='' options='' valgrind=()
    "use_$1"
}

# sanitizer RUNTIME RUST-NAME C-NAME. Only nightly Rust has them. Its runtime is the only one in the program: clang's own is
# older than the code that rustc makes, and lacks functions which that calls.
sanitizer() {
    toolchain=nightly rust_target=$rust_host rust_flags="-Zsanitizer=$2"
    compiler=clang compiler_cxx=clang++ c_flags="-fsanitize=$3 -fno-omit-frame-pointer"
    local nightly runtime
    if ! nightly=$(rustc +nightly --print sysroot 2>/dev/null) || [ ! -d "$nightly/lib/rustlib/src/rust/library" ]; then
        echo "run.sh: $2 sanitizer: needs nightly Rust: rustup toolchain install nightly --component rust-src" >&2
        exit 1
    fi
    runtime=$nightly/lib/rustlib/$rust_host/lib/librustc-nightly_rt.$1.a
    link_flags="-fno-sanitize=all -rdynamic -Wl,--whole-archive,$runtime,--no-whole-archive -lpthread -lrt -ldl -lm"
    imports=__$1_init
    # Not that an allocation has failed, for which tests ask.
    found='ERROR: [A-Za-z]+Sanitizer|WARNING: ThreadSanitizer: |runtime error'
}

# std is built too: what it does with atomics is then seen as what it is, and there is nothing to suppress.
use_tsan() {
    sanitizer tsan thread thread
    cargo_flags=-Zbuild-std
    # die_after_fork: it does not vouch for threads that a forked child starts; those of c_fork run all the same.
    options=allocator_may_return_null=1:die_after_fork=0:halt_on_error=0:history_size=4:second_deadlock_stack=1
    divisor=40
}

# With LeakSanitizer, which is part of it, and with UBSan for C and C++. (Checks of vptr and function need a C++ runtime that
# rustc does not bring.)
use_asan() {
    sanitizer asan address address,undefined
    c_flags+=" -fno-sanitize=vptr,function -fno-sanitize-recover=undefined"
    cargo_flags='--features plain-malloc'
    options=allocator_may_return_null=1:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:print_stacktrace=1
    divisor=20
}

# The tools of valgrind run the same programs.
valgrind_tool() {
    programs_by=memcheck
    compiler=cc compiler_cxx=c++
    # Programs find the library by LD_LIBRARY_PATH first.
    link_flags=-Wl,--enable-new-dtags
    cargo_flags='--features plain-malloc'
    # A test has stack frames of 2 MiB; by itself valgrind takes those for another stack.
    valgrind=(valgrind "--tool=$1" --trace-children=yes --fair-sched=yes --error-exitcode=99 --max-stackframe=4194304
        "--suppressions=$here/valgrind.supp")
    # Each process ends with a count; or the tool has given up.
    found='ERROR SUMMARY: [1-9]|Assertion .* failed|the .impossible. happened'
    divisor=400
}

use_memcheck() {
    valgrind_tool memcheck
    valgrind+=(--leak-check=full "--errors-for-leak-kinds=definite,possible")
}

# Of an atomic operation helgrind and drd see the instruction, and not what it orders; the library built with this flag tells
# them. What it does else is what it always does, and ThreadSanitizer runs the same programs with the library as it is.
annotated() {
    valgrind_tool "$1"
    build=annotated
    rust_target=$rust_host rust_flags='--cfg annotated'
}

use_helgrind() {
    annotated helgrind
    valgrind+=(--history-level=approx)
}

# Tests make locks on their stack, one where another was: drd has to watch the stack to know.
use_drd() {
    annotated drd
    valgrind+=(--check-stack-var=yes)
}
