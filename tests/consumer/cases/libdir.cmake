# Other library directories than lib: Debian's multiarch one, and an absolute one (as Nix uses), where the .pc file cannot be relative.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

set(prefix "${WORK}/prefix")
if(LIBDIR STREQUAL "absolute")
    set(libdir "${WORK}/elsewhere/lib")
    set(LIBDIR "${libdir}")
else()
    set(libdir "${prefix}/${LIBDIR}")
endif()
run("${CMAKE_COMMAND}" -S "${TPEXEC_SOURCE}" -B "${WORK}/tpexec" ${TOOLCHAIN} ${FROM_SOURCE}
    -DTPEXEC_BUILD_TESTS=OFF -DTPEXEC_BUILD_EXAMPLES=OFF "-DCMAKE_INSTALL_PREFIX=${prefix}" "-DCMAKE_INSTALL_LIBDIR=${LIBDIR}")
run("${CMAKE_COMMAND}" --build "${WORK}/tpexec")
run("${CMAKE_COMMAND}" --install "${WORK}/tpexec")
expect_links("${libdir}")

build_pkg_config(pc-shared "${libdir}/pkgconfig" shared)
build_pkg_config(pc-static "${libdir}/pkgconfig" static)

# find_package knows lib/<triplet> for the machine's own triplet only; told the directory, it works for each.
run("${CMAKE_COMMAND}" -S "${CONSUMERS}/projects/installed" -B "${WORK}/build" ${TOOLCHAIN} ${ISOLATED}
    "-Dtpexec_DIR=${libdir}/cmake/tpexec" -DWANT_TARGET=tpexec::tpexec)
run("${CMAKE_COMMAND}" --build "${WORK}/build")
expect_program("${WORK}/build/consumer" shared)
