# After a test program was built: ask it for its tests and write one add_test for each.
# Reads PROGRAM LIST PREFIX SUITE EMULATOR LAUNCHER PROPERTIES ENVIRONMENT.
cmake_minimum_required(VERSION 3.25)

execute_process(
	COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${EMULATOR} ${PROGRAM} --list
	OUTPUT_VARIABLE listing
	RESULT_VARIABLE result
)
if(NOT result EQUAL 0)
	message(FATAL_ERROR "${PROGRAM} --list: ${result}")
endif()

set(text "")
set(suite "")
string(REPLACE "\n" ";" lines "${listing}")
foreach(line IN LISTS lines)
	if(line MATCHES "^([A-Za-z0-9_]+): [0-9]+ tests?$")
		set(suite ${CMAKE_MATCH_1})
	elseif(line MATCHES "^[|`]-- ([A-Za-z0-9_]+)( \\(skipped\\))?$")
		set(test ${CMAKE_MATCH_1})
		set(disabled "")
		if(CMAKE_MATCH_2)
			set(disabled " DISABLED TRUE")
		endif()
		# folder.file/claim, with the suite in between when it is not called like the file
		set(name "${PREFIX}.${SUITE}/${test}")
		if(NOT suite STREQUAL SUITE)
			set(name "${PREFIX}.${SUITE}.${suite}/${test}")
		endif()
		set(command "")
		foreach(word IN LISTS LAUNCHER PROGRAM)
			string(APPEND command " [==[${word}]==]")
		endforeach()
		string(APPEND text "add_test([==[${name}]==]${command} --jobs 1 --filter ${suite}/${test})\n")
		string(APPEND text "set_tests_properties([==[${name}]==] PROPERTIES")
		foreach(word IN LISTS PROPERTIES)
			string(APPEND text " [==[${word}]==]")
		endforeach()
		string(APPEND text " ENVIRONMENT [==[${ENVIRONMENT}]==]${disabled})\n")
	endif()
endforeach()
if(text STREQUAL "")
	message(FATAL_ERROR "${PROGRAM} lists no test")
endif()
file(WRITE ${LIST} "${text}")
