# mlt_layer(NAME DEPENDS layer... LIBS lib... [SOURCE_DIR dir])
#
# One static library per folder of src/. Its headers are reachable as "NAME/header.h" through an include
# directory that holds that one folder alone, so that a layer sees exactly the layers that it links.
# A folder without sources is passed over, which lets the tree grow one layer at a time.

add_library(mlt_warnings INTERFACE)
target_compile_options(mlt_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-align
  -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wconversion -Wno-sign-conversion
  -fstack-protector-strong
  -UNDEBUG)  # assert is for our own mistakes and stays on in release
if(MLT_WERROR)
  target_compile_options(mlt_warnings INTERFACE -Werror)
endif()
target_compile_definitions(mlt_warnings INTERFACE _POSIX_C_SOURCE=200809L)

if(MLT_SANITIZE)
  add_compile_options(-fsanitize=${MLT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MLT_SANITIZE})
endif()
if(MLT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

function(mlt_layer NAME)
  cmake_parse_arguments(L "" "SOURCE_DIR" "DEPENDS;LIBS" ${ARGN})
  if(NOT L_SOURCE_DIR)
    set(L_SOURCE_DIR ${NAME})
  endif()
  file(GLOB SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${L_SOURCE_DIR}/*.c)
  if(NOT SOURCES)
    message(STATUS "layer ${NAME}: no sources")
    return()
  endif()
  set(root ${CMAKE_BINARY_DIR}/layers/${NAME})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${L_SOURCE_DIR} ${root}/${L_SOURCE_DIR} SYMBOLIC)
  add_library(mlt_${NAME} STATIC ${SOURCES})
  target_include_directories(mlt_${NAME} PUBLIC ${root})
  foreach(dep ${L_DEPENDS})
    target_link_libraries(mlt_${NAME} PUBLIC mlt_${dep})
  endforeach()
  target_link_libraries(mlt_${NAME} PRIVATE mlt_warnings)
  # So that a library made of layers carries only what it uses (cmake/MltPublic.cmake).
  target_compile_options(mlt_${NAME} PRIVATE -ffunction-sections -fdata-sections)
  target_link_libraries(mlt_${NAME} PUBLIC ${L_LIBS})
endfunction()
