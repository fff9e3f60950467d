#!/bin/bash
# make test: every check there is, one step after the other, also after one has failed. Each step shows its command; its output is kept
# in build/test-logs. The last line is "N passed, N failed": single tests where a step has them, the step itself where it has none.
set -u -o pipefail
. "$(dirname "$0")/common.sh" || exit
unset DESTDIR PREFIX

scripts/setup-debian.sh cargo rustfmt cargo-clippy cc c++ clang cmake make nm pkg-config python3 readelf valgrind || exit

logs=$build_dir/test-logs
rm -rf "$logs"
mkdir -p "$logs" || exit
table=$logs/summary
total_passed=0
total_failed=0

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

step format one cargo fmt --check
step clippy one cargo clippy --locked --all-targets -- -D warnings
# The tests in Rust; among them the header (current, every dialect, gcc and clang) and the exported symbols.
step rust cargo_tests cargo test --locked --no-fail-fast
# The models: every interleaving loom can reach, of the library compiled for it; optimized, but not across crates, which takes longer
# than it saves.
step loom cargo_tests env RUSTFLAGS="${RUSTFLAGS:-} --cfg loom" CARGO_TARGET_DIR="$cargo_dir/loom" \
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo test --release --locked --no-fail-fast --lib models
step configure one cmake -S "$source_dir" -B "$build_dir/test" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DTPEXEC_CARGO_TARGET_DIR="$cargo_dir" -DTPEXEC_CARGO_FLAGS="${TPEXEC_CARGO_FLAGS:-}"
step build one cmake --build "$build_dir/test" --parallel "$(nproc)"
# The C tests, the examples with their output, the parallel wc against wc, and the consumers of an installation.
step ctest ctest_tests cmake -E chdir "$build_dir/test" ctest --output-on-failure --parallel "$(nproc)"
# The benchmark's tables and verdicts, from measurements made up for the purpose.
step bench-report one make -C benches test
# Instructions per task, against the committed baseline; and the tests of that comparison.
step count-tests one make -C benches/callgrind test
step bench-check one make bench-check

printf '\n'
cat "$table"
printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ]
