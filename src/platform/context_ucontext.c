/* Stack switch for any POSIX processor: ucontext, slower by a system call each way. */
#include "platform/context.h"

#include <stdint.h>
#include <ucontext.h>

/* makecontext passes ints: pointers travel in halves. */
static void *join_halves(unsigned high, unsigned low)
{
	return (void *)(uintptr_t)((uint64_t)high << 32 | low);
}

static void start(unsigned entry_high, unsigned entry_low, unsigned arg_high, unsigned arg_low)
{
	void *entry = join_halves(entry_high, entry_low);

	((void (*)(void *))(uintptr_t)entry)(join_halves(arg_high, arg_low));
	__builtin_trap();
}

/* The context is a ucontext_t on the stack that is being left. */
void filch__context_switch(void **save, void *load)
{
	ucontext_t here;

	*save = &here;
	if (swapcontext(&here, load) != 0)
		__builtin_trap();
}

/* Here it stands at the top of the new stack, out of the way of its frames. */
void *filch__context_make(void *lo, size_t size, void (*entry)(void *), void *arg)
{
	uintptr_t top = ((uintptr_t)lo + size - sizeof(ucontext_t)) & ~(uintptr_t)63;
	ucontext_t *context = (ucontext_t *)top;
	uint64_t fn = (uintptr_t)entry;
	uint64_t value = (uintptr_t)arg;

	if (getcontext(context) != 0)
		__builtin_trap();
	context->uc_stack.ss_sp = lo;
	context->uc_stack.ss_size = top - (uintptr_t)lo;
	context->uc_link = NULL;
	makecontext(context, (void (*)(void))start, 4, (unsigned)(fn >> 32), (unsigned)fn,
		    (unsigned)(value >> 32), (unsigned)value);
	return context;
}
