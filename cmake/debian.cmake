# The Debian packages: `make deb`.  Whoever gives them to others gives their own
# address: cmake --preset deb -DTERN_MAINTAINER="Name <name@place>".
set(TERN_MAINTAINER "the tern developers <tern@localhost>" CACHE STRING
  "Who answers for the Debian packages")
set(CPACK_PACKAGE_NAME tern)
set(CPACK_PACKAGE_VENDOR tern)
set(CPACK_PACKAGE_CONTACT "${TERN_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
# Debian's policy: manual pages and changelogs are compressed.
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian_compress.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# libtern.so's own dependents do not need to be looked for among the packages.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)

set(summary "ternary language models on ordinary CPUs")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME tern)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "${summary}: program and small model")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${tern_library_package})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "${summary}: shared library")

file(WRITE ${PROJECT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA
  ${PROJECT_BINARY_DIR}/debian/triggers)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtern-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "${summary}: headers and static library")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${tern_library_package} (= ${PROJECT_VERSION}), libpcre2-dev, \
libutf8proc-dev, libhwy-dev, libxxhash-dev, pkg-config")

configure_file(cmake/changelog.in debian/changelog @ONLY)
foreach(entry "program;tern" "library;${tern_library_package}"
    "development;libtern-dev")
  list(POP_FRONT entry component package)
  install(FILES ${PROJECT_BINARY_DIR}/debian/changelog COMPONENT ${component}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package})
endforeach()
include(CPack)
