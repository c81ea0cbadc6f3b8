/* The one waiting function: grant, deadline and cancel race for one outcome. */
#ifndef FILCH_WAKE_WAIT_H
#define FILCH_WAKE_WAIT_H

#include "data/list.h"
#include "sched/park.h"

#include <stddef.h>

/*
 * A wait, in the waiter's frame. In order:
 *	waiter_begin                   arms the park word
 *	link it into the object        under the object's lock, after a last look
 *	filch__waiter_wait             parks; 0 or the error
 *	unlink it when still linked    under the lock, unless granted
 * The waker, under the lock: unlinks it, writes what it gives, then waiter_grant. When that returns
 * false the wait had ended otherwise: give it to the next. After true the waiter may be gone.
 */
struct waiter {
	struct list link;
	struct parker *parker;
	uint64_t epoch;
	enum park_outcome outcome; /* 0, or what a waker has won it for: for who waits in several
				      lists at once. Guarded as the link is */
	/* For who asks what a parked task waits for. May be set between begin and wait. */
	const struct waited *what;
	const void *object;
};

/* One per kind of object. Its functions may be NULL, and are called while nothing runs. */
struct waited {
	const char *name; /* "a lock" */
	/* The nth of those who keep the waiter waiting, as filch__lock_self calls them; 0: there
	 * are no more. */
	uint64_t (*holder)(const void *object, unsigned n);
	/* What else there is to say. */
	void (*describe)(const void *object, char *text, size_t size);
};

static inline void waiter_says(struct waiter *waiter, const struct waited *what, const void *object)
{
	waiter->what = what;
	waiter->object = object;
}

void filch__waiter_begin(struct waiter *waiter);
/* 0 granted, -ETIMEDOUT, -ECANCELED, -EPIPE closed, -ENOMEM no room for the timer. */
int filch__waiter_wait(struct waiter *waiter, filch_time deadline);
/* The same for a wait that a cancel does not end: a join. Only ever granted. */
void filch__waiter_wait_surely(struct waiter *waiter);
/* Before filch__waiter_wait: the caller found that it need not wait. Nobody else knows the waiter.
 */
void filch__waiter_abort(struct waiter *waiter);

/* Ends the wait with `outcome`; the same rules for both. */
static inline bool waiter_end(struct waiter *waiter, enum park_outcome outcome)
{
	waiter->outcome = outcome;
	if (likely(filch__unpark(waiter->parker, waiter->epoch, outcome)))
		return true;
	waiter->outcome = PARK_UNDECIDED;
	return false;
}

static inline bool waiter_grant(struct waiter *waiter)
{
	return waiter_end(waiter, PARK_GRANTED);
}

/* Parks for nothing but time: -ETIMEDOUT at the deadline, or -ECANCELED. */
int filch__wait_sleep(filch_time deadline);

/* A deadline that has passed: the call polls once, and does not park. */
bool filch__wait_is_over(filch_time deadline);
/* What a blocking call does first: -ECANCELED, or charges the budget (and may yield) and 0. */
int filch__wait_enter(void);
/* The same for who finds that it has to wait: its place in the queue does not wait for a yield. */
int filch__wait_enter_queue(void);
/* Lets every other ready task go first. Only in a task. */
void filch__wait_yield(struct fiber *self);
/* Lets who waits for this worker go first (timers due, ready tasks, the injection queue), before
 * any new task. */
void filch__wait_breathe(struct fiber *self);

#endif
