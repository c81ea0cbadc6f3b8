/* What a primitive gives so that one can select over it: three functions. */
#ifndef FILCH_SYNC_SELECT_H
#define FILCH_SYNC_SELECT_H

#include "wake/wait.h"

#include <filch/select.h>

/*
 * The life of an arm in a select:
 *
 *	ready    of each arm in turn, until one is. Nothing of the select is in any list.
 *	attach   of each arm in turn, all under one epoch of the caller's park word. If one could
 *		 be had now, the select gives up its wait, detaches all and begins again: no arm
 *		 is carried out by its own select while another might be granted.
 *	detach   of each that was attached. At most one has been won by its waker.
 *
 * A waker does what it does for any waiter (wait.h): unlink, write what it gives, waiter_grant (or
 * waiter_end), take it back when that returns false. One that has woken the select and has nothing
 * for it after all lets it begin again. All three are called without a guard.
 */
struct select_kind {
	/* The try_ form: -EAGAIN, or what the arm fires with. */
	int (*ready)(struct filch_arm *arm);
	/*
	 * Under the object's guard: true: its waiter is linked. False: ready would now say
	 * otherwise than -EAGAIN. To be overlooked there: waiters of the caller's own parker.
	 */
	bool (*attach)(struct filch_arm *arm);
	/*
	 * Under the object's guard: unlinks the waiter if it is still linked (and settles what its
	 * leaving changes for others). Then -EAGAIN when its outcome is PARK_UNDECIDED, else what
	 * the arm fires with.
	 */
	int (*detach)(struct filch_arm *arm);
};

/* The arm's waiter, or what begins with one, in its room; begun by the select. */
static inline void *arm_waiter(struct filch_arm *arm)
{
	return arm->room;
}

#define SELECT_ROOM_FITS(type)                                                                     \
	_Static_assert(sizeof(type) <= sizeof(((struct filch_arm *)0)->room),                      \
		       "struct filch_arm has room for its waiter")

/* Is anybody in the list but waits of `self`? Under the object's guard. */
static inline bool list_has_other(const struct list *waiters, const struct parker *self)
{
	for (const struct list *link = waiters->next; link && link != waiters; link = link->next)
		if (container_of(link, struct waiter, link)->parker != self)
			return true;
	return false;
}

#endif
