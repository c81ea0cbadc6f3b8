/* A lock that parks the task, not the thread. */
#ifndef FILCH_LOCK_H
#define FILCH_LOCK_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Mutual exclusion between tasks and plain threads, of any runtime. All-zero is a
 * free lock; nothing is allocated. The owner is known: it cannot lock twice, nobody
 * else can release. Who finds the lock free takes it, even past those that wait
 * (barging); a waiter that was woken once in vain, or has waited for a millisecond when its turn
 * comes, is handed the lock by its owner. Among waiters the order is first in, first out. An
 * acquire that has to wait joins them at once, also when the task's budget is spent.
 *
 * A task or thread that ends holding the lock breaks it: waiters and later callers get
 * -EOWNERDEAD until filch_lock_repair().
 *
 *	static struct filch_lock lock;
 *
 *	status = filch_lock_acquire(&lock);
 *	if (status < 0)
 *		return status;
 *	counter++;
 *	filch_lock_release(&lock);
 */
struct filch_lock {
	struct filch_word64 state; /* the owner, and flags */
	void *waiters[2];
	struct filch_lock *held; /* the next one its owner holds */
	uint64_t contended;
	uint32_t waiting;
	uint32_t leaving; /* those woken in vain that have not come yet */
	void *room[2];
};

struct filch_lock_statistics {
	const void *owner; /* a name of the owner while it lives, to compare; NULL: none */
	bool locked;
	bool mine;	    /* the caller is the owner */
	bool broken;	    /* its owner ended holding it */
	unsigned waiting;   /* who is in the queue now */
	uint64_t contended; /* acquires that had to park */
};

/*
 * Context of the three: task or thread; the first two may park. Returns 0, -EDEADLK when the
 * caller is the owner, -EOWNERDEAD, -ECANCELED (then the lock is not held, nor if it was free),
 * -EINVAL, -EPERM in a timer's callback.
 */
FILCH_API int filch_lock_acquire(struct filch_lock *lock);
/* Also -ETIMEDOUT when it could not be had before `deadline` (one that has passed: without
 * parking), -ENOMEM. */
FILCH_API int filch_lock_acquire_until(struct filch_lock *lock, filch_time deadline);
/* Does not park, and looks at no scope: -EAGAIN when it is held. */
FILCH_API int filch_lock_try_acquire(struct filch_lock *lock);

/* Context: the owner; does not park. 0, -EINVAL, -EPERM when the caller is not the owner. The lock
 * may be freed as soon as another owner has it. */
FILCH_API int filch_lock_release(struct filch_lock *lock);

/* Makes a broken lock a free one. -EINVAL when it is not broken. Context: anywhere. */
FILCH_API int filch_lock_repair(struct filch_lock *lock);
/* 0; -EBUSY when it is held or waited for. NULL is accepted. */
FILCH_API int filch_lock_fini(struct filch_lock *lock);
/* Context: anywhere. True of one instant. */
FILCH_API void filch_lock_get_statistics(struct filch_lock *lock,
					 struct filch_lock_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
