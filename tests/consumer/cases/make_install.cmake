# make install PREFIX=… DESTDIR=…, the front door's way, with a build directory of its own.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

set(ENV{CARGO_TARGET_DIR} "${CARGO_TARGET_DIR}")
set(make "${MAKE}" --no-print-directory -C "${TPEXEC_SOURCE}" "BUILD=${WORK}/build" install)
install_files(files lib)

run(${make} "PREFIX=${WORK}/plain")
expect_files("${WORK}/plain" ${files})
expect_links("${WORK}/plain/lib")
build_installed(consumer "${WORK}/plain" installed tpexec::tpexec)

run(${make} "PREFIX=/opt/tpexec of a test" "DESTDIR=${WORK}/image")
expect_files("${WORK}/image/opt/tpexec of a test" ${files})
if(EXISTS "/opt/tpexec of a test")
    fail("make install wrote outside of DESTDIR")
endif()
