#!/bin/sh
# make abi-check: compares the ABI of the release build with the baseline in abi/. make abi-accept (--accept): makes it that.
set -eu
. "$(dirname "$0")/common.sh"

scripts/setup-debian.sh abidiff abidw cargo cc nm python3 readelf
cargo build --locked --lib --release --target-dir "$cargo_dir"
PYTHONDONTWRITEBYTECODE=1 exec python3 abi/check.py --library "$cargo_dir/release/libtpexec.so" "$@"
