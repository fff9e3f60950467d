# Which versions and components find_package accepts, and which it refuses, with the reason.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

# configure(<prefix> <version> <components>): the command line.
function(configure variable prefix version components)
    file(REMOVE_RECURSE "${WORK}/build")
    set(${variable} "${CMAKE_COMMAND}" -S "${CONSUMERS}/projects/installed" -B "${WORK}/build" ${TOOLCHAIN} ${ISOLATED}
        "-DCMAKE_PREFIX_PATH=${prefix}" -DWANT_TARGET=m "-DWANT_VERSION=${version}" "-DWANT_COMPONENTS=${components}" PARENT_SCOPE)
endfunction()

math(EXPR next_minor "${TPEXEC_VERSION_MINOR} + 1")
math(EXPR next_major "${TPEXEC_VERSION_MAJOR} + 1")
set(minor "${TPEXEC_VERSION_MAJOR}.${TPEXEC_VERSION_MINOR}")

foreach(version "" "${minor}" "${TPEXEC_VERSION}" "${TPEXEC_VERSION},EXACT")
    configure(command "${TPEXEC_PREFIX}" "${version}" "")
    run(${command})
endforeach()

# A later patch, a later minor, a later major version. And while 0.x an earlier minor version too: it may not be compatible.
set(refused "${TPEXEC_VERSION}.1" "${minor}.9999" "${TPEXEC_VERSION_MAJOR}.${next_minor}" "${next_major}.0")
if(TPEXEC_VERSION_MAJOR EQUAL 0 AND TPEXEC_VERSION_MINOR GREATER 0)
    math(EXPR previous_minor "${TPEXEC_VERSION_MINOR} - 1")
    list(APPEND refused "0.${previous_minor}")
endif()
foreach(version IN LISTS refused)
    configure(command "${TPEXEC_PREFIX}" "${version}" "")
    run_refused("tpexecConfig.cmake, version: ${TPEXEC_VERSION}" ${command})
endforeach()

foreach(components shared static shared,static)
    configure(command "${TPEXEC_PREFIX}" "" "${components}")
    run(${command})
endforeach()
configure(command "${TPEXEC_PREFIX}" "" "fibers")
run_refused("component \"fibers\" is not installed" ${command})

# A distribution may package only one of the libraries: the other is not offered, and a request for it is refused.
file(COPY "${TPEXEC_PREFIX}/" DESTINATION "${WORK}/shared-only")
file(REMOVE "${WORK}/shared-only/lib/libtpexec.a")
build_installed(shared-only-build "${WORK}/shared-only" installed tpexec::tpexec)
configure(command "${WORK}/shared-only" "" "static")
run_refused("component \"static\" is not installed" ${command})

file(COPY "${TPEXEC_PREFIX}/" DESTINATION "${WORK}/static-only")
file(GLOB shared "${WORK}/static-only/lib/libtpexec.so*")
file(REMOVE ${shared})
build_installed(static-only-build "${WORK}/static-only" installed tpexec::static)
configure(command "${WORK}/static-only" "" "shared")
run_refused("component \"shared\" is not installed" ${command})

file(REMOVE "${WORK}/static-only/lib/libtpexec.a")
configure(command "${WORK}/static-only" "" "")
run_refused("neither ${TPEXEC_SHARED_NAME} nor libtpexec.a is in" ${command})
