/* A condition: tasks that hold a lock wait in it, without the lock, until they are notified. */
#ifndef FILCH_CONDITION_H
#define FILCH_CONDITION_H

#include <filch/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All-zero is a condition that nobody waits for. Who waits gives the lock away and parks in one
 * step: a notify by who has taken the lock since is never missed. Notified waiters move to the
 * queue of the lock, in their order; from then on neither a cancel nor a timeout ends their
 * wait, so that no notify is lost. There are no spurious wakeups.
 *
 * Every wait returns holding the lock: notified, timed out, cancelled, or refused. Only when the
 * lock's owner has ended meanwhile it is -EOWNERDEAD, and then the lock is not held.
 *
 *	filch_lock_acquire(&lock);
 *	while (!ready && status == 0)
 *		status = filch_condition_wait(&condition, &lock);
 *	...
 *	filch_lock_release(&lock);
 */
struct filch_condition {
	struct filch_word32 guard;
	uint32_t flags;
	void *waiters[2];
	struct filch_lock *lock; /* of those who wait */
	uint32_t waiting;
	uint32_t leaving; /* those who were not notified, and have not come yet */
	uint64_t notified;
	void *room[2];
};

#define FILCH_CONDITION_NOTIFY_UNLOCKED 1u /* notify does not ask for the lock */

struct filch_condition_statistics {
	unsigned waiting;  /* who is parked and not notified; then it is the lock's queue */
	uint64_t notified; /* waiters, so far */
};

/* Only needed for flags. -EINVAL. */
FILCH_API int filch_condition_init(struct filch_condition *condition, unsigned flags);
/* 0; -EBUSY when it is waited for. NULL is accepted. */
FILCH_API int filch_condition_fini(struct filch_condition *condition);

/*
 * Context: the lock's owner; parks. Returns 0 notified, -ECANCELED (at once if the caller's
 * scope is cancelled already), -EPERM the lock is not the caller's, -EBUSY others wait with another
 * lock, -EINVAL, -EOWNERDEAD (see above). The return to the lock is not ended by a cancel.
 */
FILCH_API int filch_condition_wait(struct filch_condition *condition, struct filch_lock *lock);
/* Also -ETIMEDOUT, -ENOMEM. A deadline that has passed: the lock is released and acquired again. */
FILCH_API int filch_condition_wait_until(struct filch_condition *condition, struct filch_lock *lock,
					 filch_time deadline);

/*
 * Waits until the predicate, called with the lock held, is true: asks it first, and after each
 * wake, be it by a notify, a
 * cancel or the deadline. 0 when it was true, its error, or as the wait. A deadline that has
 * passed: asks once.
 */
FILCH_API int filch_condition_wait_for(struct filch_condition *condition, struct filch_lock *lock,
				       filch_predicate_fn *predicate, void *arg);
FILCH_API int filch_condition_wait_for_until(struct filch_condition *condition,
					     struct filch_lock *lock, filch_predicate_fn *predicate,
					     void *arg, filch_time deadline);

/*
 * Notifies the first `count` of those who wait; fewer if there are fewer: nothing is remembered.
 * Who begins to wait later is not among them. Context: the lock's owner, or with
 * FILCH_CONDITION_NOTIFY_UNLOCKED anybody; does not park. 0, -EPERM (only told while somebody
 * waits: otherwise no lock is known), -EINVAL.
 */
FILCH_API int filch_condition_notify(struct filch_condition *condition, unsigned count);
FILCH_API int filch_condition_notify_all(struct filch_condition *condition);

FILCH_API void filch_condition_get_statistics(struct filch_condition *condition,
					      struct filch_condition_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
