/* Inside the lock: what conditions and the end of a task need of it. */
#ifndef FILCH_SYNC_LOCK_H
#define FILCH_SYNC_LOCK_H

#include "wake/wait.h"

#include "base/compiler.h"

#include <filch/lock.h>

/*
 * state = owner | flags; the owner is an address, 0 when the lock is free
 *
 *	flag     set by                                  cleared by
 *	GUARD    who changes the list of waiters         the same, with the last store
 *	WAITED   who joins the list                      who takes the last one out
 *	BROKEN   the end of an owner                     filch_lock_repair
 *	WOKEN    who wakes the first of the list         who takes that one out
 *
 * The short paths set the owner and clear it where nobody waits, or the first one is on its way
 * (ON_ITS_WAY): then a release has nobody to wake. All else is done by who has set GUARD, whose
 * last touch of the lock is the store that clears it: after that the lock may be gone.
 *
 * A waiter is in the list from its joining until it has the lock or has given up. Woken, it stays
 * there: it comes and tries, and a release meanwhile leaves the lock free for whoever is
 * first, or hands it to the waiter on its way. Hence: when the lock is free and somebody waits, the
 * first of them is woken.
 */
#define LOCK_GUARD UINT64_C(1)
#define LOCK_WAITED UINT64_C(2)
#define LOCK_BROKEN UINT64_C(4)
#define LOCK_WOKEN UINT64_C(8)
#define LOCK_FLAGS UINT64_C(15)
#define LOCK_ON_ITS_WAY (LOCK_WAITED | LOCK_WOKEN)

struct filch__task;

/* One acquire that waits, in its caller's frame. The lock's guard guards it once it has joined. */
struct lock_waiter {
	struct waiter waiter; /* first */
	uint64_t owner;	      /* who will hold the lock */
	filch_time since;
	bool joined;	/* has been in the list */
	bool woken;	/* on its way to try */
	bool tried;	/* woken once already, in vain */
	bool committed; /* a condition's: only the lock ends its wait */
	bool select;	/* an arm's: only handed the lock, never woken to try */
};

/* Whom the lock would belong to: the caller's task, or thread. */
uint64_t filch__lock_self(void);
bool filch__lock_is_mine(const struct filch_lock *lock);
/* Acquires although a cancel is pending: for who must not return without. 0, -EOWNERDEAD. */
int filch__lock_acquire_surely(struct filch_lock *lock);
/* Waiters whose waits are committed join the list, in their order, and are woken as it comes to
 * them. The last touch of the lock. */
void filch__lock_queue(struct filch_lock *lock, struct list *waiters);
/* What such a waiter does after its wait: 0 and the lock is the caller's, or -EOWNERDEAD. */
int filch__lock_come(struct filch_lock *lock, struct lock_waiter *waiter);

/* lock_held.c. The first two by the owner alone, while it is. */
void filch__lock_note_held(struct filch_lock *lock);
void filch__lock_forget_held(const struct filch_lock *lock);
/* Its owner has ended. */
FILCH_COLD void filch__lock_break(struct filch_lock *lock);
/* Breaks what an ending task still holds. */
FILCH_COLD void filch__locks_break(struct filch__task *task);

#endif
