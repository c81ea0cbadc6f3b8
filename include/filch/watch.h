/* A value that changes, and those who want to know. */
#ifndef FILCH_WATCH_H
#define FILCH_WATCH_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Each receiver waits for a value it has not seen; those in between may be skipped, the latest
 * never is.
 *
 *	struct config first = DEFAULTS, memory, config;
 *	struct filch_watch watch;
 *	struct filch_watch_receiver receiver;
 *
 *	filch_watch_init(&watch, sizeof(config), &memory, &first);
 *	filch_watch_subscribe(&watch, &receiver);
 *	...
 *	while (filch_watch_wait(&receiver, &config) == 0)
 *		apply(&config);
 *	filch_watch_unsubscribe(&receiver);
 */
struct filch_watch {
	struct filch_word32 guard;
	uint32_t senders;
	uint32_t receivers;
	uint32_t room32;
	size_t element_size;
	void *value;
	uint64_t version;
	void *waiters[2];
	void *room[2];
};

struct filch_watch_receiver {
	struct filch_watch *watch;
	uint64_t seen;
	void *room[2];
};

typedef bool filch_watch_predicate(const void *element, void *arg);

/* With one sender. `memory`: element_size bytes that live as long as it. 0, -EINVAL. */
FILCH_API int filch_watch_init(struct filch_watch *watch, size_t element_size, void *memory,
			       const void *element);
/* -EBUSY: there are receivers. NULL is accepted. */
FILCH_API int filch_watch_fini(struct filch_watch *watch);
/* One sender more. 0, -EPIPE when all were closed. */
FILCH_API int filch_watch_add_sender(struct filch_watch *watch);
/* One sender less; with the last one receivers get -ENODATA once they have seen the last value.
 * -EOVERFLOW when all were closed. */
FILCH_API int filch_watch_close(struct filch_watch *watch);

/* Sets the value. 0, -EPIPE when all senders are closed. Context: anywhere; does not park. */
FILCH_API int filch_watch_put(struct filch_watch *watch, const void *element);
/* Copies the value, whoever has seen it. */
FILCH_API int filch_watch_get(struct filch_watch *watch, void *element);

/* The present value counts as seen. */
FILCH_API int filch_watch_subscribe(struct filch_watch *watch,
				    struct filch_watch_receiver *receiver);
/* Nobody waits with it. NULL and all-zero are accepted. */
FILCH_API void filch_watch_unsubscribe(struct filch_watch_receiver *receiver);

/*
 * Waits for a value that this receiver has not seen, copies it (`element` may be NULL) and
 * counts it as seen. 0, -ENODATA, -ECANCELED, -EINVAL; `_until` also -ETIMEDOUT, `try_` -EAGAIN.
 * Context: task or thread; the first two park.
 */
FILCH_API int filch_watch_wait(struct filch_watch_receiver *receiver, void *element);
FILCH_API int filch_watch_wait_until(struct filch_watch_receiver *receiver, void *element,
				     filch_time deadline);
FILCH_API int filch_watch_try_wait(struct filch_watch_receiver *receiver, void *element);
/* Waits until predicate(value, arg) is true, looking first at the present one; it is called under
 * no guard, with the copy in `element`. */
FILCH_API int filch_watch_wait_for(struct filch_watch_receiver *receiver,
				   filch_watch_predicate *predicate, void *arg, void *element);
FILCH_API int filch_watch_wait_for_until(struct filch_watch_receiver *receiver,
					 filch_watch_predicate *predicate, void *arg, void *element,
					 filch_time deadline);
/* Who is parked at it now. */
FILCH_API unsigned filch_watch_waiting(struct filch_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
