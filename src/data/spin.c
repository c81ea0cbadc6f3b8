/* The slow side of the spinlock. */
#include "data/spin.h"

#include <sched.h>

#define SPINS_BEFORE_YIELD 64

void filch__spin_wait(struct spin *spin)
{
	unsigned spins = 0;

	/* relaxed: only a hint; spin_try_acquire orders. */
	while (word32_load_relaxed(&spin->word) != 0) {
		if (++spins < SPINS_BEFORE_YIELD)
			compiler_barrier();
		else
			sched_yield();
	}
}
