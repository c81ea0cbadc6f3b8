/* Once: one initialiser runs, the others wait for it; a failure is not remembered. */
#ifndef FILCH_ONCE_H
#define FILCH_ONCE_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Of all tasks and plain threads that come, of any runtime, one runs its function; the others wait
 * until it has succeeded. When it fails, or is cancelled, the next one that waits runs its own.
 * All-zero is a once that nobody has run; nothing is allocated.
 *
 *	static struct filch_once loaded;
 *
 *	status = filch_once_run(&loaded, load_table, NULL);
 *	if (status < 0)
 *		return status;
 *	use_table();
 */
struct filch_once {
	struct filch_line line;
	uint64_t owner; /* who runs it now */
	void *room[2];
};

#define FILCH_ONCE_INIT                                                                            \
	{                                                                                          \
		FILCH_LINE_INIT(0), 0,                                                             \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

/* 0 or positive: done. Negative: it has failed. It may park. */
typedef int filch_once_fn(void *arg);

struct filch_once_statistics {
	bool done;
	bool running;
	unsigned waiting;
	uint64_t contended; /* calls that had to park */
};

/*
 * Context: task or thread; may park. Order: what the initialiser did is seen. Returns 0 when it is
 * done, by whomever; the failure of the caller's own fn; -EDEADLK from inside the initialiser,
 * -ECANCELED (also when it is done), -EINVAL, -EPERM in a timer's callback.
 */
FILCH_API int filch_once_run(struct filch_once *once, filch_once_fn *fn, void *arg);
/* The deadline is for the waiting, not for fn. Also -ETIMEDOUT (a deadline that has passed: without
 * parking), -ENOMEM. */
FILCH_API int filch_once_run_until(struct filch_once *once, filch_once_fn *fn, void *arg,
				   filch_time deadline);
/* -EAGAIN when somebody else is at it. Looks at no scope; fn may park. */
FILCH_API int filch_once_try_run(struct filch_once *once, filch_once_fn *fn, void *arg);
/* Done, without a function. 0, -EBUSY while somebody is at it, -EALREADY, -EINVAL. Context:
 * anywhere.
 */
FILCH_API int filch_once_set(struct filch_once *once);
/* True: with the order of a run. Context: anywhere. */
FILCH_API bool filch_once_is_done(const struct filch_once *once);

/* 0; -EBUSY when somebody runs it. NULL is accepted. */
FILCH_API int filch_once_fini(struct filch_once *once);
FILCH_API void filch_once_get_statistics(struct filch_once *once,
					 struct filch_once_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
