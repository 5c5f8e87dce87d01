# The client as libraries for others: libmltrail-client.so and .a, a pkg-config file and a CMake package, as the
# verifier's (MltVerifier.cmake has the reasons). It needs libcurl and zlib.

set(client_abi 0) # the number in the soname

add_library(mltrail-client SHARED $<TARGET_OBJECTS:mlt_client>)
set_target_properties(mltrail-client PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${client_abi} EXPORT_NAME client LINKER_LANGUAGE C
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/client/exports.map)
target_link_libraries(mltrail-client PRIVATE mlt_forward mlt_base_posix)
# --as-needed: layers beneath can do more than the client asks of them, and it is not to load libraries for that.
target_link_options(mltrail-client PRIVATE -Wl,--as-needed
  -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/client/exports.map -Wl,--exclude-libs,ALL -Wl,--gc-sections)
target_include_directories(mltrail-client INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

set(joined_client ${CMAKE_BINARY_DIR}/mltrail-client-joined.o)
set(client_layers mlt_forward mlt_spool mlt_record mlt_note mlt_merkle mlt_crypto mlt_base_posix mlt_base)
set(client_archives "")
foreach(layer ${client_layers})
  list(APPEND client_archives $<TARGET_FILE:${layer}>)
endforeach()
add_custom_command(OUTPUT ${joined_client}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${joined_client} $<TARGET_OBJECTS:mlt_client>
          -Wl,--start-group ${client_archives} -Wl,--end-group
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=mltrail_* ${joined_client}
  DEPENDS mlt_client $<TARGET_OBJECTS:mlt_client> ${client_layers}
  COMMAND_EXPAND_LISTS VERBATIM)
set_source_files_properties(${joined_client} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_library(mltrail-client-static STATIC ${joined_client})
set_target_properties(mltrail-client-static PROPERTIES
  OUTPUT_NAME mltrail-client EXPORT_NAME client-static LINKER_LANGUAGE C)
target_link_libraries(mltrail-client-static INTERFACE $<INSTALL_INTERFACE:CURL::libcurl> ZLIB::ZLIB Threads::Threads m)
target_include_directories(mltrail-client-static INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

set(client_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mltrail-client)
configure_file(${CMAKE_SOURCE_DIR}/cmake/mltrail-client.pc.in ${CMAKE_BINARY_DIR}/mltrail-client.pc @ONLY)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/mltrail-client-config.cmake.in
  ${CMAKE_BINARY_DIR}/mltrail-client-config.cmake INSTALL_DESTINATION ${client_cmake_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/mltrail-client-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)

install(TARGETS mltrail-client mltrail-client-static EXPORT mltrail-client-targets
  LIBRARY COMPONENT client NAMELINK_COMPONENT client ARCHIVE COMPONENT client)
install(FILES include/mltrail/client.h include/mltrail/status.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mltrail
  COMPONENT client)
install(FILES ${CMAKE_BINARY_DIR}/mltrail-client.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT client)
install(EXPORT mltrail-client-targets NAMESPACE mltrail:: DESTINATION ${client_cmake_dir} COMPONENT client)
install(FILES ${CMAKE_BINARY_DIR}/mltrail-client-config.cmake ${CMAKE_BINARY_DIR}/mltrail-client-config-version.cmake
  DESTINATION ${client_cmake_dir} COMPONENT client)
