/* The portable stack switch, built here under other names beside the library's own. */
#define filch__context_switch ucontext_switch
#define filch__context_make ucontext_make
#include "platform/context_ucontext.c"

#include "context_cases.h"

#include <criterion/criterion.h>

Test(context_ucontext, switches_to_and_fro)
{
	cr_assert(case_switches_to_and_fro());
}

Test(context_ucontext, preserved_registers_survive)
{
	cr_assert(case_preserved_registers_survive());
}

Test(context_ucontext, entry_is_aligned)
{
	cr_assert(case_entry_is_aligned());
}

Test(context_ucontext, deep_recursion_fits)
{
	cr_assert(case_deep_recursion_fits());
}

Test(context_ucontext, backtrace_ends_at_the_entry)
{
	cr_assert(case_backtrace_ends_at_the_entry());
}

Test(context_ucontext, goes_on_in_another_thread)
{
	cr_assert(case_goes_on_in_another_thread());
}
