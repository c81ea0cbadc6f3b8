/* The stack switch of this processor. */
#include "context_cases.h"

#include <criterion/criterion.h>

Test(context, switches_to_and_fro)
{
	cr_assert(case_switches_to_and_fro());
}

Test(context, preserved_registers_survive)
{
	cr_assert(case_preserved_registers_survive());
}

Test(context, entry_is_aligned)
{
	cr_assert(case_entry_is_aligned());
}

Test(context, deep_recursion_fits)
{
	cr_assert(case_deep_recursion_fits());
}

Test(context, backtrace_ends_at_the_entry)
{
	cr_assert(case_backtrace_ends_at_the_entry());
}

Test(context, goes_on_in_another_thread)
{
	cr_assert(case_goes_on_in_another_thread());
}
