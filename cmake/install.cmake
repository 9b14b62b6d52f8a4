# What `cmake --install` gives, and the Debian packages that CPack makes of it:
#   program      tern      the program, and the small model where it looks for it
#   library      libtern   libtern.so for programs that were linked with it
#   development  libtern-dev   headers, libraries, CMake package, pkg-config
include(CMakePackageConfigHelpers)

install(TARGETS tern_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  COMPONENT program)
# ../share/tern from the program (cli/loading.cc).
install(FILES models/books-79m.gguf DESTINATION ${CMAKE_INSTALL_DATADIR}/tern
  COMPONENT program)

# OPTIONAL: not there if only the program was built.
install(FILES ${PROJECT_BINARY_DIR}/tern.1
  DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program OPTIONAL)
install(FILES cli/completion.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tern
  COMPONENT program)
install(FILES cli/serve/deploy/tern.service cli/serve/deploy/nginx.conf
  cli/serve/deploy/README.md
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/tern/deploy COMPONENT program)

# Programs to begin with, which tests/install builds and runs.
install(DIRECTORY tests/install/cpp tests/install/c
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libtern-dev/examples
  COMPONENT development)
install(DIRECTORY runtime/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development FILES_MATCHING PATTERN "*.h")

set(tern_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tern)
set_target_properties(tern PROPERTIES EXPORT_NAME tern_static)
install(TARGETS tern EXPORT tern-static
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(EXPORT tern-static NAMESPACE tern:: DESTINATION ${tern_cmake_dir}
  FILE tern-static.cmake COMPONENT development)
if(TERN_BUILD_SHARED)
  install(TARGETS tern_shared EXPORT tern-shared
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
    NAMELINK_COMPONENT development)
  install(EXPORT tern-shared NAMESPACE tern:: DESTINATION ${tern_cmake_dir}
    FILE tern-shared.cmake COMPONENT development)
endif()

# libtern.a was compiled for this OpenMP runtime: "gomp;pthread", or clang's.
set(tern_openmp_libraries ${OpenMP_CXX_LIB_NAMES})
list(TRANSFORM tern_openmp_libraries PREPEND -l OUTPUT_VARIABLE flags)
list(JOIN flags " " tern_openmp_flags)
configure_package_config_file(cmake/tern-config.cmake.in tern-config.cmake
  INSTALL_DESTINATION ${tern_cmake_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(tern-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tern-config.cmake
  ${PROJECT_BINARY_DIR}/tern-config-version.cmake
  DESTINATION ${tern_cmake_dir} COMPONENT development)
# From pkgconfig/ up to the prefix, which so may move.
file(RELATIVE_PATH tern_pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" tern_pc_up "${tern_pc_up}")
configure_file(cmake/tern.pc.in tern.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tern.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

set(tern_library_package
  libtern${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
foreach(entry "program;tern" "library;${tern_library_package}"
    "development;libtern-dev")
  list(POP_FRONT entry component package)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    RENAME copyright COMPONENT ${component})
endforeach()

include(cmake/debian.cmake)
