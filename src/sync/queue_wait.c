/* Who waits at a queue: linked, handed what came, woken when it closes. All under the guard. */
#include "sync/queue_store.h"

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/thread.h"

#include <errno.h>

#define PAUSES 8u

FILCH_NOINLINE uint32_t filch__queue_guard(struct filch_queue *queue)
{
	for (unsigned pauses = PAUSES;; pauses *= 2) {
		uint32_t state;

		if (pauses > PAUSES << 5) {
			filch__thread_yield();
			pauses = PAUSES;
		}
		for (unsigned i = 0; i < pauses; i++)
			cpu_relax();
		/* relaxed: the cas orders. */
		state = word32_load_relaxed(&queue->state);
		/* acquire: as in queue_guard. */
		if (!(state & QUEUE_GUARD) &&
		    word32_cas_acquire(&queue->state, &state, QUEUE_GUARD))
			return state;
	}
}

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

void filch__queue_unlink(struct filch_queue *queue, struct queue_waiter *waiter)
{
	list_remove(&waiter->waiter.link);
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

bool filch__queue_wake(struct filch_queue *queue, struct queue_waiter *waiter, int status)
{
	enum park_outcome outcome = status < 0 ? PARK_CLOSED : PARK_GRANTED;
	struct queue_waiter *last = (struct queue_waiter *)queue->last_woken;

	if (!filch__park_claim(waiter->waiter.parker, waiter->waiter.epoch, outcome,
			       &waiter->parked)) {
		queue->leaving++;
		if (waiter->end)
			waiter->end->leaving++;
		return false;
	}
	waiter->waiter.outcome = outcome;
	waiter->status = status;
	waiter->next = NULL;
	if (queue->woken)
		last->next = waiter;
	else
		queue->woken = waiter;
	queue->last_woken = waiter;
	return true;
}

void filch__queue_resume(struct queue_waiter *woken)
{
	while (woken) {
		struct queue_waiter *next = woken->next;
		struct parked parked = woken->parked;

		/* release: pairs with the acquire in filch__queue_come. *woken may be gone from
		 * here on, but for a fiber that is parked. */
		word32_store_release(&woken->released, 1);
		filch__park_resume(&parked);
		woken = next;
	}
}

int filch__queue_come(struct queue_waiter *waiter)
{
	/* acquire: pairs with the release in filch__queue_resume: what the other has done. */
	for (unsigned spins = 0; !word32_load_acquire(&waiter->released); spins++) {
		if (spins < 100)
			cpu_relax();
		else
			filch__thread_yield();
	}
	return waiter->status;
}

void filch__queue_leave(struct filch_queue *queue, struct queue_waiter *waiter)
{
	if (list_is_linked(&waiter->waiter.link)) {
		filch__queue_unlink(queue, waiter);
		return;
	}
	queue->leaving--;
	if (waiter->end)
		waiter->end->leaving--;
}

bool filch__queue_hand_over(struct filch_queue *queue, const void *element)
{
	struct queue_waiter *getter;

	while ((getter = filch__queue_pop(queue, getters_of(queue)))) {
		if (!filch__queue_wake(queue, getter, 0))
			continue; /* another arm may have been given something in the same place */
		/* It may run, and waits until it is released. */
		copy_element(getter->element, element, queue->element_size);
		return true;
	}
	return false;
}

/* A putter's element becomes one of ours, for the slot that is free. */
static void admit(struct filch_queue *queue, struct queue_waiter *putter)
{
	char *room = store_room(queue);

	copy_element(room, putter->element, queue->element_size);
	if (!filch__queue_wake(queue, putter, 0))
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
	if (filch__queue_wake(queue, putter, 0)) {
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
	int status = queue->flags & QUEUE_GETTERS ? filch__queue_get_closed(queue, NULL) : 0;
	struct queue_waiter *getter;

	while (status < 0 && (getter = filch__queue_pop(queue, getters_of(queue))))
		filch__queue_wake(queue, getter, status);
}

int filch__queue_park(struct filch_queue *queue, struct queue_waiter *waiter, bool getter,
		      filch_time deadline)
{
	static const struct waited element = { .name = "an element of a queue" };
	static const struct waited room = { .name = "room in a queue" };
	int status;

	if (deadline != FILCH_NEVER && deadline <= filch__clock_now()) {
		queue_unguard(queue);
		return -ETIMEDOUT;
	}
	filch__waiter_begin(&waiter->waiter);
	waiter_says(&waiter->waiter, getter ? &element : &room, queue);
	filch__queue_link(queue, waiter, getter);
	queue_unguard(queue);
	status = filch__waiter_wait(&waiter->waiter, deadline);
	if (status == 0 || status == -EPIPE)
		return filch__queue_come(waiter);
	queue_guard(queue);
	filch__queue_leave(queue, waiter);
	queue_unguard(queue);
	return status;
}
