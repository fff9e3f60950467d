# Builds libtpexec with cargo and offers it to this build under the names the installed package uses: tpexec::tpexec (shared) and
# tpexec::static. Included by the top CMakeLists.txt.

if(APPLE OR WIN32)
    message(FATAL_ERROR "libtpexec: this version builds for Linux and other ELF systems only (file names and SONAME are ELF's)")
endif()

find_program(TPEXEC_CARGO cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin" DOC "The cargo that builds libtpexec")
if(NOT TPEXEC_CARGO)
    message(FATAL_ERROR "libtpexec: cargo not found. Install Rust (https://rustup.rs) or set TPEXEC_CARGO to the path of cargo.")
endif()

set(TPEXEC_CARGO_FLAGS "" CACHE STRING "More arguments for cargo build, e.g. --offline or --features plain-malloc")
set(TPEXEC_RUST_TARGET "$ENV{CARGO_BUILD_TARGET}" CACHE STRING "Rust target triple, for cross builds; empty: the machine's own")

# cargo's own directory. Inside the build tree unless told otherwise, so that CMake never writes into the source tree.
if(DEFINED ENV{CARGO_TARGET_DIR})
    get_filename_component(tpexec_cargo_target_dir "$ENV{CARGO_TARGET_DIR}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
else()
    set(tpexec_cargo_target_dir "${PROJECT_BINARY_DIR}/cargo")
endif()
set(TPEXEC_CARGO_TARGET_DIR "${tpexec_cargo_target_dir}" CACHE PATH "Where cargo builds")

# ---- file names ----------------------------------------------------------------------------------------------------------------

# The SONAME changes when the ABI may: with the minor version while that is 0.y, with the major version from 1.0 on. build.rs gives
# the library the same name, and the consumer tests see to it that the two agree.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(tpexec_abi "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
else()
    set(tpexec_abi "${PROJECT_VERSION_MAJOR}")
endif()
set(TPEXEC_SHARED_NAME "libtpexec.so.${PROJECT_VERSION}")
set(TPEXEC_SONAME "libtpexec.so.${tpexec_abi}")
set(TPEXEC_LINK_NAME "libtpexec.so")
set(TPEXEC_STATIC_NAME "libtpexec.a")

# Staged with its links: a program linked to cargo's own libtpexec.so would look for the SONAME and find no such file.
set(TPEXEC_STAGE_DIR "${PROJECT_BINARY_DIR}/lib")

# ---- what a static link needs beside the archive ---------------------------------------------------------------------------------

# The list rustc reports (a test compares). -lgcc_s is left out: gcc and clang add the unwinder themselves, the shared one or, under
# -static, libgcc_eh, and naming the shared one would make fully static programs impossible.
file(STRINGS "${PROJECT_SOURCE_DIR}/cmake/native-libs.txt" tpexec_native_libs_line LIMIT_COUNT 1)
separate_arguments(TPEXEC_NATIVE_LIBS UNIX_COMMAND "${tpexec_native_libs_line}")
list(REMOVE_ITEM TPEXEC_NATIVE_LIBS "-lgcc_s")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/native-libs.txt")

# ---- the build -------------------------------------------------------------------------------------------------------------------

# Debug maps to cargo's dev profile, everything else to release. A multi-config generator gets release in every configuration: the
# staged library has one path, and its ABI does not depend on the profile.
if(NOT CMAKE_CONFIGURATION_TYPES AND CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(tpexec_profile_flags "")
    set(tpexec_profile_dir debug)
else()
    set(tpexec_profile_flags --release)
    set(tpexec_profile_dir release)
endif()

# make's job server is closed to a command that is not a make: without these variables cargo does not ask for it and warn.
set(tpexec_cargo_env --unset=MAKEFLAGS --unset=MFLAGS --unset=MAKELEVEL)
set(tpexec_target_flags "")
set(tpexec_cargo_out "${TPEXEC_CARGO_TARGET_DIR}/${tpexec_profile_dir}")
if(TPEXEC_RUST_TARGET)
    set(tpexec_target_flags --target "${TPEXEC_RUST_TARGET}")
    set(tpexec_cargo_out "${TPEXEC_CARGO_TARGET_DIR}/${TPEXEC_RUST_TARGET}/${tpexec_profile_dir}")
    # rustc links through a C compiler; for a cross build it has to be the one CMake was given.
    string(TOUPPER "${TPEXEC_RUST_TARGET}" tpexec_triple)
    string(REPLACE "-" "_" tpexec_triple "${tpexec_triple}")
    list(APPEND tpexec_cargo_env "CARGO_TARGET_${tpexec_triple}_LINKER=${CMAKE_C_COMPILER}")
endif()
separate_arguments(tpexec_extra_flags UNIX_COMMAND "${TPEXEC_CARGO_FLAGS}")

# A library that is released names no directory of the machine it was built on. Flags of the user's own (RUSTFLAGS, a
# .cargo/config.toml with flags for the target) take the place of these.
set(tpexec_remap_flags "")
if(tpexec_profile_dir STREQUAL "release")
    if(DEFINED ENV{CARGO_HOME})
        set(tpexec_cargo_home "$ENV{CARGO_HOME}")
    else()
        set(tpexec_cargo_home "$ENV{HOME}/.cargo")
    endif()
    set(tpexec_remap "\"--remap-path-prefix=${PROJECT_SOURCE_DIR}=tpexec-${PROJECT_VERSION}\"")
    string(APPEND tpexec_remap ", \"--remap-path-prefix=${tpexec_cargo_home}=cargo\"")
    set(tpexec_remap_flags --config "build.rustflags = [${tpexec_remap}]")
endif()

# A custom target, not a custom command: it runs at every build, because only cargo knows what is up to date. Copies that change
# nothing keep their time stamps, so programs are not linked again for nothing.
add_custom_target(tpexec_cargo ALL
    COMMAND ${CMAKE_COMMAND} -E env ${tpexec_cargo_env}
        "${TPEXEC_CARGO}" build --locked --lib ${tpexec_profile_flags} ${tpexec_target_flags} ${tpexec_remap_flags}
        --target-dir "${TPEXEC_CARGO_TARGET_DIR}" ${tpexec_extra_flags}
    COMMAND ${CMAKE_COMMAND} -E make_directory "${TPEXEC_STAGE_DIR}"
    COMMAND ${CMAKE_COMMAND} -E copy_if_different "${tpexec_cargo_out}/libtpexec.so" "${TPEXEC_STAGE_DIR}/${TPEXEC_SHARED_NAME}"
    COMMAND ${CMAKE_COMMAND} -E create_symlink "${TPEXEC_SHARED_NAME}" "${TPEXEC_STAGE_DIR}/${TPEXEC_SONAME}"
    COMMAND ${CMAKE_COMMAND} -E create_symlink "${TPEXEC_SONAME}" "${TPEXEC_STAGE_DIR}/${TPEXEC_LINK_NAME}"
    COMMAND ${CMAKE_COMMAND} -E copy_if_different "${tpexec_cargo_out}/libtpexec.a" "${TPEXEC_STAGE_DIR}/${TPEXEC_STATIC_NAME}"
    BYPRODUCTS
        "${TPEXEC_STAGE_DIR}/${TPEXEC_SHARED_NAME}"
        "${TPEXEC_STAGE_DIR}/${TPEXEC_SONAME}"
        "${TPEXEC_STAGE_DIR}/${TPEXEC_LINK_NAME}"
        "${TPEXEC_STAGE_DIR}/${TPEXEC_STATIC_NAME}"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" # where cargo looks for .cargo/config.toml, e.g. a distribution's vendored sources
    COMMENT "cargo build (libtpexec ${PROJECT_VERSION}, ${tpexec_profile_dir})"
    USES_TERMINAL
    VERBATIM)

# ---- the targets -----------------------------------------------------------------------------------------------------------------

# cmake/tpexecConfig.cmake.in makes the same two for an installed library.
add_library(tpexec::tpexec SHARED IMPORTED GLOBAL)
set_target_properties(tpexec::tpexec PROPERTIES
    IMPORTED_LOCATION "${TPEXEC_STAGE_DIR}/${TPEXEC_SHARED_NAME}"
    IMPORTED_SONAME "${TPEXEC_SONAME}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include")
add_dependencies(tpexec::tpexec tpexec_cargo)

add_library(tpexec::static STATIC IMPORTED GLOBAL)
set_target_properties(tpexec::static PROPERTIES
    IMPORTED_LOCATION "${TPEXEC_STAGE_DIR}/${TPEXEC_STATIC_NAME}"
    IMPORTED_LINK_INTERFACE_LANGUAGES C
    INTERFACE_LINK_LIBRARIES "${TPEXEC_NATIVE_LIBS}"
    INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include")
add_dependencies(tpexec::static tpexec_cargo)
