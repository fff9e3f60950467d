#!/bin/bash
# make test-deep: what takes longer than `make test` has time for, in less than 40 minutes on two processors: broken copies of the
# library, random schedules, sanitizers, fuzzing, faults, forks by the thousand, a minute of soaking, the ABI, the supply chain.
# docs/reliability.md says what each step shows. Steps, logs and the last line are those of test.sh; logs in build/deep-logs.
set -u -o pipefail
. "$(dirname "$0")/common.sh" || exit
. scripts/steps.sh || exit
unset DESTDIR PREFIX

scripts/setup-debian.sh abidiff abidw addr2line cargo cc c++ clang cmake git llvm-symbolizer make nm pkg-config python3 readelf \
    valgrind || exit

begin_steps "$build_dir/deep-logs"

# Random schedules of the whole executor (shuttle).
explore mixes shuttle mixes -- --nocapture
# Each ordering and each step of a protocol taken away, one at a time: the models (loom) must notice.
step mutants own_tests env CARGO_TARGET_DIR="$cargo_dir/mutants" tests/models/mutants/run.py "$build_dir/mutants"
# The C and C++ programs, the examples and a stress program under each tool.
for tool in tsan asan memcheck helgrind drd; do
    step $tool own_tests tests/sanitizers/run.sh $tool
done
# Random programs of calls against a model of what they promise.
step fuzz-format one cargo fmt --check --manifest-path fuzz/Cargo.toml
step fuzz own_tests scripts/fuzz.sh 30
# Faults, forks, old programs with new libraries: C programs that take longer than the others.
build_programs
step ctest-deep ctest_tests cmake -E chdir "$build_dir/test" ctest -C Deep -L deep --output-on-failure --parallel "$(nproc)"
# A minute of everything at full load, with exact accounting.
step soak own_tests scripts/soak.sh 60
# What is linked, from where, under which licences, with which known faults.
step supply own_tests scripts/supply.sh

end_steps
