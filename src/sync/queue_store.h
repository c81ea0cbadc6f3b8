/* Where a queue keeps its elements: a ring, or a heap of ranks. All of it under the guard. */
#ifndef FILCH_SYNC_QUEUE_STORE_H
#define FILCH_SYNC_QUEUE_STORE_H

#include "sync/queue.h"

/* PRIORITY: ranks[0, count) are a heap, the rest names the slots that are free. */
struct rank {
	uint64_t sequence;
	size_t slot;
};

static inline char *slot_at(const struct filch_queue *queue, size_t slot)
{
	return queue->slots + slot * queue->element_size;
}

/* The nth in the ring, from the oldest. */
static inline size_t ring_slot(const struct filch_queue *queue, size_t nth)
{
	size_t slot = queue->first + nth;

	return slot < queue->allocated ? slot : slot - queue->allocated;
}

/* Where the next element is written; nothing is changed yet. There is a slot. */
static inline char *store_room(const struct filch_queue *queue)
{
	const struct rank *ranks = (const struct rank *)queue->ranks;

	return slot_at(queue, ranks ? ranks[queue->count].slot : ring_slot(queue, queue->count));
}

/* What was written there becomes an element. */
void filch__store_add(struct filch_queue *queue);
/* Takes the element whose turn it is; there is one. */
void filch__store_take(struct filch_queue *queue, void *element);
/* The same, without taking it. */
const void *filch__store_next(const struct filch_queue *queue);
/* Calls fn for every element. */
void filch__store_each(const struct filch_queue *queue, size_t count,
		       void (*fn)(const void *element, void *context), void *context);
/* Bytes for so many slots; 0: too many. */
size_t filch__store_bytes(const struct filch_queue *queue, size_t slots);
/* Moves to larger memory for `slots`; returns the old one. */
void *filch__store_move(struct filch_queue *queue, void *memory, size_t slots);
/* Guarded before and after, not meanwhile: more slots, for an unbounded queue. 0, -ENOMEM. */
int filch__store_grow(struct filch_queue *queue);
/* Memory that an unbounded queue needs no more; to be freed without the guard. */
void *filch__store_shrink(struct filch_queue *queue);
/* What was allocated, or NULL. */
void *filch__store_memory(const struct filch_queue *queue);

#endif
