# Layers as libraries for others: libmltrail-NAME.so and .a, a pkg-config file and a CMake package, installable alone.
#
#   mlt_public_library(verify ABI 0 LINKS mlt_note LAYERS note merkle crypto base NEEDS OpenSSL::Crypto Threads::Threads)
#
# Both hold the layer NAME, and of LAYERS beneath it what it needs, and nothing but mltrail_* can be linked to: the shared
# one by a version script, the static one because its objects are joined and the other names made local. LINKS is what
# the shared one is linked with, NEEDS what a program needs that takes the static one. ABI is the number in the soname:
# raised when a program that linked before would no longer run.

include(CMakePackageConfigHelpers)
# The .pc file finds its prefix from where it lies: `cmake --install --prefix` may choose another than at configuration.
file(RELATIVE_PATH pc_to_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)

function(mlt_public_library NAME)
  cmake_parse_arguments(P "" "ABI" "LINKS;LAYERS;NEEDS" ${ARGN})
  set(library mltrail-${NAME})
  set(exports ${CMAKE_SOURCE_DIR}/src/${NAME}/exports.map)
  add_library(${library} SHARED $<TARGET_OBJECTS:mlt_${NAME}>)
  set_target_properties(${library} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${P_ABI} EXPORT_NAME ${NAME} LINKER_LANGUAGE C LINK_DEPENDS ${exports})
  target_link_libraries(${library} PRIVATE ${P_LINKS})
  # --as-needed: layers beneath can do more than is asked of them, and nothing is to be loaded for that.
  target_link_options(${library} PRIVATE -Wl,--as-needed
    -Wl,--version-script=${exports} -Wl,--exclude-libs,ALL -Wl,--gc-sections)
  target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  # One object out of all, with every name but the public ones made local.
  set(joined ${CMAKE_BINARY_DIR}/${library}-joined.o)
  set(layers ${P_LAYERS})
  list(TRANSFORM layers PREPEND mlt_)
  set(archives ${layers})
  list(TRANSFORM archives REPLACE "(.+)" "$<TARGET_FILE:\\1>")
  add_custom_command(OUTPUT ${joined}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${joined} $<TARGET_OBJECTS:mlt_${NAME}>
            -Wl,--start-group ${archives} -Wl,--end-group
    COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=mltrail_* ${joined}
    DEPENDS mlt_${NAME} $<TARGET_OBJECTS:mlt_${NAME}> ${layers}
    COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  add_library(${library}-static STATIC ${joined})
  set_target_properties(${library}-static PROPERTIES
    OUTPUT_NAME ${library} EXPORT_NAME ${NAME}-static LINKER_LANGUAGE C)
  target_link_libraries(${library}-static INTERFACE ${P_NEEDS})
  target_include_directories(${library}-static INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/${library})
  configure_file(${CMAKE_SOURCE_DIR}/cmake/${library}.pc.in ${CMAKE_BINARY_DIR}/${library}.pc @ONLY)
  configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/${library}-config.cmake.in
    ${CMAKE_BINARY_DIR}/${library}-config.cmake INSTALL_DESTINATION ${cmake_dir})
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/${library}-config-version.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)

  install(TARGETS ${library} ${library}-static EXPORT ${library}-targets
    LIBRARY COMPONENT ${NAME} NAMELINK_COMPONENT ${NAME} ARCHIVE COMPONENT ${NAME})
  install(FILES include/mltrail/${NAME}.h include/mltrail/status.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mltrail
    COMPONENT ${NAME})
  install(FILES ${CMAKE_BINARY_DIR}/${library}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT ${NAME})
  install(EXPORT ${library}-targets NAMESPACE mltrail:: DESTINATION ${cmake_dir} COMPONENT ${NAME})
  install(FILES ${CMAKE_BINARY_DIR}/${library}-config.cmake ${CMAKE_BINARY_DIR}/${library}-config-version.cmake
    DESTINATION ${cmake_dir} COMPONENT ${NAME})
endfunction()
