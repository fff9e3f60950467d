/* The same driver for subjects whose API is C++: their futures and closures are then the real ones, compiled into the loops. */
#include "driver.c"
