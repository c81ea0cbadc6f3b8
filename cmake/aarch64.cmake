# Toolchain: cross build for aarch64, tests run under qemu-user.
#
# liburcu for arm64 comes from multiarch (dpkg --add-architecture arm64; liburcu-dev:arm64) or, without
# touching the system, from FILCH_AARCH64_ROOT: `cmake/aarch64-root build/aarch64-root` fetches it there
# (-DFILCH_INSTALL_DEPENDENCIES=ON calls it, and installs compiler and emulator).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FILCH_AARCH64_ROOT)
set(filch_aarch64_default ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-root)
if(NOT EXISTS ${filch_aarch64_default}/usr/lib/aarch64-linux-gnu/liburcu.so)
	set(filch_aarch64_default "")
endif()
set(FILCH_AARCH64_ROOT "${filch_aarch64_default}" CACHE PATH "Unpacked arm64 packages; empty: multiarch")

set(filch_arch_lib ${FILCH_AARCH64_ROOT}/usr/lib/aarch64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} ${filch_arch_lib}/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${FILCH_AARCH64_ROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_CROSSCOMPILING_EMULATOR
	qemu-aarch64 -L /usr/aarch64-linux-gnu -E EMULATED=1 -E LD_LIBRARY_PATH=${filch_arch_lib}
)
