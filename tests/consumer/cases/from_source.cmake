# add_subdirectory and FetchContent: the same target names as from an installation, and neither tests nor examples of libtpexec.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

run("${CMAKE_COMMAND}" -S "${CONSUMERS}/projects/${PROJECT}" -B "${WORK}/build" ${TOOLCHAIN} ${FROM_SOURCE}
    "-DTPEXEC_SOURCE=${TPEXEC_SOURCE}" "-DWANT_TARGET=${WANT_TARGET}")
run("${CMAKE_COMMAND}" --build "${WORK}/build" --target consumer) # what it depends on comes with it
kind_of(kind "${WANT_TARGET}")
expect_program("${WORK}/build/consumer" ${kind})

get_filename_component(bin "${CMAKE_COMMAND}" DIRECTORY)
run("${CMAKE_COMMAND}" -E chdir "${WORK}/build" "${bin}/ctest" -N)
string(FIND "${RUN_OUTPUT}" "Total Tests: 0" at)
if(at EQUAL -1)
    fail("libtpexec added its tests to a project that uses it:\n${RUN_OUTPUT}")
endif()
