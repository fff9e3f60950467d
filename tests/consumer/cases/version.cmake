# The version CMake read from Cargo.toml is the package's version as cargo understands the file.
include("${CMAKE_CURRENT_LIST_DIR}/../support.cmake")

execute_process(COMMAND "${CARGO}" pkgid --locked WORKING_DIRECTORY "${TPEXEC_SOURCE}" RESULT_VARIABLE result OUTPUT_VARIABLE id
    ERROR_VARIABLE errors)
if(NOT result EQUAL 0)
    fail("cargo pkgid ended with ${result}:\n${errors}")
endif()
string(STRIP "${id}" id)
string(REGEX REPLACE "^.*[#@]" "" version "${id}")
expect_equal("the version CMake read" "${TPEXEC_VERSION}" "${version}")
