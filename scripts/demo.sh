#!/bin/sh
# make demo: builds libtpexec, installs it into build/stage, builds the examples against that installation as any user would, then counts
# a real tree with the parallel wc of examples-c and with wc itself, and compares what they print and how long they take.
set -eu
. "$(dirname "$0")/common.sh"
tree=${DEMO_DIR:-/usr/include}
unset DESTDIR

scripts/setup-debian.sh cargo cc c++ cmake

say "building libtpexec and installing it into $build_dir/stage"
configure_library "$build_dir/release" -DCMAKE_BUILD_TYPE=Release -DTPEXEC_BUILD_TESTS=OFF -DTPEXEC_BUILD_EXAMPLES=OFF
cmake --build "$build_dir/release"
cmake --install "$build_dir/release" --prefix "$build_dir/stage"

say "building the examples against it: find_package(tpexec)"
cmake -S "$source_dir/examples-c" -B "$build_dir/demo" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$build_dir/stage"
cmake --build "$build_dir/demo" --parallel "$(nproc)"
pwc=$build_dir/demo/pwc

# Bytes are compared, so the locale is fixed for both. The first run of each fills the page cache and is not timed.
export LC_ALL=C
out=$build_dir/demo
sequential() { find "$tree" -type f -print0 | sort -z | wc --files0-from=- >"$out/wc.txt"; }
parallel() { "$pwc" "$tree" >"$out/pwc.txt"; }
milliseconds() {
    start=$(date +%s%N)
    "$1"
    echo $((($(date +%s%N) - start) / 1000000))
}
# The least of five runs each, in turns: what disturbs one disturbs the other.
least() { if [ -z "$1" ] || [ "$2" -lt "$1" ]; then echo "$2"; else echo "$1"; fi; }

say "counting $tree"
sequential
parallel
wc_ms=
pwc_ms=
for _ in 1 2 3 4 5; do
    wc_ms=$(least "$wc_ms" "$(milliseconds sequential)")
    pwc_ms=$(least "$pwc_ms" "$(milliseconds parallel)")
done

tail -n 1 "$out/pwc.txt"
printf 'find | sort -z | wc --files0-from=-   %6d ms\n' "$wc_ms"
printf 'pwc, %2d CPUs                          %6d ms\n' "$(nproc)" "$pwc_ms"
if ! cmp "$out/wc.txt" "$out/pwc.txt"; then
    echo 'DIFFERENT: pwc does not print what wc prints:'
    diff "$out/wc.txt" "$out/pwc.txt" | head -n 20
    exit 1
fi
printf 'IDENTICAL: %d lines, byte for byte; ' "$(wc -l <"$out/pwc.txt")"
awk -v wc="$wc_ms" -v pwc="$pwc_ms" 'BEGIN { printf "pwc took %.2f of the time of wc\n", pwc / (wc > 0 ? wc : 1) }'
