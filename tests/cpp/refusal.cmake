# With CASE defined COMPILER must refuse SOURCE, with a message that matches PATTERN; without a PATTERN it must accept it. The
# headers are in INCLUDE.
set(standard 17)
if(CASE STREQUAL "an_old_standard")
    set(standard 14)
endif()
set(ENV{LC_ALL} C) # the language of the messages
execute_process(
    COMMAND "${COMPILER}" -std=c++${standard} -Wall -Wextra -Werror -pedantic -fsyntax-only "-I${INCLUDE}" -D${CASE} "${SOURCE}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE messages)
if(NOT PATTERN)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "refused:\n${messages}")
    endif()
elseif(result EQUAL 0)
    message(FATAL_ERROR "${CASE}: accepted")
elseif(NOT messages MATCHES "${PATTERN}")
    message(FATAL_ERROR "${CASE}: refused, but not for a reason that matches ${PATTERN}:\n${messages}")
endif()
