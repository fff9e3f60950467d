#!/bin/sh
# run_with.sh DIRECTORY PROGRAM [ARGUMENT…]: runs a program with the libtpexec of that directory, and with no other.
set -eu
directory=$1
shift
export LD_LIBRARY_PATH="$directory"
loaded=$(LD_TRACE_LOADED_OBJECTS=1 "$1" | grep libtpexec)
case $loaded in
    *" => $directory/"*) exec "$@" ;;
    *) echo "$1 would load another library than that of $directory: $loaded" >&2 && exit 1 ;;
esac
