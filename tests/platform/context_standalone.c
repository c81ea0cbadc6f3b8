/* The same cases without Criterion, for processors that only an emulator runs here:
 * aarch64-linux-gnu-gcc -static ... && qemu-aarch64 ./context_standalone */
#include "context_cases.h"

static const struct {
	const char *name;
	bool (*holds)(void);
} cases[] = {
	{ "switches_to_and_fro", case_switches_to_and_fro },
	{ "preserved_registers_survive", case_preserved_registers_survive },
	{ "entry_is_aligned", case_entry_is_aligned },
	{ "deep_recursion_fits", case_deep_recursion_fits },
	{ "backtrace_ends_at_the_entry", case_backtrace_ends_at_the_entry },
	{ "goes_on_in_another_thread", case_goes_on_in_another_thread },
};

int main(void)
{
	int failures = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool holds = cases[i].holds();

		printf("%s %s\n", holds ? "ok  " : "FAIL", cases[i].name);
		failures += !holds;
	}
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
