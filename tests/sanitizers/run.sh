#!/bin/bash
# Runs every C and C++ test, the examples and the stress program under one tool, and fails if it finds anything; as many at a
# time as there are processors. Called by scripts/test-deep.sh, once for each tool:
#
#   tests/sanitizers/run.sh tsan|asan|memcheck|helgrind|drd [PROGRAM…]      for instance: run.sh drd c_cancel sanitizers_stress
#
# First the tool shows that it is on: it has to report each of canaries.c's faults for it. What cannot run under a tool is in
# left_out.txt, one by one, with the reason. README.md tells how each tool is made to see what the library does.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit
here=$PWD/tests/sanitizers
build_root=$(realpath -m "${BUILD:-build}")/sanitizers
jobs=$(nproc)
cargo_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
# A cmake or cargo that starts a make must not see the variables of the make that started this.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
# shellcheck source=tests/sanitizers/tools.sh
. tests/sanitizers/tools.sh || exit

tool=${1:-}
case $tool in
    tsan | asan | memcheck | helgrind | drd) shift ;;
    *) echo "usage: run.sh tsan|asan|memcheck|helgrind|drd [PROGRAM…]" >&2 && exit 2 ;;
esac
chosen=("$@")
reports=$build_root/reports-$tool
rm -rf "$reports"
mkdir -p "$reports" || exit

# ---- building ------------------------------------------------------------------------------------------------------------------

# build_with CMAKE-ARGUMENT…: the library for the tool in use, and what else the arguments ask for. Without optimization
# across crates, which takes longer than it saves.
build_with() {
    {
        cmake -S . -B "$build_root/$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTPEXEC_INSTALL=OFF \
            -DCMAKE_C_COMPILER="$compiler" -DCMAKE_CXX_COMPILER="$compiler_cxx" \
            -DCMAKE_C_FLAGS="$c_flags" -DCMAKE_CXX_FLAGS="$c_flags" -DCMAKE_EXE_LINKER_FLAGS="$link_flags" \
            -DTPEXEC_CARGO_TARGET_DIR="$cargo_dir" -DTPEXEC_CARGO_FLAGS="$cargo_flags" \
            -DTPEXEC_RUST_TARGET="$rust_target" "$@" &&
            env ${toolchain:+"RUSTUP_TOOLCHAIN=$toolchain"} ${rust_flags:+"RUSTFLAGS=$rust_flags"} CARGO_PROFILE_RELEASE_LTO=off \
                CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cmake --build "$build_root/$build" --parallel "$jobs"
    } >"$reports/build-$build.log" 2>&1 && return
    tail -n 50 "$reports/build-$build.log"
    exit 1
}

use_tool "$tool"
echo "==> $tool: building in $build_root"
programs_build=$(use_tool "$programs_by" && build_with >&2 && echo "$build_root/$build") || exit
[ "$programs_by" = "$tool" ] || build_with -DTPEXEC_BUILD_TESTS=OFF -DTPEXEC_BUILD_EXAMPLES=OFF
library=$build_root/$build/lib
export LD_LIBRARY_PATH=$library TPEXEC_TEST_TIMEOUT=300 TPEXEC_TEST_DIVISOR=$divisor

# (Below nobody stops reading a pipe before its end, as grep -q does: the writer's failure would be taken for the answer.)

# ---- running one ---------------------------------------------------------------------------------------------------------------

# under_tool NAME COMMAND…: runs it; what it prints goes to $reports/NAME/output, what the tool reports to files next to that.
under_tool() {
    local name=$1
    shift
    mkdir -p "$reports/$name"
    local all_options=$options:log_path=$reports/$name/report leaks=()
    # A forked child has the memory of threads that are not there: what it does not free says nothing.
    case $tool/$name in memcheck/c_fork | memcheck/c_regressions_queues) leaks=(--leak-check=no) ;; esac
    [ ${#valgrind[@]} -eq 0 ] || set -- "${valgrind[@]}" "${leaks[@]}" --log-file="$reports/$name/report.%p" "$@"
    # The limit is for what a test's own watchdog cannot catch.
    TSAN_OPTIONS=$all_options ASAN_OPTIONS=$all_options UBSAN_OPTIONS=$all_options \
        timeout 600 "$@" >"$reports/$name/output" 2>&1 </dev/null
}

# findings NAME: what the tool reported of it.
findings() { find "$reports/$1" -name 'report*' -exec grep -lEZ "$found" {} + | xargs -0 -r cat; }

# verdict NAME SECONDS [WHY]: without a reason it passed.
verdict() {
    printf '%-6s %s (%d s)%s\n' "${3:+FAILED}" "$1" "$2" "${3:+: $3}" | sed 's/^      /ok    /' | tee -a "$reports/verdicts"
}

run_canary() {
    local name=canary-$1 pattern=$2 start=$SECONDS status
    under_tool "$name" "$programs_build/tests/sanitizers/sanitizers_canaries" "$1"
    status=$?
    if [ $status -eq 0 ]; then
        verdict "$name" $((SECONDS - start)) "the tool lets the program end well"
    elif ! findings "$name" | tr '\n' ' ' | grep -E "$pattern" >/dev/null; then
        verdict "$name" $((SECONDS - start)) "no report that matches '$pattern'"
    else
        verdict "$name" $((SECONDS - start))
    fi
}

run_program() {
    local program=$1 name=${1##*/} start=$SECONDS arguments=() status
    mapfile -t arguments <"$reports/$name.arguments"
    under_tool "$name" "$program" "${arguments[@]}"
    status=$?
    if [ -n "$(findings "$name")" ]; then
        findings "$name" | sed -n 1,60p
        verdict "$name" $((SECONDS - start)) "see $reports/$name"
    elif [ $status -ne 0 ]; then
        tail -n 30 "$reports/$name/output"
        verdict "$name" $((SECONDS - start)) "ended with $status"
    else
        verdict "$name" $((SECONDS - start))
    fi
}

# in_background COMMAND…: starts it as soon as a processor is free.
in_background() {
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    "$@" &
}

# ---- which ---------------------------------------------------------------------------------------------------------------------

# left_out PROGRAM: the tests of it that this tool leaves out, or *, each followed by a tab and the reason.
left_out() {
    awk -v tool="$tool" -v program="$1" '
        /^[^#]/ && $2 == program && index("," $1 ",", "," tool ",") {
            test = $3; $1 = $2 = $3 = ""; sub(/^ +/, ""); print test "\t" $0
        }
    ' "$here/left_out.txt"
}

# plan PROGRAM: writes down what it is started with. False: with nothing, it is left out.
plan() {
    local program=$1 name=${1##*/} test reason out=()
    while IFS=$'\t' read -r test reason; do
        echo "left out: $name $test: $reason"
        [ "$test" != '*' ] || return 1
        out+=("$test")
    done < <(left_out "$name")
    case $name in
        c_dlclose) echo "$library/libtpexec.so" ;;
        pwc | pwc_cpp) printf '%s\n' -j 4 include src ;;
        # Of the test harness: all, or all but some, by name.
        *) [ ${#out[@]} -eq 0 ] || "$program" --list | grep -vxF -f <(printf '%s\n' "${out[@]}") ;;
    esac >"$reports/$name.arguments"
    for test in "${out[@]}"; do
        "$program" --list | grep -xF -- "$test" >/dev/null || verdict "$name" 0 "left_out.txt: it has no test $test"
    done
    [ ${#out[@]} -eq 0 ] || [ -s "$reports/$name.arguments" ] || verdict "$name" 0 "left_out.txt: all of it is left out, which is *"
}

all_programs() {
    find "$programs_build"/tests/c "$programs_build"/tests/cpp "$programs_build"/examples-c "$programs_build"/tests/sanitizers \
        -maxdepth 1 -type f -executable ! -name '*.so' ! -name sanitizers_canaries | sort
}

# ---- all -----------------------------------------------------------------------------------------------------------------------

if [ -n "$imports" ]; then
    # The runtime is the program's: a library that has been built for the tool asks for it there.
    if nm -D --undefined-only "$library/libtpexec.so" | grep -w "$imports" >/dev/null; then
        verdict "library-imports-$imports" 0
    else
        verdict "library-imports-$imports" 0 "it has not been built for the tool"
    fi
fi

while IFS=$'\t' read -r name pattern; do
    in_background run_canary "$name" "$pattern"
done < <("$programs_build/tests/sanitizers/sanitizers_canaries" --list "$tool")
wait
grep -q '^ok .*canary-' "$reports/verdicts" || verdict canaries 0 "there are none for $tool"

while read -r program; do
    [ ${#chosen[@]} -eq 0 ] || [[ " ${chosen[*]} " = *" ${program##*/} "* ]] || continue
    plan "$program" && in_background run_program "$program"
done < <(all_programs)
wait
grep '^ok' "$reports/verdicts" | grep -vE 'canary-|library-imports-' >/dev/null || verdict programs 0 "none has run"

# An exception for what is not there has outlived its reason.
while read -r program; do
    all_programs | grep "/$program\$" >/dev/null || verdict "$program" 0 "left_out.txt: there is no such program"
done < <(awk '/^[^#]/ { print $2 }' "$here/left_out.txt" | sort -u)

passed=$(grep -c '^ok' "$reports/verdicts") failed=$(grep -c '^FAILED' "$reports/verdicts")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
