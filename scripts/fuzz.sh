#!/bin/bash
# Fuzzes the library: scripts/fuzz.sh SECONDS [TARGET…]. Builds the targets with coverage and AddressSanitizer, then each gets its
# share of the time. It starts from the corpus in fuzz/corpus, and what it learns goes to build/fuzz/TARGET/corpus. A finding is
# kept in build/fuzz/TARGET, and the way to replay it is printed. The last line is "N passed, N failed": a target is one test.
#
# cargo-fuzz is not needed: the flags below are those that it gives to cargo. `cargo fuzz run TARGET` in this tree works, too.
set -u -o pipefail
. "$(dirname "$0")/common.sh" || exit

seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET…]}
shift
targets=("$@")
[ $# -gt 0 ] || targets=(turns threads)
share=$((seconds / ${#targets[@]}))
[ "$share" -gt 0 ] || { echo "fuzz.sh: $seconds seconds are too few" >&2 && exit 2; }

scripts/setup-debian.sh cargo cc c++ || exit
# The toolchain whose compiler has coverage for libFuzzer and AddressSanitizer.
toolchain=${TPEXEC_NIGHTLY:-nightly}
host=$(rustc "+$toolchain" -vV | sed -n 's/^host: //p')
[ -n "$host" ] || { echo "fuzz.sh: rustup toolchain install $toolchain, then again" >&2 && exit 1; }
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0"

say "building the fuzz targets"
# With --target the flags are for the targets only, and not for build scripts.
RUSTFLAGS="${RUSTFLAGS:-} $coverage --cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Ccodegen-units=1" \
    CARGO_TARGET_DIR="$cargo_dir/fuzz" cargo "+$toolchain" build --locked --release --target "$host" \
    --manifest-path fuzz/Cargo.toml --lib --bin turns --bin threads || exit
programs=$cargo_dir/fuzz/$host/release

# caught TARGET DEFECT SIGN: whether the target, made to misbehave (fuzz/src/canary.rs), ends with that in its output.
caught() {
    local output
    if output=$(TPEXEC_FUZZ_CANARY=$2 "$programs/$1" -runs=1 -artifact_prefix="$build_dir/fuzz/canary-" 2>&1) ||
        ! grep -q "$3" <<<"$output"; then
        echo "fuzz.sh: $1 does not notice a defect ($2):" >&2
        tail -n 20 <<<"$output" >&2
        return 1
    fi
    rm -f "$build_dir"/fuzz/canary-*
}

# fuzz TARGET: true if its share of the time has found nothing.
fuzz() {
    local findings=$build_dir/fuzz/$1 status
    mkdir -p "$findings/corpus"
    caught "$1" memory 'AddressSanitizer: heap-buffer-overflow' && caught "$1" model '^wrong: ' || return
    say "fuzzing $1 for $share s"
    # What the corpus holds is run first. The target has a watchdog of its own, which prints the program; -timeout is for what
    # that cannot end.
    "$programs/$1" "$findings/corpus" "fuzz/corpus/$1" -max_total_time="$share" -timeout=120 -rss_limit_mb=4096 -max_len=512 \
        -len_control=0 -print_final_stats=1 -artifact_prefix="$findings/" >"$findings/log" 2>&1
    status=$?
    grep -E '^(INFO|stat::|==|SUMMARY|  |the run|wrong|Test unit)|DONE' "$findings/log"
    if [ "$status" -ne 0 ]; then
        echo "to replay: cargo run --manifest-path fuzz/Cargo.toml --bin replay $1 FILE, with FILE"
        sed -n 's/.*Test unit written to //p' "$findings/log"
        return 1
    fi
    # A run that ended well, but saw no coverage or executed nothing, has not fuzzed.
    grep -q 'inline 8-bit counters' "$findings/log" && grep -q '^stat::number_of_executed_units: *[1-9]' "$findings/log"
}

passed=0
failed=0
for target in "${targets[@]}"; do
    if fuzz "$target"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
