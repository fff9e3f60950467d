#!/bin/sh
# Shows every lock file to cargo-deny (tests/supply/deny.py), which is built from crates.io into the build directory first.
set -eu
. "$(dirname "$0")/common.sh"
version=0.20.2

scripts/setup-debian.sh cargo cc git python3
# Not optimized: it is built once, and has little to read.
cargo install --quiet --locked --debug --version "$version" \
    --root "$build_dir/cargo-deny" --target-dir "$build_dir/cargo-deny/target" cargo-deny
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/supply/deny.py --cargo-deny "$build_dir/cargo-deny/bin/cargo-deny" \
    --work "$build_dir/supply"
