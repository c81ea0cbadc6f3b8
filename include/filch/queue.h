/* A queue of elements of one size, which are copied in and out. */
#ifndef FILCH_QUEUE_H
#define FILCH_QUEUE_H

#include <filch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A put waits while the queue is full, a get while it is empty; who waits is served first in, first
 * out, and nobody passes those that wait. An element goes straight to a get that waits. A put or
 * get that fails has done nothing.
 *
 *	struct filch_queue_options options = {
 *		.size = sizeof(options), .element_size = sizeof(struct job), .capacity = 100
 *	};
 *
 *	status = filch_queue_init(&queue, &options);
 *	...
 *	filch_queue_put(&queue, &job);
 *	...
 *	while (filch_queue_get(&queue, &job) == 0)
 *		work(&job);
 *
 * All-zero is a queue of capacity 0 for elements of size 0.
 */
#define FILCH_QUEUE_UNBOUNDED SIZE_MAX
/* The largest element of a queue that drops old ones and has to tell it. */
#define FILCH_QUEUE_DROP_SIZE 256

enum filch_queue_order {
	FILCH_QUEUE_FIFO,
	FILCH_QUEUE_LIFO,
	FILCH_QUEUE_PRIORITY /* the least first; equal ones in the order of their puts */
};

enum filch_queue_overflow {
	FILCH_QUEUE_WAIT,	 /* a put waits for room */
	FILCH_QUEUE_DROP_OLDEST, /* the others never wait: the element longest in the queue goes, */
	FILCH_QUEUE_DROP_NEWEST, /* or the one that is put, */
	FILCH_QUEUE_CONFLATE	 /* or the one put last, whose place the new one takes */
};

struct filch_allocator;

struct filch_queue_options {
	size_t size; /* sizeof(struct filch_queue_options) */
	size_t element_size;
	size_t capacity; /* 0: a put waits until its element is got */
	enum filch_queue_order order;
	enum filch_queue_overflow overflow;
	/* Negative when a goes before b. Called under the queue's guard: it may only compare. */
	int (*compare)(const void *a, const void *b);
	/* Told of each element that was put and will not be got (dropped, or drained by an
	 * immediate shutdown or fini), once, under no guard; it must not park. */
	void (*undelivered)(const void *element, void *context);
	void *context;
	/* Capacity * element_size bytes of the caller's (PRIORITY: 16 more for each, aligned to 8);
	 * NULL: allocated. */
	void *memory;
	const struct filch_allocator *allocator; /* NULL: malloc; must outlive the queue */
	void *room[4];
};

struct filch_queue {
	struct filch_word32 state; /* the guard; the flags when it is free */
	uint32_t flags;		   /* this, and all that follows, is guarded */
	size_t element_size;
	size_t allocated; /* slots */
	char *slots;
	size_t first; /* the oldest element's slot */
	size_t count;
	size_t free;	     /* slots neither full nor reserved */
	uint64_t unfinished; /* put, and not yet task_done */
	size_t capacity;
	size_t reserved;
	void *ranks;
	uint64_t sequence;
	void *getters[2], *putters[2], *joiners[2];
	int (*compare)(const void *a, const void *b);
	void (*undelivered)(const void *element, void *context);
	void *context;
	const struct filch_allocator *allocator;
	uint64_t contended;
	uint8_t order, overflow, foreign, channel;
	uint32_t leaving;
	void *woken, *last_woken;
	void *room[2];
};

struct filch_queue_statistics {
	size_t size, reserved;
	uint64_t unfinished;
	size_t getters, putters, joiners; /* parked now */
	uint64_t contended;		  /* puts and gets that had to park */
	bool closed;
};

/* 0, -EINVAL (what does not go together: only WAIT and DROP_NEWEST with capacity 0 or PRIORITY,
 * only WAIT unbounded), -ENOMEM. */
FILCH_API int filch_queue_init(struct filch_queue *queue,
			       const struct filch_queue_options *options);
/* Drains, frees. -EBUSY: somebody waits, or a slot is reserved; nothing is done. NULL is accepted.
 */
FILCH_API int filch_queue_fini(struct filch_queue *queue);

/*
 * Context: task or thread; park while the queue is full, or empty. 0, -EPIPE shut down, -ECANCELED
 * (nothing was put or got), -EINVAL, -ENOMEM (unbounded). `_until` also -ETIMEDOUT; `try_` does
 * not park, and looks at no scope: -EAGAIN. Order: who gets sees what was done before the put.
 */
FILCH_API int filch_queue_put(struct filch_queue *queue, const void *element);
FILCH_API int filch_queue_put_until(struct filch_queue *queue, const void *element,
				    filch_time deadline);
FILCH_API int filch_queue_try_put(struct filch_queue *queue, const void *element);
FILCH_API int filch_queue_get(struct filch_queue *queue, void *element);
FILCH_API int filch_queue_get_until(struct filch_queue *queue, void *element, filch_time deadline);
FILCH_API int filch_queue_try_get(struct filch_queue *queue, void *element);
/* Waits for one element and takes what else there is, at most `most` (> 0); *count is set, also
 * to 0 with an error. */
FILCH_API int filch_queue_get_many(struct filch_queue *queue, void *elements, size_t most,
				   size_t *count);
FILCH_API int filch_queue_get_many_until(struct filch_queue *queue, void *elements, size_t most,
					 size_t *count, filch_time deadline);
FILCH_API int filch_queue_try_get_many(struct filch_queue *queue, void *elements, size_t most,
				       size_t *count);
/* Copies what a get would take next. -EAGAIN, -EPIPE; does not park. */
FILCH_API int filch_queue_peek(struct filch_queue *queue, void *element);

/*
 * A put in two steps: a slot is taken, as put would; later the element is put there without
 * waiting, or the slot is given back. Only with a capacity and WAIT (-EINVAL). A slot that was
 * taken before a graceful shutdown may still be used (gets wait for it); after an immediate one
 * commit returns -EPIPE, and the slot is gone. -EPERM when none is taken.
 */
FILCH_API int filch_queue_reserve(struct filch_queue *queue);
FILCH_API int filch_queue_reserve_until(struct filch_queue *queue, filch_time deadline);
FILCH_API int filch_queue_try_reserve(struct filch_queue *queue);
FILCH_API int filch_queue_commit(struct filch_queue *queue, const void *element);
FILCH_API int filch_queue_unreserve(struct filch_queue *queue);

/* One element that was got has been dealt with. -EOVERFLOW when none is unfinished. */
FILCH_API int filch_queue_task_done(struct filch_queue *queue);
/* Waits for the instant at which no element is unfinished (later puts do not matter). */
FILCH_API int filch_queue_join(struct filch_queue *queue);
FILCH_API int filch_queue_join_until(struct filch_queue *queue, filch_time deadline);
FILCH_API int filch_queue_try_join(struct filch_queue *queue);

/*
 * Puts fail from now on, those that wait too; gets take what is left, then fail. `immediate`: what
 * is left is drained, and counts as done. May be called again, also to make it immediate.
 * Context: anywhere; does not park.
 */
FILCH_API int filch_queue_shutdown(struct filch_queue *queue, bool immediate);

/* Elements that can be got (reserved slots do not count). True of one instant. */
FILCH_API size_t filch_queue_size(struct filch_queue *queue);
FILCH_API void filch_queue_get_statistics(struct filch_queue *queue,
					  struct filch_queue_statistics *statistics);

#ifdef __cplusplus
}
#endif

#endif
