# The library: compiled once, position independent, made into a shared and a static library.

file(GLOB_RECURSE filch_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c)
# Companions that the library never includes, and the one context switch that is chosen below.
list(FILTER filch_sources EXCLUDE REGEX "/src/(tools|redis)/|/src/platform/context_[a-z0-9_]+\\.c$")
if(filch_context STREQUAL "ucontext")
	list(APPEND filch_sources ${PROJECT_SOURCE_DIR}/src/platform/context_ucontext.c)
else()
	list(APPEND filch_sources ${PROJECT_SOURCE_DIR}/src/platform/context_${filch_context}.S)
endif()
message(STATUS "Context switch: ${filch_context}")

add_library(filch_objects OBJECT ${filch_sources})
set_target_properties(filch_objects PROPERTIES
	POSITION_INDEPENDENT_CODE ON
	C_VISIBILITY_PRESET hidden
	INTERPROCEDURAL_OPTIMIZATION OFF
)
target_compile_options(filch_objects PRIVATE $<$<COMPILE_LANGUAGE:C>:-ftls-model=initial-exec>)
target_include_directories(filch_objects PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(filch_objects PRIVATE filch_build filch_warnings PkgConfig::liburcu Threads::Threads)

function(filch_library name kind)
	add_library(${name} ${kind} $<TARGET_OBJECTS:filch_objects>)
	set_target_properties(${name} PROPERTIES OUTPUT_NAME filch LINKER_LANGUAGE C)
	target_include_directories(${name} PUBLIC
		$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
		$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
	)
	target_link_libraries(${name} PUBLIC Threads::Threads PRIVATE PkgConfig::liburcu)
	add_library(filch::${name} ALIAS ${name})
endfunction()

filch_library(filch SHARED)
set_target_properties(filch PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
filch_library(filch_static STATIC)

# For tests: the static library, where hidden symbols can still be linked, and src/ as include path.
add_library(filch_internal INTERFACE)
target_link_libraries(filch_internal INTERFACE filch_static filch_build)
