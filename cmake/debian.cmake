# The Debian packages: `cpack -G DEB` in the build folder, or `make deb`.
set(CPACK_PACKAGE_NAME tern)
set(CPACK_PACKAGE_VENDOR tern)
set(CPACK_PACKAGE_CONTACT "the tern developers <tern@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
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

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libtern-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "${summary}: headers, static library, CMake package and pkg-config")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${tern_library_package} (= ${PROJECT_VERSION}), libpcre2-dev, \
libutf8proc-dev, libhwy-dev, libxxhash-dev, pkg-config")
include(CPack)
