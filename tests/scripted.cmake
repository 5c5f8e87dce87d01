# Tests that run the built program: transcripts of the command line, man pages against the table of commands.
find_program(MLT_PYTHON NAMES python3)

if(TARGET mltrail AND MLT_PYTHON)
  file(GLOB TRANSCRIPTS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/*.txt)
  foreach(transcript ${TRANSCRIPTS})
    get_filename_component(name ${transcript} NAME_WE)
    if(NOT name STREQUAL "broken")
      add_test(NAME cli_${name} COMMAND ${MLT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/cli/run.py $<TARGET_FILE:mltrail> ${transcript})
      set_tests_properties(cli_${name} PROPERTIES TIMEOUT 120)
    endif()
  endforeach()
  # The net and not only the fish: a transcript that expects what is not so must fail.
  add_test(NAME cli_broken_must_fail COMMAND ${MLT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/cli/run.py
           $<TARGET_FILE:mltrail> ${CMAKE_CURRENT_SOURCE_DIR}/cli/broken.txt)
  set_tests_properties(cli_broken_must_fail PROPERTIES WILL_FAIL TRUE TIMEOUT 60)
  add_test(NAME cli_man_pages COMMAND ${MLT_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/cli/check_man.py
           $<TARGET_FILE:mltrail> ${CMAKE_SOURCE_DIR})
  set_tests_properties(cli_man_pages PROPERTIES TIMEOUT 60)
elseif(TARGET mltrail)
  message(WARNING "python3 is missing: the scripted tests are skipped")
endif()

# Suites with a list of their own.
file(GLOB SUITES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/tests.cmake)
foreach(suite ${SUITES})
  include(${suite})
endforeach()
