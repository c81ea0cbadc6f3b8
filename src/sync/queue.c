/* The queue: puts, gets and reservations, handed over directly to who waits. */
#include "sync/queue_store.h"

#include "platform/allocate.h"
#include "sched/worker.h"
#include "wake/token.h"

#include <errno.h>

/* ---- Putting ---- */

/* What is to be told when the guard is free. */
struct dropped {
	void (*fn)(const void *element, void *context);
	void *context;
	const void *element;
	char copy[FILCH_QUEUE_DROP_SIZE];
};

static void note_dropped(const struct filch_queue *queue, struct dropped *dropped,
			 const void *element)
{
	dropped->fn = queue->undelivered;
	dropped->context = queue->context;
	dropped->element = element;
	if (queue->overflow != FILCH_QUEUE_DROP_NEWEST && dropped->fn) {
		copy_element(dropped->copy, element, queue->element_size);
		dropped->element = dropped->copy;
	}
}

/* Full, and there are slots or the new one goes. One element is lost, the number stays. */
static void drop(struct filch_queue *queue, const void *element, struct dropped *dropped)
{
	char *slot;

	if (queue->overflow == FILCH_QUEUE_DROP_NEWEST) {
		note_dropped(queue, dropped, element);
		return;
	}
	if (queue->overflow == FILCH_QUEUE_DROP_OLDEST) {
		slot = slot_at(queue, queue->first);
		queue->first = ring_slot(queue, 1);
	} else {
		slot = slot_at(queue, ring_slot(queue, queue->count - 1));
	}
	note_dropped(queue, dropped, slot);
	copy_element(slot, element, queue->element_size);
}

/* Guarded: 0, an error, -EAGAIN to wait, or -ENOSPC to grow. */
static int offer(struct filch_queue *queue, const void *element,
		 const struct filch_channel_end *end, struct dropped *dropped)
{
	int status = filch__queue_put_closed(queue, end);

	if (status < 0)
		return status;
	/* When all slots are reserved no put passes who waits for one. */
	if (queue->flags & QUEUE_GETTERS && (queue->free > 0 || queue->reserved == 0) &&
	    filch__queue_hand_over(queue, element)) {
		queue->unfinished++;
		return 0;
	}
	if (queue->free > 0) {
		copy_element(store_room(queue), element, queue->element_size);
		filch__store_add(queue);
		queue->free--;
		queue->unfinished++;
		return 0;
	}
	if (queue->capacity == FILCH_QUEUE_UNBOUNDED)
		return -ENOSPC;
	if (queue->overflow == FILCH_QUEUE_WAIT)
		return -EAGAIN;
	drop(queue, element, dropped);
	return 0;
}

/* Guarded on entry, not on return. */
static FILCH_NOINLINE int put_guarded(struct filch_queue *queue, const void *element,
				      struct filch_channel_end *end, filch_time deadline)
{
	struct dropped dropped;
	int status;

	dropped.fn = NULL;
	while ((status = offer(queue, element, end, &dropped)) == -ENOSPC)
		if ((status = filch__store_grow(queue)) < 0)
			break;
	if (status == -EAGAIN && deadline != QUEUE_TRY) {
		struct queue_waiter waiter = { .element = (void *)(uintptr_t)element, .end = end };

		return filch__queue_park(queue, &waiter, false, deadline);
	}
	queue_unguard(queue);
	if (dropped.fn)
		dropped.fn(dropped.element, dropped.context);
	return status;
}

/* ---- Getting ---- */

/* A putter of a queue without slots. */
static int take_from_putter(struct filch_queue *queue, void *element)
{
	struct queue_waiter *putter;

	while ((putter = filch__queue_pop(queue, putters_of(queue)))) {
		if (!filch__queue_wake(queue, putter, 0))
			continue;
		/* It waits until it is released. */
		copy_element(element, putter->element, queue->element_size);
		queue->unfinished++;
		return 0;
	}
	return -EAGAIN;
}

/* Guarded: 0, an error, or -EAGAIN to wait. */
static int take(struct filch_queue *queue, void *element, const struct filch_channel_end *end)
{
	int status = filch__queue_get_closed(queue, end);

	if (status < 0)
		return status;
	if (queue->count == 0)
		return queue->capacity == 0 && queue->flags & QUEUE_PUTTERS
			       ? take_from_putter(queue, element)
			       : -EAGAIN;
	filch__store_take(queue, element);
	queue->free++;
	if (queue->flags & QUEUE_PUTTERS)
		filch__queue_refill(queue);
	return 0;
}

/* Guarded on entry, not on return. */
static FILCH_NOINLINE int get_guarded(struct filch_queue *queue, void *elements, size_t most,
				      size_t *count, struct filch_channel_end *end,
				      filch_time deadline)
{
	const struct filch_allocator *allocator;
	void *memory;
	size_t n = 0;
	int status;

	do
		status = take(queue, (char *)elements + n * queue->element_size, end);
	while (status == 0 && ++n < most);
	if (n == 0 && status == -EAGAIN && deadline != QUEUE_TRY) {
		struct queue_waiter waiter = { .element = elements, .end = end };

		status = filch__queue_park(queue, &waiter, true, deadline);
		*count = status == 0;
		return status;
	}
	allocator = queue->allocator;
	memory = filch__store_shrink(queue);
	queue_unguard(queue);
	filch__free(allocator, memory);
	*count = n;
	return n > 0 ? 0 : status;
}

/* ---- The short paths, where nobody waits and nothing is closed ---- */

static FILCH_ALWAYS_INLINE int put(struct filch_queue *queue, const void *element,
				   struct filch_channel_end *end, filch_time deadline)
{
	/* Who waits, what is closed or is no ring: that takes a closer look. */
	if (unlikely(queue_guard(queue) != 0) || unlikely(queue->free == 0) ||
	    unlikely(end && end->closed))
		return put_guarded(queue, element, end, deadline);
	copy_element(slot_at(queue, ring_slot(queue, queue->count)), element, queue->element_size);
	queue->count++;
	queue->free--;
	queue->unfinished++;
	/* release: as in queue_unguard, where the flags are 0. */
	word32_store_release(&queue->state, 0);
	return 0;
}

static FILCH_ALWAYS_INLINE int get(struct filch_queue *queue, void *element,
				   struct filch_channel_end *end, filch_time deadline)
{
	size_t count;

	if (unlikely(queue_guard(queue) != 0) || unlikely(queue->count == 0) ||
	    unlikely(end && end->closed))
		return get_guarded(queue, element, 1, &count, end, deadline);
	copy_element(element, slot_at(queue, queue->first), queue->element_size);
	queue->first = ring_slot(queue, 1);
	queue->count--;
	queue->free++;
	/* release: as in queue_unguard, where the flags are 0. */
	word32_store_release(&queue->state, 0);
	return 0;
}

/* ---- For channels ---- */

int filch__queue_put(struct filch_queue *queue, const void *element, struct filch_channel_end *end,
		     filch_time deadline)
{
	return put(queue, element, end, deadline);
}

int filch__queue_get(struct filch_queue *queue, void *element, struct filch_channel_end *end,
		     filch_time deadline)
{
	return get(queue, element, end, deadline);
}

int filch__queue_get_many(struct filch_queue *queue, void *elements, size_t most, size_t *count,
			  struct filch_channel_end *end, filch_time deadline)
{
	queue_guard(queue);
	return get_guarded(queue, elements, most, count, end, deadline);
}

/* ---- The public calls ---- */

/* As filch__wait_enter without a call, when there is nothing to look at. */
static FILCH_ALWAYS_INLINE bool may_go_on(const struct fiber *self)
{
	struct filch__task *task = self->task;

	return likely(task->scope && task->operations > 1 &&
		      !token_is_cancelled(task->scope, self->worker->scheduler));
}

int filch_queue_put_until(struct filch_queue *queue, const void *element, filch_time deadline)
{
	int status;

	if (!queue_takes(queue, element))
		return -EINVAL;
	status = filch__wait_enter();
	return status < 0 ? status
			  : filch__queue_put(queue, element, NULL, deadline < 0 ? 0 : deadline);
}

FILCH_NOINLINE int filch_queue_put(struct filch_queue *queue, const void *element)
{
	struct fiber *self = fiber_self_at_entry();

	if (unlikely(!queue || !element || !may_go_on(self)))
		return filch_queue_put_until(queue, element, FILCH_NEVER);
	self->task->operations--;
	return put(queue, element, NULL, FILCH_NEVER);
}

int filch_queue_try_put(struct filch_queue *queue, const void *element)
{
	if (!queue_takes(queue, element))
		return -EINVAL;
	return filch__queue_put(queue, element, NULL, QUEUE_TRY);
}

int filch_queue_get_until(struct filch_queue *queue, void *element, filch_time deadline)
{
	int status;

	if (!queue_takes(queue, element))
		return -EINVAL;
	status = filch__wait_enter();
	return status < 0 ? status
			  : filch__queue_get(queue, element, NULL, deadline < 0 ? 0 : deadline);
}

FILCH_NOINLINE int filch_queue_get(struct filch_queue *queue, void *element)
{
	struct fiber *self = fiber_self_at_entry();

	if (unlikely(!queue || !element || !may_go_on(self)))
		return filch_queue_get_until(queue, element, FILCH_NEVER);
	self->task->operations--;
	return get(queue, element, NULL, FILCH_NEVER);
}

int filch_queue_try_get(struct filch_queue *queue, void *element)
{
	if (!queue_takes(queue, element))
		return -EINVAL;
	return filch__queue_get(queue, element, NULL, QUEUE_TRY);
}

static int get_many(struct filch_queue *queue, void *elements, size_t most, size_t *count,
		    filch_time deadline)
{
	int status = 0;

	if (count)
		*count = 0;
	if (!queue_takes(queue, elements) || !count || most == 0)
		return -EINVAL;
	if (deadline != QUEUE_TRY)
		status = filch__wait_enter();
	return status < 0 ? status
			  : filch__queue_get_many(queue, elements, most, count, NULL, deadline);
}

int filch_queue_get_many_until(struct filch_queue *queue, void *elements, size_t most,
			       size_t *count, filch_time deadline)
{
	return get_many(queue, elements, most, count, deadline < 0 ? 0 : deadline);
}

int filch_queue_get_many(struct filch_queue *queue, void *elements, size_t most, size_t *count)
{
	return get_many(queue, elements, most, count, FILCH_NEVER);
}

int filch_queue_try_get_many(struct filch_queue *queue, void *elements, size_t most, size_t *count)
{
	return get_many(queue, elements, most, count, QUEUE_TRY);
}
