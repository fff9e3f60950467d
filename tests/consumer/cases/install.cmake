# cmake --install puts exactly the promised files below the prefix. Other cases use this installation.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

file(REMOVE_RECURSE "${TPEXEC_PREFIX}")
run("${CMAKE_COMMAND}" --build "${TPEXEC_BUILD}" --target tpexec_cargo)
run("${CMAKE_COMMAND}" --install "${TPEXEC_BUILD}" --prefix "${TPEXEC_PREFIX}")
install_files(files lib)
expect_files("${TPEXEC_PREFIX}" ${files})
expect_links("${TPEXEC_PREFIX}/lib")
expect_no_paths("${TPEXEC_PREFIX}" "${TPEXEC_SOURCE}" "${TPEXEC_BUILD}")

# The file names, the links and the SONAME inside of the library tell the same story.
run("${READELF}" -d "${TPEXEC_PREFIX}/lib/${TPEXEC_SHARED_NAME}")
string(REGEX MATCH "\\(SONAME\\)[^[]*\\[([^]]*)\\]" found "${RUN_OUTPUT}")
expect_equal("SONAME" "${CMAKE_MATCH_1}" "${TPEXEC_SONAME}")

# The two install components divide the files: a program needs the first only.
run("${CMAKE_COMMAND}" --install "${TPEXEC_BUILD}" --prefix "${WORK}/runtime" --component tpexec_runtime)
expect_files("${WORK}/runtime" lib/${TPEXEC_SHARED_NAME} lib/${TPEXEC_SONAME})
run("${CMAKE_COMMAND}" --install "${TPEXEC_BUILD}" --prefix "${WORK}/development" --component tpexec_development)
list(REMOVE_ITEM files lib/${TPEXEC_SHARED_NAME} lib/${TPEXEC_SONAME})
expect_files("${WORK}/development" ${files})
