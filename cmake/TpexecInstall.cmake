# What `cmake --install` puts where: library, headers, CMake package, pkg-config file, licences. Included by the top CMakeLists.txt.
# Nothing installed holds an absolute path, as long as the directories given to GNUInstallDirs are relative: a prefix can be moved.
#
# Components, for packagers: tpexec_runtime (what a program needs to start), tpexec_development (all else).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Debian wants shared libraries without the executable bit, and its CMake says so in this variable; others want it.
if(CMAKE_INSTALL_SO_NO_EXE)
    set(tpexec_shared_kind FILES)
else()
    set(tpexec_shared_kind PROGRAMS)
endif()
install(${tpexec_shared_kind} "${TPEXEC_STAGE_DIR}/${TPEXEC_SHARED_NAME}"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT tpexec_runtime)
install(FILES "${TPEXEC_STAGE_DIR}/${TPEXEC_SONAME}" # a link, and stays one
    DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT tpexec_runtime)
install(FILES "${TPEXEC_STAGE_DIR}/${TPEXEC_LINK_NAME}" "${TPEXEC_STAGE_DIR}/${TPEXEC_STATIC_NAME}"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT tpexec_development)
install(FILES "${PROJECT_SOURCE_DIR}/include/tpexec.h" "${PROJECT_SOURCE_DIR}/include/tpexec.hpp"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT tpexec_development)

# Inside another project CMAKE_INSTALL_DOCDIR is that project's own.
if(tpexec_top_level)
    set(tpexec_doc_dir "${CMAKE_INSTALL_DOCDIR}")
else()
    set(tpexec_doc_dir "${CMAKE_INSTALL_DATAROOTDIR}/doc/tpexec")
endif()
install(FILES
        "${PROJECT_SOURCE_DIR}/README.md"
        "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
        "${PROJECT_SOURCE_DIR}/LICENSE-APACHE"
        "${PROJECT_SOURCE_DIR}/LICENSE-MIT"
    DESTINATION "${tpexec_doc_dir}" COMPONENT tpexec_development)

# ---- the CMake package -----------------------------------------------------------------------------------------------------------

set(tpexec_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tpexec")
configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/tpexecConfig.cmake.in" "${PROJECT_BINARY_DIR}/package/tpexecConfig.cmake"
    INSTALL_DESTINATION "${tpexec_package_dir}"
    PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)

# Who asks for 0.1 gets 0.1.x and nothing later: 0.2 may break. The same rule as for the SONAME.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(tpexec_compatibility SameMinorVersion)
else()
    set(tpexec_compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/tpexecConfigVersion.cmake"
    VERSION "${PROJECT_VERSION}" COMPATIBILITY ${tpexec_compatibility})
install(FILES
        "${PROJECT_BINARY_DIR}/package/tpexecConfig.cmake"
        "${PROJECT_BINARY_DIR}/package/tpexecConfigVersion.cmake"
    DESTINATION "${tpexec_package_dir}" COMPONENT tpexec_development)

# ---- pkg-config ------------------------------------------------------------------------------------------------------------------

# Where both directories are relative the prefix is found from the .pc file's own place (${pcfiledir}), so the tree can be moved.
# Absolute ones (Nix: one prefix per output) are kept as they are.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(TPEXEC_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
    set(TPEXEC_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(TPEXEC_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
    file(RELATIVE_PATH tpexec_up "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
    string(REGEX REPLACE "/$" "" tpexec_up "${tpexec_up}")
    set(TPEXEC_PC_PREFIX "\${pcfiledir}/${tpexec_up}")
    set(TPEXEC_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(TPEXEC_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
foreach(variable PREFIX LIBDIR INCLUDEDIR) # the values are shell words
    string(REPLACE " " "\\ " TPEXEC_PC_${variable} "${TPEXEC_PC_${variable}}")
endforeach()
string(REPLACE ";" " " TPEXEC_PC_LIBS_PRIVATE "${TPEXEC_NATIVE_LIBS}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/tpexec.pc.in" "${PROJECT_BINARY_DIR}/package/tpexec.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/tpexec.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT tpexec_development)
