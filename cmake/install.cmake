# Installation: headers, both libraries, filchConfig.cmake and filch.pc; relocatable.
include(CMakePackageConfigHelpers)

set(filch_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/filch)
set(filch_pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS filch EXPORT filchShared)
install(TARGETS filch_static EXPORT filchStatic)
install(EXPORT filchShared NAMESPACE filch:: DESTINATION ${filch_package_dir})
install(EXPORT filchStatic NAMESPACE filch:: DESTINATION ${filch_package_dir})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/filchConfig.cmake.in ${PROJECT_BINARY_DIR}/filchConfig.cmake
	INSTALL_DESTINATION ${filch_package_dir}
	NO_SET_AND_CHECK_MACRO
	NO_CHECK_REQUIRED_COMPONENTS_MACRO
)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/filchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/filchConfig.cmake ${PROJECT_BINARY_DIR}/filchConfigVersion.cmake
	DESTINATION ${filch_package_dir}
)

# The prefix is found from the place of the .pc file, so that a moved tree and a packaged one both work.
file(RELATIVE_PATH filch_pc_to_prefix
	${CMAKE_INSTALL_PREFIX}/${filch_pkgconfig_dir} ${CMAKE_INSTALL_PREFIX}
)
string(REGEX REPLACE "/$" "" filch_pc_to_prefix "${filch_pc_to_prefix}")
list(JOIN liburcu_LDFLAGS " " filch_pc_liburcu)
configure_file(${PROJECT_SOURCE_DIR}/cmake/filch.pc.in ${PROJECT_BINARY_DIR}/filch.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/filch.pc DESTINATION ${filch_pkgconfig_dir})
