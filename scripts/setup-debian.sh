#!/bin/sh
# shellcheck disable=SC2086 # $packages is a list of words
# Makes sure that the commands and the C and C++ headers (*.h, *.hpp) named as arguments exist: installs the Debian packages that
# hold the missing ones if it may (apt, root), else says which packages to install. Rust is never installed, only asked for.
set -eu

# has NAME: whether the command is in PATH, or the compiler finds the header.
has() {
    case $1 in
        *.h | *.hpp) printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" | c++ -E -x c++ - >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

packages=
rust=
for wanted in "$@"; do
    has "$wanted" && continue
    case $wanted in
        cargo | rustfmt | cargo-clippy) rust="$rust $wanted" ;;
        cc | gcc) packages="$packages gcc libc6-dev" ;;
        c++ | g++) packages="$packages g++" ;;
        readelf | nm | addr2line) packages="$packages binutils" ;;
        abidiff | abidw) packages="$packages abigail-tools" ;;
        clang | cmake | git | make | pkg-config | python3 | valgrind) packages="$packages $wanted" ;;
        llvm-symbolizer) packages="$packages llvm" ;;
        javac) packages="$packages default-jdk-headless" ;;
        apr-1.0/*) packages="$packages libaprutil1-dev" ;;
        boost/*) packages="$packages libboost-dev" ;;
        glib-2.0/*) packages="$packages libglib2.0-dev" ;;
        oneapi/*) packages="$packages libtbb-dev" ;;
        uv.h) packages="$packages libuv1-dev" ;;
        *) echo "setup-debian.sh: no package known for '$wanted'" >&2 && exit 2 ;;
    esac
done

if [ -n "$rust" ]; then
    echo "libtpexec needs Rust 1.85 or later, and these commands of it are missing:$rust" >&2
    echo "Install it from https://rustup.rs; the components are added by: rustup component add rustfmt clippy" >&2
    exit 1
fi
packages=$(printf '%s\n' $packages | sort -u | sed 's/^./ &/' | tr -d '\n')
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
    echo "Some tools are missing. On Debian or Ubuntu, as root:" >&2
    echo "    apt-get install$packages" >&2
    echo "On other systems: the packages that are called alike." >&2
    exit 1
fi

echo "==> apt-get install$packages"
export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
# The lock: another apt may be running. The package lists: a fresh image has none.
apt-get -o DPkg::Lock::Timeout=300 -qq update </dev/null
apt-get -o DPkg::Lock::Timeout=300 -qq -y --no-install-recommends install $packages </dev/null >/dev/null
