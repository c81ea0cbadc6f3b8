/* A barrier: so many meet, then all go on. */
#ifndef FILCH_BARRIER_H
#define FILCH_BARRIER_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Of `parties` tasks or plain threads, of any runtime, each waits until all have come; then it is
 * ready for the next generation. Nothing is allocated. All-zero is not a barrier.
 *
 *	static struct filch_barrier barrier = FILCH_BARRIER_INIT(3);
 *
 *	for (step = 0; step < steps; step++) {
 *		compute(step);
 *		status = filch_barrier_wait(&barrier, &index);
 *		if (status < 0)
 *			return status;
 *		if (index == 0)
 *			print(step);
 *	}
 *
 * Who is cancelled or times out while it waits takes its arrival back, and the others go on waiting
 * (FILCH_BARRIER_LEAVE); or it breaks the barrier, so that the others need not wait for what will
 * not come (FILCH_BARRIER_BREAK). A broken barrier fails every wait until it is reset.
 */
enum filch_barrier_policy { FILCH_BARRIER_LEAVE, FILCH_BARRIER_BREAK };

/*
 * Run once per generation by who arrived last, before anybody is released; it may park.
 * Negative: it has failed, and the barrier is broken. Once it has begun the generation is
 * complete: of those in it a cancel or a timeout ends no wait any more.
 */
typedef int filch_barrier_fn(void *arg);

struct filch_barrier {
	struct filch_line line;
	filch_barrier_fn *action;
	void *arg;
	uint64_t actor; /* who runs it now */
	uint64_t generation;
	uint32_t parties;
	uint32_t filling; /* arrivals of this generation that are in line */
	uint32_t policy;
	uint32_t room32;
	void *room[2];
};

#define FILCH_BARRIER_INIT(parties)                                                                \
	{                                                                                          \
		FILCH_LINE_INIT(0), 0, 0, 0, 0, (parties), 0, FILCH_BARRIER_LEAVE, 0,              \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

struct filch_barrier_options {
	size_t size; /* sizeof(struct filch_barrier_options) */
	enum filch_barrier_policy policy;
	filch_barrier_fn *action;
	void *arg;
	void *room[2];
};

struct filch_barrier_statistics {
	unsigned parties;
	unsigned waiting; /* of the generation that is filling */
	bool broken;
	uint64_t generation; /* those that are over, resets and aborts included */
	uint64_t contended;  /* waits that had to park */
};

/* `options` NULL: defaults. 0, -EINVAL when `parties` is 0 or an option is out of range. */
FILCH_API int filch_barrier_init(struct filch_barrier *barrier, unsigned parties,
				 const struct filch_barrier_options *options);

/*
 * Context: task or thread; may park. Order: what the others did before they came is seen. Returns 0
 * and the index (may be NULL), 0 to parties - 1, each once: 0 is the leader, which came last, the
 * others are in the order they came. -ENOTRECOVERABLE when the barrier is broken or reset,
 * -ECANCELED, -EINVAL, -EDEADLK from its own action, -EPERM in a timer's callback; the leader
 * returns the failure of the action. A call that is cancelled before it begins has not come.
 */
FILCH_API int filch_barrier_wait(struct filch_barrier *barrier, unsigned *index);
/* Also -ETIMEDOUT (a deadline that has passed: without parking), -ENOMEM. */
FILCH_API int filch_barrier_wait_until(struct filch_barrier *barrier, unsigned *index,
				       filch_time deadline);
/* Only as the last one; else -EAGAIN, and it has not come. Looks at no scope. */
FILCH_API int filch_barrier_try_wait(struct filch_barrier *barrier, unsigned *index);

/* Both: context: anywhere; do not park. 0, -EINVAL. Who waits gets -ENOTRECOVERABLE, those whose
 * action runs, too; who has been released keeps its success. */
/* Empty and whole again. */
FILCH_API int filch_barrier_reset(struct filch_barrier *barrier);
/* Broken until it is reset. */
FILCH_API int filch_barrier_abort(struct filch_barrier *barrier);

/* 0; -EBUSY when somebody waits. NULL is accepted. */
FILCH_API int filch_barrier_fini(struct filch_barrier *barrier);
FILCH_API void filch_barrier_get_statistics(struct filch_barrier *barrier,
					    struct filch_barrier_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
