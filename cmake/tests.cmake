# One program per test_*.c, one CTest case per Criterion test in it, listed when the program is built.

if(FILCH_STANDIN)
	add_library(filch_criterion INTERFACE)
	target_include_directories(filch_criterion SYSTEM INTERFACE ${PROJECT_SOURCE_DIR}/cmake/standin)
	# clang looks at where a macro is used, even when it comes from a system header
	target_compile_options(filch_criterion INTERFACE
		$<$<C_COMPILER_ID:Clang>:-Wno-gnu-zero-variadic-macro-arguments;-Wno-gnu-empty-initializer>
	)
else()
	pkg_check_modules(criterion REQUIRED IMPORTED_TARGET criterion)
	add_library(filch_criterion ALIAS PkgConfig::criterion)
endif()

set(filch_test_environment "LC_ALL=C")
if(FILCH_SANITIZE)
	# A wild access must kill a test the same way in every preset, so the sanitizers leave signals alone.
	list(APPEND filch_test_environment
		"ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:detect_stack_use_after_return=1:strict_string_checks=1"
		"UBSAN_OPTIONS=print_stacktrace=1"
		"TSAN_OPTIONS=handle_segv=0:handle_sigbus=0:halt_on_error=1:second_deadlock_stack=1"
	)
endif()
if(FILCH_TEST_WRAPPER)
	list(APPEND filch_test_environment "FILCH_WORKERS=1")
endif()
set(filch_test_launcher ${FILCH_TEST_WRAPPER})
if(CMAKE_CROSSCOMPILING)
	list(APPEND filch_test_launcher ${CMAKE_CROSSCOMPILING_EMULATOR})
endif()

# The list is written by the build (cmake/discover.cmake); this file only finds it, or says that it is missing.
function(filch_discover target prefix suite label)
	set(list ${CMAKE_CURRENT_BINARY_DIR}/${target}_list.cmake)
	set(properties LABELS ${label} SKIP_REGULAR_EXPRESSION "Tested: 0 ")
	if(label STREQUAL "stress")
		list(APPEND properties TIMEOUT 300 RUN_SERIAL TRUE PROCESSORS 2)
	else()
		list(APPEND properties TIMEOUT 120)
	endif()
	if(FILCH_SANITIZE MATCHES "address")
		# Criterion does not look at the exit status of a test that returned.
		list(APPEND properties FAIL_REGULAR_EXPRESSION "LeakSanitizer: detected memory leaks")
	endif()
	add_custom_command(TARGET ${target} POST_BUILD
		COMMAND ${CMAKE_COMMAND}
			"-DPROGRAM=$<TARGET_FILE:${target}>" "-DLIST=${list}"
			"-DPREFIX=${prefix}" "-DSUITE=${suite}"
			"-DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}" "-DLAUNCHER=${filch_test_launcher}"
			"-DPROPERTIES=${properties}" "-DENVIRONMENT=${filch_test_environment}"
			-P ${PROJECT_SOURCE_DIR}/cmake/discover.cmake
		BYPRODUCTS ${list}
		VERBATIM
	)
	file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake
		"if(EXISTS \"${list}\")\n"
		"  include(\"${list}\")\n"
		"else()\n"
		"  add_test(${prefix}.${suite}_NOT_BUILT ${prefix}.${suite}_NOT_BUILT)\n"
		"endif()\n"
	)
	set_property(DIRECTORY APPEND PROPERTY
		TEST_INCLUDE_FILES ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake
	)
endfunction()

function(filch_add_tests folder label)
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/test_*.c)
	foreach(source IN LISTS sources)
		get_filename_component(suite ${source} NAME_WE)
		string(REGEX REPLACE "^test_" "" suite ${suite})
		set(target test_${folder}_${suite})
		add_executable(${target} ${source})
		target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
		target_link_libraries(${target} PRIVATE
			filch_internal filch_warnings filch_criterion PkgConfig::liburcu
		)
		filch_discover(${target} ${folder} ${suite} ${label})
	endforeach()
endfunction()

# A model is one program: without an argument it checks the algorithm as it is, with `mutants` it
# weakens every ordering in turn and succeeds when each was caught.
function(filch_add_models)
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/model/model_*.cpp)
	if(NOT sources)
		return()
	endif()
	find_path(FILCH_RELACY relacy/relacy.hpp)
	mark_as_advanced(FILCH_RELACY)
	if(NOT FILCH_RELACY OR NOT CMAKE_CXX_COMPILER)
		message(FATAL_ERROR "The models need a C++ compiler and relacy-dev (or -DFILCH_MODELS=OFF)")
	endif()
	foreach(source IN LISTS sources)
		get_filename_component(target ${source} NAME_WE)
		string(REGEX REPLACE "^model_" "" name ${target})
		add_executable(${target} ${source})
		set_target_properties(${target} PROPERTIES
			CXX_STANDARD 11
			COMPILE_WARNING_AS_ERROR OFF
		)
		target_compile_options(${target} PRIVATE -O2 -w)
		target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
		target_include_directories(${target} PRIVATE
			${CMAKE_CURRENT_SOURCE_DIR}/model ${CMAKE_CURRENT_SOURCE_DIR}
			${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include
		)
		target_include_directories(${target} SYSTEM PRIVATE ${FILCH_RELACY})
		add_test(NAME model.${name} COMMAND ${target})
		add_test(NAME model.${name}.mutants COMMAND ${target} mutants)
		set_tests_properties(model.${name} model.${name}.mutants PROPERTIES LABELS model TIMEOUT 120)
	endforeach()
endfunction()
