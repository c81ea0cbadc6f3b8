/* One value, from one who promises it to one who waits for it. */
#ifndef FILCH_ONESHOT_H
#define FILCH_ONESHOT_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *	int answer, memory;
 *	struct filch_oneshot oneshot;
 *
 *	filch_oneshot_init(&oneshot, sizeof(int), &memory);
 *	filch_group_spawn(&group, compute, &oneshot);	puts, or abandons
 *	status = filch_oneshot_get(&oneshot, &answer);
 *
 * All-zero is one for a value of no size.
 */
struct filch_oneshot {
	struct filch_word32 guard;
	uint32_t state;
	size_t element_size;
	void *value;
	void *waiters[2];
	uint32_t getting; /* that have not returned yet */
	uint32_t room32;
	void *room[2];
};

/* `memory`: element_size bytes that live as long as it. 0, -EINVAL. */
FILCH_API int filch_oneshot_init(struct filch_oneshot *oneshot, size_t element_size, void *memory);
/* -EBUSY: somebody waits, or has been woken and is not back. NULL is accepted. */
FILCH_API int filch_oneshot_fini(struct filch_oneshot *oneshot);

/* 0, -EALREADY (put or abandoned before), -EPIPE (closed: the value stays with the caller),
 * -EINVAL. Context: anywhere; does not park. */
FILCH_API int filch_oneshot_put(struct filch_oneshot *oneshot, const void *element);
/* There will be no value. 0, -EALREADY. */
FILCH_API int filch_oneshot_abandon(struct filch_oneshot *oneshot);

/*
 * Takes the value, once. 0, -EPIPE (abandoned, closed, or taken already), -ECANCELED, -EINVAL;
 * `_until` also -ETIMEDOUT, `try_` -EAGAIN. Context: task or thread; the first two park. Who is
 * given it may free the oneshot.
 */
FILCH_API int filch_oneshot_get(struct filch_oneshot *oneshot, void *element);
FILCH_API int filch_oneshot_get_until(struct filch_oneshot *oneshot, void *element,
				      filch_time deadline);
FILCH_API int filch_oneshot_try_get(struct filch_oneshot *oneshot, void *element);
/* The receiver wants none any more; one that was put before can still be taken. 0, -EALREADY (it
 * has been put, abandoned or closed). */
FILCH_API int filch_oneshot_close(struct filch_oneshot *oneshot);
/* Who is parked at it now. */
FILCH_API unsigned filch_oneshot_waiting(struct filch_oneshot *oneshot);

#ifdef __cplusplus
}
#endif

#endif
