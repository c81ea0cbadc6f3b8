/* The slow side of the spinlock. */
#include "data/spin.h"

#include "base/world.h"
#include "platform/thread.h"

#define SPINS_BEFORE_YIELD 64

void filch__spin_wait(struct spin *spin)
{
	unsigned spins = 0;

	/* relaxed: only a hint; spin_try_acquire orders. */
	while (word32_load_relaxed(&spin->word) != 0) {
		if (++spins < SPINS_BEFORE_YIELD && !filch__world_self())
			compiler_barrier();
		else
			filch__thread_yield();
	}
}
