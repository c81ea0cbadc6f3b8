/* A latch, or wait group: counts what is still to be done; who waits goes on at zero. */
#ifndef FILCH_LATCH_H
#define FILCH_LATCH_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A count that tasks and plain threads, of any runtime, raise and lower. All-zero is a latch at
 * zero; nothing is allocated.
 *
 *	static struct filch_latch left = FILCH_LATCH_INIT(2);
 *
 *	filch_latch_done(&left, 1);	each of the two, when it is ready
 *	filch_latch_wait(&left);	whoever needs both
 *
 * From zero it can be raised again, for another round. Raise it before what is counted can be done,
 * and before anybody waits: a wait that comes before the raise finds zero and returns. To wait for
 * tasks a group needs no latch: it counts a child before it can run.
 */
struct filch_latch {
	struct filch_line line;
	void *room[2];
};

#define FILCH_LATCH_INIT(count)                                                                    \
	{                                                                                          \
		FILCH_LINE_INIT(count),                                                            \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

#define FILCH_LATCH_MAX (UINT64_C(1) << 54)

struct filch_latch_statistics {
	uint64_t count;
	unsigned waiting;
	uint64_t contended; /* waits that had to park */
};

/* Both: context: anywhere; do not park. 0, -EINVAL, -EOVERFLOW (below zero, above the maximum):
 * nothing is changed. */
FILCH_API int filch_latch_add(struct filch_latch *latch, uint64_t count);
/* The latch may be freed as soon as who waited goes on. */
FILCH_API int filch_latch_done(struct filch_latch *latch, uint64_t count);

/* Context: task or thread; may park. Order: what was done before each filch_latch_done is seen.
 * Returns 0, -ECANCELED (also at zero), -EINVAL, -EPERM in a timer's callback. */
FILCH_API int filch_latch_wait(struct filch_latch *latch);
/* Also -ETIMEDOUT (a deadline that has passed: without parking), -ENOMEM. */
FILCH_API int filch_latch_wait_until(struct filch_latch *latch, filch_time deadline);
/* 0 at zero, else -EAGAIN. Looks at no scope. */
FILCH_API int filch_latch_try_wait(struct filch_latch *latch);

/* 0; -EBUSY when somebody waits. NULL is accepted. */
FILCH_API int filch_latch_fini(struct filch_latch *latch);
FILCH_API void filch_latch_get_statistics(struct filch_latch *latch,
					  struct filch_latch_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
