/* Who waits at a queue: linked, handed what came, woken when it closes. All under the guard. */
#include "sync/queue_store.h"

#include "platform/clock.h"

#include <errno.h>

void filch__queue_link(struct filch_queue *queue, struct queue_waiter *waiter, bool getter)
{
	list_push_back(getter ? getters_of(queue) : putters_of(queue), &waiter->waiter.link);
	queue->flags |= getter ? QUEUE_GETTERS : QUEUE_PUTTERS;
	queue->contended++;
}

static void update_flags(struct filch_queue *queue)
{
	if (list_is_empty(getters_of(queue)))
		queue->flags &= ~QUEUE_GETTERS;
	if (list_is_empty(putters_of(queue)))
		queue->flags &= ~QUEUE_PUTTERS;
}

void filch__queue_unlink(struct filch_queue *queue, struct waiter *waiter)
{
	list_remove(&waiter->link);
	update_flags(queue);
}

struct queue_waiter *filch__queue_pop(struct filch_queue *queue, struct list *waiters)
{
	struct list *link = list_pop_front(waiters);

	if (!link)
		return NULL;
	update_flags(queue);
	return container_of(link, struct queue_waiter, waiter.link);
}

bool filch__queue_hand_over(struct filch_queue *queue, const void *element)
{
	struct queue_waiter *getter;

	while ((getter = filch__queue_pop(queue, getters_of(queue)))) {
		copy_element(getter->element, element, queue->element_size);
		if (waiter_grant(&getter->waiter))
			return true;
	}
	return false;
}

/* A putter's element becomes one of ours, for the slot that is free. */
static void admit(struct filch_queue *queue, struct queue_waiter *putter)
{
	char *room = store_room(queue);

	copy_element(room, putter->element, queue->element_size);
	if (!waiter_grant(&putter->waiter))
		return;
	queue->unfinished++;
	if (queue->flags & QUEUE_GETTERS && filch__queue_hand_over(queue, room))
		return; /* all other slots were reserved */
	filch__store_add(queue);
	queue->free--;
}

static void admit_reservation(struct filch_queue *queue, struct queue_waiter *putter)
{
	struct filch_channel_end *end = putter->end;

	if (end)
		end->permits++;
	if (waiter_grant(&putter->waiter)) {
		queue->reserved++;
		queue->free--;
	} else if (end) {
		end->permits--;
	}
}

void filch__queue_refill(struct filch_queue *queue)
{
	while (queue->free > 0 && queue->flags & QUEUE_PUTTERS) {
		struct queue_waiter *putter = filch__queue_pop(queue, putters_of(queue));

		if (putter->reserve)
			admit_reservation(queue, putter);
		else
			admit(queue, putter);
	}
}

int filch__queue_put_closed(const struct filch_queue *queue, const struct filch_channel_end *end)
{
	if (end && end->closed)
		return -EBADF;
	return queue->flags & QUEUE_CLOSED ? -EPIPE : 0;
}

int filch__queue_get_closed(const struct filch_queue *queue, const struct filch_channel_end *end)
{
	if (end && end->closed)
		return -EBADF;
	if (!(queue->flags & QUEUE_CLOSED) || queue->count > 0)
		return 0;
	if (queue->reserved > 0 && !(queue->flags & QUEUE_IMMEDIATE))
		return 0;
	return queue->channel ? -ENODATA : -EPIPE;
}

void filch__queue_settle_end(struct filch_queue *queue)
{
	struct queue_waiter *getter;

	if (queue->flags & QUEUE_GETTERS && filch__queue_get_closed(queue, NULL) < 0)
		while ((getter = filch__queue_pop(queue, getters_of(queue))))
			waiter_end(&getter->waiter, PARK_CLOSED);
}

void filch__queue_wait_for_guard(struct filch_queue *queue)
{
	/* acquire: pairs with the release in queue_unguard: what the other has done. */
	while (word32_load_acquire(&queue->state) & QUEUE_GUARD)
		cpu_relax();
}

int filch__queue_park(struct filch_queue *queue, struct queue_waiter *waiter, bool getter,
		      filch_time deadline)
{
	int status;

	if (deadline != FILCH_NEVER && deadline <= filch__clock_now()) {
		queue_unguard(queue);
		return -ETIMEDOUT;
	}
	filch__waiter_begin(&waiter->waiter);
	filch__queue_link(queue, waiter, getter);
	queue_unguard(queue);
	status = filch__waiter_wait(&waiter->waiter, deadline);
	if (status == 0) {
		filch__queue_wait_for_guard(queue);
		return 0;
	}
	queue_guard(queue);
	if (list_is_linked(&waiter->waiter.link))
		filch__queue_unlink(queue, &waiter->waiter);
	if (status == -EPIPE && getter)
		status = waiter->end && waiter->end->closed ? -EBADF
			 : queue->channel		    ? -ENODATA
							    : -EPIPE;
	else if (status == -EPIPE && waiter->end && waiter->end->closed)
		status = -EBADF;
	queue_unguard(queue);
	return status;
}
