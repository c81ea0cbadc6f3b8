/* Puts in two steps. */
#include "sync/queue_store.h"

#include <errno.h>

int filch__queue_reserve(struct filch_queue *queue, struct filch_channel_end *end,
			 filch_time deadline)
{
	int status;

	if (queue->overflow != FILCH_QUEUE_WAIT || queue->capacity == 0)
		return -EINVAL;
	queue_guard(queue);
	while ((status = filch__queue_put_closed(queue, end)) == 0 && queue->free == 0 &&
	       queue->capacity == FILCH_QUEUE_UNBOUNDED)
		if ((status = filch__store_grow(queue)) < 0)
			break;
	if (status == 0 && queue->free == 0) {
		struct queue_waiter waiter = { .end = end, .reserve = true };

		if (deadline != QUEUE_TRY)
			return filch__queue_park(queue, &waiter, false, deadline);
		status = -EAGAIN;
	}
	if (status == 0) {
		queue->free--;
		queue->reserved++;
		if (end)
			end->permits++;
	}
	queue_unguard(queue);
	return status;
}

/* Guarded: the reserved slot is no more; 0 or the error. */
static int take_permit(struct filch_queue *queue, struct filch_channel_end *end)
{
	if (end && end->closed)
		return -EBADF;
	if (queue->reserved == 0 || (end && end->permits == 0))
		return -EPERM;
	queue->reserved--;
	if (end)
		end->permits--;
	return 0;
}

int filch__queue_commit(struct filch_queue *queue, const void *element,
			struct filch_channel_end *end)
{
	int status;

	queue_guard(queue);
	status = take_permit(queue, end);
	if (status == 0 && queue->flags & QUEUE_IMMEDIATE) {
		queue->free++;
		status = -EPIPE;
	} else if (status == 0) {
		queue->unfinished++;
		if (queue->flags & QUEUE_GETTERS && filch__queue_hand_over(queue, element)) {
			queue->free++;
			filch__queue_refill(queue);
			filch__queue_settle_end(queue);
		} else {
			copy_element(store_room(queue), element, queue->element_size);
			filch__store_add(queue);
		}
	}
	queue_unguard(queue);
	return status;
}

int filch__queue_unreserve(struct filch_queue *queue, struct filch_channel_end *end)
{
	int status;

	queue_guard(queue);
	status = take_permit(queue, end);
	if (status == 0) {
		queue->free++;
		filch__queue_refill(queue);
		filch__queue_settle_end(queue);
	}
	queue_unguard(queue);
	return status;
}

int filch_queue_reserve_until(struct filch_queue *queue, filch_time deadline)
{
	int status = queue ? filch__wait_enter() : -EINVAL;

	return status < 0 ? status : filch__queue_reserve(queue, NULL, deadline < 0 ? 0 : deadline);
}

int filch_queue_reserve(struct filch_queue *queue)
{
	return filch_queue_reserve_until(queue, FILCH_NEVER);
}

int filch_queue_try_reserve(struct filch_queue *queue)
{
	return queue ? filch__queue_reserve(queue, NULL, QUEUE_TRY) : -EINVAL;
}

int filch_queue_commit(struct filch_queue *queue, const void *element)
{
	return queue_takes(queue, element) ? filch__queue_commit(queue, element, NULL) : -EINVAL;
}

int filch_queue_unreserve(struct filch_queue *queue)
{
	return queue ? filch__queue_unreserve(queue, NULL) : -EINVAL;
}
