/* The ring and the heap of a queue. */
#include "sync/queue_store.h"

#include "platform/allocate.h"

#include <errno.h>

#define KEPT_SLOTS 64 /* of an unbounded queue that is empty */
#define FIRST_SLOTS 16

static struct rank *ranks_of(const struct filch_queue *queue)
{
	return (struct rank *)queue->ranks;
}

static bool goes_before(const struct filch_queue *queue, const struct rank *a, const struct rank *b)
{
	int order = queue->compare(slot_at(queue, a->slot), slot_at(queue, b->slot));

	return order < 0 || (order == 0 && a->sequence < b->sequence);
}

static void sift_up(struct filch_queue *queue, size_t at)
{
	struct rank *ranks = ranks_of(queue), moved = ranks[at];

	while (at > 0 && goes_before(queue, &moved, &ranks[(at - 1) / 2])) {
		ranks[at] = ranks[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	ranks[at] = moved;
}

static void sift_down(struct filch_queue *queue)
{
	struct rank *ranks = ranks_of(queue), moved = ranks[0];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < queue->count) {
		if (child + 1 < queue->count &&
		    goes_before(queue, &ranks[child + 1], &ranks[child]))
			child++;
		if (!goes_before(queue, &ranks[child], &moved))
			break;
		ranks[at] = ranks[child];
		at = child;
	}
	ranks[at] = moved;
}

void filch__store_add(struct filch_queue *queue)
{
	if (queue->ranks) {
		ranks_of(queue)[queue->count].sequence = queue->sequence++;
		sift_up(queue, queue->count);
	}
	queue->count++;
}

const void *filch__store_next(const struct filch_queue *queue)
{
	if (queue->ranks)
		return slot_at(queue, ranks_of(queue)[0].slot);
	return slot_at(queue,
		       ring_slot(queue, queue->order == FILCH_QUEUE_LIFO ? queue->count - 1 : 0));
}

void filch__store_take(struct filch_queue *queue, void *element)
{
	copy_element(element, filch__store_next(queue), queue->element_size);
	queue->count--;
	if (queue->ranks) {
		struct rank *ranks = ranks_of(queue), taken = ranks[0];

		ranks[0] = ranks[queue->count];
		ranks[queue->count] = taken;
		if (queue->count > 1)
			sift_down(queue);
	} else if (queue->order == FILCH_QUEUE_FIFO) {
		queue->first = ring_slot(queue, 1);
	}
}

void filch__store_each(const struct filch_queue *queue, size_t count,
		       void (*fn)(const void *element, void *context), void *context)
{
	for (size_t i = 0; i < count; i++)
		fn(slot_at(queue, queue->ranks ? ranks_of(queue)[i].slot : ring_slot(queue, i)),
		   context);
}

size_t filch__store_bytes(const struct filch_queue *queue, size_t slots)
{
	size_t each = queue->element_size;
	size_t bytes;

	if (queue->order == FILCH_QUEUE_PRIORITY &&
	    __builtin_add_overflow(each, sizeof(struct rank), &each))
		return 0;
	if (__builtin_mul_overflow(each, slots, &bytes) || bytes > PTRDIFF_MAX)
		return 0;
	return bytes > 0 ? bytes : 1;
}

void *filch__store_memory(const struct filch_queue *queue)
{
	if (queue->foreign)
		return NULL;
	return queue->ranks ? queue->ranks : queue->slots;
}

void *filch__store_move(struct filch_queue *queue, void *memory, size_t slots)
{
	struct rank *ranks = queue->order == FILCH_QUEUE_PRIORITY ? memory : NULL;
	char *elements = ranks ? (char *)&ranks[slots] : memory;
	void *old = filch__store_memory(queue);

	/* In a heap the slots stay what they are, in a ring the oldest becomes the first. */
	for (size_t i = 0; i < queue->allocated; i++)
		if (ranks || i < queue->count)
			copy_element(elements + i * queue->element_size,
				     slot_at(queue, ranks ? i : ring_slot(queue, i)),
				     queue->element_size);
	for (size_t i = 0; ranks && i < slots; i++)
		ranks[i] = i < queue->allocated ? ranks_of(queue)[i] : (struct rank){ .slot = i };
	queue->free += slots - queue->allocated;
	queue->ranks = ranks;
	queue->slots = elements;
	queue->first = 0;
	queue->allocated = slots;
	return old;
}

int filch__store_grow(struct filch_queue *queue)
{
	size_t slots = queue->allocated ? 2 * queue->allocated : FIRST_SLOTS;
	size_t bytes = filch__store_bytes(queue, slots);
	const struct filch_allocator *allocator = queue->allocator;
	void *memory;

	queue_unguard(queue);
	memory = bytes ? filch__allocate(allocator, bytes) : NULL;
	queue_guard(queue);
	if (!memory)
		return -ENOMEM;
	/* Somebody else may have been faster, or it was emptied. */
	if (queue->free == 0 && queue->allocated < slots)
		memory = filch__store_move(queue, memory, slots);
	if (memory) {
		queue_unguard(queue);
		filch__free(allocator, memory);
		queue_guard(queue);
	}
	return 0;
}

void *filch__store_shrink(struct filch_queue *queue)
{
	void *memory;

	if (queue->capacity != FILCH_QUEUE_UNBOUNDED || queue->allocated <= KEPT_SLOTS ||
	    queue->free < queue->allocated)
		return NULL;
	memory = filch__store_memory(queue);
	queue->slots = NULL;
	queue->ranks = NULL;
	queue->first = queue->allocated = queue->free = 0;
	return memory;
}
