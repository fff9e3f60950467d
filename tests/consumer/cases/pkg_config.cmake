# pkg-config --libs and --static --libs, from the installation of consumer.install.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")
build_pkg_config(consumer "${TPEXEC_PREFIX}/lib/pkgconfig" ${KIND})
