/* A limiter: so many borrowers at a time, each known. */
#ifndef FILCH_LIMITER_H
#define FILCH_LIMITER_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A semaphore that knows who holds what: each borrower holds at most one loan, nobody else can give
 * it back, and how many there may be can be changed at any time. Strictly first in, first out,
 * between tasks and plain threads, of any runtime. All-zero is a limiter with nothing to
 * lend; nothing is allocated: a loan lives in the borrower's memory.
 *
 *	static struct filch_limiter connections = FILCH_LIMITER_INIT(8);
 *	struct filch_loan loan;
 *
 *	status = filch_limiter_acquire(&connections, &loan);
 *	if (status < 0)
 *		return status;
 *	talk();
 *	filch_limiter_release(&connections);
 */
struct filch_loan {
	const void *borrower;
	struct filch_loan *child[4];
	uint32_t held;
	uint32_t room32;
	void *room[1];
};

struct filch_limiter {
	struct filch_line line;
	struct filch_loan *loans;
	uint32_t total;
	uint32_t borrowed;
	void *room[2];
};

#define FILCH_LIMITER_UNLIMITED UINT32_MAX

#define FILCH_LIMITER_INIT(total)                                                                  \
	{                                                                                          \
		FILCH_LINE_INIT(0), 0, (total), 0,                                                 \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

struct filch_limiter_statistics {
	uint32_t total;
	uint32_t borrowed; /* more than the total while that has been lowered */
	unsigned waiting;
	uint64_t contended; /* acquires that had to wait in line */
};

/*
 * For the calling task or thread. `loan` belongs to the limiter until it is released; it need not
 * be initialised. Context: task or thread; may park, the try_ forms do not. Order: what was done
 * before the release is seen. Returns 0, -EDEADLK when the borrower holds a loan or waits for
 * one already, -ECANCELED (nothing is borrowed), -EINVAL, -EPERM in a timer's callback.
 */
FILCH_API int filch_limiter_acquire(struct filch_limiter *limiter, struct filch_loan *loan);
/* Also -ETIMEDOUT (a deadline that has passed: without parking), -ENOMEM. */
FILCH_API int filch_limiter_acquire_until(struct filch_limiter *limiter, struct filch_loan *loan,
					  filch_time deadline);
/* -EAGAIN when it would have to wait. Looks at no scope. */
FILCH_API int filch_limiter_try_acquire(struct filch_limiter *limiter, struct filch_loan *loan);
/* On behalf of somebody: any address that is not NULL. */
FILCH_API int filch_limiter_acquire_for(struct filch_limiter *limiter, struct filch_loan *loan,
					const void *borrower);
FILCH_API int filch_limiter_acquire_for_until(struct filch_limiter *limiter,
					      struct filch_loan *loan, const void *borrower,
					      filch_time deadline);
FILCH_API int filch_limiter_try_acquire_for(struct filch_limiter *limiter, struct filch_loan *loan,
					    const void *borrower);

/* The caller's, or somebody's. Context: anywhere; does not park. 0, -EINVAL, -EPERM when that one
 * holds no loan. */
FILCH_API int filch_limiter_release(struct filch_limiter *limiter);
FILCH_API int filch_limiter_release_for(struct filch_limiter *limiter, const void *borrower);

/* Raised, it wakes as many as may go on; lowered, it takes nothing back. 0 is allowed. Context:
 * anywhere. 0, -EINVAL. */
FILCH_API int filch_limiter_set_total(struct filch_limiter *limiter, uint32_t total);

/* 0; -EBUSY when somebody waits or holds a loan. NULL is accepted. */
FILCH_API int filch_limiter_fini(struct filch_limiter *limiter);
FILCH_API void filch_limiter_get_statistics(struct filch_limiter *limiter,
					    struct filch_limiter_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
