/* Inside the queue: its guard, its waiters, and what channels need of it. */
#ifndef FILCH_SYNC_QUEUE_H
#define FILCH_SYNC_QUEUE_H

#include "base/atomic.h"
#include "wake/wait.h"

#include <filch/channel.h>
#include <filch/queue.h>
#include <string.h>

/*
 * state = GUARD while somebody is at it, else the flags, which he has left there. What the short
 * paths cannot do they see from it: they go on only from 0.
 *
 *	flag       set by                                  cleared by
 *	GUARD      who does anything with the queue        the same, with the last store
 *	GETTERS    a get that parks                        who takes the last one out
 *	PUTTERS    a put or reserve that parks             who takes the last one out
 *	CLOSED     shutdown                                nobody
 *	IMMEDIATE  shutdown                                nobody
 *	DRAINING   who tells of drained elements           the same, afterwards
 *	SPECIAL    init: no ring, or one that grows        nobody
 *
 * What holds whenever the guard is free:
 *	getters wait => nothing is there to be got (but by a select of which it is an arm)
 *	putters wait => free == 0
 *	a getter waits and CLOSED => a slot is reserved
 *	count + free + reserved == allocated
 * Model: model_queue.
 */
#define QUEUE_GUARD 1u
#define QUEUE_GETTERS 2u
#define QUEUE_PUTTERS 4u
#define QUEUE_CLOSED 8u
#define QUEUE_IMMEDIATE 16u
#define QUEUE_DRAINING 32u
#define QUEUE_SPECIAL 64u

/*
 * A parked put, get, reserve or join, in its caller's frame or the arm of its select.
 *
 * Who wakes and who is woken: either may free the queue next. So the waker claims the wait under
 * the guard, and after its last touch of the queue it sets `released`, its last touch of
 * the waiter; who was woken waits for that, and does not look at the queue again. A waiter whose
 * wait ended otherwise while it was popped is counted as leaving until it has come.
 */
struct queue_waiter {
	struct waiter waiter; /* first */
	void *element;	      /* read by who takes it, or written by who gives it */
	struct filch_channel_end *end;
	struct queue_waiter *next; /* to be resumed */
	struct parked parked;
	struct filch_word32 released;
	int status; /* of who was woken */
	bool reserve;
};

static inline struct list *getters_of(struct filch_queue *queue)
{
	return (struct list *)(void *)queue->getters;
}

static inline struct list *putters_of(struct filch_queue *queue)
{
	return (struct list *)(void *)queue->putters;
}

static inline struct list *joiners_of(struct filch_queue *queue)
{
	return (struct list *)(void *)queue->joiners;
}

/* Who finds it taken looks again only after a while: each look takes the line from who works with it,
 * and costs both more than what he does with it. */
uint32_t filch__queue_guard(struct filch_queue *queue);

/* Returns the flags. */
static FILCH_ALWAYS_INLINE uint32_t queue_guard(struct filch_queue *queue)
{
	/* relaxed: the cas orders. */
	uint32_t state = word32_load_relaxed(&queue->state);

	/* acquire: pairs with the release in queue_unguard, and of the short paths. */
	if (likely(!(state & QUEUE_GUARD)) &&
	    likely(word32_cas_acquire(&queue->state, &state, QUEUE_GUARD)))
		return state;
	return filch__queue_guard(queue);
}

/* Those that were woken meanwhile go on. */
void filch__queue_resume(struct queue_waiter *woken);

/* The last touch. */
static inline void queue_unguard(struct filch_queue *queue)
{
	struct queue_waiter *woken = (struct queue_waiter *)queue->woken;

	queue->woken = NULL;
	/* release: pairs with the acquire in queue_guard and filch__queue_guard. */
	word32_store_release(&queue->state, queue->flags);
	if (woken)
		filch__queue_resume(woken);
}

/* Neither may be NULL, but for an element of no size. */
static inline bool queue_takes(const struct filch_queue *queue, const void *element)
{
	return queue && (element || queue->element_size == 0);
}

static inline void copy_element(void *to, const void *from, size_t size)
{
	if (likely(size == sizeof(uint64_t)))
		memcpy(to, from, sizeof(uint64_t));
	else if (size > 0)
		memcpy(to, from, size);
}

/* ---- queue.c, queue_reserve.c. `end`: the channel's end that asks, or NULL. No checkpoint ---- */

int filch__queue_put(struct filch_queue *queue, const void *element, struct filch_channel_end *end,
		     filch_time deadline);
int filch__queue_get(struct filch_queue *queue, void *element, struct filch_channel_end *end,
		     filch_time deadline);
int filch__queue_get_many(struct filch_queue *queue, void *elements, size_t most, size_t *count,
			  struct filch_channel_end *end, filch_time deadline);
int filch__queue_reserve(struct filch_queue *queue, struct filch_channel_end *end,
			 filch_time deadline);
int filch__queue_commit(struct filch_queue *queue, const void *element,
			struct filch_channel_end *end);
int filch__queue_unreserve(struct filch_queue *queue, struct filch_channel_end *end);
/* The deadline of the try_ forms: -EAGAIN. */
#define QUEUE_TRY INT64_MIN

/* ---- queue_wait.c. All guarded ---- */

void filch__queue_link(struct filch_queue *queue, struct queue_waiter *waiter, bool getter);
void filch__queue_unlink(struct filch_queue *queue, struct queue_waiter *waiter);
/* The first of a list, NULL when it is empty. */
struct queue_waiter *filch__queue_pop(struct filch_queue *queue, struct list *waiters);
/*
 * A waiter that was popped: false when its wait had ended otherwise, else it has `status`, and goes
 * on when the guard is free. It is there until then.
 */
bool filch__queue_wake(struct filch_queue *queue, struct queue_waiter *waiter, int status);
/* It has come, and was not woken. */
void filch__queue_leave(struct filch_queue *queue, struct queue_waiter *waiter);
/* The first getter whose wait has not ended otherwise is given the element. */
bool filch__queue_hand_over(struct filch_queue *queue, const void *element);
/* Slots are free: putters fill them. */
void filch__queue_refill(struct filch_queue *queue);
/* Closed, and nothing will come any more: getters are told. */
void filch__queue_settle_end(struct filch_queue *queue);
/* The errors of a put and a get as far as closing goes; 0. */
int filch__queue_put_closed(const struct filch_queue *queue, const struct filch_channel_end *end);
int filch__queue_get_closed(const struct filch_queue *queue, const struct filch_channel_end *end);
/* Not guarded on return. 0 granted, or why not. */
int filch__queue_park(struct filch_queue *queue, struct queue_waiter *waiter, bool getter,
		      filch_time deadline);
/* Not guarded. Who was woken: whoever did it is done with the queue after this. */
int filch__queue_come(struct queue_waiter *waiter);

/* ---- queue_life.c ---- */

/* Guarded on entry, not on return. */
void filch__queue_shut(struct filch_queue *queue, bool immediate);
/* Fills in the arm of a queue or of a channel's end. */
struct filch_arm filch__queue_arm(bool getter, struct filch_queue *queue, void *element,
				  struct filch_channel_end *end);

#endif
