/* Inside the barrier: what it and its arms in a select share. */
#ifndef FILCH_SYNC_BARRIER_H
#define FILCH_SYNC_BARRIER_H

#include "sync/line.h"

#include <filch/barrier.h>

/*
 *	flag      set by                                         cleared by
 *	BROKEN    abort, a failed action, who leaves (BREAK)     reset
 *	ACTING    the leader, while the action runs              the leader, or abort and reset
 */
#define BARRIER_BROKEN LINE_OWN(0)
#define BARRIER_ACTING LINE_OWN(1)

/*
 * Where a waiter stands; guarded.
 *
 *	BLOCKED     came while an action was running: to try again when it is over
 *	ARRIVED     counted in `filling`
 *	COMPLETE    its generation's action is running: no cancel ends the wait
 *	TOLD        `outcome` and `amount` (the index) hold, whatever ended the wait
 *	GONE        its wait was over when its generation filled: not counted
 *
 * An arm of a select is won (`won`) when its generation fills, before it is COMPLETE: from then on
 * no other arm can fire. It is woken when it is TOLD, unless it runs already and waits surely.
 */
enum standing { BLOCKED, ARRIVED, COMPLETE, TOLD, GONE };

/* What a blocked one is told; no error, as an action may return any. */
#define TRY_AGAIN 1

struct barrier_waiter {
	struct line_waiter line; /* first */
	uint64_t generation;
	struct parked parked; /* when it was won */
	enum standing standing;
	bool arm, won;
};

static inline struct barrier_waiter *barrier_waiter_of(struct list *link)
{
	return (struct barrier_waiter *)(void *)container_of(link, struct line_waiter, waiter.link);
}

static inline bool barrier_wait_is_over(const struct barrier_waiter *waiter)
{
	return !filch__park_is_waiting(waiter->line.waiter.parker, waiter->line.waiter.epoch);
}

/* Guarded: it will be woken, and then returns this. */
static inline void barrier_tell(struct barrier_waiter *waiter, int outcome, uint64_t index)
{
	waiter->line.outcome = outcome;
	waiter->line.amount = index;
	waiter->standing = TOLD;
}

/* Guarded: one whose wait has ended otherwise is not one of the generation. */
static inline void barrier_forget(struct filch_barrier *barrier, struct barrier_waiter *waiter,
				  bool *gone)
{
	waiter->standing = GONE;
	barrier->filling--;
	*gone |= !waiter->arm;
}

/* Guarded, its wait over although its generation is complete: waits for the action. */
void filch__barrier_wait_surely(struct filch_barrier *barrier, struct barrier_waiter *waiter,
				uint64_t state);
/* Guarded: no arm of this generation can lose any more, or the generation is not filled. */
bool filch__barrier_win_arms(struct filch_barrier *barrier, uint64_t *state, bool *gone);

#endif
