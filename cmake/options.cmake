# Flags: filch_warnings for everything written here, filch_build for what sees the inside of the library.

add_library(filch_warnings INTERFACE)
target_compile_options(filch_warnings INTERFACE
	$<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wstrict-prototypes>
	$<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes;-Wvla;-Wundef>
)

if(FILCH_SANITIZE)
	add_compile_options(-fsanitize=${FILCH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=${FILCH_SANITIZE})
endif()

if(FILCH_CONTEXT STREQUAL "auto")
	if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
		set(filch_context x86_64)
	elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
		set(filch_context aarch64)
	else()
		set(filch_context ucontext)
	endif()
elseif(FILCH_CONTEXT MATCHES "^(x86_64|aarch64|ucontext)$")
	set(filch_context ${FILCH_CONTEXT})
else()
	message(FATAL_ERROR "FILCH_CONTEXT=${FILCH_CONTEXT}: must be auto, x86_64, aarch64 or ucontext")
endif()

# liburcu: the functions its headers may inline under any licence; never _LGPL_SOURCE.
add_library(filch_build INTERFACE)
target_include_directories(filch_build INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(filch_build INTERFACE
	_GNU_SOURCE
	URCU_INLINE_SMALL_FUNCTIONS
	$<$<CONFIG:Debug>:FILCH_DEBUG=1>
	$<$<BOOL:${FILCH_PARANOID}>:FILCH_PARANOID=1>
	$<$<BOOL:${FILCH_SIMULATE_ATOMICS}>:FILCH_SIMULATE_ATOMICS=1>
	$<$<STREQUAL:${filch_context},ucontext>:FILCH_CONTEXT_UCONTEXT=1>
)
