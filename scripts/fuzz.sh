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

# fuzz TARGET: true if its share of the time has found nothing.
fuzz() {
    local findings=$build_dir/fuzz/$1 status
    mkdir -p "$findings/corpus"
    say "fuzzing $1 for $share s"
    # What the corpus knows is run first. A run that is too long for its own watchdog is ended by this one.
    "$programs/$1" "$findings/corpus" "fuzz/corpus/$1" -max_total_time="$share" -timeout=120 -rss_limit_mb=4096 \
        -max_len=512 -print_final_stats=1 -artifact_prefix="$findings/" 2>&1 | tee "$findings/log" | grep -v '^#.*\(REDUCE\|NEW\)'
    status=${PIPESTATUS[0]}
    if [ "$status" -ne 0 ]; then
        find "$findings" -maxdepth 1 -newer "$findings/corpus" -type f ! -name log -printf 'replay it with: %p\n'
        echo "cargo run --manifest-path fuzz/Cargo.toml --bin replay $1 FILE"
        return 1
    fi
    # A run that ended well but executed nothing has not fuzzed.
    grep -q '^stat::number_of_executed_units: *[1-9]' "$findings/log"
}

passed=0
failed=0
for target in "${targets[@]}"; do
    if fuzz "$target"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
