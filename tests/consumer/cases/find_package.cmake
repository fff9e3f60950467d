# find_package(tpexec CONFIG) and the target WANT_TARGET, from the installation of consumer.install.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

if(NOT PROJECT)
    set(PROJECT installed)
endif()
build_installed(build "${TPEXEC_PREFIX}" ${PROJECT} ${WANT_TARGET} ${WANT_LINK_FLAGS})
