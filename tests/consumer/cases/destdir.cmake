# DESTDIR: the files go below it, and nothing in them knows of it. Unpacked at its prefix, here by a move, the package works.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

set(prefix "${WORK}/opt/tpexec")
set(ENV{DESTDIR} "${WORK}/image")
run("${CMAKE_COMMAND}" --install "${TPEXEC_BUILD}" --prefix "${prefix}")
unset(ENV{DESTDIR})
if(EXISTS "${WORK}/opt")
    fail("the installation wrote to ${prefix}, outside of DESTDIR")
endif()
install_files(files lib)
expect_files("${WORK}/image${prefix}" ${files})
expect_links("${WORK}/image${prefix}/lib")
expect_no_paths("${WORK}/image" "${WORK}" "${TPEXEC_SOURCE}" "${TPEXEC_BUILD}")

file(MAKE_DIRECTORY "${WORK}/opt")
file(RENAME "${WORK}/image${prefix}" "${prefix}")
build_installed(build "${prefix}" installed tpexec::tpexec)
build_pkg_config(pc "${prefix}/lib/pkgconfig" static)
