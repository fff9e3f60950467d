# shellcheck shell=sh disable=SC2034 # the variables are the other scripts'
# Sourced by the other scripts: where things are, and how the library is configured.

cd "$(dirname "$0")/.." || exit
source_dir=$PWD
# The scripts can be run without make; its variables then have the Makefile's defaults.
build_dir=$(realpath -m "${BUILD:-build}")
prefix=${PREFIX:-/usr/local}
# One cargo directory for cargo and every CMake build, so that nothing is compiled twice.
cargo_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")

# make hands its own flags and variables to every command below; a cmake or cargo that starts another make must not see them.
unset MAKEFLAGS MFLAGS MAKELEVEL

say() { printf '==> %s\n' "$*"; }

# configure_library DIRECTORY ARGUMENT…: configures this source tree.
configure_library() {
    directory=$1
    shift
    cmake -S "$source_dir" -B "$directory" -DTPEXEC_CARGO_TARGET_DIR="$cargo_dir" \
        -DTPEXEC_CARGO_FLAGS="${TPEXEC_CARGO_FLAGS:-}" "$@"
}
