// The C program is C++ as well.
#include "../../main.c"
