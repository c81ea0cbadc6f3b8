# cmake -DBENCH=<filch-bench> -P check_counts.cmake: trees of every type and shape have the counts that
# an independent program (SHA-1 and distributions from another language's library) or a sum gives.
function(count flags nodes depth leaves)
	separate_arguments(flags)
	execute_process(COMMAND ${BENCH} uts ${flags} --reps 1 --workers 1,2,8 --json -
		OUTPUT_VARIABLE json ERROR_VARIABLE text RESULT_VARIABLE status)
	if(NOT status EQUAL 0)
		message(FATAL_ERROR "uts ${flags}: exit status ${status}\n${text}")
	endif()
	foreach(index RANGE 2)
		foreach(fact nodes depth leaves)
			string(JSON found GET "${json}" results ${index} detail ${fact})
			if(NOT found STREQUAL "${${fact}}")
				message(FATAL_ERROR
					"uts ${flags}, result ${index}: ${fact} ${found}, not ${${fact}}")
			endif()
		endforeach()
	endforeach()
endfunction()

# Balanced trees are sums: b^0 + ... + b^d nodes, b^d leaves; b is cut to an integer, and not capped.
count("-t 3 -b 3 -d 4" 121 4 81)
count("-t 3 -b 2.9 -d 10" 2047 10 1024)
count("-t 3 -b 150 -d 2" 22651 2 22500)
# Geometric: linear, exponential, cyclic (a root without children, and one with), fixed.
count("-t 1 -a 0 -d 8 -b 4 -r 34" 1317 8 762)
count("-t 1 -a 1 -d 4 -b 3 -r 7" 831 11 447)
count("-t 1 -a 2 -d 5 -b 3 -r 3" 1 0 1)
count("-t 1 -a 2 -d 3 -b 2 -r 502" 78 8 46)
count("-t 1 -a 3 -d 6 -b 4 -r 19" 16000 6 12839)
# Hybrid, with the default shift, a later one, and none (binomial from the root on).
count("-t 2 -a 0 -d 10 -b 4 -q 0.23 -m 4 -r 1" 4724 37 3533)
count("-t 2 -a 3 -d 8 -b 4 -q 0.12 -m 8 -r 1 -f 0.7" 137756 140 120045)
count("-t 2 -a 3 -d 3 -b 4 -q 0.3 -m 3 -r 5 -f 0" 1 0 1)
# Binomial; a root's branching factor below 1 is none.
count("-t 0 -b 50 -q 0.12 -m 8 -r 42" 723 17 638)
count("-t 0 -b 0.5 -q 0.12 -m 8 -r 42" 1 0 1)
# The work per child is repeated, the tree stays; and every make of SHA-1 gives it.
count("-t 0 -b 50 -q 0.12 -m 8 -r 42 -g 3" 723 17 638)
count("-t 0 -b 50 -q 0.12 -m 8 -r 42 --sha1 scalar" 723 17 638)
