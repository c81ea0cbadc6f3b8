/* The slow sides of the gate. */
#include "data/gate.h"

#include "base/world.h"
#include "platform/cpu.h"
#include "platform/thread.h"

/* A model makes do with fewer. */
#ifndef SPINS_FOR_OWNER
#define SPINS_FOR_OWNER 2000
#define SPINS_BEFORE_YIELD 64
#endif

/* In a simulation; raiders need not wait for us meanwhile. Not in a model, which knows no world. */
static FILCH_COLD void let_others_go_on(struct gate *gate)
{
#if !defined(FILCH_MODEL_ATOMIC)
	/* release: as in gate_leave. */
	word32_store_release(&gate->busy, 0);
	filch__world_choose(WORLD_QUEUE);
#else
	(void)gate;
#endif
}

void filch__gate_enter_slow(struct gate *gate)
{
	unsigned spins = 0;

	if (unlikely(filch__world_self() != NULL))
		let_others_go_on(gate);
	for (;;) {
		/* seq_cst: the fence of the mode without membarrier, see model_gate; the raider's
		 * cas and load of busy are its partners. */
		word32_exchange_seq_cst(&gate->busy, 1);
		/* seq_cst: pairs with the raider's cas (fenced mode) and its release. */
		if (!(word32_load_seq_cst(&gate->raid) & GATE_RAIDED))
			return;
		/* release: as in gate_leave. */
		word32_store_release(&gate->busy, 0);
		/* relaxed: a hint; the loop orders. */
		while (word32_load_relaxed(&gate->raid) & GATE_RAIDED) {
			if (++spins < SPINS_BEFORE_YIELD)
				cpu_relax();
			else
				filch__thread_yield();
		}
	}
}

bool filch__gate_try_raid(struct gate *gate)
{
	/* relaxed: the cas below decides. */
	uint32_t seen = word32_load_relaxed(&gate->raid);

	if (seen & GATE_RAIDED)
		return false;
	/* seq_cst: before the load of busy, also where the heavy barrier does nothing; its
	 * acquire half pairs with the previous raider's release. */
	if (!word32_cas_seq_cst(&gate->raid, &seen, seen | GATE_RAIDED))
		return false;
	if (!(seen & GATE_FENCED))
		filch__barrier_heavy();
	for (unsigned spins = 0; spins < SPINS_FOR_OWNER; spins++) {
		/* seq_cst: partner of the exchange in enter_slow; acquires gate_leave's release. */
		if (word32_load_seq_cst(&gate->busy) == 0)
			return true;
		cpu_relax();
	}
	filch__gate_end_raid(gate);
	return false;
}

void filch__gate_end_raid(struct gate *gate)
{
	/* release: pairs with the owner's acquire of raid in gate_enter. */
	word32_and_release(&gate->raid, ~GATE_RAIDED);
}
