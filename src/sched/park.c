/* Arm, park, unpark: one outcome per wait. */
#include "sched/park.h"

#include "base/panic.h"
#include "base/world.h"
#include "platform/futex.h"
#include "sched/worker.h"

#include <errno.h>

#define STATE(word) ((word)&15)
#define OUTCOME(word) ((enum park_outcome)((word) >> 4 & 15))
#define EPOCH(word) ((word) >> 8)
#define COMMITTED ((uint64_t)PARK_COMMITTED << 4)

/* A plain thread's parker; who may wake it is detached before its wait returns. */
static _Thread_local struct parker thread_parker __attribute__((aligned(16)));

_Static_assert(sizeof(struct parker) <= sizeof(((struct world_local *)0)->parker),
	       "a strand has room for a parker");

/* The low half of a parker's word, on which a plain thread sleeps. */
static struct filch_word32 *futex_of(struct parker *parker)
{
	struct filch_word32 *halves = (struct filch_word32 *)(void *)&parker->word;

	return &halves[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 1];
}

FILCH_NOINLINE struct parker *filch__parker_self(void)
{
	struct fiber *fiber = filch__fiber_self();
	struct world *world;

	if (fiber)
		return &fiber->parker;
	world = filch__world_self();
	return world ? (struct parker *)(void *)world->local->parker : &thread_parker;
}

uint64_t filch__park_arm(struct parker *parker)
{
	/* relaxed: only the owner writes while it runs; a stale claim fails on the state. */
	uint64_t epoch = EPOCH(word64_load_relaxed(&parker->word)) + 1;

	/* relaxed: who may wake has the epoch by something that orders (a lock, a count); without
	 * that it might read an older word and not wake, whatever this store released. */
	word64_store_relaxed(&parker->word, epoch << 8 | PARK_ARMED);
	return epoch;
}

static uint64_t sleep_thread(struct parker *parker, uint64_t epoch, filch_time deadline)
{
	for (;;) {
		/* acquire: pairs with the cas in claim. */
		uint64_t word = word64_load_acquire(&parker->word);

		if (STATE(word) == PARK_WON)
			return word;
		if (word & COMMITTED)
			deadline = FILCH_NEVER;
		if (filch__futex_wait(futex_of(parker), (uint32_t)word, deadline) == -ETIMEDOUT)
			filch__unpark(parker, epoch, PARK_TIMED_OUT);
	}
}

/* Where a parking fiber's worker goes on: at a fiber that is ready, else in a fresh loop. */
static void leave(struct fiber *self)
{
	struct worker *worker = self->worker;
	struct fiber *next = NULL;

	/* When the tick is over, by way of the loop, which looks at timers and the injection queue.
	 */
	if (unlikely(--worker->tick == 0))
		worker->tick = 1;
	else if (!worker->new_first)
		next = filch__worker_next_ready(worker);

	FILCH_ASSERT(worker->spare);
	filch__fiber_check(self);
	if (!next) {
		next = worker->spare;
		worker->spare = NULL;
		filch__fiber_prepare(next, filch__loop);
	}
	/* relaxed: a count. */
	word64_store_relaxed(&worker->stats.parks, word64_load_relaxed(&worker->stats.parks) + 1);
	filch__switch(self, next, LEFT_PARKED);
}

enum park_outcome filch__park(struct parker *parker, uint64_t epoch, filch_time deadline)
{
	uint64_t word;

	if (parker->fiber) {
		/* relaxed: only whether to leave; the load below acquires. */
		if (STATE(word64_load_relaxed(&parker->word)) != PARK_WON)
			leave(parker->fiber);
		/* acquire: pairs with the cas in claim; whoever resumed us has also
		 * handed the queues over. */
		word = word64_load_acquire(&parker->word);
	} else {
		word = sleep_thread(parker, epoch, deadline);
	}
	FILCH_CHECK(STATE(word) == PARK_WON && EPOCH(word) == epoch,
		    "a task was resumed unclaimed");
	/* relaxed: ours again. */
	word64_store_relaxed(&parker->word, epoch << 8 | PARK_RUNNING);
	return OUTCOME(word);
}

/* Is the wait undecided, and committed or not as is asked for? */
static bool is_open(uint64_t word, uint64_t epoch, uint64_t committed)
{
	return EPOCH(word) == epoch && (STATE(word) == PARK_ARMED || STATE(word) == PARK_PARKED) &&
	       (word & COMMITTED) == committed;
}

static bool claim(struct parker *parker, uint64_t epoch, uint64_t committed,
		  enum park_outcome outcome, struct parked *parked)
{
	struct fiber *fiber = parker->fiber;
	/* relaxed: the arming is behind us by whatever told us the epoch; the cas decides. */
	uint64_t word = word64_load_relaxed(&parker->word);
	uint64_t won = epoch << 8 | (uint64_t)outcome << 4 | PARK_WON;

	do {
		if (!is_open(word, epoch, committed))
			return false;
		/* acq_rel: releases what the waker gives to the loads in filch__park; acquires the
		 * context that the commit in settle has saved. */
	} while (!word64_cas_acq_rel(&parker->word, &word, won));
	/* A thread's parker may be gone from here on. */
	parked->thread = fiber ? NULL : parker;
	parked->fiber = STATE(word) == PARK_PARKED ? fiber : NULL;
	return true;
}

bool filch__park_claim(struct parker *parker, uint64_t epoch, enum park_outcome outcome,
		       struct parked *parked)
{
	return claim(parker, epoch, 0, outcome, parked);
}

void filch__park_claim_committed(struct parker *parker, uint64_t epoch, enum park_outcome outcome,
				 struct parked *parked)
{
	bool claimed = claim(parker, epoch, COMMITTED, outcome, parked);

	FILCH_CHECK(claimed, "a committed wait was ended by somebody else");
}

void filch__park_resume(const struct parked *parked)
{
	if (parked->thread)
		filch__futex_wake(futex_of(parked->thread), 1);
	else if (parked->fiber)
		filch__ready(parked->fiber->scheduler, parked->fiber);
}

bool filch__unpark(struct parker *parker, uint64_t epoch, enum park_outcome outcome)
{
	struct parked parked;

	if (!claim(parker, epoch, 0, outcome, &parked))
		return false;
	filch__park_resume(&parked);
	return true;
}

bool filch__park_commit(struct parker *parker, uint64_t epoch)
{
	/* relaxed: as in claim. */
	uint64_t word = word64_load_relaxed(&parker->word);

	do {
		if (!is_open(word, epoch, 0))
			return false;
		/* relaxed: gives and takes nothing; what settle has released goes on to the claim
		 * through it. */
	} while (!word64_cas_relaxed(&parker->word, &word, word | COMMITTED));
	return true;
}

bool filch__park_is_waiting(const struct parker *parker, uint64_t epoch)
{
	/* relaxed: a hint. */
	uint64_t word = word64_load_relaxed(&parker->word);

	return EPOCH(word) == epoch && (STATE(word) == PARK_ARMED || STATE(word) == PARK_PARKED);
}
