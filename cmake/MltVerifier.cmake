# The verifier as libraries for others: libmltrail-verify.so and .a, a pkg-config file and a CMake package.
#
# Both hold base, crypto, merkle, note and verify as far as verify needs them, and nothing but mltrail_* can be linked
# to: the shared one by a version script, the static one because its objects are joined and the other names made local.

set(verifier_version ${PROJECT_VERSION})
set(verifier_abi 0) # the number in the soname: raised when a program that linked before would no longer run

add_library(mltrail-verify SHARED $<TARGET_OBJECTS:mlt_verify>)
set_target_properties(mltrail-verify PROPERTIES
  VERSION ${verifier_version} SOVERSION ${verifier_abi} EXPORT_NAME verify LINKER_LANGUAGE C
  LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/verify/exports.map)
target_link_libraries(mltrail-verify PRIVATE mlt_note)
target_link_options(mltrail-verify PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/src/verify/exports.map
  -Wl,--exclude-libs,ALL -Wl,--gc-sections)
target_include_directories(mltrail-verify INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# One object out of all, with every name but the public ones made local.
set(joined ${CMAKE_BINARY_DIR}/mltrail-verify-joined.o)
set(verifier_archives $<TARGET_FILE:mlt_note> $<TARGET_FILE:mlt_merkle> $<TARGET_FILE:mlt_crypto> $<TARGET_FILE:mlt_base>)
add_custom_command(OUTPUT ${joined}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${joined} $<TARGET_OBJECTS:mlt_verify> ${verifier_archives}
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=mltrail_* ${joined}
  DEPENDS mlt_verify $<TARGET_OBJECTS:mlt_verify> mlt_note mlt_merkle mlt_crypto mlt_base
  COMMAND_EXPAND_LISTS VERBATIM)
set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_library(mltrail-verify-static STATIC ${joined})
set_target_properties(mltrail-verify-static PROPERTIES
  OUTPUT_NAME mltrail-verify EXPORT_NAME verify-static LINKER_LANGUAGE C)
target_link_libraries(mltrail-verify-static INTERFACE OpenSSL::Crypto Threads::Threads)
target_include_directories(mltrail-verify-static INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

include(CMakePackageConfigHelpers)
set(verifier_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mltrail-verify)
# The .pc file finds its prefix from where it lies: `cmake --install --prefix` may choose another than at configuration.
file(RELATIVE_PATH pc_to_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(${CMAKE_SOURCE_DIR}/cmake/mltrail-verify.pc.in ${CMAKE_BINARY_DIR}/mltrail-verify.pc @ONLY)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/mltrail-verify-config.cmake.in
  ${CMAKE_BINARY_DIR}/mltrail-verify-config.cmake INSTALL_DESTINATION ${verifier_cmake_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/mltrail-verify-config-version.cmake
  VERSION ${verifier_version} COMPATIBILITY SameMinorVersion)

install(TARGETS mltrail-verify mltrail-verify-static EXPORT mltrail-verify-targets
  LIBRARY COMPONENT verify NAMELINK_COMPONENT verify ARCHIVE COMPONENT verify)
install(FILES include/mltrail/verify.h include/mltrail/status.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mltrail
  COMPONENT verify)
install(FILES ${CMAKE_BINARY_DIR}/mltrail-verify.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT verify)
install(EXPORT mltrail-verify-targets NAMESPACE mltrail:: DESTINATION ${verifier_cmake_dir} COMPONENT verify)
install(FILES ${CMAKE_BINARY_DIR}/mltrail-verify-config.cmake ${CMAKE_BINARY_DIR}/mltrail-verify-config-version.cmake
  DESTINATION ${verifier_cmake_dir} COMPONENT verify)
