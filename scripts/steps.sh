# shellcheck shell=bash
# Sourced by test.sh and test-deep.sh, after common.sh: a run is a row of steps. Each shows its command; its output is kept in a log of its
# own; a failed one does not keep the others from running. The last line is "N passed, N failed": single tests where a step has them,
# the step itself where it has none.

# begin_steps DIRECTORY: where the logs go; what is in it goes away.
begin_steps() {
    logs=$1
    rm -rf "$logs"
    mkdir -p "$logs" || exit
    table=$logs/summary
    total_passed=0
    total_failed=0
}

# step NAME COUNT COMMAND…: runs the command. COUNT is a function that reads its output and prints how many tests passed and failed.
step() {
    local name=$1 count=$2 log="$logs/$1.log" start=$SECONDS status passed failed
    shift 2
    say "$*"
    # The limit is for hangs; no step comes near it.
    timeout --foreground 1200 "$@" 2>&1 </dev/null | tee "$log"
    status=$?
    [ $status -ne 124 ] || echo "$name: stopped after 20 minutes"
    read -r passed failed < <("$count" "$status" <"$log")
    # A command that failed has failed whatever it printed; a test run without tests has tested nothing.
    if [ "$failed" -eq 0 ] && { [ $status -ne 0 ] || [ "$passed" -eq 0 ]; }; then
        failed=1
    fi
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    printf '%-14s %5d passed %5d failed %5d s\n' "$name" "$passed" "$failed" $((SECONDS - start)) >>"$table"
}

# Counters: the argument is the command's status, the input its output.
one() { if [ "$1" -eq 0 ]; then echo 1 0; else echo 0 1; fi; }
cargo_tests() { awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }'; }
# A test that ctest skipped counts as failed: here everything can run.
ctest_tests() {
    awk '/tests passed, [0-9]+ tests? failed out of/ { total = $NF; failed = $4 }
         /\(Skipped\)$/ { skipped++ }
         END { print total - failed - skipped, failed + skipped }'
}
# Our own programs and scripts end with a line "N passed, N failed".
own_tests() { awk '/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 } END { print passed + 0, failed + 0 }'; }

# build_programs: the steps that build the C and C++ programs, in $build_dir/test.
build_programs() {
    step configure one cmake -S "$source_dir" -B "$build_dir/test" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DTPEXEC_CARGO_TARGET_DIR="$cargo_dir" -DTPEXEC_CARGO_FLAGS="${TPEXEC_CARGO_FLAGS:-}"
    step build one cmake --build "$build_dir/test" --parallel "$(nproc)"
}

# explore NAME CHECKER TESTS…: the step NAME, models under a model checker. They are optimized, but not across crates, which takes
# longer than it saves.
explore() {
    local name=$1 checker=$2
    shift 2
    step "$name" cargo_tests env RUSTFLAGS="${RUSTFLAGS:-} --cfg $checker" CARGO_TARGET_DIR="$cargo_dir/$checker" \
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo test --release --locked --no-fail-fast --lib "$@"
}

# Prints what every step came to; false if anything failed.
end_steps() {
    printf '\n'
    cat "$table"
    printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
    [ "$total_failed" -eq 0 ]
}
