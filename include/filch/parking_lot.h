/* A parking lot: a line one can wait in, with nothing to wait for; to build primitives of. */
#ifndef FILCH_PARKING_LOT_H
#define FILCH_PARKING_LOT_H

#include <filch/line.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Tasks and plain threads, of any runtime, park in it in order, until somebody unparks
 * them. Nothing is remembered: who parks after an unpark is not woken by it. All-zero is
 * an empty lot; nothing is allocated.
 *
 *	static struct filch_parking_lot idle;
 *
 *	filch_parking_lot_park(&idle);			the workers of a pool
 *	filch_parking_lot_unpark(&idle, 2, &woken);	wakes the two that parked first
 */
struct filch_parking_lot {
	struct filch_line line;
	void *room[2];
};

#define FILCH_PARKING_LOT_INIT                                                                     \
	{                                                                                          \
		FILCH_LINE_INIT(0),                                                                \
		{                                                                                  \
			0, 0                                                                       \
		}                                                                                  \
	}

#define FILCH_PARKING_LOT_ALL SIZE_MAX

struct filch_parking_lot_statistics {
	bool broken;
	unsigned waiting;
	uint64_t parked; /* how often somebody did */
};

/* Context: task or thread; parks. Order: what was done before the unpark is seen. Returns 0,
 * -ENOTRECOVERABLE when the lot is broken, -ECANCELED, -EINVAL, -EPERM in a timer's callback. */
FILCH_API int filch_parking_lot_park(struct filch_parking_lot *lot);
/* Also -ETIMEDOUT (a deadline that has passed: without parking), -ENOMEM. */
FILCH_API int filch_parking_lot_park_until(struct filch_parking_lot *lot, filch_time deadline);

/* Wakes up to `count`, oldest first; how many in *woken (may be NULL). Context: anywhere; does
 * not park. 0, -EINVAL. */
FILCH_API int filch_parking_lot_unpark(struct filch_parking_lot *lot, size_t count, size_t *woken);
/* Moves up to `count`, oldest first, to the end of another lot, where they go on waiting; how many
 * in *moved (may be NULL). Context: anywhere. 0, -EINVAL, -ENOTRECOVERABLE when `to` is broken. */
FILCH_API int filch_parking_lot_repark(struct filch_parking_lot *from, struct filch_parking_lot *to,
				       size_t count, size_t *moved);
/* Who is parked and whoever comes gets -ENOTRECOVERABLE. Context: anywhere. 0, -EINVAL, -EALREADY.
 */
FILCH_API int filch_parking_lot_break(struct filch_parking_lot *lot);

/* 0; -EBUSY when somebody is parked. NULL is accepted. */
FILCH_API int filch_parking_lot_fini(struct filch_parking_lot *lot);
FILCH_API void filch_parking_lot_get_statistics(struct filch_parking_lot *lot,
						struct filch_parking_lot_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
