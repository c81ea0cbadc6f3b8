/* Every value to every receiver. */
#ifndef FILCH_BROADCAST_H
#define FILCH_BROADCAST_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Each receiver gets what was put after it has subscribed. The last `capacity` values are kept, and
 * nobody waits for a slow receiver: it is told how many it has lost, and goes on with the oldest
 * that is left.
 *
 *	struct filch_broadcast_options options = {
 *		.size = sizeof(options), .element_size = sizeof(event), .capacity = 16
 *	};
 *
 *	filch_broadcast_init(&broadcast, &options);
 *	filch_broadcast_subscribe(&broadcast, &receiver);
 *	...
 *	status = filch_broadcast_get(&receiver, &event, &lost);
 */
struct filch_allocator;

struct filch_broadcast_options {
	size_t size; /* sizeof(struct filch_broadcast_options) */
	size_t element_size;
	size_t capacity;
	void *memory; /* element_size * capacity bytes; NULL: allocated */
	const struct filch_allocator *allocator; /* NULL: malloc; must outlive it */
	void *room[4];
};

struct filch_broadcast {
	struct filch_word32 guard;
	uint32_t senders;
	size_t receivers;
	size_t element_size;
	size_t capacity;
	char *slots;
	uint64_t sent; /* values so far */
	void *waiters[2];
	const struct filch_allocator *allocator;
	bool foreign;
	void *room[2];
};

struct filch_broadcast_receiver {
	struct filch_broadcast *broadcast;
	uint64_t next; /* the value it gets next */
	void *room[2];
};

/* With one sender. 0, -EINVAL (capacity 0), -ENOMEM. */
FILCH_API int filch_broadcast_init(struct filch_broadcast *broadcast,
				   const struct filch_broadcast_options *options);
/* -EBUSY: there are receivers. NULL is accepted. */
FILCH_API int filch_broadcast_fini(struct filch_broadcast *broadcast);
/* One sender more. 0, -EPIPE when all were closed. */
FILCH_API int filch_broadcast_add_sender(struct filch_broadcast *broadcast);
/* One sender less; with the last one receivers drain, then get -ENODATA. -EOVERFLOW when all were
 * closed. */
FILCH_API int filch_broadcast_close(struct filch_broadcast *broadcast);

FILCH_API int filch_broadcast_subscribe(struct filch_broadcast *broadcast,
					struct filch_broadcast_receiver *receiver);
/* Nobody waits with it. NULL and all-zero are accepted. */
FILCH_API void filch_broadcast_unsubscribe(struct filch_broadcast_receiver *receiver);

/* 0 and how many receivers there are (`receivers` may be NULL); -EPIPE when there is none, or all
 * senders are closed. Context: anywhere; does not park. */
FILCH_API int filch_broadcast_put(struct filch_broadcast *broadcast, const void *element,
				  size_t *receivers);
/*
 * The next value. -EOVERFLOW: *lost values (`lost` may be NULL) were overwritten, the next call
 * goes on with the oldest one kept. -ENODATA, -ECANCELED, -EINVAL; `_until` also -ETIMEDOUT, `try_`
 * -EAGAIN. Context: task or thread; the first two park.
 */
FILCH_API int filch_broadcast_get(struct filch_broadcast_receiver *receiver, void *element,
				  uint64_t *lost);
FILCH_API int filch_broadcast_get_until(struct filch_broadcast_receiver *receiver, void *element,
					uint64_t *lost, filch_time deadline);
FILCH_API int filch_broadcast_try_get(struct filch_broadcast_receiver *receiver, void *element,
				      uint64_t *lost);
/* Who is parked at it now. */
FILCH_API unsigned filch_broadcast_waiting(struct filch_broadcast *broadcast);

#ifdef __cplusplus
}
#endif

#endif
