/* The barrier as an arm of a select: who comes, and may leave without a trace. */
#include "sync/barrier.h"
#include "sync/lock.h"
#include "sync/select.h"

#include <errno.h>

/* ---- When a generation fills ---- */

/* Guarded: arms that were won for a generation that is not filled after all begin again. */
static void give_back_arms(struct filch_barrier *barrier, uint64_t *state)
{
	struct list *waiters = line_waiters(&barrier->line);

	for (struct list *link = waiters->next; link && link != waiters;) {
		struct barrier_waiter *waiter = barrier_waiter_of(link);

		link = link->next;
		if (!waiter->won)
			continue;
		barrier_tell(waiter, TRY_AGAIN, 0);
		barrier->filling--;
		*state = filch__line_unlink(&barrier->line, *state, &waiter->line);
		filch__park_resume(&waiter->parked); /* it waits for the guard before it goes */
	}
}

bool filch__barrier_win_arms(struct filch_barrier *barrier, uint64_t *state, bool *gone)
{
	struct list *waiters = line_waiters(&barrier->line);
	unsigned filling = barrier->filling;

	for (struct list *link = waiters->next; link && link != waiters; link = link->next) {
		struct barrier_waiter *waiter = barrier_waiter_of(link);
		struct waiter *wait = &waiter->line.waiter;

		if (waiter->standing != ARRIVED || !waiter->arm)
			continue;
		waiter->won =
			filch__park_claim(wait->parker, wait->epoch, PARK_GRANTED, &waiter->parked);
		if (!waiter->won)
			barrier_forget(barrier, waiter, gone);
	}
	if (barrier->filling == filling)
		return true;
	give_back_arms(barrier, state);
	return false;
}

/* ---- As an arm of a select ---- */

SELECT_ROOM_FITS(struct barrier_waiter);

static int arm_ready(struct filch_arm *arm)
{
	return filch_barrier_try_wait(arm->object, arm->value);
}

/* Guarded: would it be the last to come? And is it the first arm of its select here? */
static bool would_lead(struct filch_barrier *barrier, const struct parker *self, bool *first)
{
	struct list *waiters = line_waiters(&barrier->line);
	unsigned others = 0;

	*first = true;
	for (struct list *link = waiters->next; link && link != waiters; link = link->next) {
		struct barrier_waiter *waiter = barrier_waiter_of(link);

		if (waiter->line.waiter.parker == self)
			*first = false;
		else if (waiter->standing == ARRIVED && !barrier_wait_is_over(waiter))
			others++;
	}
	return others + 1 >= barrier->parties;
}

static bool arm_attach(struct filch_arm *arm)
{
	struct filch_barrier *barrier = arm->object;
	struct barrier_waiter *waiter = arm_waiter(arm);
	uint64_t state = filch__line_guard_to_wake(&barrier->line);
	bool acting = (state & BARRIER_ACTING) != 0, first, waits;

	waits = !(state & BARRIER_BROKEN) && !(acting && barrier->actor == filch__lock_self()) &&
		!(would_lead(barrier, waiter->line.waiter.parker, &first) && !acting);
	if (waits) {
		waiter->generation = barrier->generation;
		waiter->arm = true;
		waiter->won = false;
		waiter->standing = acting || !first ? BLOCKED : ARRIVED;
		barrier->filling += waiter->standing == ARRIVED;
		state = filch__line_link(&barrier->line, state, &waiter->line);
	}
	line_unguard(&barrier->line, state);
	return waits;
}

static int arm_detach(struct filch_arm *arm)
{
	struct filch_barrier *barrier = arm->object;
	struct barrier_waiter *waiter = arm_waiter(arm);
	uint64_t state;
	int status = filch__line_detach(&barrier->line, &state, &waiter->line);

	if (waiter->standing == COMPLETE) {
		/* Won, and running before the action is over. */
		waiter->won = false;
		filch__barrier_wait_surely(barrier, waiter, state);
		status = waiter->line.outcome;
	} else {
		if (waiter->standing == ARRIVED && waiter->generation == barrier->generation)
			barrier->filling--;
		line_unguard(&barrier->line, state);
		if (waiter->won)
			status = waiter->line.outcome;
	}
	if (status == 0 && arm->value)
		*(unsigned *)arm->value = (unsigned)waiter->line.amount;
	return status == TRY_AGAIN ? -EAGAIN : status;
}

static const struct select_kind arm_kind = { arm_ready, arm_attach, arm_detach };

struct filch_arm filch_barrier_arm(struct filch_barrier *barrier, unsigned *index)
{
	return (struct filch_arm){ .kind = &arm_kind,
				   .object = barrier && barrier->parties > 0 ? barrier : NULL,
				   .value = index };
}
