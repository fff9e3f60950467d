#!/bin/sh
# Compiles and runs the examples in README.md as a reader would and compares what they print with what README says they print.
#
#   check.sh c      README INCLUDE_DIR LIBRARY COMPILER
#   check.sh python README INCLUDE_DIR LIBRARY INTERPRETER
#
# The example is the first fenced block of that language; its output is the next fenced `text` block.
set -eu

language=$1 readme=$2 include=$3 library=$4 tool=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the first block fenced as $1, of those that come after the first block fenced as $2 where that is given.
block() {
    awk -v wanted="\`\`\`$1" -v after="${2:+\`\`\`$2}" '
        inside && /^```$/   { exit }
        inside              { print; next }
        after != ""         { if ($0 == after) after = ""; next }
        $0 == wanted        { inside = 1 }' "$readme"
}

block "$language" >"$work/example.$language"
block text "$language" >"$work/expected"
for part in "example.$language" expected; do
    test -s "$work/$part" || { echo "README has no $language example, or does not say what it prints" >&2; exit 1; }
done

directory=$(dirname "$library")
case $language in
c)
    "$tool" -std=c11 -Wall -Wextra -Werror -pedantic "$work/example.c" -o "$work/example" -I"$include" "$library" -Wl,-rpath,"$directory"
    "$work/example" >"$work/printed"
    ;;
python)
    LD_LIBRARY_PATH=$directory "$tool" "$work/example.python" >"$work/printed"
    ;;
esac
diff -u "$work/expected" "$work/printed"
