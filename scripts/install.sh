#!/bin/sh
# make install: builds the library and installs it into PREFIX, below DESTDIR.
set -eu
. "$(dirname "$0")/common.sh"
destdir=${DESTDIR:-}
unset DESTDIR PREFIX

scripts/setup-debian.sh cargo cc cmake
say "building libtpexec"
configure_library "$build_dir/release" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DTPEXEC_BUILD_TESTS=OFF -DTPEXEC_BUILD_EXAMPLES=OFF
cmake --build "$build_dir/release"
say "installing into $destdir$prefix"
DESTDIR=$destdir cmake --install "$build_dir/release"

# The dynamic linker finds a new library in its standard directories only through its cache.
case $prefix in
    /usr | /usr/local) if [ -z "$destdir" ] && [ "$(id -u)" -eq 0 ]; then ldconfig; fi ;;
esac
