# Helpers of the consumer cases. Every case begins with include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake") and has an empty ${WORK}.

cmake_minimum_required(VERSION 3.18)
include("${SETTINGS}")
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")

# Nothing of the surrounding shell or make decides what is found.
foreach(variable CMAKE_PREFIX_PATH CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH DESTDIR LD_LIBRARY_PATH LIBRARY_PATH MAKEFLAGS MAKELEVEL MFLAGS
        PKG_CONFIG_LIBDIR PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR tpexec_DIR tpexec_ROOT)
    unset(ENV{${variable}})
endforeach()

# A consumer looks into the one prefix it is given and nowhere else, so that no other libtpexec of this machine can be found.
set(ISOLATED
    -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF -DCMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY=OFF)

# How a nested build of the library itself finds what the outer build has compiled already.
set(FROM_SOURCE "-DTPEXEC_CARGO=${CARGO}" "-DTPEXEC_CARGO_TARGET_DIR=${CARGO_TARGET_DIR}" "-DTPEXEC_CARGO_FLAGS=${CARGO_FLAGS}"
    "-DTPEXEC_RUST_TARGET=${RUST_TARGET}")

# fail(<text>…): this test has failed.
function(fail)
    message(NOTICE ${ARGN}) # as it is; an error message would be filled to paragraphs
    message(FATAL_ERROR "see above")
endfunction()

# run(<command> <argument>…): has to succeed. RUN_OUTPUT is what it wrote to standard output.
function(run)
    execute_process(COMMAND ${ARGV} WORKING_DIRECTORY "${WORK}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
    if(NOT result EQUAL 0)
        string(REPLACE ";" " " command "${ARGV}")
        fail("${command}\nended with ${result}:\n${output}\n${errors}")
    endif()
    set(RUN_OUTPUT "${output}" PARENT_SCOPE)
    set(RUN_ERRORS "${errors}" PARENT_SCOPE)
endfunction()

# run_refused(<text> <command>…): has to fail, with <text> in what it writes (line breaks and blanks count alike).
function(run_refused text)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${WORK}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
    string(REPLACE ";" " " command "${ARGN}")
    if(result EQUAL 0)
        fail("${command}\nsucceeded, but should have been refused:\n${output}")
    endif()
    string(REGEX REPLACE "[ \n]+" " " flat "${output}${errors}")
    string(FIND "${flat}" "${text}" at)
    if(at EQUAL -1)
        fail("${command}\nfailed, but not with \"${text}\":\n${output}\n${errors}")
    endif()
endfunction()

# expect_equal(<what> <actual> <expected>)
function(expect_equal what actual expected)
    if(NOT "x${actual}" STREQUAL "x${expected}")
        fail("${what}\n  is       ${actual}\n  expected ${expected}")
    endif()
endfunction()

# expect_files(<directory> <file>…): these files and links, and no others, are under the directory.
function(expect_files directory)
    file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE "${directory}" "${directory}/*")
    list(SORT files)
    set(expected ${ARGN})
    list(SORT expected)
    expect_equal("files in ${directory}" "${files}" "${expected}")
endfunction()

# install_files(<variable> <libdir>): what an installation has, relative to its prefix.
function(install_files variable libdir)
    set(${variable}
        include/tpexec.h include/tpexec.hpp
        ${libdir}/${TPEXEC_SHARED_NAME} ${libdir}/${TPEXEC_SONAME} ${libdir}/libtpexec.so ${libdir}/libtpexec.a
        ${libdir}/cmake/tpexec/tpexecConfig.cmake ${libdir}/cmake/tpexec/tpexecConfigVersion.cmake
        ${libdir}/pkgconfig/tpexec.pc
        share/doc/tpexec/CHANGELOG.md share/doc/tpexec/LICENSE-APACHE share/doc/tpexec/LICENSE-MIT share/doc/tpexec/README.md
        PARENT_SCOPE)
endfunction()

# expect_links(<libdir>): the two links beside the library, relative, so that the tree can be moved.
function(expect_links libdir)
    foreach(link "${TPEXEC_SONAME};${TPEXEC_SHARED_NAME}" "libtpexec.so;${TPEXEC_SONAME}")
        list(GET link 0 name)
        list(GET link 1 expected)
        if(NOT IS_SYMLINK "${libdir}/${name}")
            fail("${libdir}/${name} is no symbolic link")
        endif()
        file(READ_SYMLINK "${libdir}/${name}" target)
        expect_equal("the link ${name}" "${target}" "${expected}")
    endforeach()
endfunction()

# expect_no_paths(<directory> <path>…): no installed text file names any of the paths.
function(expect_no_paths directory)
    file(GLOB_RECURSE files "${directory}/*.cmake" "${directory}/*.pc" "${directory}/*.h" "${directory}/*.hpp")
    list(LENGTH files count)
    expect_equal("number of text files in ${directory}" "${count}" 5)
    foreach(file IN LISTS files)
        file(READ "${file}" text)
        foreach(path IN LISTS ARGN)
            string(FIND "${text}" "${path}" at)
            if(NOT at EQUAL -1)
                fail("${file} names ${path}")
            endif()
        endforeach()
    endforeach()
endfunction()

# expect_program(<program> <kind>): it runs and prints its line; it loads libtpexec if and only if kind is shared, and nothing at all if
# kind is fully_static.
function(expect_program program kind)
    run("${program}")
    expect_equal("output of ${program}" "${RUN_OUTPUT}" "tpexec ${TPEXEC_VERSION}: 42\n")
    run("${READELF}" -d "${program}")
    string(REGEX MATCHALL "\\(NEEDED\\)[^\n]*" needed "${RUN_OUTPUT}")
    string(REGEX MATCHALL "libtpexec[^]]*" tpexec "${needed}")
    if(kind STREQUAL "shared")
        expect_equal("what ${program} loads of libtpexec" "${tpexec}" "${TPEXEC_SONAME}")
    else()
        expect_equal("what ${program} loads of libtpexec" "${tpexec}" "")
    endif()
    if(kind STREQUAL "fully_static")
        expect_equal("what ${program} loads" "${needed}" "")
    endif()
endfunction()

# kind_of(<variable> <target> [<link flags>])
function(kind_of variable target)
    if(target STREQUAL "tpexec::tpexec")
        set(${variable} shared PARENT_SCOPE)
    elseif("-static" IN_LIST ARGN)
        set(${variable} fully_static PARENT_SCOPE)
    else()
        set(${variable} static PARENT_SCOPE)
    endif()
endfunction()

# build_installed(<directory> <prefix> <project> <target> [<link flags>]): find_package against the prefix; builds and runs the program.
function(build_installed directory prefix project target)
    file(REMOVE_RECURSE "${WORK}/${directory}")
    run("${CMAKE_COMMAND}" -S "${CONSUMERS}/projects/${project}" -B "${WORK}/${directory}" ${TOOLCHAIN} ${ISOLATED}
        "-DCMAKE_PREFIX_PATH=${prefix}" "-DWANT_TARGET=${target}" "-DWANT_LINK_FLAGS=${ARGN}")
    string(FIND "${RUN_OUTPUT}" "found tpexec ${TPEXEC_VERSION} in ${prefix}/" at)
    if(at EQUAL -1)
        fail("find_package found another tpexec than ${prefix}:\n${RUN_OUTPUT}")
    endif()
    run("${CMAKE_COMMAND}" --build "${WORK}/${directory}")
    kind_of(kind "${target}" ${ARGN})
    expect_program("${WORK}/${directory}/consumer" ${kind})
endfunction()

# build_pkg_config(<program> <pc directory> <kind>): the compiler with what pkg-config prints; builds and runs the program.
function(build_pkg_config program pc_directory kind)
    set(ENV{PKG_CONFIG_LIBDIR} "${pc_directory}") # instead of the system's directories
    run("${PKG_CONFIG}" --modversion tpexec)
    expect_equal("pkg-config --modversion" "${RUN_OUTPUT}" "${TPEXEC_VERSION}\n")
    set(flags --cflags --libs)
    if(NOT kind STREQUAL "shared")
        list(APPEND flags --static)
    endif()
    run("${PKG_CONFIG}" ${flags} tpexec)
    string(STRIP "${RUN_OUTPUT}" output)
    if(kind STREQUAL "static")
        # A linker that has both takes the shared one for -ltpexec; this is how one asks for the archive alone.
        string(REPLACE " -ltpexec" " -l:libtpexec.a" output "${output}")
    endif()
    separate_arguments(arguments UNIX_COMMAND "${output}")
    if(kind STREQUAL "fully_static")
        list(PREPEND arguments -static)
    elseif(kind STREQUAL "shared")
        run("${PKG_CONFIG}" --variable=libdir tpexec)
        separate_arguments(libdir UNIX_COMMAND "${RUN_OUTPUT}") # it is quoted for a shell, like the flags
        list(APPEND arguments "-Wl,-rpath,${libdir}")
    endif()
    run("${CC}" -std=c11 -Wall -Wextra -Werror -o "${WORK}/${program}" "${CONSUMERS}/main.c" ${arguments})
    expect_program("${WORK}/${program}" ${kind})
endfunction()
