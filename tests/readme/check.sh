#!/bin/sh
# Compiles and runs the examples in a document as a reader would and compares what they print with what the document says they
# print.
#
#   check.sh c        DOCUMENT INCLUDE_DIR LIBRARY COMPILER
#   check.sh cpp      DOCUMENT INCLUDE_DIR LIBRARY COMPILER
#   check.sh python   DOCUMENT INCLUDE_DIR LIBRARY INTERPRETER
#   check.sh snippets DOCUMENT INCLUDE_DIR LIBRARY COMPILER STANDARD
#
# The example is the first fenced block of that language, a whole program; its output is the next fenced `text` block. Snippets:
# all blocks of C++ up to that standard (17, 20), see snippets.awk.
set -eu

language=$1 document=$2 include=$3 library=$4 tool=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the first block fenced as $1, of those that come after the first block fenced as $2 where that is given.
block() {
    awk -v wanted="\`\`\`$1" -v after="${2:+\`\`\`$2}" '
        inside && /^```$/   { exit }
        inside              { print; next }
        after != ""         { if ($0 == after) after = ""; next }
        $0 == wanted        { inside = 1 }' "$document"
}

if [ "$language" = snippets ]; then
    awk -v standard="$6" -v program="$work/example.cpp" -v expected="$work/expected" -f "$(dirname "$0")/snippets.awk" "$document"
else
    block "$language" >"$work/example.$language"
    block text "$language" >"$work/expected"
fi
for part in "$work"/example.* "$work/expected"; do
    test -s "$part" || { echo "$document has no $language example, or does not say what it prints" >&2; exit 1; }
done

directory=$(dirname "$library")
# compile STANDARD SOURCE
compile() {
    "$tool" "-std=$1" -Wall -Wextra -Werror -pedantic -pthread "-I$include" "$2" -o "$work/example" \
        "$library" "-Wl,-rpath,$directory"
}

case $language in
c)
    compile c11 "$work/example.c"
    "$work/example" >"$work/printed"
    ;;
cpp | snippets)
    compile "c++${6:-17}" "$work/example.cpp"
    "$work/example" >"$work/printed"
    ;;
python)
    LD_LIBRARY_PATH=$directory "$tool" "$work/example.python" >"$work/printed"
    ;;
esac
diff -u "$work/expected" "$work/printed"
