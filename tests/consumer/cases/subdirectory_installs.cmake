# A project with libtpexec in a subdirectory installs a program that runs: the library comes with it, unless TPEXEC_INSTALL is OFF.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

set(configure "${CMAKE_COMMAND}" -S "${CONSUMERS}/projects/subdirectory" -B "${WORK}/build" ${TOOLCHAIN} ${FROM_SOURCE}
    "-DTPEXEC_SOURCE=${TPEXEC_SOURCE}" -DWANT_TARGET=tpexec::tpexec)
run(${configure})
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${WORK}/with")
install_files(files lib)
expect_files("${WORK}/with" bin/consumer ${files})
file(RENAME "${WORK}/build/tpexec/lib" "${WORK}/build/tpexec/lib.away") # the installed program does not use the build tree's
expect_program("${WORK}/with/bin/consumer" shared)
file(RENAME "${WORK}/build/tpexec/lib.away" "${WORK}/build/tpexec/lib")

run(${configure} -DTPEXEC_INSTALL=OFF)
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${WORK}/without")
expect_files("${WORK}/without" bin/consumer)
