# Makes one program of all C++ examples of a document, and a file of what it has to print. Run by check.sh:
#
#   awk -v standard=17 -v program=FILE -v expected=FILE -f snippets.awk DOCUMENT
#
# A block fenced as `cpp preamble` comes first in the program; each block fenced as `cpp`, or as `cpp C++20` if the standard is
# not older, is the body of a function, and the `text` block after it, if there is one, its output.

inside != "" && /^```$/ {
    if (inside == "snippet")
        print "}" >program
    inside = ""
    next
}
inside == "preamble" || inside == "snippet" { print >program }
inside == "output" { print >expected }
inside != "" { next }

$0 == "```cpp preamble" { inside = "preamble"; next }
$0 == "```cpp" || ($0 == "```cpp C++20" && standard >= 20) {
    inside = "snippet"
    shown = 1
    printf "static void line_%d() {\n#line %d \"%s\"\n", NR, NR + 1, FILENAME >program
    # What is printed says where, so that a difference can be found.
    calls = calls sprintf("    std::cout << \"line %d:\\n\";\n    line_%d();\n", NR, NR)
    printf "line %d:\n", NR >expected
    next
}
$0 == "```text" && shown { inside = "output"; next }
/^```./ { inside = "skipped"; shown = 0 }

END { printf "int main() {\n%s}\n", calls >program }
