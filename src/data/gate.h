/* An asymmetric lock: next to nothing for its owner, a process-wide barrier for a raider. */
#ifndef FILCH_DATA_GATE_H
#define FILCH_DATA_GATE_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "platform/barrier.h"

/*
 * Guards what one worker keeps to itself (the private parts of its deques, its slot)
 * against the rare thief that must take work from an owner that is busy computing.
 *
 *	operation        excludes    how
 *	enter..leave     raid        stores busy, [light barrier], reads raid
 *	try_raid..end    enter, raid stores raid, [heavy barrier], reads busy
 *
 * Either the owner's read sees the raid (it backs off until the end), or the raider's
 * read sees busy (it waits a little, then gives up). Linearisation: the load of raid
 * that reads clear; the load of busy that reads 0. Without membarrier the bit
 * GATE_FENCED stays set and the owner's store is seq_cst instead. Model: model_gate.
 */
struct gate {
	struct filch_word32 busy;
	struct filch_word32 raid;
};

#define GATE_RAIDED 1u
#define GATE_FENCED 2u

void filch__gate_enter_slow(struct gate *gate);
/* False at once when somebody else raids, and after a bounded wait for the owner. */
bool filch__gate_try_raid(struct gate *gate);
void filch__gate_end_raid(struct gate *gate);

static FILCH_ALWAYS_INLINE void gate_enter(struct gate *gate)
{
	/* relaxed: ordered before the load of raid by the raider's heavy barrier. */
	word32_store_relaxed(&gate->busy, 1);
	barrier_light();
	/* acquire: pairs with the release in filch__gate_end_raid. */
	if (unlikely(word32_load_acquire(&gate->raid) != 0))
		filch__gate_enter_slow(gate);
}

static FILCH_ALWAYS_INLINE void gate_leave(struct gate *gate)
{
	/* release: pairs with the acquire of busy in filch__gate_try_raid. */
	word32_store_release(&gate->busy, 0);
}

#endif
