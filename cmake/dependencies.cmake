# Installs what is missing on Debian, when FILCH_INSTALL_DEPENDENCIES says so (presets demo, test; .ci/run).
option(FILCH_INSTALL_DEPENDENCIES "Install missing Debian packages with apt-get" OFF)
if(NOT FILCH_INSTALL_DEPENDENCIES)
	return()
endif()

function(filch_find_missing_packages result)
	set(missing "")
	foreach(package IN LISTS ARGN)
		execute_process(
			COMMAND ${FILCH_DPKG_QUERY} -W -f "\${db:Status-Status}\\n" ${package}
			OUTPUT_VARIABLE states
			ERROR_QUIET
		)
		if(NOT states MATCHES "(^|\n)installed\n")
			list(APPEND missing ${package})
		endif()
	endforeach()
	set(${result} ${missing} PARENT_SCOPE)
endfunction()

function(filch_install_packages)
	list(JOIN ARGN " " wanted)
	message(STATUS "Installing ${wanted}")
	execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
	set(as_root env DEBIAN_FRONTEND=noninteractive)
	if(NOT user STREQUAL "0")
		find_program(FILCH_SUDO sudo)
		mark_as_advanced(FILCH_SUDO)
		if(NOT FILCH_SUDO)
			message(FATAL_ERROR "Not root and no sudo. Please install: ${wanted}")
		endif()
		list(PREPEND as_root ${FILCH_SUDO})
	endif()
	execute_process(
		COMMAND ${as_root} ${FILCH_APT_GET} update -q
		COMMAND_ERROR_IS_FATAL ANY
	)
	execute_process(
		COMMAND ${as_root} ${FILCH_APT_GET} install -q -y --no-install-recommends ${ARGN}
		COMMAND_ERROR_IS_FATAL ANY
	)
endfunction()

set(packages gcc libc6-dev ninja-build pkg-config liburcu-dev libssl-dev)
if(FILCH_TESTS OR NOT DEFINED FILCH_TESTS)
	list(APPEND packages g++ libcriterion-dev relacy-dev)
endif()
if(CMAKE_C_COMPILER MATCHES "clang")
	list(APPEND packages clang)
	if(FILCH_SANITIZE)
		list(APPEND packages libclang-rt-dev)
	endif()
endif()
if(FILCH_TEST_WRAPPER MATCHES "valgrind")
	list(APPEND packages valgrind)
endif()
if(CMAKE_TOOLCHAIN_FILE MATCHES "/aarch64\\.cmake$")
	list(APPEND packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
endif()

find_program(FILCH_DPKG_QUERY dpkg-query)
find_program(FILCH_APT_GET apt-get)
mark_as_advanced(FILCH_DPKG_QUERY FILCH_APT_GET)
if(NOT FILCH_DPKG_QUERY OR NOT FILCH_APT_GET)
	list(JOIN packages " " wanted)
	message(WARNING "No apt-get here, nothing is installed. Debian's names of what is needed: ${wanted}")
	return()
endif()
filch_find_missing_packages(missing ${packages})
if(missing)
	filch_install_packages(${missing})
endif()

# liburcu for arm64, where neither multiarch nor an earlier call has it.
set(arm64_root ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-root)
set(arm64_urcu usr/lib/aarch64-linux-gnu/liburcu.so)
if(CMAKE_TOOLCHAIN_FILE MATCHES "/aarch64\\.cmake$" AND NOT FILCH_AARCH64_ROOT
		AND NOT EXISTS /${arm64_urcu} AND NOT EXISTS ${arm64_root}/${arm64_urcu})
	execute_process(
		COMMAND ${CMAKE_CURRENT_LIST_DIR}/aarch64-root ${arm64_root}
		COMMAND_ERROR_IS_FATAL ANY
	)
endif()
