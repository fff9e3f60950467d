#!/bin/sh
# make soak: random mixes of everything at full load, with exact accounting (tests/soak); `soak.sh [SECONDS [SEED]]`, an hour by
# default. The last line is "N passed, N failed".
set -eu
. "$(dirname "$0")/common.sh"
seconds=${1:-3600}
seed=${2:-}

scripts/setup-debian.sh cargo cc c++ cmake make
say "building the soak test"
# The build that the other tests have, if it is there.
configure_library "$build_dir/test" -DCMAKE_BUILD_TYPE=RelWithDebInfo
cmake --build "$build_dir/test" --target soak --parallel "$(nproc)"
say "soaking for $seconds seconds"
exec "$build_dir/test/tests/soak/soak" "$seconds" ${seed:+"$seed"}
