/* The park word of src/sched/park.c as a plain thread uses it, for the models of what waits. */
#ifndef FILCH_MODEL_MIRROR_PARK_H
#define FILCH_MODEL_MIRROR_PARK_H

#include "model.h"

/*
 * The functions mirror those of the same name. model_park has the orders and the fibers; here
 * they are as they should be. A thread with a deadline finds that it has passed as soon as it
 * has to sleep: when that is in the others' time is the scheduler's choice.
 */
#define STATE(word) ((word)&15)
#define OUTCOME(word) ((int)((word) >> 4 & 15))
#define EPOCH(word) ((word) >> 8)
#define COMMITTED (UINT64_C(8) << 4)

enum park_state { PARK_RUNNING, PARK_ARMED, PARK_PARKED, PARK_WON };

enum park_outcome { PARK_GRANTED = 1, PARK_TIMED_OUT = 2 };

struct parker {
	struct filch_word64 word;
};

static uint64_t filch__park_arm(struct parker *parker)
{
	uint64_t epoch = EPOCH(word64_load_relaxed(&parker->word)) + 1;

	word64_store_relaxed(&parker->word, epoch << 8 | PARK_ARMED);
	return epoch;
}

static bool is_open(uint64_t word, uint64_t epoch, uint64_t committed)
{
	return EPOCH(word) == epoch && (STATE(word) == PARK_ARMED || STATE(word) == PARK_PARKED) &&
	       (word & COMMITTED) == committed;
}

static bool park_claim(struct parker *parker, uint64_t epoch, uint64_t committed, int outcome)
{
	uint64_t word = word64_load_relaxed(&parker->word);
	uint64_t won = epoch << 8 | (uint64_t)outcome << 4 | PARK_WON;

	do {
		if (!is_open(word, epoch, committed))
			return false;
	} while (!word64_cas_acq_rel(&parker->word, &word, won));
	return true;
}

static bool filch__park_claim(struct parker *parker, uint64_t epoch, int outcome)
{
	return park_claim(parker, epoch, 0, outcome);
}

static void filch__park_claim_committed(struct parker *parker, uint64_t epoch, int outcome)
{
	model::require(park_claim(parker, epoch, COMMITTED, outcome),
		       "only the lock ends a committed wait");
}

static void filch__park_resume(struct parker *parker)
{
	model::wake_on(model::atomic_of(&parker->word));
}

static bool filch__park_commit(struct parker *parker, uint64_t epoch)
{
	uint64_t word = word64_load_relaxed(&parker->word);

	do {
		if (!is_open(word, epoch, 0))
			return false;
	} while (!word64_cas_relaxed(&parker->word, &word, word | COMMITTED));
	return true;
}

/* The outcome. */
static int filch__park(struct parker *parker, uint64_t epoch, bool has_deadline)
{
	for (;;) {
		uint64_t word = word64_load_acquire(&parker->word);

		if (STATE(word) == PARK_WON) {
			model::require(EPOCH(word) == epoch, "resumed as claimed");
			word64_store_relaxed(&parker->word, epoch << 8 | PARK_RUNNING);
			return OUTCOME(word);
		}
		if (has_deadline && !(word & COMMITTED))
			filch__park_claim(parker, epoch, PARK_TIMED_OUT);
		else
			model::sleep_on(model::atomic_of(&parker->word), word);
	}
}

#endif
