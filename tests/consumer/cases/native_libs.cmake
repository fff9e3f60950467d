# cmake/native-libs.txt, which the CMake package and the .pc file are made from, is the list rustc reports for the static library.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

file(STRINGS "${TPEXEC_SOURCE}/cmake/native-libs.txt" committed LIMIT_COUNT 1)
set(target "")
if(RUST_TARGET)
    set(target --target "${RUST_TARGET}")
endif()
separate_arguments(flags UNIX_COMMAND "${CARGO_FLAGS}")
execute_process(
    COMMAND "${CARGO}" rustc --locked --lib --crate-type staticlib --target-dir "${CARGO_TARGET_DIR}" ${target} ${flags}
        -- --print native-static-libs
    WORKING_DIRECTORY "${TPEXEC_SOURCE}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
    fail("cargo rustc ended with ${result}:\n${output}")
endif()
if(NOT output MATCHES "native-static-libs: ([^\n]*)")
    fail("cargo rustc printed no native-static-libs:\n${output}")
endif()
string(STRIP "${CMAKE_MATCH_1}" reported)
expect_equal("cmake/native-libs.txt (to refresh it, write the expected line into it)" "${committed}" "${reported}")
