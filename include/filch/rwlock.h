/* A lock for many readers or one writer, in the order they came. */
#ifndef FILCH_RWLOCK_H
#define FILCH_RWLOCK_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All-zero is a free lock. Tasks and plain threads of any runtime are served first in, first
 * out: a reader that comes while somebody waits joins the queue, so no writer starves, and
 * no reader. A release hands the lock to the writer at the head of the queue, or to all the
 * readers there up to the next writer. A writer that gives up waiting lets those behind it in.
 *
 * A writer may become a reader, with no other writer in between. One reader at a time may ask to
 * become the writer: it goes before the queue when the other readers have left.
 *
 * Who holds the lock and would have to wait for it is told -EDEADLK. For readers this, and the
 * -EPERM of filch_rwlock_release_read, are sure while there are at most FILCH_RWLOCK_KNOWN of
 * them: the others are only counted. Whoever takes the lock must release it before it ends.
 *
 *	static struct filch_rwlock lock;
 *
 *	status = filch_rwlock_acquire_read(&lock);
 *	if (status < 0)
 *		return status;
 *	value = table[key];
 *	filch_rwlock_release_read(&lock);
 */
#define FILCH_RWLOCK_KNOWN 8

struct filch_rwlock {
	struct filch_word32 guard;
	uint32_t limit; /* of readers; 0: none */
	uint32_t readers;
	uint32_t waiting;
	uint32_t leaving; /* those who were passed over and have not come yet */
	uint32_t room32;
	uint64_t contended;
	uint64_t writer;
	uint64_t known[FILCH_RWLOCK_KNOWN]; /* readers */
	void *waiters[2];
	void *upgrader;
	void *room[2];
};

struct filch_rwlock_statistics {
	unsigned readers;
	bool written;	    /* a writer has it */
	bool mine;	    /* the caller is the writer */
	unsigned waiting;   /* readers, writers and the upgrader that are parked now */
	uint64_t contended; /* calls that had to park */
};

/* Only needed for a limit: how many may read at once. -EINVAL when it is 0. */
FILCH_API int filch_rwlock_init(struct filch_rwlock *lock, unsigned most_readers);
/* 0; -EBUSY when it is held or waited for. NULL is accepted. */
FILCH_API int filch_rwlock_fini(struct filch_rwlock *lock);

/*
 * Context: task or thread; may park. Returns 0, -EDEADLK when the caller has the lock and
 * would have to wait (it may read twice while nobody waits), -ECANCELED (then nothing is held),
 * -EINVAL, -EPERM in a timer's callback. The _until forms also -ETIMEDOUT (a deadline that has
 * passed: without parking) and -ENOMEM.
 */
FILCH_API int filch_rwlock_acquire_read(struct filch_rwlock *lock);
FILCH_API int filch_rwlock_acquire_read_until(struct filch_rwlock *lock, filch_time deadline);
FILCH_API int filch_rwlock_acquire_write(struct filch_rwlock *lock);
FILCH_API int filch_rwlock_acquire_write_until(struct filch_rwlock *lock, filch_time deadline);
/* Do not park, and look at no scope: also -EAGAIN when somebody holds it or is before the caller.
 */
FILCH_API int filch_rwlock_try_acquire_read(struct filch_rwlock *lock);
FILCH_API int filch_rwlock_try_acquire_write(struct filch_rwlock *lock);

/* Context: who holds it so; does not park. 0, -EINVAL, -EPERM when the caller does not. The lock
 * may be freed as soon as another has been given it. */
FILCH_API int filch_rwlock_release_read(struct filch_rwlock *lock);
FILCH_API int filch_rwlock_release_write(struct filch_rwlock *lock);

/* The writer goes on as a reader, with the readers at the head of the queue. Does not park. 0,
 * -EINVAL, -EPERM when the caller is not the writer. */
FILCH_API int filch_rwlock_downgrade(struct filch_rwlock *lock);
/* The same if the predicate, called by the writer, says 1; when it says 0 -EAGAIN, else its error:
 * then the caller is the writer as before. */
FILCH_API int filch_rwlock_downgrade_if(struct filch_rwlock *lock, filch_predicate_fn *predicate,
					void *arg);

/*
 * The reader goes on as the writer. Context: a reader; parks until the other readers have left.
 * As filch_rwlock_acquire_write, and -EDEADLK when another reader is waiting for the same, or
 * the caller reads twice; -EPERM when it does not read. After an error it reads as before.
 */
FILCH_API int filch_rwlock_upgrade(struct filch_rwlock *lock);
FILCH_API int filch_rwlock_upgrade_until(struct filch_rwlock *lock, filch_time deadline);
FILCH_API int filch_rwlock_try_upgrade(struct filch_rwlock *lock);

/* Context: anywhere. True of one instant. */
FILCH_API void filch_rwlock_get_statistics(struct filch_rwlock *lock,
					   struct filch_rwlock_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
