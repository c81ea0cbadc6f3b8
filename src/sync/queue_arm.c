/* Puts and gets as arms of a select, for queues and for the ends of channels. */
#include "sync/queue.h"
#include "sync/select.h"

#include <errno.h>

SELECT_ROOM_FITS(struct queue_waiter);

/* The end of a channel: arm->number. */
static struct filch_channel_end *end_of(const struct filch_arm *arm)
{
	return (struct filch_channel_end *)(uintptr_t)arm->number;
}

static struct queue_waiter *prepare(struct filch_arm *arm)
{
	struct queue_waiter *waiter = arm_waiter(arm);

	waiter->element = arm->value;
	waiter->end = end_of(arm);
	waiter->reserve = false;
	waiter->status = -EAGAIN;
	/* relaxed: nobody else knows it. */
	word32_store_relaxed(&waiter->released, 0);
	return waiter;
}

/* What it fired with, or -EAGAIN. */
static int detach(struct filch_arm *arm)
{
	struct filch_queue *queue = arm->object;
	struct queue_waiter *waiter = arm_waiter(arm);
	bool woken;

	queue_guard(queue);
	woken = waiter->waiter.outcome != PARK_UNDECIDED;
	if (!woken)
		filch__queue_leave(queue, waiter);
	queue_unguard(queue);
	return woken ? filch__queue_come(waiter) : -EAGAIN;
}

static int put_ready(struct filch_arm *arm)
{
	return filch__queue_put(arm->object, arm->value, end_of(arm), QUEUE_TRY);
}

static bool put_attach(struct filch_arm *arm)
{
	struct filch_queue *queue = arm->object;
	struct queue_waiter *waiter = prepare(arm);
	bool waits;

	queue_guard(queue);
	waits = queue->free == 0 && queue->overflow == FILCH_QUEUE_WAIT &&
		queue->capacity != FILCH_QUEUE_UNBOUNDED &&
		filch__queue_put_closed(queue, waiter->end) == 0 &&
		(queue->capacity > 0 || !list_has_other(getters_of(queue), waiter->waiter.parker));
	if (waits)
		filch__queue_link(queue, waiter, false);
	queue_unguard(queue);
	return waits;
}

static int get_ready(struct filch_arm *arm)
{
	return filch__queue_get(arm->object, arm->value, end_of(arm), QUEUE_TRY);
}

static bool get_attach(struct filch_arm *arm)
{
	struct filch_queue *queue = arm->object;
	struct queue_waiter *waiter = prepare(arm);
	bool waits;

	queue_guard(queue);
	waits = queue->count == 0 && filch__queue_get_closed(queue, waiter->end) == 0 &&
		(queue->capacity > 0 || !list_has_other(putters_of(queue), waiter->waiter.parker));
	if (waits)
		filch__queue_link(queue, waiter, true);
	queue_unguard(queue);
	return waits;
}

static const struct select_kind put_kind = { put_ready, put_attach, detach };
static const struct select_kind get_kind = { get_ready, get_attach, detach };

struct filch_arm filch__queue_arm(bool getter, struct filch_queue *queue, void *element,
				  struct filch_channel_end *end)
{
	return (struct filch_arm){
		.kind = getter ? &get_kind : &put_kind,
		.object = queue,
		.value = element,
		.number = (uintptr_t)end,
	};
}

struct filch_arm filch_queue_put_arm(struct filch_queue *queue, const void *element)
{
	return filch__queue_arm(false, queue, (void *)(uintptr_t)element, NULL);
}

struct filch_arm filch_queue_get_arm(struct filch_queue *queue, void *element)
{
	return filch__queue_arm(true, queue, element, NULL);
}
