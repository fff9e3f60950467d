# The examples as a user has them: copied out of the source tree, built against the installation by either of their two build files, and
# checked by it.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

file(COPY "${TPEXEC_SOURCE}/examples-c" DESTINATION "${WORK}")
if(TOOL STREQUAL "cmake")
    run("${CMAKE_COMMAND}" -S "${WORK}/examples-c" -B "${WORK}/build" ${TOOLCHAIN} ${ISOLATED} "-DCMAKE_PREFIX_PATH=${TPEXEC_PREFIX}")
    run("${CMAKE_COMMAND}" --build "${WORK}/build")
    get_filename_component(bin "${CMAKE_COMMAND}" DIRECTORY)
    run("${CMAKE_COMMAND}" -E chdir "${WORK}/build" "${bin}/ctest" --output-on-failure)
    string(FIND "${RUN_OUTPUT}" "100% tests passed, 0 tests failed" at)
    if(at EQUAL -1)
        fail("the examples' own ctest ran nothing:\n${RUN_OUTPUT}")
    endif()
else()
    set(ENV{PKG_CONFIG_LIBDIR} "${TPEXEC_PREFIX}/lib/pkgconfig")
    run("${MAKE}" -C "${WORK}/examples-c" "CC=${CC}" "PKG_CONFIG=${PKG_CONFIG}" check)
endif()
