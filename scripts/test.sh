#!/bin/bash
# make test: every check that takes minutes at most (test-deep.sh has the others), one step after the other (steps.sh). Logs are in
# build/test-logs.
set -u -o pipefail
. "$(dirname "$0")/common.sh" || exit
. scripts/steps.sh || exit
unset DESTDIR PREFIX

scripts/setup-debian.sh cargo rustfmt cargo-clippy cc c++ clang cmake make nm pkg-config python3 readelf valgrind || exit

begin_steps "$build_dir/test-logs"

step format one cargo fmt --check
step clippy one cargo clippy --locked --all-targets -- -D warnings
# The tests in Rust; among them the header (current, every dialect, gcc and clang) and the exported symbols.
step rust cargo_tests cargo test --locked --no-fail-fast
# The models: every interleaving loom can reach, of the library compiled for it.
explore loom loom models
build_programs
# The C tests, the examples with their output, the parallel wc against wc, and the consumers of an installation.
step ctest ctest_tests cmake -E chdir "$build_dir/test" ctest --output-on-failure --parallel "$(nproc)"
# The benchmark's tables and verdicts, from measurements made up for the purpose.
step bench-report one make -C benches test
# Instructions per task, against the committed baseline; and the tests of that comparison.
step count-tests one make -C benches/callgrind test
step bench-check one make bench-check

end_steps
