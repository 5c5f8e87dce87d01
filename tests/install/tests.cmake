# The installed verifier and client. Sanitized libraries need a sanitized program, so that run leaves it out, and says so.
find_program(MLT_CXX NAMES g++ c++ clang++-14)
if(MLT_SANITIZE OR MLT_FUZZ)
  message(STATUS "install_verifier, install_client: left out of a build with sanitizers")
elseif(NOT MLT_CXX)
  message(WARNING "no C++ compiler: the tests of the installed libraries are skipped")
else()
  add_test(NAME install_verifier COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/install/run.sh
           ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER} ${MLT_CXX})
  set_tests_properties(install_verifier PROPERTIES TIMEOUT 300)
  add_test(NAME install_client COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/install/client.sh
           ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER} ${MLT_CXX})
  set_tests_properties(install_client PROPERTIES TIMEOUT 300)
endif()
