# COMPILER must refuse SOURCE when CASE is defined, with a message that matches PATTERN; without a CASE it must accept it. The
# headers are in INCLUDE.
set(flags -Wall -Wextra -Werror -pedantic -fsyntax-only "-I${INCLUDE}")
if(CASE STREQUAL "an_old_standard")
    list(APPEND flags -std=c++14)
else()
    list(APPEND flags -std=c++17)
endif()
if(CASE)
    list(APPEND flags -D${CASE})
endif()
set(ENV{LC_ALL} C) # the language of the messages
execute_process(COMMAND "${COMPILER}" ${flags} "${SOURCE}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE messages)
if(NOT CASE)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "refused:\n${messages}")
    endif()
elseif(result EQUAL 0)
    message(FATAL_ERROR "${CASE}: accepted")
elseif(NOT messages MATCHES "${PATTERN}")
    message(FATAL_ERROR "${CASE}: refused, but not for a reason that matches ${PATTERN}:\n${messages}")
endif()
