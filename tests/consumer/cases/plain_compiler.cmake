# Without CMake and pkg-config: -I, -L, -l and an rpath.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")
run("${CC}" -std=c11 -o "${WORK}/consumer" "${CONSUMERS}/main.c" "-I${TPEXEC_PREFIX}/include" "-L${TPEXEC_PREFIX}/lib" -ltpexec
    "-Wl,-rpath,${TPEXEC_PREFIX}/lib")
expect_program("${WORK}/consumer" shared)
