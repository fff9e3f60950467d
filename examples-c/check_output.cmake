# Runs a program and compares its standard output, byte for byte, with a file:
#
#   cmake -DEXPECTED=FILE -DACTUAL=FILE -P check_output.cmake -- PROGRAM ARGUMENT…
#
# ACTUAL receives the output. Fails when the program does, or when the two files differ.
set(command "")
set(after_dashes FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
    if(after_dashes)
        list(APPEND command "${CMAKE_ARGV${i}}")
    elseif(CMAKE_ARGV${i} STREQUAL "--")
        set(after_dashes TRUE)
    endif()
endforeach()

execute_process(COMMAND ${command} OUTPUT_FILE "${ACTUAL}" RESULT_VARIABLE status)
file(READ "${ACTUAL}" actual)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${command}: ended with ${status} and printed\n${actual}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files "${EXPECTED}" "${ACTUAL}" RESULT_VARIABLE different ERROR_QUIET)
if(different)
    file(READ "${EXPECTED}" expected)
    message(FATAL_ERROR "${command}: printed\n${actual}\nbut ${EXPECTED} says\n${expected}")
endif()
