# An installation that was moved to another place works there, by find_package and by pkg-config. The new place has a space in its name.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

# Installed anew and moved, not copied: the place it was installed to is gone.
run("${CMAKE_COMMAND}" --install "${TPEXEC_BUILD}" --prefix "${WORK}/first")
set(moved "${WORK}/second place/tpexec")
file(MAKE_DIRECTORY "${WORK}/second place")
file(RENAME "${WORK}/first" "${moved}")
expect_no_paths("${moved}" "${WORK}")

build_installed(build-shared "${moved}" installed tpexec::tpexec)
build_installed(build-static "${moved}" installed tpexec::static)
build_pkg_config(pc-shared "${moved}/lib/pkgconfig" shared)
build_pkg_config(pc-static "${moved}/lib/pkgconfig" static)
