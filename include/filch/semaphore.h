/* A semaphore: permits, handed out first come, first served. */
#ifndef FILCH_SEMAPHORE_H
#define FILCH_SEMAPHORE_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A count of permits that tasks and plain threads, of any runtime, acquire and release. All-zero is
 * a semaphore without permits and without a bound; nothing is allocated.
 *
 * Strictly first in, first out: released permits go to who has waited longest, and nobody
 * gets past somebody who waits. An acquire of many is all or nothing, and blocks those behind
 * it until there are enough for it (head-of-line blocking): so it cannot starve, and small ones
 * wait although permits are free.
 *
 *	static struct filch_semaphore slots = FILCH_SEMAPHORE_INIT(4);
 *
 *	status = filch_semaphore_acquire(&slots);
 *	if (status < 0)
 *		return status;
 *	fetch();
 *	filch_semaphore_release(&slots);
 */
struct filch_semaphore {
	struct filch_line line;
	int64_t bound; /* 0: none */
	void *room[2];
};

#define FILCH_SEMAPHORE_INIT(permits)                                                              \
	{                                                                                          \
		FILCH_LINE_INIT(permits), 0,                                                       \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

/* The most permits there can be. */
#define FILCH_SEMAPHORE_MAX (INT64_C(1) << 54)

struct filch_semaphore_statistics {
	int64_t permits; /* free now; may be more than 0 while the first in line wants more */
	bool locked;	 /* an acquire of one would wait */
	bool closed;
	unsigned waiting;   /* who is in line */
	uint64_t contended; /* acquires that had to wait in line */
};

/* -EINVAL when `permits` is negative or above the maximum. */
FILCH_API int filch_semaphore_init(struct filch_semaphore *semaphore, int64_t permits);
/* There are never more than `bound` permits (at least 1): releasing more is an error. */
FILCH_API int filch_semaphore_init_bounded(struct filch_semaphore *semaphore, int64_t permits,
					   int64_t bound);
/* 0; -EBUSY when somebody waits. NULL is accepted. */
FILCH_API int filch_semaphore_fini(struct filch_semaphore *semaphore);

/*
 * Takes one permit, or `permits` at once. Context: task or thread; may park, the try_ forms do not.
 * Order: what was done before the release is seen. Returns 0, -ECANCELED (none is taken, also
 * when some are free), -EPIPE when it is closed, -EINVAL (also for more than there can be),
 * -EPERM in a timer's callback.
 */
FILCH_API int filch_semaphore_acquire(struct filch_semaphore *semaphore);
FILCH_API int filch_semaphore_acquire_many(struct filch_semaphore *semaphore, int64_t permits);
/* Also -ETIMEDOUT (a deadline that has passed: without parking), -ENOMEM. */
FILCH_API int filch_semaphore_acquire_until(struct filch_semaphore *semaphore, filch_time deadline);
FILCH_API int filch_semaphore_acquire_many_until(struct filch_semaphore *semaphore, int64_t permits,
						 filch_time deadline);
/* -EAGAIN when it would have to wait, be it only because others do. Looks at no scope. */
FILCH_API int filch_semaphore_try_acquire(struct filch_semaphore *semaphore);
FILCH_API int filch_semaphore_try_acquire_many(struct filch_semaphore *semaphore, int64_t permits);

/* Context: anywhere; does not park. 0, -EINVAL, -EOVERFLOW beyond the bound or the maximum: nothing
 * is released. The semaphore may be freed as soon as who waited for it has the permit. */
FILCH_API int filch_semaphore_release(struct filch_semaphore *semaphore);
FILCH_API int filch_semaphore_release_many(struct filch_semaphore *semaphore, int64_t permits);

/* Takes away up to `permits` free ones for good; how many in *taken (may be NULL). The bound stays.
 * Context: anywhere. 0, -EINVAL. */
FILCH_API int filch_semaphore_reduce(struct filch_semaphore *semaphore, int64_t permits,
				     int64_t *taken);
/* Who waits and whoever comes gets -EPIPE; releases still count. Never opens again. Context:
 * anywhere. 0, -EINVAL, -EPIPE when it is closed already. */
FILCH_API int filch_semaphore_close(struct filch_semaphore *semaphore);

/* Context: anywhere. True of one instant. */
FILCH_API void filch_semaphore_get_statistics(struct filch_semaphore *semaphore,
					      struct filch_semaphore_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
